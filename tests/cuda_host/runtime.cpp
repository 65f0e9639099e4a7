/* The runtime's calls on the host: device memory is host memory full of garbage, a stream does at once what it is given, and a
 * capture keeps it for the graph's launches. Limits are those of sm_80. */
#include <cuda_runtime.h>

#include <ctime>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <vector>

typedef std::vector<std::function<void()>> work_list;

struct CUstream_st {
    bool capturing;
    work_list captured;
};
struct CUevent_st {
    int64_t ns;
    bool recorded;
};
struct CUgraph_st {
    work_list work;
};
struct CUgraphExec_st {
    work_list work;
};

static constexpr size_t SHARED_DEFAULT = 48 * 1024, TOTAL_MEMORY = static_cast<size_t>(1) << 30;
static constexpr int N_MULTIPROCESSORS = 4;

static CUstream_st null_stream;
static cudaError_t last_error;
static int n_capturing;

/* The most that a block may ask for; KVL_CUDA_HOST_SHARED=bytes plays a smaller device. */
static size_t shared_most()
{
    const char *bytes = getenv("KVL_CUDA_HOST_SHARED");
    return bytes != nullptr ? strtoull(bytes, nullptr, 10) : 163 * 1024;
}

static std::map<const void *, size_t> &shared_limits()
{
    static std::map<const void *, size_t> limits;
    return limits;
}

static cudaError_t result(cudaError_t error)
{
    if (error != cudaSuccess)
        last_error = error;
    return error;
}

static cudaError_t result(bool fine)
{
    return result(fine ? cudaSuccess : cudaErrorInvalidValue);
}

static cudaError_t enqueue(cudaStream_t stream, std::function<void()> work)
{
    stream = stream != nullptr ? stream : &null_stream;
    if (stream->capturing)
        stream->captured.push_back(std::move(work));
    else
        work();
    return cudaSuccess;
}

namespace kvl_host {

int launch(const void *kernel, const dim3 &grid, const dim3 &block, size_t shared, cudaStream_t stream,
           std::function<void()> body)
{
    auto limit = shared_limits().find(kernel);
    uint64_t n_threads = static_cast<uint64_t>(block.x) * block.y * block.z;
    if (n_threads == 0 || n_threads > 1024 || block.z > 64 || grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.x > INT_MAX
        || grid.y > 65535 || grid.z > 65535)
        return result(cudaErrorInvalidConfiguration);
    if (shared > (limit != shared_limits().end() ? limit->second : SHARED_DEFAULT))
        return result(cudaErrorInvalidValue);
    return enqueue(stream, [=] { run_grid(grid, block, shared, body); });
}

} // namespace kvl_host

cudaError_t kvl_host_set_attribute(const void *kernel, cudaFuncAttribute attribute, int value)
{
    if (attribute == cudaFuncAttributeMaxDynamicSharedMemorySize) {
        if (value < 0 || static_cast<size_t>(value) > shared_most())
            return result(cudaErrorInvalidValue);
        shared_limits()[kernel] = static_cast<size_t>(value);
    }
    return cudaSuccess;
}

/* ---- errors ---------------------------------------------------------------------------------------------------------------- */

struct error_text {
    cudaError_t error;
    const char *name, *text;
};
static const error_text texts[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration", "invalid configuration argument"},
    {cudaErrorInsufficientDriver, "cudaErrorInsufficientDriver", "the driver is too old for this runtime"},
    {cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    {cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
    {cudaErrorStreamCaptureUnsupported, "cudaErrorStreamCaptureUnsupported", "operation not permitted while a stream captures"},
};

static const error_text *find_text(cudaError_t error)
{
    for (const error_text &t : texts)
        if (t.error == error)
            return &t;
    return &texts[1];
}

const char *cudaGetErrorName(cudaError_t error) { return find_text(error)->name; }
const char *cudaGetErrorString(cudaError_t error) { return find_text(error)->text; }
cudaError_t cudaPeekAtLastError() { return last_error; }

cudaError_t cudaGetLastError()
{
    cudaError_t error = last_error;
    last_error = cudaSuccess;
    return error;
}

/* ---- the device ------------------------------------------------------------------------------------------------------------ */

cudaError_t cudaGetDeviceCount(int *n) { *n = 1; return cudaSuccess; }
cudaError_t cudaSetDevice(int device) { return result(device == 0); }
cudaError_t cudaGetDevice(int *device) { *device = 0; return cudaSuccess; }
cudaError_t cudaDriverGetVersion(int *version) { *version = 12040; return cudaSuccess; }
cudaError_t cudaRuntimeGetVersion(int *version) { *version = 12040; return cudaSuccess; }
cudaError_t cudaDeviceReset() { return cudaSuccess; }

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int device)
{
    *properties = {};
    snprintf(properties->name, sizeof properties->name, "CUDA emulator (cuda_host)");
    properties->totalGlobalMem = TOTAL_MEMORY;
    properties->sharedMemPerBlock = SHARED_DEFAULT;
    properties->sharedMemPerBlockOptin = shared_most();
    properties->major = 8;
    properties->multiProcessorCount = N_MULTIPROCESSORS;
    properties->l2CacheSize = 1 << 20;
    properties->maxThreadsPerBlock = 1024;
    properties->warpSize = 32;
    properties->regsPerBlock = 65536;
    return result(device == 0);
}

cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int device)
{
    const std::map<cudaDeviceAttr, int> values = {
        {cudaDevAttrMaxThreadsPerBlock, 1024}, {cudaDevAttrClockRate, 1000000},
        {cudaDevAttrMultiProcessorCount, N_MULTIPROCESSORS}, {cudaDevAttrMemoryClockRate, 1000000},
        {cudaDevAttrL2CacheSize, 1 << 20}, {cudaDevAttrComputeCapabilityMajor, 8}, {cudaDevAttrComputeCapabilityMinor, 0},
        {cudaDevAttrMaxSharedMemoryPerBlockOptin, static_cast<int>(shared_most())}};
    auto found = values.find(attribute);
    if (device != 0 || found == values.end())
        return result(cudaErrorInvalidValue);
    *value = found->second;
    return cudaSuccess;
}

/* What waits for the host must not happen while a stream captures. */
static cudaError_t synchronous()
{
    return n_capturing > 0 ? result(cudaErrorStreamCaptureUnsupported) : cudaSuccess;
}

cudaError_t cudaDeviceSynchronize() { return synchronous(); }

/* ---- memory ---------------------------------------------------------------------------------------------------------------- */

cudaError_t kvl_host_malloc(void **memory, size_t bytes)
{
    *memory = nullptr;
    if (synchronous() != cudaSuccess)
        return last_error;
    if (bytes == 0)
        return cudaSuccess;
    if (bytes > TOTAL_MEMORY || posix_memalign(memory, 256, bytes) != 0)
        return result(cudaErrorMemoryAllocation);
    memset(*memory, 0xff, bytes);
    return cudaSuccess;
}

cudaError_t cudaFree(void *memory)
{
    free(memory);
    return synchronous();
}

cudaError_t cudaFreeHost(void *memory) { return cudaFree(memory); }

cudaError_t cudaMemGetInfo(size_t *available, size_t *total)
{
    *available = *total = TOTAL_MEMORY;
    return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind, cudaStream_t stream)
{
    return enqueue(stream, [=] {
        if (bytes > 0)
            memcpy(to, from, bytes);
    });
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, cudaMemcpyKind kind)
{
    return synchronous() == cudaSuccess ? cudaMemcpyAsync(to, from, bytes, kind, nullptr) : last_error;
}

cudaError_t cudaMemcpy2DAsync(void *to, size_t to_pitch, const void *from, size_t from_pitch, size_t width, size_t height,
                              cudaMemcpyKind, cudaStream_t stream)
{
    if (width > to_pitch || width > from_pitch)
        return result(cudaErrorInvalidValue);
    return enqueue(stream, [=] {
        for (size_t i = 0; i < height && width > 0; i++)
            memcpy(static_cast<char *>(to) + i * to_pitch, static_cast<const char *>(from) + i * from_pitch, width);
    });
}

cudaError_t cudaMemsetAsync(void *memory, int value, size_t bytes, cudaStream_t stream)
{
    return enqueue(stream, [=] {
        if (bytes > 0)
            memset(memory, value, bytes);
    });
}

cudaError_t cudaMemset(void *memory, int value, size_t bytes)
{
    return synchronous() == cudaSuccess ? cudaMemsetAsync(memory, value, bytes, nullptr) : last_error;
}

/* ---- streams and events ---------------------------------------------------------------------------------------------------- */

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned)
{
    *stream = new CUstream_st();
    return cudaSuccess;
}

cudaError_t cudaStreamCreate(cudaStream_t *stream) { return cudaStreamCreateWithFlags(stream, 0); }

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    delete stream;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t) { return synchronous(); }
cudaError_t cudaStreamQuery(cudaStream_t) { return synchronous(); }
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) { return cudaSuccess; }

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned)
{
    *event = new CUevent_st();
    return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t *event) { return cudaEventCreateWithFlags(event, 0); }

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    delete event;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    return enqueue(stream, [event] {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        event->ns = static_cast<int64_t>(now.tv_sec) * 1000000000 + now.tv_nsec;
        event->recorded = true;
    });
}

cudaError_t cudaEventSynchronize(cudaEvent_t) { return synchronous(); }
cudaError_t cudaEventQuery(cudaEvent_t) { return cudaSuccess; }

cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t from, cudaEvent_t to)
{
    *milliseconds = static_cast<float>(to->ns - from->ns) * 1e-6f;
    return result(from->recorded && to->recorded);
}

/* ---- graphs ---------------------------------------------------------------------------------------------------------------- */

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode)
{
    if (stream == nullptr || stream->capturing)
        return result(cudaErrorStreamCaptureUnsupported);
    stream->capturing = true;
    stream->captured.clear();
    n_capturing++;
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
    *graph = nullptr;
    if (stream == nullptr || !stream->capturing)
        return result(cudaErrorInvalidValue);
    stream->capturing = false;
    n_capturing--;
    *graph = new CUgraph_st{std::move(stream->captured)};
    return cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus *status)
{
    *status = stream != nullptr && stream->capturing ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long)
{
    *exec = new CUgraphExec_st{graph->work};
    return cudaSuccess;
}

cudaError_t cudaGraphUpload(cudaGraphExec_t, cudaStream_t) { return cudaSuccess; }

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
    return enqueue(stream, [exec] {
        for (const auto &work : exec->work)
            work();
    });
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    delete exec;
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    delete graph;
    return cudaSuccess;
}
