/* One block. A value and its place become one integer that is larger for a larger value and, among equals, for a lower index; NaN
 * is below everything. */
#include "kernels/argmax.h"

#include "kernels/cuda/warp.cuh"

namespace {

enum { THREADS = 1024 };

__device__ inline unsigned long long key_of(float x, int64_t i)
{
    unsigned bits = __float_as_uint(x + 0.0f); /* -0 becomes +0 */
    unsigned order = x != x ? 0u : bits & 0x80000000u ? ~bits : bits | 0x80000000u;
    return static_cast<unsigned long long>(order) << 32 | ~static_cast<unsigned>(i);
}

__global__ void find_largest(const float *in, int64_t n, int32_t *out)
{
    KVL_SHARED(unsigned long long, best_of, [THREADS / 32]);
    unsigned long long best = 0;
#pragma unroll 4
    for (int64_t i = threadIdx.x; i < n; i += THREADS) {
        unsigned long long key = key_of(in[i], i);
        best = key > best ? key : best;
    }
    best = kvl::warp_max(best);
    if (threadIdx.x % 32 == 0)
        best_of[threadIdx.x / 32] = best;
    __syncthreads();
    if (threadIdx.x >= 32)
        return;
    best = kvl::warp_max(best_of[threadIdx.x]);
    if (threadIdx.x == 0)
        *out = static_cast<int32_t>(~static_cast<unsigned>(best));
}

} // namespace

enum kvl_status kvl_cuda_argmax(struct kvl_ctx *ctx, const struct kvl_argmax *op)
{
    KVL_TRY_LAUNCH(find_largest, dim3(1), dim3(THREADS), 0, kvl_cuda(ctx)->stream, op->in, op->n, op->out);
    return KVL_OK;
}
