#include "kernels/range.h"

#include "kernels/cuda/cuda.h"
#include "kernels/cuda/launch.cuh"

namespace {

__global__ void count_up(int32_t *idx, int64_t n_rows, int64_t ld_idx, int64_t at, int64_t n, int32_t first)
{
    int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i < n_rows * n)
        idx[i / n * ld_idx + at + i % n] = first + static_cast<int32_t>(i % n);
}

} // namespace

enum kvl_status kvl_cuda_range(struct kvl_ctx *ctx, const struct kvl_range *op)
{
    if (op->n_rows * op->n > 0)
        KVL_TRY_LAUNCH(count_up, dim3((unsigned)kvl_div_up(op->n_rows * op->n, 256)), dim3(256), 0, kvl_cuda(ctx)->stream, op->idx,
                       op->n_rows, op->ld_idx, op->at, op->n, op->first);
    return KVL_OK;
}
