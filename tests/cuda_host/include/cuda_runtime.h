/* The part of CUDA that kernels/cuda uses, for a host compiler: the language's additions and the runtime's calls, run by the
 * emulator (tests/cuda_host/README.md). */
#ifndef KVL_CUDA_HOST_RUNTIME_H
#define KVL_CUDA_HOST_RUNTIME_H

#include <climits>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

using std::isfinite, std::isinf, std::isnan;

#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(n) alignas(n)
#define __grid_constant__
#define CUDART_INF_F INFINITY
#define CUDART_VERSION 12040

struct alignas(8) float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(8) int2 { int x, y; };
struct alignas(16) int4 { int x, y, z, w; };
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
struct alignas(4) ushort2 { unsigned short x, y; };
struct alignas(8) ushort4 { unsigned short x, y, z, w; };
struct uint3 { unsigned x, y, z; };
struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline int2 make_int2(int x, int y) { return {x, y}; }
inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

#include "tests/cuda_host/cuda_host.h"

/* Set by the scheduler before a thread goes on. */
extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
constexpr int warpSize = 32;

/* ---- barriers, votes, shuffles ---------------------------------------------------------------------------------------- */

#define __syncthreads() ((void)kvl_host::block_barrier(__FILE__, __LINE__, false))
#define __syncthreads_count(p) kvl_host::block_barrier(__FILE__, __LINE__, (p) != 0)
#define __syncthreads_or(p) (kvl_host::block_barrier(__FILE__, __LINE__, (p) != 0) != 0)
#define __syncthreads_and(p) (kvl_host::block_barrier(__FILE__, __LINE__, (p) == 0) == 0)
#define KVL_HOST_MASK_(...) KVL_HOST_FIRST_(__VA_ARGS__ __VA_OPT__(, ) 0xffffffffu)
#define KVL_HOST_FIRST_(first, ...) (first)
#define __syncwarp(...) kvl_host::warp_barrier(__FILE__, __LINE__, KVL_HOST_MASK_(__VA_ARGS__))
#define __ballot_sync(mask, p) kvl_host::vote_bits("__ballot_sync", __FILE__, __LINE__, mask, (p) != 0)
#define __any_sync(mask, p) (kvl_host::vote_bits("__any_sync", __FILE__, __LINE__, mask, (p) != 0) != 0)
#define __all_sync(mask, p) (kvl_host::vote_bits("__all_sync", __FILE__, __LINE__, mask, (p) == 0) == 0)
#define __shfl_sync(mask, x, ...) kvl_host_shuffle(__FILE__, __LINE__, mask, x, kvl_host_index, __VA_ARGS__)
#define __shfl_xor_sync(mask, x, ...) kvl_host_shuffle(__FILE__, __LINE__, mask, x, kvl_host_xor, __VA_ARGS__)
#define __shfl_up_sync(mask, x, ...) kvl_host_shuffle(__FILE__, __LINE__, mask, x, kvl_host_up, __VA_ARGS__)
#define __shfl_down_sync(mask, x, ...) kvl_host_shuffle(__FILE__, __LINE__, mask, x, kvl_host_down, __VA_ARGS__)

/* Lane that a shuffle reads; outside its segment of `width` lanes: its own. */
inline int kvl_host_index(int lane, int by, int width) { return lane / width * width + (by & (width - 1)); }
inline int kvl_host_xor(int lane, int by, int width)
{
    return (lane ^ by) / width > lane / width ? lane : lane ^ by;
}
inline int kvl_host_up(int lane, int by, int width) { return lane % width < by ? lane : lane - by; }
inline int kvl_host_down(int lane, int by, int width) { return lane % width + by >= width ? lane : lane + by; }

template <class T, class B>
T kvl_host_shuffle(const char *file, int line, uint32_t mask, T x, int (*source)(int, int, int), B by, int width = 32)
{
    static_assert(sizeof(T) <= 8, "shuffles move 32 or 64 bits");
    uint64_t bits = 0;
    memcpy(&bits, &x, sizeof x);
    bits = kvl_host::shuffle_bits("__shfl_sync", file, line, mask, bits, source(kvl_host::lane(), static_cast<int>(by), width));
    memcpy(&x, &bits, sizeof x);
    return x;
}

#define KVL_HOST_REDUCE_(name, mask, x, expression)                                                          \
    kvl_host::reduce_bits(name, __FILE__, __LINE__, mask, static_cast<uint32_t>(x), [](uint32_t a, uint32_t b) -> uint32_t { \
        return expression;                                                                                   \
    })
#define __reduce_add_sync(mask, x) KVL_HOST_REDUCE_("__reduce_add_sync", mask, x, a + b)
#define __reduce_or_sync(mask, x) KVL_HOST_REDUCE_("__reduce_or_sync", mask, x, a | b)
#define __reduce_max_sync(mask, x) KVL_HOST_REDUCE_("__reduce_max_sync (unsigned)", mask, x, a > b ? a : b)
#define __reduce_min_sync(mask, x) KVL_HOST_REDUCE_("__reduce_min_sync (unsigned)", mask, x, a < b ? a : b)

inline void __threadfence() {}
inline void __threadfence_block() {}

/* ---- atomics: threads change places at meetings only, so plain code is atomic ------------------------------------------ */

template <class T, class V> T atomicAdd(T *at, V x) { T old = *at; *at = static_cast<T>(old + static_cast<T>(x)); return old; }
template <class T, class V> T atomicSub(T *at, V x) { T old = *at; *at = static_cast<T>(old - static_cast<T>(x)); return old; }
template <class T, class V> T atomicMax(T *at, V x) { T old = *at; if (static_cast<T>(x) > old) *at = static_cast<T>(x); return old; }
template <class T, class V> T atomicMin(T *at, V x) { T old = *at; if (static_cast<T>(x) < old) *at = static_cast<T>(x); return old; }
template <class T, class V> T atomicOr(T *at, V x) { T old = *at; *at = old | static_cast<T>(x); return old; }
template <class T, class V> T atomicAnd(T *at, V x) { T old = *at; *at = old & static_cast<T>(x); return old; }
template <class T, class V> T atomicExch(T *at, V x) { T old = *at; *at = static_cast<T>(x); return old; }
template <class T, class U, class V> T atomicCAS(T *at, U expected, V x)
{
    T old = *at;
    if (old == static_cast<T>(expected))
        *at = static_cast<T>(x);
    return old;
}

/* ---- arithmetic -------------------------------------------------------------------------------------------------------- */

template <class T> T __ldg(const T *at) { return *at; }
template <class T> T __ldcs(const T *at) { return *at; }
template <class T> T __ldcg(const T *at) { return *at; }
template <class T> void __stcs(T *at, T x) { *at = x; }
template <class T> void __stcg(T *at, T x) { *at = x; }
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline float __expf(float x) { return expf(x); }
inline float __logf(float x) { return logf(x); }
inline float __log2f(float x) { return log2f(x); }
inline float __fdividef(float x, float y) { return x / y; }
inline float __fdiv_rn(float x, float y) { return x / y; }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __fmul_rn(float x, float y) { return x * y; }
inline float __fadd_rn(float x, float y) { return x + y; }
inline float __fsqrt_rn(float x) { return sqrtf(x); }
inline float __fmaf_rn(float x, float y, float z) { return fmaf(x, y, z); }
inline double __dmul_rn(double x, double y) { return x * y; }
inline double __dadd_rn(double x, double y) { return x + y; }
inline float __int2float_rn(int x) { return static_cast<float>(x); }
inline float __uint2float_rn(unsigned x) { return static_cast<float>(x); }
inline float __ull2float_rn(unsigned long long x) { return static_cast<float>(x); }
inline float __double2float_rn(double x) { return static_cast<float>(x); }
inline float __saturatef(float x) { return x > 1.0f ? 1.0f : x > 0.0f ? x : 0.0f; }
inline unsigned __float_as_uint(float x) { unsigned y; memcpy(&y, &x, 4); return y; }
inline int __float_as_int(float x) { int y; memcpy(&y, &x, 4); return y; }
inline float __uint_as_float(unsigned x) { float y; memcpy(&y, &x, 4); return y; }
inline float __int_as_float(int x) { float y; memcpy(&y, &x, 4); return y; }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(static_cast<unsigned>(x)); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline unsigned __byte_perm(unsigned low, unsigned high, unsigned selector)
{
    uint64_t bytes = static_cast<uint64_t>(high) << 32 | low;
    unsigned out = 0;
    for (int i = 0; i < 4; i++)
        out |= static_cast<unsigned>(bytes >> (8 * (selector >> (4 * i) & 7u)) & 0xffu) << (8 * i);
    return out;
}
inline unsigned __umulhi(unsigned x, unsigned y) { return static_cast<unsigned>((static_cast<uint64_t>(x) * y) >> 32); }
inline unsigned long long __umul64hi(unsigned long long x, unsigned long long y)
{
    return static_cast<unsigned long long>((static_cast<unsigned __int128>(x) * y) >> 64);
}
template <class T> constexpr T min(T a, T b) { return b < a ? b : a; }
template <class T> constexpr T max(T a, T b) { return a < b ? b : a; }

/* ---- the runtime ------------------------------------------------------------------------------------------------------- */

enum cudaError_t {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorInvalidConfiguration = 9,
    cudaErrorInsufficientDriver = 35,
    cudaErrorNoDevice = 100,
    cudaErrorNotReady = 600,
    cudaErrorStreamCaptureUnsupported = 900,
};
enum cudaMemcpyKind { cudaMemcpyHostToHost, cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice, cudaMemcpyDefault };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8, cudaFuncAttributePreferredSharedMemoryCarveout = 9 };
enum cudaDeviceAttr {
    cudaDevAttrMaxThreadsPerBlock = 1,
    cudaDevAttrClockRate = 13,
    cudaDevAttrMultiProcessorCount = 16,
    cudaDevAttrMemoryClockRate = 36,
    cudaDevAttrL2CacheSize = 38,
    cudaDevAttrComputeCapabilityMajor = 75,
    cudaDevAttrComputeCapabilityMinor = 76,
    cudaDevAttrMaxSharedMemoryPerBlockOptin = 97,
};
enum cudaStreamCaptureMode { cudaStreamCaptureModeGlobal, cudaStreamCaptureModeThreadLocal, cudaStreamCaptureModeRelaxed };
enum cudaStreamCaptureStatus { cudaStreamCaptureStatusNone, cudaStreamCaptureStatusActive, cudaStreamCaptureStatusInvalidated };
enum { cudaStreamDefault = 0, cudaStreamNonBlocking = 1 };
enum { cudaEventDefault = 0, cudaEventBlockingSync = 1, cudaEventDisableTiming = 2 };
enum { cudaHostAllocDefault = 0, cudaHostAllocPortable = 1, cudaHostAllocMapped = 2 };

typedef struct CUstream_st *cudaStream_t;
typedef struct CUevent_st *cudaEvent_t;
typedef struct CUgraph_st *cudaGraph_t;
typedef struct CUgraphExec_st *cudaGraphExec_t;

struct cudaUUID_t { char bytes[16]; };
struct cudaDeviceProp {
    cudaUUID_t uuid;
    char name[256];
    size_t totalGlobalMem, sharedMemPerBlock, sharedMemPerBlockOptin;
    int major, minor, multiProcessorCount, l2CacheSize, maxThreadsPerBlock, warpSize, regsPerBlock;
};
struct cudaFuncAttributes {
    size_t sharedSizeBytes, localSizeBytes;
    int numRegs, maxThreadsPerBlock;
};

const char *cudaGetErrorName(cudaError_t error);
const char *cudaGetErrorString(cudaError_t error);
cudaError_t cudaGetLastError();
cudaError_t cudaPeekAtLastError();

cudaError_t cudaGetDeviceCount(int *n);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaGetDevice(int *device);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int device);
cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int device);
cudaError_t cudaDriverGetVersion(int *version);
cudaError_t cudaRuntimeGetVersion(int *version);
cudaError_t cudaDeviceSynchronize();
cudaError_t cudaDeviceReset();

cudaError_t kvl_host_malloc(void **memory, size_t bytes);
template <class T> cudaError_t cudaMalloc(T **memory, size_t bytes) { return kvl_host_malloc(reinterpret_cast<void **>(memory), bytes); }
template <class T> cudaError_t cudaMallocHost(T **memory, size_t bytes) { return kvl_host_malloc(reinterpret_cast<void **>(memory), bytes); }
template <class T> cudaError_t cudaHostAlloc(T **memory, size_t bytes, unsigned)
{
    return kvl_host_malloc(reinterpret_cast<void **>(memory), bytes);
}
cudaError_t cudaFree(void *memory);
cudaError_t cudaFreeHost(void *memory);
cudaError_t cudaMemGetInfo(size_t *available, size_t *total);
cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, cudaMemcpyKind kind);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream = nullptr);
cudaError_t cudaMemcpy2DAsync(void *to, size_t to_pitch, const void *from, size_t from_pitch, size_t width, size_t height,
                              cudaMemcpyKind kind, cudaStream_t stream = nullptr);
cudaError_t cudaMemset(void *memory, int value, size_t bytes);
cudaError_t cudaMemsetAsync(void *memory, int value, size_t bytes, cudaStream_t stream = nullptr);

cudaError_t cudaStreamCreate(cudaStream_t *stream);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamQuery(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags = 0);
cudaError_t cudaEventCreate(cudaEvent_t *event);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream = nullptr);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventQuery(cudaEvent_t event);
cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t from, cudaEvent_t to);

/* A capture notes launches, copies and fills of its stream; a graph's launch runs them. A synchronous call meanwhile fails. */
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph);
cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus *status);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long flags = 0);
cudaError_t cudaGraphUpload(cudaGraphExec_t exec, cudaStream_t stream);
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec);
cudaError_t cudaGraphDestroy(cudaGraph_t graph);

cudaError_t kvl_host_set_attribute(const void *kernel, cudaFuncAttribute attribute, int value);
template <class... P> cudaError_t cudaFuncSetAttribute(void (*kernel)(P...), cudaFuncAttribute attribute, int value)
{
    return kvl_host_set_attribute(reinterpret_cast<const void *>(kernel), attribute, value);
}
inline cudaError_t cudaFuncSetAttribute(const void *kernel, cudaFuncAttribute attribute, int value)
{
    return kvl_host_set_attribute(kernel, attribute, value);
}
template <class F> cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int *n, F, int, size_t)
{
    *n = 2;
    return cudaSuccess;
}

#endif
