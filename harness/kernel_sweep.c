/* `kvlab bench MODEL --kernels`: which options go with it, and one run of all cases for every context. */
#include <stdio.h>

#include "harness/bench_times.h"
#include "harness/kernel_bench.h"

enum { DEFAULT_CONTEXT = 2048, SAMPLE_NS = 5000000 };

/* More than a cache holds: what is read again was driven out. */
static const int64_t ROTATED_BYTES = (int64_t)256 << 20;

enum kvl_status kvl_kernel_bench_check(const struct kvl_options *o)
{
    const struct {
        const char *name;
        bool given;
    } others[] = {
        {"--method", o->methods.n > 0},      {"--phase", o->phases.n > 0},       {"--kv-rate", o->kv_rates.n > 0},
        {"--kv-budget", o->kv_budgets.n > 0}, {"--profile", o->profiles.n > 0},   {"--set", o->n_settings > 0},
        {"--new-tokens", o->n_new_tokens > 0}, {"--chunk", o->chunk > 0},         {"--copy-cache", o->copy_cache},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        KVL_REQUIRE(!others[i].given, "--kernels times single operations, no methods: leave out %s", others[i].name);
    return KVL_OK;
}

/* The i-th context, 0 past the end. */
static int64_t context_at(const struct kvl_options *o, int i)
{
    if (o->contexts.n == 0)
        return i == 0 ? DEFAULT_CONTEXT : 0;
    return i < o->contexts.n ? (int64_t)o->contexts.items[i] : 0;
}

static enum kvl_status run_context(const struct kvl_kernel_bench *bench, int64_t n)
{
    KVL_TRY_RANGE(bench->bench->ctx, "job", n, kvl_kernel_bench_run(bench, n));
    return KVL_OK;
}

/* A job is a context, so that its cases are timed together. */
enum kvl_status kvl_kernel_bench_sweep(const struct kvl_workbench *bench, struct kvl_sink *sink, struct kvl_shard *shard)
{
    struct kvl_progress progress;
    struct kvl_bench_warnings warnings = {0};
    struct kvl_kernel_bench kernels = {.bench = bench, .sink = sink, .progress = &progress, .warnings = &warnings,
                                       .rotated_bytes = ROTATED_BYTES, .sample_ns = SAMPLE_NS};
    enum kvl_status status = kvl_bench_ceilings(bench, &kernels.ceilings);
    kvl_progress_begin(&progress, 0);
    progress.total = 0; /* every context adds its own */
    int64_t n;
    for (int i = 0; (n = context_at(bench->options, i)) > 0 && status == KVL_OK; i++)
        if (kvl_shard_takes(shard))
            status = run_context(&kernels, n);
    kvl_progress_end(&progress);
    kvl_bench_warnings_print(&warnings, stderr);
    return status;
}
