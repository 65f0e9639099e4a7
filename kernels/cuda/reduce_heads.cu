#include "kernels/reduce_heads.h"

#include "kernels/cuda/cuda.h"
#include "kernels/cuda/launch.cuh"

namespace {

__global__ void add_rows(const float *in, float *out, int64_t group, int64_t n_cols)
{
    int64_t column = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (column >= n_cols)
        return;
    in += blockIdx.y * group * n_cols + column;
    float sum = *in;
#pragma unroll 4
    for (int64_t i = 1; i < group; i++)
        sum += in[i * n_cols];
    out[blockIdx.y * n_cols + column] = sum;
}

} // namespace

enum kvl_status kvl_cuda_reduce_heads(struct kvl_ctx *ctx, const struct kvl_reduce_heads *op)
{
    KVL_TRY_LAUNCH(add_rows, dim3((unsigned)kvl_div_up(op->n_cols, 256), (unsigned)op->n_rows), dim3(256), 0,
                   kvl_cuda(ctx)->stream, op->in, op->out, op->group, op->n_cols);
    return KVL_OK;
}
