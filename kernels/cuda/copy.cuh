/* Asynchronous copies from global to shared memory (cp.async, sm_80 and newer). A thread's copies since its last commit form a
 * group; after copy_wait<N> all but its N newest groups have landed, for that thread: a barrier shows them to the others. */
#ifndef KVL_CUDA_COPY_CUH
#define KVL_CUDA_COPY_CUH

#include "kernels/cuda/launch.cuh"

namespace kvl {

/* 16 bytes, both sides aligned to it, past the L1 cache; where `there` is false nothing is read and zeros arrive. */
__device__ inline void copy_16(void *to_shared, const void *from, bool there)
{
#ifdef __CUDACC__
    unsigned to = static_cast<unsigned>(__cvta_generic_to_shared(to_shared));
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(there ? 16 : 0) : "memory");
#else
    kvl_host::copy_async(to_shared, from, 16, there ? 16 : 0);
#endif
}

__device__ inline void copy_commit()
{
#ifdef __CUDACC__
    asm volatile("cp.async.commit_group;" ::: "memory");
#else
    kvl_host::copy_commit();
#endif
}

template <int N> __device__ inline void copy_wait()
{
#ifdef __CUDACC__
    asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
#else
    kvl_host::copy_wait(N);
#endif
}

} // namespace kvl
#endif
