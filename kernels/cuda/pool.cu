/* A thread a value; neighbours read the same lines out of the cache. */
#include "kernels/pool.h"

#include "kernels/cuda/cuda.h"
#include "kernels/cuda/launch.cuh"

namespace {

__global__ void pool_rows(const float *in, float *out, int64_t n_cols, int64_t kernel, bool average)
{
    int64_t column = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (column >= n_cols)
        return;
    in += blockIdx.y * n_cols;
    int64_t begin = column - kernel / 2, end = column + kernel / 2 + 1;
    begin = begin > 0 ? begin : 0;
    end = end < n_cols ? end : n_cols;
    float max = in[begin], sum = 0.0f;
    for (int64_t j = begin; j < end; j++) {
        max = in[j] > max ? in[j] : max;
        sum += in[j];
    }
    out[blockIdx.y * n_cols + column] = average ? sum / static_cast<float>(kernel) : max;
}

} // namespace

enum kvl_status kvl_cuda_pool(struct kvl_ctx *ctx, const struct kvl_pool *op)
{
    KVL_REQUIRE(op->kernel >= 1 && op->kernel % 2 == 1, "pool: kernel %lld is not odd", (long long)op->kernel);
    KVL_TRY_LAUNCH(pool_rows, dim3((unsigned)kvl_div_up(op->n_cols, 256), (unsigned)op->n_rows), dim3(256), 0,
                   kvl_cuda(ctx)->stream, op->in, op->out, op->n_cols, op->kernel, op->kind == KVL_POOL_AVG);
    return KVL_OK;
}
