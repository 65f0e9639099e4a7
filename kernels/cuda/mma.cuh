/* Matrix instructions of a warp (sm_80 and newer): 8 x 8 tiles of bf16 from shared memory, and the product of 16 x 16 by 16 x 8
 * with float32 sums. Lane l, g = l / 4, t = l % 4, holds
 *   A  a[0] row g, a[1] row g + 8, columns 2t, 2t+1;  a[2], a[3] the same rows, columns 2t+8, 2t+9
 *   B  b[0] rows 2t, 2t+1, b[1] rows 2t+8, 2t+9, of column g
 *   D  d[0], d[1] row g, d[2], d[3] row g + 8, columns 2t, 2t+1
 * with the lower index in the lower half of a register. Source: PTX ISA, "mma.m16n8k16", "ldmatrix". All lanes must come. */
#ifndef KVL_CUDA_MMA_CUH
#define KVL_CUDA_MMA_CUH

#include "kernels/cuda/launch.cuh"

namespace kvl {

/* d += a . b */
#ifdef __CUDACC__
__device__ inline void mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2])
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#else
inline void mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2])
{
    kvl_host::mma_bf16_16x8x16(__FILE__, __LINE__, d, a, b);
}
#endif

/* Loads N (2 or 4) 8 x 8 tiles: lanes 8m .. 8m+7 name the rows (16 bytes each, aligned) of tile m; of tile m lane l gets row g,
 * columns 2t, 2t+1, or with `transposed` column g, rows 2t, 2t+1. */
template <bool transposed, int N> __device__ inline void load_tiles(uint32_t (&out)[N], const void *row)
{
    static_assert(N == 2 || N == 4, "two or four tiles at a time");
#ifdef __CUDACC__
    unsigned from = static_cast<unsigned>(__cvta_generic_to_shared(row));
    if constexpr (N == 4 && !transposed)
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                     : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3]) : "r"(from) : "memory");
    else if constexpr (N == 4)
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                     : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3]) : "r"(from) : "memory");
    else if constexpr (!transposed)
        asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];" : "=r"(out[0]), "=r"(out[1]) : "r"(from) : "memory");
    else
        asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];"
                     : "=r"(out[0]), "=r"(out[1]) : "r"(from) : "memory");
#else
    kvl_host::load_matrices(__FILE__, __LINE__, N, transposed, row, out);
#endif
}

/* Two floats as a pair of bf16, the first in the lower half; round to nearest even. */
__device__ inline uint32_t pack_bf16(float low, float high)
{
    __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
    uint32_t bits;
    memcpy(&bits, &pair, sizeof bits);
    return bits;
}

} // namespace kvl
#endif
