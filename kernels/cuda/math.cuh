/* Exponentials in base 2, as the softmax of all attention kernels takes them: exp(s) = 2^(s log2 e). */
#ifndef KVL_CUDA_MATH_CUH
#define KVL_CUDA_MATH_CUH

#include "kernels/cuda/launch.cuh"

namespace kvl {

constexpr float LOG2_E = 1.44269504f, LN_2 = 0.693147181f;

/* 2^x by one instruction, within 2 units in the last place (PTX ISA, "ex2.approx"); -inf gives 0, tiny results too. */
__device__ inline float exp2_approx(float x)
{
#ifdef __CUDACC__
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
#else
    return exp2f(x);
#endif
}

} // namespace kvl
#endif
