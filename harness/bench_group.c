/* The timing boundary, the same for every method: `prefill` from ids on the device to first logits with the compressed cache in
 * place; `decode` per token after the first; `e2e` both. Sessions are planned and allocated and the prompt is loaded before, freed
 * after. */
#include "harness/bench_group.h"

#include <stdio.h>
#include <stdlib.h>

#include "harness/bench_times.h"
#include "harness/statistics.h"
#include "harness/work.h"

enum { SELECTION_SAMPLES = 3 };

struct entry {
    const struct kvl_config *config;
    json_t *record;
    double *prefill, *decode, *e2e; /* ns, [n_samples]; decode is the mean of a sample's steps */
    double selection[SELECTION_SAMPLES];
    int64_t n_done;
    int64_t peak_prefill, peak_decode;
    bool over;
};

static json_t *list_phases(const struct kvl_bench_group *group)
{
    json_t *phases = json_array();
    if (group->wants_prefill)
        json_array_append_new(phases, json_string("prefill"));
    if (group->wants_decode)
        json_array_append_new(phases, json_string("decode"));
    if (group->wants_e2e)
        json_array_append_new(phases, json_string("e2e"));
    return phases;
}

static enum kvl_status entry_init(struct entry *entry, const struct kvl_bench_group *group, const struct kvl_config *config)
{
    const struct kvl_options *o = group->bench->options;
    size_t n = (size_t)o->n_samples;
    entry->config = config;
    KVL_TRY(kvl_workbench_record(group->bench, "bench", config, &entry->record));
    json_object_set_new(entry->record, "seed", json_integer((json_int_t)o->seed));
    json_object_set_new(entry->record, "context", json_integer(group->n_context));
    json_object_set_new(entry->record, "n_samples", json_integer(o->n_samples));
    json_object_set_new(entry->record, "new_tokens", json_integer(group->n_new));
    json_object_set_new(entry->record, "warmups", json_integer(o->n_warmups));
    json_object_set_new(entry->record, "phases", list_phases(group));
    if (o->copy_cache)
        json_object_set_new(entry->record, "copy_cache", json_true());
    json_object_set_new(entry->record, "peak_flops_per_s", json_real(group->ceilings.flops_per_s));
    json_object_set_new(entry->record, "peak_bytes_per_s", json_real(group->ceilings.bytes_per_s));
    entry->prefill = calloc(3 * n, sizeof *entry->prefill);
    if (entry->prefill == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for %lld samples", (long long)o->n_samples);
    entry->decode = entry->prefill + n;
    entry->e2e = entry->decode + n;
    return kvl_record_key(entry->record);
}

static void entry_free(struct entry *entry)
{
    json_decref(entry->record);
    free(entry->prefill);
    *entry = (struct entry){0};
}

static double nanoseconds(void)
{
    return kvl_seconds() * 1e9;
}

static enum kvl_status open_session(const struct kvl_bench_group *group, const struct entry *entry, struct kvl_session *session)
{
    struct kvl_engine *engine = group->bench->engine;
    KVL_TRY(kvl_session_init(session, engine, &entry->config->run->policy, group->n_context, group->n_new));
    return group->bench->options->copy_cache ? kvl_session_copy_cache(session, engine) : KVL_OK;
}

/* One prefill and n_new decode steps of a fresh session; a sample is stored where `sample` >= 0. */
static enum kvl_status time_once(const struct kvl_bench_group *group, struct entry *entry, const int32_t *ids, int64_t sample,
                                 bool last)
{
    const struct kvl_workbench *bench = group->bench;
    struct kvl_ctx *ctx = bench->ctx;
    struct kvl_session session = {0}, *sessions[] = {&session};
    enum kvl_status status;
    KVL_TRY_OUT(open_session(group, entry, &session));
    KVL_TRY_OUT(kvl_engine_reserve(bench->engine, sessions, 1));
    KVL_TRY_OUT(kvl_engine_load_prompt(bench->engine, ids, group->n_context));
    KVL_TRY_OUT(ctx->be->sync(ctx)); /* what the session's making has queued is not the prefill's */
    ctx->memory.peak = ctx->memory.current;
    double start = nanoseconds();
    KVL_TRY_OUT(kvl_engine_prefill(bench->engine, &(struct kvl_prefill){.n = group->n_context}, sessions, 1));
    double prefilled = nanoseconds();
    entry->peak_prefill = ctx->memory.peak;
    ctx->memory.peak = ctx->memory.current;
    for (int64_t i = 0; i < group->n_new; i++) {
        int32_t id;
        KVL_TRY_OUT(kvl_session_argmax(&session, &id));
        KVL_TRY_OUT(kvl_engine_step(bench->engine, &session, id));
    }
    KVL_TRY_OUT(ctx->be->sync(ctx));
    double end = nanoseconds();
    entry->peak_decode = ctx->memory.peak;
    if (sample >= 0) {
        entry->prefill[sample] = prefilled - start;
        entry->decode[sample] = group->n_new > 0 ? (end - prefilled) / (double)group->n_new : 0.0;
        entry->e2e[sample] = end - start;
        entry->n_done = sample + 1;
    }
    if (last) {
        char hash[17];
        KVL_TRY_OUT(kvl_session_logits_hash(&session, hash));
        json_object_set_new(entry->record, "logits_hash", json_string(hash));
        kvl_record_plan(entry->record, bench, &session.plan);
    }
out:
    kvl_session_free(&session);
    return status;
}

/* Selection apart, in runs of their own: looking at the clock between layers is not part of a timed prefill. */
static enum kvl_status time_selection(const struct kvl_bench_group *group, struct entry *entry, const int32_t *ids)
{
    struct kvl_session session = {0}, *sessions[] = {&session};
    enum kvl_status status;
    KVL_TRY_OUT(open_session(group, entry, &session));
    for (int i = 0; i < SELECTION_SAMPLES; i++) {
        struct kvl_prefill prefill = {.ids = ids, .n = group->n_context, .time_selection = true};
        KVL_TRY_OUT(kvl_engine_prefill(group->bench->engine, &prefill, sessions, 1));
        entry->selection[i] = (double)session.selection_ns;
    }
out:
    kvl_session_free(&session);
    return status;
}

static enum kvl_status put_bounds(const struct kvl_bench_group *group, const struct entry *entry)
{
    const struct kvl_model *model = group->bench->model;
    struct kvl_plan *plan = malloc(sizeof *plan);
    if (plan == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for a plan");
    enum kvl_status status = kvl_plan_make(plan, &entry->config->run->policy, &model->shape, group->n_context, group->n_new);
    double flops = kvl_work_prefill_flops(&model->shape, plan);
    double bytes = kvl_work_decode_bytes(model, plan, group->n_new / 2);
    if (group->bench->options->copy_cache) /* read and written once more */
        bytes += 2.0 * kvl_work_cache_bytes(model, plan, group->n_new / 2);
    free(plan);
    double prefill_bound = flops / group->ceilings.flops_per_s * 1e9, decode_bound = bytes / group->ceilings.bytes_per_s * 1e9;
    json_t *record = entry->record;
    if (group->wants_prefill) {
        double median = kvl_quantile(entry->prefill, entry->n_done, 0.5);
        json_object_set_new(record, "prefill_flops", json_real(flops));
        json_object_set_new(record, "prefill_bound_ns", json_real(prefill_bound));
        json_object_set_new(record, "prefill_bound_share", json_real(prefill_bound / median));
    }
    if (group->wants_decode) {
        double median = kvl_quantile(entry->decode, entry->n_done, 0.5);
        json_object_set_new(record, "decode_token_bytes", json_real(bytes));
        json_object_set_new(record, "decode_token_bound_ns", json_real(decode_bound));
        json_object_set_new(record, "decode_bound_share", json_real(decode_bound / median));
    }
    return status;
}

static enum kvl_status finish_entry(const struct kvl_bench_group *group, struct entry *entry)
{
    json_t *record = entry->record;
    if (!entry->over) {
        json_object_set_new(record, "status", json_string("ok"));
        json_object_set_new(record, "n_scored", json_integer(entry->n_done));
        const struct {
            bool wanted;
            const char *prefix;
            const double *ns;
        } phases[] = {{group->wants_prefill, "prefill", entry->prefill},
                      {group->wants_decode, "decode_token", entry->decode},
                      {group->wants_e2e, "e2e", entry->e2e}};
        for (size_t i = 0; i < sizeof phases / sizeof *phases; i++)
            if (phases[i].wanted) {
                kvl_bench_put_times(record, phases[i].prefix, phases[i].ns, entry->n_done);
                kvl_bench_put_interval(record, phases[i].prefix, phases[i].ns, entry->n_done, group->bench->options->seed);
            }
        if (group->wants_prefill)
            kvl_bench_put_times(record, "selection", entry->selection, SELECTION_SAMPLES);
        json_object_set_new(record, "peak_prefill_bytes", json_integer(entry->peak_prefill));
        json_object_set_new(record, "peak_decode_bytes", json_integer(entry->peak_decode));
        json_object_set_new(record, "peak_bytes",
                            json_integer(entry->peak_prefill > entry->peak_decode ? entry->peak_prefill : entry->peak_decode));
        KVL_TRY(put_bounds(group, entry));
        KVL_TRY(kvl_bench_warnings_add(group->warnings, record));
    }
    return kvl_sink_put(group->sink, json_incref(record));
}

static void note_failure(struct entry *entry, enum kvl_status status)
{
    if (status == KVL_OK)
        return;
    kvl_record_failure(entry->record, status);
    entry->over = true;
}

/* Timed as a profiler's range; the push and the pop lie outside the boundary. */
static enum kvl_status time_sample(const struct kvl_bench_group *group, struct entry *entry, const int32_t *ids, int64_t round)
{
    KVL_TRY_RANGE(group->bench->ctx, "sample", round, time_once(group, entry, ids, round, round == 0));
    return KVL_OK;
}

/* The entries of a group and what they are run on. */
struct interleaved {
    const struct kvl_bench_group *group;
    struct entry *entries;
    int n;
    const int32_t *ids;
};

static void run_round(void *context, int64_t round)
{
    const struct interleaved *all = context;
    for (int i = 0; i < all->n; i++) {
        struct entry *entry = &all->entries[i];
        char label[96], name[64];
        enum kvl_status status = KVL_OK;
        if (!entry->over)
            status = time_sample(all->group, entry, all->ids, round);
        note_failure(entry, status);
        kvl_config_label(entry->config, name, sizeof name);
        snprintf(label, sizeof label, "%lld %s%s", (long long)all->group->n_context, name, round < 0 ? " (warm-up)" : "");
        kvl_progress_step(all->group->progress, label);
    }
}

static void run_rounds(const struct kvl_bench_group *group, struct entry *entries, int n, const int32_t *ids)
{
    struct interleaved all = {group, entries, n, ids};
    struct kvl_bench_rounds rounds = {.options = group->bench->options, .progress = group->progress, .n_steps = n,
                                      .run = run_round, .context = &all};
    kvl_bench_rounds_run(&rounds);
    for (int i = 0; i < n; i++) {
        if (group->wants_prefill && !entries[i].over)
            note_failure(&entries[i], time_selection(group, &entries[i], ids));
        kvl_bench_put_machine(entries[i].record, &rounds);
    }
}

/* Seeded random ids, never constants. */
static int32_t *make_ids(const struct kvl_bench_group *group)
{
    int32_t *ids = malloc((size_t)group->n_context * sizeof *ids);
    double n_vocab = (double)group->bench->model->shape.n_vocab;
    for (int64_t i = 0; ids != NULL && i < group->n_context; i++)
        ids[i] = (int32_t)(0.5 * n_vocab * (1.0 + (double)kvl_random_uniform(group->bench->options->seed, (uint64_t)i, 0.999f)));
    return ids;
}

enum kvl_status kvl_bench_group_run(const struct kvl_bench_group *group)
{
    struct entry *entries = calloc((size_t)group->grid->n + 1, sizeof *entries);
    int32_t *ids = make_ids(group);
    int n = 0;
    enum kvl_status status = entries != NULL && ids != NULL ? KVL_OK : kvl_fail(KVL_E_OOM, "no memory for the benchmark");
    for (int i = 0; i < group->grid->n && status == KVL_OK; i++) {
        status = entry_init(&entries[n], group, &group->grid->configs[i]);
        bool finished = status == KVL_OK && kvl_sink_has(group->sink, entries[n].record);
        if (finished)
            group->progress->total -= group->bench->options->n_samples + group->bench->options->n_warmups;
        if (finished || status != KVL_OK)
            entry_free(&entries[n]);
        else
            n++;
    }
    if (status == KVL_OK && n > 0)
        run_rounds(group, entries, n, ids);
    for (int i = 0; i < n; i++) {
        if (status == KVL_OK)
            status = finish_entry(group, &entries[i]);
        entry_free(&entries[i]);
    }
    free(entries);
    free(ids);
    return status;
}
