#include "kernels/pool.h"

#include "kernels/cpu/cpu.h"

static float pool_at(const float *in, int64_t n, int64_t column, const struct kvl_pool *op)
{
    int64_t begin = column - op->kernel / 2, end = column + op->kernel / 2 + 1;
    begin = begin > 0 ? begin : 0;
    end = end < n ? end : n;
    float max = in[begin], sum = 0.0f;
    for (int64_t j = begin; j < end; j++) {
        max = in[j] > max ? in[j] : max;
        sum += in[j];
    }
    return op->kind == KVL_POOL_MAX ? max : sum / (float)op->kernel;
}

enum kvl_status kvl_cpu_pool(struct kvl_ctx *ctx, const struct kvl_pool *op)
{
    KVL_REQUIRE(op->kernel >= 1 && op->kernel % 2 == 1, "pool: kernel %lld is not odd", (long long)op->kernel);
#pragma omp parallel for schedule(static) num_threads(kvl_cpu(ctx)->n_threads)
    for (int64_t row = 0; row < op->n_rows; row++)
        for (int64_t column = 0; column < op->n_cols; column++)
            op->out[row * op->n_cols + column] = pool_at(op->in + row * op->n_cols, op->n_cols, column, op);
    return KVL_OK;
}
