/* The CUDA context: the device, memory with a count of it, events, graphs, and the table of operations. */
#include <stdio.h>
#include <stdlib.h>

#include "kernels/cuda/cuda.h"
#include "kernels/cuda/tune.h"
#include "kernels/nvtx.h"

#ifdef KVL_CUDA_HOST
#define BACKEND_NAME "cuda_host"
#define BACKEND_TITLE "the CUDA kernels emulated on the host, for tests"
#else
#define BACKEND_NAME "cuda"
#define BACKEND_TITLE "NVIDIA GPU: cuBLASLt matrix products, CUDA graphs"
#endif

enum kvl_status kvl_cuda_check(cudaError_t error, const char *what)
{
    if (error == cudaSuccess)
        return KVL_OK;
    (void)cudaGetLastError();
    return kvl_fail(error == cudaErrorMemoryAllocation ? KVL_E_OOM : KVL_E_INTERNAL, "CUDA: %s (%s) at %.200s",
                    cudaGetErrorString(error), cudaGetErrorName(error), what);
}

/* ---- memory ---------------------------------------------------------------------------------------------------------- */

/* The driver does not tell sizes, so each allocation has an entry here, the newest first. */
struct kvl_allocation {
    struct kvl_allocation *next;
    void *memory;
    int64_t bytes;
};

enum kvl_status kvl_cuda_alloc(struct kvl_ctx *ctx, int64_t bytes, void **out)
{
    *out = NULL;
    KVL_REQUIRE(bytes >= 0, "allocation of %lld bytes", (long long)bytes);
    if (ctx->memory.limit > 0 && bytes > ctx->memory.limit - ctx->memory.current)
        return kvl_fail(KVL_E_OOM, "%lld bytes more would exceed the memory limit of %lld bytes (%lld in use)",
                        (long long)bytes, (long long)ctx->memory.limit, (long long)ctx->memory.current);
    struct kvl_allocation *entry = (struct kvl_allocation *)malloc(sizeof *entry);
    if (entry == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for an allocation's entry");
    cudaError_t error = cudaMalloc(&entry->memory, (size_t)(bytes > 0 ? bytes : 1));
    if (error != cudaSuccess) {
        free(entry);
        enum kvl_status status = kvl_cuda_check(error, "cudaMalloc");
        return status != KVL_E_OOM ? status
                                   : kvl_fail(KVL_E_OOM, "no memory on %s for %lld bytes (%lld in use)", kvl_cuda(ctx)->name,
                                              (long long)bytes, (long long)ctx->memory.current);
    }
    entry->bytes = bytes;
    entry->next = kvl_cuda(ctx)->allocations;
    kvl_cuda(ctx)->allocations = entry;
    ctx->memory.current += bytes;
    if (ctx->memory.current > ctx->memory.peak)
        ctx->memory.peak = ctx->memory.current;
    *out = entry->memory;
    return KVL_OK;
}

void kvl_cuda_free(struct kvl_ctx *ctx, void *memory)
{
    struct kvl_allocation **at = &kvl_cuda(ctx)->allocations;
    while (*at != NULL && (*at)->memory != memory)
        at = &(*at)->next;
    struct kvl_allocation *entry = *at;
    if (memory == NULL || entry == NULL)
        return;
    ctx->memory.current -= entry->bytes;
    *at = entry->next;
    cudaFree(memory); /* waits for the work that still uses it */
    free(entry);
}

/* Pageable host memory is copied aside before the call returns, so that the caller may free it. */
static enum kvl_status upload(struct kvl_ctx *ctx, void *to, const void *from_host, int64_t bytes)
{
    if (bytes > 0)
        KVL_CUDA_TRY(cudaMemcpyAsync(to, from_host, (size_t)bytes, cudaMemcpyHostToDevice, kvl_cuda(ctx)->stream));
    return KVL_OK;
}

static enum kvl_status download(struct kvl_ctx *ctx, void *to_host, const void *from, int64_t bytes)
{
    if (bytes > 0)
        KVL_CUDA_TRY(cudaMemcpyAsync(to_host, from, (size_t)bytes, cudaMemcpyDeviceToHost, kvl_cuda(ctx)->stream));
    KVL_CUDA_TRY(cudaStreamSynchronize(kvl_cuda(ctx)->stream));
    return KVL_OK;
}

static enum kvl_status zero(struct kvl_ctx *ctx, void *memory, int64_t bytes)
{
    if (bytes > 0)
        KVL_CUDA_TRY(cudaMemsetAsync(memory, 0, (size_t)bytes, kvl_cuda(ctx)->stream));
    return KVL_OK;
}

/* ---- time ------------------------------------------------------------------------------------------------------------ */

static enum kvl_status sync_stream(struct kvl_ctx *ctx)
{
    KVL_CUDA_TRY(cudaStreamSynchronize(kvl_cuda(ctx)->stream));
    return KVL_OK;
}

static enum kvl_status mark(struct kvl_ctx *ctx, int slot)
{
    KVL_CUDA_TRY(cudaEventRecord(kvl_cuda(ctx)->marks[slot], kvl_cuda(ctx)->stream));
    return KVL_OK;
}

static enum kvl_status elapsed(struct kvl_ctx *ctx, int from, int to, int64_t *ns)
{
    struct kvl_cuda_ctx *cuda = kvl_cuda(ctx);
    float ms;
    KVL_CUDA_TRY(cudaEventSynchronize(cuda->marks[from]));
    KVL_CUDA_TRY(cudaEventSynchronize(cuda->marks[to]));
    KVL_CUDA_TRY(cudaEventElapsedTime(&ms, cuda->marks[from], cuda->marks[to]));
    *ns = (int64_t)((double)ms * 1e6);
    return KVL_OK;
}

/* ---- graphs ---------------------------------------------------------------------------------------------------------- */

struct kvl_graph {
    cudaGraphExec_t exec;
};

static void graph_free(struct kvl_ctx *ctx, struct kvl_graph *graph)
{
    if (graph == NULL)
        return;
    cudaStreamSynchronize(kvl_cuda(ctx)->stream);
    if (graph->exec != NULL)
        cudaGraphExecDestroy(graph->exec);
    free(graph);
}

static enum kvl_status graph_begin(struct kvl_ctx *ctx)
{
    KVL_CUDA_TRY(cudaStreamBeginCapture(kvl_cuda(ctx)->stream, cudaStreamCaptureModeThreadLocal));
    return KVL_OK;
}

static enum kvl_status graph_end(struct kvl_ctx *ctx, struct kvl_graph **out)
{
    *out = NULL;
    cudaGraph_t recorded = NULL;
    KVL_CUDA_TRY(cudaStreamEndCapture(kvl_cuda(ctx)->stream, &recorded));
    struct kvl_graph *graph = (struct kvl_graph *)calloc(1, sizeof *graph);
    enum kvl_status status = graph != NULL ? KVL_OK : kvl_fail(KVL_E_OOM, "no memory for a graph");
    if (status == KVL_OK)
        status = kvl_cuda_check(cudaGraphInstantiate(&graph->exec, recorded, 0), "cudaGraphInstantiate");
    if (status == KVL_OK) /* so that the first launch is as quick as the others */
        status = kvl_cuda_check(cudaGraphUpload(graph->exec, kvl_cuda(ctx)->stream), "cudaGraphUpload");
    cudaGraphDestroy(recorded);
    if (status != KVL_OK) {
        graph_free(ctx, graph);
        return status;
    }
    *out = graph;
    return KVL_OK;
}

static enum kvl_status graph_launch(struct kvl_ctx *ctx, struct kvl_graph *graph)
{
    KVL_CUDA_TRY(cudaGraphLaunch(graph->exec, kvl_cuda(ctx)->stream));
    return KVL_OK;
}

/* ---- the device ------------------------------------------------------------------------------------------------------ */

/* Names what is missing: a driver, one that is new enough, or a device. */
static enum kvl_status find_device(void)
{
    int driver = 0, n = 0;
    if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0)
        return kvl_fail(KVL_E_UNSUPPORTED, "backend 'cuda': no NVIDIA driver on this machine; use --backend cpu");
    cudaError_t error = cudaGetDeviceCount(&n);
    cudaGetLastError();
    if (error == cudaErrorInsufficientDriver)
        return kvl_fail(KVL_E_UNSUPPORTED, "backend 'cuda': the driver is for CUDA %d.%d, this kvlab was built with CUDA %d.%d: "
                                           "update the driver, or use --backend cpu",
                        driver / 1000, driver % 1000 / 10, CUDART_VERSION / 1000, CUDART_VERSION % 1000 / 10);
    if (error != cudaSuccess || n == 0)
        return kvl_fail(KVL_E_UNSUPPORTED, "backend 'cuda': there is a driver (CUDA %d.%d) but no usable device (%s); use "
                                           "--backend cpu",
                        driver / 1000, driver % 1000 / 10, cudaGetErrorString(error == cudaSuccess ? cudaErrorNoDevice : error));
    return KVL_OK;
}

static enum kvl_status attribute(const struct kvl_cuda_ctx *cuda, enum cudaDeviceAttr what, int *out)
{
    KVL_CUDA_TRY(cudaDeviceGetAttribute(out, what, cuda->device));
    return KVL_OK;
}

static enum kvl_status read_properties(struct kvl_cuda_ctx *cuda)
{
    cudaDeviceProp properties;
    int shared;
    KVL_CUDA_TRY(cudaGetDeviceProperties(&properties, cuda->device));
    snprintf(cuda->name, sizeof cuda->name, "%.*s", (int)sizeof cuda->name - 1, properties.name);
    for (int i = 0; i < 16; i++)
        snprintf(cuda->uuid + 2 * i, sizeof cuda->uuid - 2 * (size_t)i, "%02x", (unsigned char)properties.uuid.bytes[i]);
    KVL_TRY(attribute(cuda, cudaDevAttrMultiProcessorCount, &cuda->n_sm));
    KVL_TRY(attribute(cuda, cudaDevAttrComputeCapabilityMajor, &cuda->major));
    KVL_TRY(attribute(cuda, cudaDevAttrComputeCapabilityMinor, &cuda->minor));
    KVL_TRY(attribute(cuda, cudaDevAttrMaxSharedMemoryPerBlockOptin, &shared));
    cuda->max_shared = shared;
    if (cuda->major < 8)
        return kvl_fail(KVL_E_UNSUPPORTED, "backend 'cuda': %s has compute capability %d.%d; kvlab needs 8.0 (Ampere) or newer",
                        cuda->name, cuda->major, cuda->minor);
    return KVL_OK;
}

static enum kvl_status open_device(struct kvl_cuda_ctx *cuda)
{
    KVL_TRY(find_device());
    KVL_CUDA_TRY(cudaSetDevice(cuda->device));
    KVL_TRY(read_properties(cuda));
    KVL_CUDA_TRY(cudaStreamCreateWithFlags(&cuda->stream, cudaStreamNonBlocking));
    for (int i = 0; i < KVL_MARKS; i++)
        KVL_CUDA_TRY(cudaEventCreate(&cuda->marks[i]));
    return kvl_cuda_gemm_init(cuda, &cuda->gemm);
}

static void close_cuda(struct kvl_ctx *ctx)
{
    if (ctx == NULL)
        return;
    struct kvl_cuda_ctx *cuda = kvl_cuda(ctx);
    kvl_cuda_gemm_free(cuda, cuda->gemm);
    for (int i = 0; i < KVL_MARKS; i++)
        if (cuda->marks[i] != NULL)
            cudaEventDestroy(cuda->marks[i]);
    if (cuda->stream != NULL)
        cudaStreamDestroy(cuda->stream);
    while (cuda->allocations != NULL)
        kvl_cuda_free(ctx, cuda->allocations->memory);
    free(cuda);
}

static enum kvl_status open_cuda(const struct kvl_backend_options *options, struct kvl_ctx **out)
{
    *out = NULL;
    struct kvl_cuda_ctx *cuda = (struct kvl_cuda_ctx *)calloc(1, sizeof *cuda);
    if (cuda == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for the CUDA context");
    cuda->base.be = &kvl_backend_cuda;
    enum kvl_status status = open_device(cuda);
    if (status != KVL_OK) {
        close_cuda(&cuda->base);
        return status;
    }
    cuda->base.memory = {}; /* what the context itself holds is not the runs' */
    cuda->base.memory.limit = options->memory_limit;
    *out = &cuda->base;
    return KVL_OK;
}

/* "580.159.04" of the kernel module, "" where it does not tell. */
static void read_driver(char *text, size_t size)
{
    char line[256] = "", word[64] = "";
    FILE *file = fopen("/proc/driver/nvidia/version", "r");
    if (file != NULL && fgets(line, sizeof line, file) != NULL)
        for (const char *at = line; *at != '\0'; at++) {
            int a, b;
            if (*at >= '0' && *at <= '9' && sscanf(at, "%d.%d", &a, &b) == 2 && sscanf(at, "%63s", word) == 1)
                break;
        }
    if (file != NULL)
        fclose(file);
    snprintf(text, size, "%s", word);
}

static void info(const struct kvl_ctx *ctx, struct kvl_device_info *out)
{
    const struct kvl_cuda_ctx *cuda = (const struct kvl_cuda_ctx *)ctx;
    char driver[24], cublas[24];
    int khz = 0;
    memset(out, 0, sizeof *out);
    read_driver(driver, sizeof driver);
    kvl_cuda_gemm_describe(cublas, sizeof cublas);
    snprintf(out->name, sizeof out->name, "%s", cuda->name);
    snprintf(out->driver, sizeof out->driver, "%s%sCUDA %d.%d, %s", driver, driver[0] != '\0' ? ", " : "", CUDART_VERSION / 1000,
             CUDART_VERSION % 1000 / 10, cublas);
    snprintf(out->isa, sizeof out->isa, "sm_%d%d", cuda->major, cuda->minor);
    if (cudaDeviceGetAttribute(&khz, cudaDevAttrClockRate, cuda->device) == cudaSuccess)
        out->clock_mhz = khz / 1000;
    if (cudaDeviceGetAttribute(&khz, cudaDevAttrMemoryClockRate, cuda->device) == cudaSuccess)
        out->memory_clock_mhz = khz / 1000;
}

const struct kvl_backend kvl_backend_cuda = {
    .name = BACKEND_NAME,
    .title = BACKEND_TITLE,
    .chunk = kvl::tune::ROW_CHUNK,
    .open = open_cuda,
    .close = close_cuda,
    .info = info,
    .alloc = kvl_cuda_alloc,
    .free = kvl_cuda_free,
    .upload = upload,
    .download = download,
    .zero = zero,
    .sync = sync_stream,
    .mark = mark,
    .elapsed = elapsed,
    .ceilings = kvl_cuda_ceilings,
    .range_push = kvl_nvtx_push,
    .range_pop = kvl_nvtx_pop,
    .graph_begin = graph_begin,
    .graph_end = graph_end,
    .graph_launch = graph_launch,
    .graph_free = graph_free,
    .weight_init = kvl_cuda_weight_init,
    .weight_free = kvl_cuda_weight_free,
    .weight_bytes = kvl_cuda_weight_bytes,
    .attend_scratch = kvl_cuda_attend_scratch,
    .attend_cache_scratch = kvl_cuda_attend_cache_scratch,
    .embed = kvl_cuda_embed,
    .norm = kvl_cuda_norm,
    .linear = kvl_cuda_linear,
    .rotate_table = kvl_cuda_rotate_table,
    .rotate = kvl_cuda_rotate,
    .attend = kvl_cuda_attend,
    .append = kvl_cuda_append,
    .attend_cache = kvl_cuda_attend_cache,
    .mass = kvl_cuda_mass,
    .logits = kvl_cuda_logits,
    .pool = kvl_cuda_pool,
    .reduce_heads = kvl_cuda_reduce_heads,
    .top_k = kvl_cuda_top_k,
    .range = kvl_cuda_range,
    .gather = kvl_cuda_gather,
    .gather_heads = kvl_cuda_gather_heads,
    .swiglu = kvl_cuda_swiglu,
    .argmax = kvl_cuda_argmax,
    .fill_random = kvl_cuda_fill_random,
};
