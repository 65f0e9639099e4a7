/* Elements as floats, one at a time or 16 bytes at a time. */
#ifndef KVL_CUDA_VECTOR_CUH
#define KVL_CUDA_VECTOR_CUH

#include "kernels/cuda/launch.cuh"

namespace kvl {

__device__ inline float to_float(float x)
{
    return x;
}

__device__ inline float to_float(__nv_bfloat16 x)
{
    return __bfloat162float(x);
}

__device__ inline void from_float(float x, float *out)
{
    *out = x;
}

__device__ inline void from_float(float x, __nv_bfloat16 *out)
{
    *out = __float2bfloat16_rn(x);
}

/* N neighbours that move together: 16 bytes where the type's full width is used, else one element. */
template <class T, int N> struct alignas(sizeof(T) * N) pack {
    T at[N];
};

template <class T, int N> __device__ inline void load(const T *from, float (&out)[N])
{
    pack<T, N> x = *reinterpret_cast<const pack<T, N> *>(from);
#pragma unroll
    for (int i = 0; i < N; i++)
        out[i] = to_float(x.at[i]);
}

template <class T, int N> __device__ inline void store(const float (&from)[N], T *out)
{
    pack<T, N> x;
#pragma unroll
    for (int i = 0; i < N; i++)
        from_float(from[i], &x.at[i]);
    *reinterpret_cast<pack<T, N> *>(out) = x;
}

/* Elements of a 16-byte access. */
template <class T> constexpr int WIDTH = 16 / static_cast<int>(sizeof(T));

/* Whether an address, and strides in bytes, allow accesses of 16 bytes. */
inline bool aligned_16(const void *memory)
{
    return reinterpret_cast<uintptr_t>(memory) % 16 == 0;
}

inline bool aligned_16(int64_t bytes)
{
    return bytes % 16 == 0;
}

} // namespace kvl
#endif
