/* Sums and maxima over a warp or a block; the order of additions is fixed, so results are the same at every run. */
#ifndef KVL_CUDA_WARP_CUH
#define KVL_CUDA_WARP_CUH

#include "kernels/cuda/launch.cuh"

namespace kvl {

constexpr unsigned ALL_LANES = 0xffffffffu;

/* Over all 32 lanes; every lane gets the result. `width`: over groups of so many neighbouring lanes. */
template <class T> __device__ inline T warp_sum(T x, int width = 32)
{
    for (int by = width / 2; by > 0; by /= 2)
        x += __shfl_xor_sync(ALL_LANES, x, by);
    return x;
}

template <class T> __device__ inline T warp_max(T x, int width = 32)
{
    for (int by = width / 2; by > 0; by /= 2) {
        T other = __shfl_xor_sync(ALL_LANES, x, by);
        x = other > x ? other : x;
    }
    return x;
}

/* Sum of the values of lanes 0..own. */
template <class T> __device__ inline T warp_scan(T x)
{
    int lane = static_cast<int>(threadIdx.x) & 31;
    for (int by = 1; by < 32; by *= 2) {
        T other = __shfl_up_sync(ALL_LANES, x, by);
        x += lane >= by ? other : T(0);
    }
    return x;
}

/* Over a block of whole warps, one-dimensional; every thread gets the result. All threads must come. */
template <class T> __device__ inline T block_sum(T x)
{
    KVL_SHARED(T, parts, [32]);
    int lane = static_cast<int>(threadIdx.x) & 31, warp = static_cast<int>(threadIdx.x) >> 5;
    int n_warps = static_cast<int>(blockDim.x) >> 5;
    x = warp_sum(x);
    if (lane == 0)
        parts[warp] = x;
    __syncthreads();
    x = warp_sum(lane < n_warps ? parts[lane] : T(0));
    __syncthreads(); /* `parts` may be written again */
    return x;
}

} // namespace kvl
#endif
