/* How kernels are started and how they declare shared memory: the same source for nvcc and, in the tests, for a host compiler
 * with the emulator of tests/cuda_host. */
#ifndef KVL_CUDA_LAUNCH_CUH
#define KVL_CUDA_LAUNCH_CUH

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include "kernels/cuda/cuda.h"

/* Queues kernel(arguments...) on a stream; a cudaError_t. `kernel` is a function or a pointer to one: a template's instance with
 * commas goes through `auto *kernel = ...`. */
#ifdef __CUDACC__
#define KVL_LAUNCH(kernel, grid, block, shared_bytes, stream, ...) \
    ((kernel)<<<(grid), (block), (shared_bytes), (stream)>>>(__VA_ARGS__), cudaGetLastError())
#else
#define KVL_LAUNCH(kernel, grid, block, shared_bytes, stream, ...) \
    static_cast<cudaError_t>(kvl_host::launch_kernel(kernel, grid, block, shared_bytes, stream __VA_OPT__(, ) __VA_ARGS__))
#endif

/* A variable in shared memory, 16-byte aligned: KVL_SHARED(float, sums, [32]); KVL_SHARED(int, total, ); */
#ifdef __CUDACC__
#define KVL_SHARED(type, name, size) __shared__ __align__(16) type name size
#else
#define KVL_SHARED(type, name, size)                                                        \
    typedef type name##_of_block size;                                                      \
    static const char name##_tag = 0;                                                       \
    name##_of_block &name =                                                                 \
        *static_cast<name##_of_block *>(kvl_host::static_shared(&name##_tag, sizeof(name##_of_block)))
#endif

/* The bytes that the launch asked for, 128-byte aligned. */
#ifdef __CUDACC__
#define KVL_DYNAMIC_SHARED(name) extern __shared__ __align__(128) unsigned char name[]
#else
#define KVL_DYNAMIC_SHARED(name) unsigned char *name = kvl_host::dynamic_shared()
#endif

/* Starts a kernel; returns to the caller where that failed. */
#define KVL_TRY_LAUNCH(kernel, ...) KVL_TRY(kvl_cuda_check(KVL_LAUNCH(kernel, __VA_ARGS__), "start of " #kernel))

#endif
