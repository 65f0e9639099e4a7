/* The CPU context: memory with a count of it, clocks, and the table of operations. */
#include "kernels/cpu/cpu.h"
#include "kernels/nvtx.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Every allocation is preceded by its size, so that the count can be kept. */
enum { ALIGNMENT = 64 };

enum kvl_status kvl_cpu_alloc(struct kvl_ctx *ctx, int64_t bytes, void **out)
{
    *out = NULL;
    KVL_REQUIRE(bytes >= 0 && bytes < INT64_MAX - 2 * ALIGNMENT, "allocation of %lld bytes", (long long)bytes);
    if (ctx->memory.limit > 0 && bytes > ctx->memory.limit - ctx->memory.current)
        return kvl_fail(KVL_E_OOM, "%lld bytes more would exceed the memory limit of %lld bytes (%lld in use)",
                        (long long)bytes, (long long)ctx->memory.limit, (long long)ctx->memory.current);
    char *block = aligned_alloc(ALIGNMENT, (size_t)kvl_round_up(bytes, ALIGNMENT) + ALIGNMENT);
    if (block == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for %lld bytes (%lld in use)", (long long)bytes,
                        (long long)ctx->memory.current);
    memcpy(block, &bytes, sizeof bytes);
    ctx->memory.current += bytes;
    if (ctx->memory.current > ctx->memory.peak)
        ctx->memory.peak = ctx->memory.current;
    *out = block + ALIGNMENT;
    return KVL_OK;
}

void kvl_cpu_free(struct kvl_ctx *ctx, void *memory)
{
    if (memory == NULL)
        return;
    char *block = (char *)memory - ALIGNMENT;
    int64_t bytes;
    memcpy(&bytes, block, sizeof bytes);
    ctx->memory.current -= bytes;
    free(block);
}

static enum kvl_status copy(struct kvl_ctx *ctx, void *to, const void *from, int64_t bytes)
{
    (void)ctx;
    if (bytes > 0)
        memcpy(to, from, (size_t)bytes);
    return KVL_OK;
}

static enum kvl_status zero(struct kvl_ctx *ctx, void *memory, int64_t bytes)
{
    (void)ctx;
    memset(memory, 0, (size_t)bytes);
    return KVL_OK;
}

static enum kvl_status sync_now(struct kvl_ctx *ctx)
{
    (void)ctx;
    return KVL_OK;
}

static enum kvl_status mark(struct kvl_ctx *ctx, int slot)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    kvl_cpu(ctx)->marks[slot] = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    return KVL_OK;
}

static enum kvl_status elapsed(struct kvl_ctx *ctx, int from, int to, int64_t *ns)
{
    *ns = kvl_cpu(ctx)->marks[to] - kvl_cpu(ctx)->marks[from];
    return KVL_OK;
}

static void read_processor_name(char *name, size_t size)
{
    snprintf(name, size, "unknown processor");
    FILE *file = fopen("/proc/cpuinfo", "r");
    if (file == NULL)
        return;
    char line[256];
    while (fgets(line, sizeof line, file) != NULL) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && colon != NULL) {
            snprintf(name, size, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
            break;
        }
    }
    fclose(file);
}

static void list_paths(char *text, size_t size)
{
    size_t used = 0;
    for (int i = 0; kvl_simd_name(i) != NULL && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i > 0 ? ", " : "", kvl_simd_name(i));
}

static enum kvl_status open_cpu(const struct kvl_backend_options *options, struct kvl_ctx **out)
{
    *out = NULL;
    const struct kvl_simd *simd = kvl_simd_find(options->isa);
    if (simd == NULL) {
        char known[128];
        list_paths(known, sizeof known);
        return kvl_fail(KVL_E_ARG, "instruction set '%s' is unknown or not in this processor; known: auto, %s", options->isa,
                        known);
    }
    KVL_REQUIRE(options->n_threads >= 0 && options->n_threads <= 1024, "%d threads: give 1 to 1024, or 0 for all cores",
                options->n_threads);
    struct kvl_cpu *cpu = calloc(1, sizeof *cpu);
    if (cpu == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for the CPU context");
    cpu->base.be = &kvl_backend_cpu;
    cpu->base.memory.limit = options->memory_limit;
    cpu->n_threads = options->n_threads > 0 ? options->n_threads : omp_get_num_procs();
    cpu->simd = simd;
    read_processor_name(cpu->name, sizeof cpu->name);
    cpu->lanes = calloc((size_t)cpu->n_threads, sizeof *cpu->lanes);
    if (cpu->lanes == NULL) {
        free(cpu);
        return kvl_fail(KVL_E_OOM, "no memory for the CPU context");
    }
    *out = &cpu->base;
    return KVL_OK;
}

static void close_cpu(struct kvl_ctx *ctx)
{
    if (ctx == NULL)
        return;
    struct kvl_cpu *cpu = kvl_cpu(ctx);
    for (int i = 0; i < cpu->n_threads; i++)
        kvl_cpu_free(ctx, cpu->lanes[i]);
    free(cpu->lanes);
    free(cpu);
}

static void info(const struct kvl_ctx *ctx, struct kvl_device_info *out)
{
    const struct kvl_cpu *cpu = (const struct kvl_cpu *)ctx;
    memset(out, 0, sizeof *out);
    memcpy(out->name, cpu->name, sizeof out->name);
    snprintf(out->isa, sizeof out->isa, "%s", cpu->simd->name);
    out->n_threads = cpu->n_threads;
}

const struct kvl_backend kvl_backend_cpu = {
    .name = "cpu",
    .title = "CPU: AVX-512, AVX2 or plain loops, OpenMP",
    .open = open_cpu,
    .close = close_cpu,
    /* A product reads its weights once for every block of rows (kernels/cpu/linear.c), of which a chunk holds some. The largest
     * buffer, [1024, 2 n_ff], is 6 MiB for SmolLM2-135M in bf16. Chunks of 192, 384 and 768 rows were no faster. */
    .chunk = 1024,
    .info = info,
    .alloc = kvl_cpu_alloc,
    .free = kvl_cpu_free,
    .upload = copy,
    .download = copy,
    .zero = zero,
    .sync = sync_now,
    .mark = mark,
    .elapsed = elapsed,
    .ceilings = kvl_cpu_ceilings,
    .range_push = kvl_nvtx_push,
    .range_pop = kvl_nvtx_pop,
    .weight_init = kvl_cpu_weight_init,
    .weight_free = kvl_cpu_weight_free,
    .weight_bytes = kvl_cpu_weight_bytes,
    .attend_scratch = kvl_cpu_attend_scratch,
    .attend_cache_scratch = kvl_cpu_attend_cache_scratch,
    .embed = kvl_cpu_embed,
    .norm = kvl_cpu_norm,
    .linear = kvl_cpu_linear,
    .rotate_table = kvl_cpu_rotate_table,
    .rotate = kvl_cpu_rotate,
    .attend = kvl_cpu_attend,
    .append = kvl_cpu_append,
    .attend_cache = kvl_cpu_attend_cache,
    .mass = kvl_cpu_mass,
    .logits = kvl_cpu_logits,
    .pool = kvl_cpu_pool,
    .reduce_heads = kvl_cpu_reduce_heads,
    .top_k = kvl_cpu_top_k,
    .range = kvl_cpu_range,
    .gather = kvl_cpu_gather,
    .gather_heads = kvl_cpu_gather_heads,
    .swiglu = kvl_cpu_swiglu,
    .argmax = kvl_cpu_argmax,
    .fill_random = kvl_cpu_fill_random,
};
