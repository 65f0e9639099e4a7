#include "kernels/reduce_heads.h"

#include "kernels/cpu/cpu.h"

enum kvl_status kvl_cpu_reduce_heads(struct kvl_ctx *ctx, const struct kvl_reduce_heads *op)
{
#pragma omp parallel for schedule(static) num_threads(kvl_cpu(ctx)->n_threads)
    for (int64_t row = 0; row < op->n_rows; row++) {
        const float *in = op->in + row * op->group * op->n_cols;
        float *out = op->out + row * op->n_cols;
        memcpy(out, in, (size_t)op->n_cols * sizeof *out);
        for (int64_t i = 1; i < op->group; i++)
            for (int64_t j = 0; j < op->n_cols; j++)
                out[j] += in[i * op->n_cols + j];
    }
    return KVL_OK;
}
