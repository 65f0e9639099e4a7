/* `kvlab bench MODEL --method A,B --phase prefill,decode,e2e --context N`: latency, memory, share of the limit. With --kernels the
 * operations that these are made of, one by one (harness/kernel_bench.h). */
#include <stdio.h>

#include "harness/bench_group.h"
#include "harness/bench_times.h"
#include "harness/build_type.h"
#include "harness/command.h"
#include "harness/kernel_bench.h"
#include "harness/sweep.h"

enum { DEFAULT_NEW_TOKENS = 32 };

static bool has_phase(const struct kvl_options *options, const char *phase)
{
    for (int i = 0; i < options->phases.n; i++)
        if (strcmp(options->phases.items[i], phase) == 0)
            return true;
    return options->phases.n == 0;
}

static int64_t count_new_tokens(const struct kvl_options *o)
{
    if (!has_phase(o, "decode") && !has_phase(o, "e2e"))
        return 0;
    return o->n_new_tokens > 0 ? o->n_new_tokens : DEFAULT_NEW_TOKENS;
}

static enum kvl_status prepare(const struct kvl_workbench *bench, const struct kvl_grid *grid, const struct kvl_shard *shard)
{
    const struct kvl_options *o = bench->options;
    struct kvl_shard jobs = *shard;
    for (int c = 0; c < o->contexts.n && !o->kernels; c++) {
        int64_t n_context = (int64_t)o->contexts.items[c];
        if (!kvl_shard_takes(&jobs))
            continue;
        for (int i = 0; i < grid->n; i++)
            KVL_TRY(kvl_config_check(&grid->configs[i], &bench->model->shape, n_context, count_new_tokens(o)));
    }
    return KVL_OK;
}

static enum kvl_status run_group(const struct kvl_bench_group *group)
{
    KVL_TRY_RANGE(group->bench->ctx, "job", group->n_context, kvl_bench_group_run(group));
    return KVL_OK;
}

/* A job is a context, so that the methods at it are timed together. */
static enum kvl_status run_methods(const struct kvl_workbench *bench, const struct kvl_grid *grid, struct kvl_sink *sink,
                               struct kvl_shard *shard)
{
    const struct kvl_options *o = bench->options;
    struct kvl_bench_group group = {.bench = bench, .grid = grid, .sink = sink, .wants_prefill = has_phase(o, "prefill"),
                                    .wants_decode = has_phase(o, "decode"), .wants_e2e = has_phase(o, "e2e")};
    struct kvl_shard jobs = *shard;
    int64_t n_jobs = 0;
    for (int c = 0; c < o->contexts.n; c++)
        n_jobs += kvl_shard_takes(&jobs);
    struct kvl_progress progress;
    struct kvl_bench_warnings warnings = {0};
    group.progress = &progress;
    group.warnings = &warnings;
    group.n_new = count_new_tokens(o);
    if (n_jobs > 0)
        KVL_TRY(kvl_bench_ceilings(bench, &group.ceilings));
    kvl_progress_begin(&progress, n_jobs * grid->n * (o->n_samples + o->n_warmups));
    enum kvl_status status = KVL_OK;
    for (int c = 0; c < o->contexts.n && status == KVL_OK; c++) {
        group.n_context = (int64_t)o->contexts.items[c];
        if (kvl_shard_takes(shard))
            status = run_group(&group);
    }
    kvl_progress_end(&progress);
    kvl_bench_warnings_print(&warnings, stderr);
    return status;
}

static enum kvl_status run_all(const struct kvl_workbench *bench, const struct kvl_grid *grid, struct kvl_sink *sink,
                               struct kvl_shard *shard)
{
    return bench->options->kernels ? kvl_kernel_bench_sweep(bench, sink, shard) : run_methods(bench, grid, sink, shard);
}

static enum kvl_status check_methods(const struct kvl_options *options)
{
    KVL_REQUIRE(options->operations.n == 0, "--op chooses operations for --kernels: give both or neither");
    KVL_REQUIRE(options->methods.n > 0, "bench needs --method; `kvlab list methods` shows them");
    KVL_REQUIRE(options->contexts.n > 0, "bench needs --context: the prompt's tokens, such as 1k,2k");
    return KVL_OK;
}

static enum kvl_status check(const struct kvl_options *options)
{
    KVL_TRY(options->kernels ? kvl_kernel_bench_check(options) : check_methods(options));
    KVL_REQUIRE(!options->resume || options->output != NULL, "--resume needs -o FILE: the file to go on with");
    KVL_REQUIRE(options->force || kvl_build_is_timed(),
                "this is a debug build (%s): its times mean nothing; build the release preset, or give --force",
                kvl_build_type());
    return KVL_OK;
}

const struct kvl_sweep kvl_sweep_bench = {.wants_text = false, .check = check, .prepare = prepare, .run = run_all};

static enum kvl_status run(const struct kvl_options *options)
{
    return kvl_sweep_alone(&kvl_sweep_bench, options);
}

const struct kvl_command kvl_command_bench = {
    .name = "bench",
    .arguments = "MODEL",
    .help = "Latency of prefill and decode, memory, and the share of what the machine can do; or of single operations (--kernels).",
    .min_positional = 1,
    .max_positional = 1,
    .keys = "mpcgnwLrbPSsoRJfBdjICMN\x86\x87\x88",
    .sweep = &kvl_sweep_bench,
    .run = run,
};
