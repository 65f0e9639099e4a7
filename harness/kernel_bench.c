#include "harness/kernel_bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness/bench_times.h"
#include "harness/json_text.h"
#include "harness/kernel_check.h"
#include "harness/record_set.h"
#include "harness/statistics.h"

enum { MAX_BATCH = 1 << 20, MAX_GRAPH = 4096, MAX_GROWTH = 1000 };

struct entry {
    const struct kvl_kernel_case *row;
    json_t *record;
    struct kvl_kernel_inputs inputs;
    union kvl_kernel_op *ops; /* [n_sets] */
    int64_t n_sets, next_set;
    int64_t batch;            /* calls of a sample */
    struct kvl_graph *graph;  /* these as one; NULL: none */
    double *ns;               /* [n_samples] of a call */
    int64_t n_done;
    bool over;                /* the record says why */
};

/* All of one context. */
struct run {
    const struct kvl_kernel_bench *bench;
    struct kvl_kernel_setting setting;
    struct kvl_kernel_memory memory;
    struct entry *entries;
    int n;
};

/* ---- entries ------------------------------------------------------------------------------------------------------------ */

/* Keys of this kind alone, in the order of harness/record.h. */
static const char *const own_keys[] = {
    "shape", "flops", "bytes", "batch", "graph", "input_sets", "input_bytes", "check_error", "check_values",
    "kernel_median_ns", "kernel_p05_ns", "kernel_p95_ns", "kernel_samples_ns", "kernel_median_ci95_ns",
    "flops_per_s", "bytes_per_s", "bound_by", "bound_ns", "bound_share",
};

static void describe_case(const struct run *run, struct entry *entry)
{
    const struct kvl_options *o = run->bench->bench->options;
    struct kvl_kernel_work work = {0};
    entry->row->work(&run->setting, entry->row, &work);
    json_t *record = entry->record;
    json_object_set_new(record, "seed", json_integer((json_int_t)o->seed));
    json_object_set_new(record, "context", json_integer(run->setting.n));
    json_object_set_new(record, "n_samples", json_integer(o->n_samples));
    json_object_set_new(record, "warmups", json_integer(o->n_warmups));
    json_object_set_new(record, "peak_flops_per_s", json_real(run->bench->ceilings.flops_per_s));
    json_object_set_new(record, "peak_bytes_per_s", json_real(run->bench->ceilings.bytes_per_s));
    json_object_set_new(record, "operation", json_string(entry->row->operation));
    json_object_set_new(record, "case", json_string(entry->row->name));
    json_object_set_new(record, "phase", json_string(kvl_kernel_phase(entry->row)));
    for (size_t i = 0; i < sizeof own_keys / sizeof *own_keys; i++)
        json_object_set_new(record, own_keys[i], json_null());
    json_object_set_new(record, "shape", json_string(work.shape));
    json_object_set_new(record, "flops", json_real(work.flops));
    json_object_set_new(record, "bytes", json_real(work.bytes));
}

static enum kvl_status entry_init(const struct run *run, struct entry *entry, const struct kvl_kernel_case *row)
{
    const struct kvl_workbench *bench = run->bench->bench;
    entry->row = row;
    entry->inputs.setting = &run->setting;
    KVL_TRY(kvl_workbench_record(bench, "kernel", NULL, &entry->record));
    describe_case(run, entry);
    entry->ns = calloc((size_t)bench->options->n_samples, sizeof *entry->ns);
    if (entry->ns == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for %lld samples", (long long)bench->options->n_samples);
    return kvl_record_key(entry->record);
}

static void entry_free(struct entry *entry)
{
    if (entry->graph != NULL)
        entry->inputs.setting->ctx->be->graph_free(entry->inputs.setting->ctx, entry->graph);
    kvl_kernel_inputs_free(&entry->inputs);
    json_decref(entry->record);
    free(entry->ops);
    free(entry->ns);
    *entry = (struct entry){0};
}

static void note_failure(struct entry *entry, enum kvl_status status)
{
    if (status == KVL_OK)
        return;
    kvl_record_failure(entry->record, status);
    entry->over = true;
}

static bool is_asked_for(const struct kvl_options *options, const char *operation)
{
    for (int i = 0; i < options->operations.n; i++)
        if (strcmp(options->operations.items[i], operation) == 0)
            return true;
    return options->operations.n == 0;
}

static enum kvl_status list_entries(struct run *run)
{
    const struct kvl_kernel_case *row;
    int n_cases = 0;
    while (kvl_kernel_case_at(n_cases) != NULL)
        n_cases++;
    run->entries = calloc((size_t)n_cases + 1, sizeof *run->entries);
    if (run->entries == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for %d cases", n_cases);
    for (int i = 0; (row = kvl_kernel_case_at(i)) != NULL; i++) {
        if (!is_asked_for(run->bench->bench->options, row->operation) || (row->applies != NULL && !row->applies(&run->setting)))
            continue;
        struct entry *entry = &run->entries[run->n];
        enum kvl_status status = entry_init(run, entry, row);
        bool finished = status == KVL_OK && kvl_sink_has(run->bench->sink, entry->record);
        if (finished || status != KVL_OK)
            entry_free(entry);
        else
            run->n++;
        KVL_TRY(status);
    }
    return KVL_OK;
}

/* ---- memory ------------------------------------------------------------------------------------------------------------- */

/* How much a set needs, and how many there shall be. */
static void measure_entry(const struct run *run, struct entry *entry)
{
    union kvl_kernel_op op;
    kvl_kernel_inputs_begin(&entry->inputs, 0);
    note_failure(entry, entry->row->make(&entry->inputs, entry->row, &op));
    int64_t bytes = kvl_kernel_inputs_bytes(&entry->inputs), wanted = run->bench->rotated_bytes;
    int64_t n = bytes > 0 ? (wanted + bytes - 1) / bytes : 1;
    entry->n_sets = n < 1 ? 1 : n > KVL_MAX_SETS ? KVL_MAX_SETS : n;
    entry->ops = calloc((size_t)entry->n_sets, sizeof *entry->ops);
    if (entry->ops == NULL)
        note_failure(entry, kvl_fail(KVL_E_OOM, "no memory for %lld sets of inputs", (long long)entry->n_sets));
}

static void size_blocks(const struct run *run, int64_t bytes[KVL_N_BLOCKS])
{
    for (int b = 0; b < KVL_N_BLOCKS; b++) {
        bytes[b] = 0;
        for (int i = 0; i < run->n; i++) {
            int64_t own = run->entries[i].inputs.set_bytes[b] * run->entries[i].n_sets;
            bytes[b] = !run->entries[i].over && own > bytes[b] ? own : bytes[b];
        }
    }
}

/* Whether blocks of these sizes, and what the sets have apart, stay within --memory-limit. */
static bool is_within_limit(const struct run *run, const int64_t bytes[KVL_N_BLOCKS])
{
    const struct kvl_memory *memory = &run->setting.ctx->memory;
    int64_t sum = memory->current;
    for (int b = 0; b < KVL_N_BLOCKS; b++)
        sum += bytes[b];
    for (int i = 0; i < run->n; i++)
        sum += run->entries[i].over ? 0 : run->entries[i].inputs.apart_bytes * run->entries[i].n_sets;
    return memory->limit == 0 || sum <= memory->limit;
}

/* False where there is but one set of each already. */
static bool halve_sets(struct run *run)
{
    bool any = false;
    for (int i = 0; i < run->n; i++) {
        any = any || (!run->entries[i].over && run->entries[i].n_sets > 1);
        run->entries[i].n_sets = (run->entries[i].n_sets + 1) / 2;
    }
    return any;
}

static struct entry *largest_entry(const struct run *run)
{
    struct entry *largest = NULL;
    int64_t most = -1;
    for (int i = 0; i < run->n; i++) {
        int64_t bytes = kvl_kernel_inputs_bytes(&run->entries[i].inputs);
        if (run->entries[i].over || bytes <= most)
            continue;
        largest = &run->entries[i];
        most = bytes;
    }
    return largest;
}

/* Where memory does not suffice for all cases, first calls go round in fewer inputs, then the largest case goes, and so on. */
static enum kvl_status make_memory(struct run *run)
{
    for (;;) {
        int64_t bytes[KVL_N_BLOCKS];
        size_blocks(run, bytes);
        if (!is_within_limit(run, bytes) && halve_sets(run))
            continue;
        enum kvl_status status = kvl_kernel_memory_init(&run->memory, &run->setting, bytes);
        if (status == KVL_E_OOM && halve_sets(run))
            continue;
        struct entry *largest = status == KVL_E_OOM ? largest_entry(run) : NULL;
        if (largest == NULL)
            return status;
        note_failure(largest, status);
    }
}

static enum kvl_status make_set(struct run *run, struct entry *entry, int64_t set)
{
    entry->inputs.memory = &run->memory;
    kvl_kernel_inputs_begin(&entry->inputs, set);
    return entry->row->make(&entry->inputs, entry->row, &entry->ops[set]);
}

/* ---- the check ---------------------------------------------------------------------------------------------------------- */

static enum kvl_status check_entry(struct entry *entry)
{
    struct kvl_kernel_check check = {.inputs = &entry->inputs, .row = entry->row};
    enum kvl_status status = kvl_kernel_check_run(&check, &entry->ops[0]);
    json_object_set_new(entry->record, "check_error", isfinite(check.error) ? json_real(check.error) : json_null());
    json_object_set_new(entry->record, "check_values", json_integer(check.n_values));
    if (status == KVL_OK && check.reason[0] != '\0')
        status = kvl_fail(KVL_E_INTERNAL, "%s %s (%s) gives a wrong result: %s", entry->row->operation, entry->row->name,
                          kvl_kernel_phase(entry->row), check.reason);
    kvl_kernel_check_free(&check);
    return status;
}

/* ---- timing ------------------------------------------------------------------------------------------------------------- */

static enum kvl_status call_batch(struct kvl_ctx *ctx, struct entry *entry)
{
    for (int64_t i = 0; i < entry->batch; i++) {
        KVL_TRY(entry->row->run(ctx, &entry->ops[entry->next_set]));
        entry->next_set = (entry->next_set + 1) % entry->n_sets;
    }
    return KVL_OK;
}

static enum kvl_status time_calls(struct kvl_ctx *ctx, struct entry *entry, int64_t *ns)
{
    if (entry->row->reset != NULL)
        KVL_TRY(entry->row->reset(ctx, &entry->ops[0]));
    KVL_TRY(ctx->be->sync(ctx));
    KVL_TRY(ctx->be->mark(ctx, 0));
    KVL_TRY(entry->graph != NULL ? ctx->be->graph_launch(ctx, entry->graph) : call_batch(ctx, entry));
    KVL_TRY(ctx->be->mark(ctx, 1));
    return ctx->be->elapsed(ctx, 0, 1, ns);
}

/* As in the engine, where a decode step is launched as one graph: single launches would take longer than what they launch. */
static bool is_graph(const struct kvl_ctx *ctx, const struct entry *entry)
{
    return entry->row->decode && ctx->be->graph_begin != NULL;
}

/* The first launch, which brings a graph to the device, is not looked at. */
static enum kvl_status record_batch(struct kvl_ctx *ctx, struct entry *entry)
{
    int64_t ns;
    if (!is_graph(ctx, entry))
        return KVL_OK;
    ctx->be->graph_free(ctx, entry->graph);
    entry->graph = NULL;
    KVL_TRY(ctx->be->graph_begin(ctx));
    enum kvl_status called = call_batch(ctx, entry), ended = ctx->be->graph_end(ctx, &entry->graph);
    KVL_TRY(called);
    KVL_TRY(ended);
    return time_calls(ctx, entry, &ns);
}

/* Calls more and more often, until a sample is long enough. */
static enum kvl_status choose_batch(const struct run *run, struct entry *entry)
{
    struct kvl_ctx *ctx = run->setting.ctx;
    int64_t most = is_graph(ctx, entry) ? MAX_GRAPH : MAX_BATCH, ns;
    most = entry->row->max_calls > 0 && entry->row->max_calls < most ? entry->row->max_calls : most;
    for (entry->batch = 1;;) {
        KVL_TRY(record_batch(ctx, entry));
        KVL_TRY(time_calls(ctx, entry, &ns));
        if (ns >= run->bench->sample_ns || entry->batch == most)
            return KVL_OK;
        double growth = ns > 0 ? 1.2 * (double)run->bench->sample_ns / (double)ns : MAX_GROWTH;
        growth = growth < 2.0 ? 2.0 : growth > MAX_GROWTH ? MAX_GROWTH : growth;
        int64_t next = (int64_t)ceil((double)entry->batch * growth);
        entry->batch = next < most ? next : most;
    }
}

/* Makes the first set and looks at its result; then the others, and how many calls a sample is. */
static enum kvl_status prepare_entry(struct run *run, struct entry *entry)
{
    KVL_TRY(make_set(run, entry, 0));
    KVL_TRY(check_entry(entry));
    for (int64_t set = 1; set < entry->n_sets; set++)
        KVL_TRY(make_set(run, entry, set));
    KVL_TRY(choose_batch(run, entry));
    json_object_set_new(entry->record, "batch", json_integer(entry->batch));
    json_object_set_new(entry->record, "graph", json_boolean(entry->graph != NULL));
    json_object_set_new(entry->record, "input_sets", json_integer(entry->n_sets));
    json_object_set_new(entry->record, "input_bytes", json_integer(kvl_kernel_inputs_bytes(&entry->inputs)));
    return KVL_OK;
}

static void step(const struct run *run, const struct entry *entry, const char *what)
{
    char label[96];
    snprintf(label, sizeof label, "%lld %s %s %s%s", (long long)run->setting.n, entry->row->operation, entry->row->name,
             kvl_kernel_phase(entry->row), what);
    kvl_progress_step(run->bench->progress, label);
}

static enum kvl_status time_sample(const struct run *run, struct entry *entry, int64_t round)
{
    int64_t ns;
    KVL_TRY(time_calls(run->setting.ctx, entry, &ns));
    if (round < 0)
        return KVL_OK;
    entry->ns[round] = (double)ns / (double)entry->batch;
    entry->n_done = round + 1;
    return KVL_OK;
}

static enum kvl_status time_in_range(const struct run *run, struct entry *entry, int64_t round)
{
    KVL_TRY_RANGE(run->setting.ctx, entry->row->operation, round, time_sample(run, entry, round));
    return KVL_OK;
}

static void run_round(void *context, int64_t round)
{
    struct run *run = context;
    for (int i = 0; i < run->n; i++) {
        struct entry *entry = &run->entries[i];
        if (!entry->over)
            note_failure(entry, time_in_range(run, entry, round));
        step(run, entry, round < 0 ? " (warm-up)" : "");
    }
}

/* ---- records ------------------------------------------------------------------------------------------------------------ */

/* What the machine needs at least, by the ceiling that takes longer. */
static void put_bound(json_t *record, const struct kvl_ceilings *ceilings, double median)
{
    double flops = kvl_record_number(record, "flops"), bytes = kvl_record_number(record, "bytes");
    double flops_ns = flops / ceilings->flops_per_s * 1e9, bytes_ns = bytes / ceilings->bytes_per_s * 1e9;
    bool by_flops = flops_ns > bytes_ns;
    json_object_set_new(record, "flops_per_s", kvl_json_real_or_null(flops / median * 1e9));
    json_object_set_new(record, "bytes_per_s", kvl_json_real_or_null(bytes / median * 1e9));
    json_object_set_new(record, "bound_by", json_string(by_flops ? "flops" : "bytes"));
    json_object_set_new(record, "bound_ns", json_real(by_flops ? flops_ns : bytes_ns));
    json_object_set_new(record, "bound_share", kvl_json_real_or_null((by_flops ? flops_ns : bytes_ns) / median));
}

static enum kvl_status finish_entry(const struct run *run, struct entry *entry)
{
    json_t *record = entry->record;
    if (!entry->over) {
        json_object_set_new(record, "status", json_string("ok"));
        json_object_set_new(record, "n_scored", json_integer(entry->n_done));
        kvl_bench_put_times(record, "kernel", entry->ns, entry->n_done);
        kvl_bench_put_interval(record, "kernel", entry->ns, entry->n_done, run->bench->bench->options->seed);
        put_bound(record, &run->bench->ceilings, kvl_quantile(entry->ns, entry->n_done, 0.5));
        KVL_TRY(kvl_bench_warnings_add(run->bench->warnings, record));
    }
    return kvl_sink_put(run->bench->sink, json_incref(record));
}

static enum kvl_status run_all(struct run *run)
{
    const struct kvl_options *o = run->bench->bench->options;
    struct kvl_bench_rounds rounds = {.options = o, .progress = run->bench->progress, .n_steps = run->n, .run = run_round,
                                      .context = run};
    run->bench->progress->total += run->n * (1 + o->n_warmups + o->n_samples);
    for (int i = 0; i < run->n; i++)
        measure_entry(run, &run->entries[i]);
    KVL_TRY(make_memory(run));
    for (int i = 0; i < run->n; i++) {
        struct entry *entry = &run->entries[i];
        step(run, entry, " (check)");
        if (!entry->over)
            note_failure(entry, prepare_entry(run, entry));
    }
    kvl_bench_rounds_run(&rounds);
    for (int i = 0; i < run->n; i++) {
        kvl_bench_put_machine(run->entries[i].record, &rounds);
        KVL_TRY(finish_entry(run, &run->entries[i]));
    }
    return KVL_OK;
}

static int64_t longest_window(const struct kvl_shape *shape)
{
    int64_t longest = 0;
    for (int64_t l = 0; l < shape->n_layer; l++)
        longest = shape->window[l] > longest ? shape->window[l] : longest;
    return longest;
}

enum kvl_status kvl_kernel_bench_run(const struct kvl_kernel_bench *bench, int64_t n)
{
    const struct kvl_model *model = bench->bench->model;
    struct run run = {.bench = bench,
                      .setting = {.ctx = bench->bench->ctx, .shape = &model->shape, .dtype = model->dtype, .n = n,
                                  .window = longest_window(&model->shape), .seed = bench->bench->options->seed}};
    enum kvl_status status = list_entries(&run);
    if (status == KVL_OK && run.n > 0)
        status = run_all(&run);
    for (int i = 0; i < run.n; i++)
        entry_free(&run.entries[i]);
    kvl_kernel_memory_free(&run.memory);
    free(run.entries);
    return status;
}
