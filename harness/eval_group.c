#include "harness/eval_group.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "datasets/prompt.h"
#include "harness/statistics.h"

/* One configuration's way through the samples. */
struct entry {
    const struct kvl_config *config;
    json_t *record;
    json_t *samples; /* array, written when the configuration ends */
    double *scores;  /* [n_samples] */
    double tokens_in, tokens_out;
    int64_t n_done;
    bool planned;    /* the record holds the plan of its first prompt */
    bool over;       /* a job failed: nothing more is run */
    struct kvl_session session;
};

struct entries {
    struct entry *items;
    int n;
};

static struct kvl_task_request request_of(const struct kvl_eval_group *group, int64_t index)
{
    const struct kvl_workbench *bench = group->bench;
    return (struct kvl_task_request){bench->model->tokenizer, bench->chat, group->n_context, bench->options->seed, index, NULL};
}

static enum kvl_status prompt_make(struct kvl_prompt *prompt, const struct kvl_eval_group *group, int64_t index)
{
    struct kvl_task_request request = request_of(group, index);
    return kvl_prompt_make(prompt, group->task, &request, true);
}

static enum kvl_status entry_init(struct entry *entry, const struct kvl_eval_group *group, const struct kvl_config *config)
{
    const struct kvl_workbench *bench = group->bench;
    entry->config = config;
    KVL_TRY(kvl_workbench_record(bench, "eval", config, &entry->record));
    json_t *record = entry->record;
    json_object_set_new(record, "task", json_string(group->task->name));
    json_object_set_new(record, "task_version", json_integer(group->task->version));
    json_object_set_new(record, "metric", json_string(group->task->metric));
    json_object_set_new(record, "protocol", json_string("plain"));
    json_object_set_new(record, "query_aware", json_true());
    json_object_set_new(record, "template", bench->chat != NULL ? json_string(bench->chat->name) : json_null());
    json_object_set_new(record, "seed", json_integer((json_int_t)bench->options->seed));
    json_object_set_new(record, "context", json_integer(group->n_context));
    json_object_set_new(record, "n_samples", json_integer(bench->options->n_samples));
    json_object_set_new(record, "truncated", json_false());
    if (bench->options->n_new_tokens > 0)
        json_object_set_new(record, "new_tokens", json_integer(bench->options->n_new_tokens));
    entry->samples = json_array();
    entry->scores = calloc((size_t)bench->options->n_samples, sizeof *entry->scores);
    return entry->scores != NULL ? kvl_record_key(record) : kvl_fail(KVL_E_OOM, "no memory for the scores");
}

static void entry_free(struct entry *entry)
{
    kvl_session_free(&entry->session);
    json_decref(entry->record);
    json_decref(entry->samples);
    free(entry->scores);
    *entry = (struct entry){0};
}

static void fail_entry(struct entry *entry, enum kvl_status status)
{
    kvl_record_failure(entry->record, status);
    entry->over = true;
    kvl_session_free(&entry->session);
}

static int64_t max_new_tokens(const struct kvl_eval_group *group, const struct kvl_sample *sample)
{
    return group->bench->options->n_new_tokens > 0 ? group->bench->options->n_new_tokens : sample->max_new_tokens;
}

/* Generates and scores; the session has been prefilled. */
static enum kvl_status answer(const struct kvl_eval_group *group, struct entry *entry, const struct kvl_prompt *prompt)
{
    struct kvl_generation generation;
    const struct kvl_sample *sample = &prompt->sample;
    enum kvl_status status = kvl_workbench_generate(group->bench, &entry->session, max_new_tokens(group, sample), sample->stop,
                                                    &generation);
    if (status != KVL_OK) {
        kvl_generation_free(&generation);
        return status;
    }
    double score;
    KVL_TRY(group->task->score(&(struct kvl_scoring){generation.text, (const char *const *)sample->answers, sample->n_answers,
                                                     (const char *const *)sample->classes, sample->n_classes, NULL}, &score));
    entry->scores[entry->n_done++] = score;
    entry->tokens_in += (double)prompt->ids.n;
    entry->tokens_out += (double)generation.ids.n;
    json_t *answers = json_array(), *line = json_object();
    for (int i = 0; i < sample->n_answers; i++)
        json_array_append_new(answers, json_string(sample->answers[i]));
    json_object_set(line, "config_key", json_object_get(entry->record, "config_key"));
    json_object_set_new(line, "index", json_integer(entry->n_done - 1));
    json_object_set(line, "method", json_object_get(entry->record, "method"));
    json_object_set_new(line, "task", json_string(group->task->name));
    json_object_set_new(line, "context", json_integer(group->n_context));
    json_object_set_new(line, "n_prompt", json_integer(prompt->ids.n));
    json_object_set_new(line, "prompt", json_string(prompt->text));
    json_object_set_new(line, "prediction", kvl_text_json(generation.text, generation.text_length));
    json_object_set_new(line, "answers", answers);
    json_object_set_new(line, "score", json_real(score));
    json_array_append_new(entry->samples, line);
    char hash[17];
    status = kvl_session_logits_hash(&entry->session, hash);
    json_object_set_new(entry->record, "logits_hash", json_string(hash));
    json_object_set_new(entry->record, "bos_count", json_integer(prompt->n_bos));
    kvl_generation_free(&generation);
    return status;
}

/* Plans and allocates one entry's session for a prompt. */
static enum kvl_status open_session(const struct kvl_eval_group *group, struct entry *entry, const struct kvl_prompt *prompt)
{
    KVL_TRY(kvl_session_init(&entry->session, group->bench->engine, &entry->config->run->policy, prompt->ids.n,
                             max_new_tokens(group, &prompt->sample)));
    if (!entry->planned)
        kvl_record_plan(entry->record, group->bench, &entry->session.plan);
    entry->planned = true;
    return KVL_OK;
}

/* One entry's turn at a sample is over. */
static void end_turn(const struct kvl_eval_group *group, struct entry *entry, enum kvl_status status)
{
    char label[96], method[64];
    if (status != KVL_OK)
        fail_entry(entry, status);
    kvl_session_free(&entry->session);
    kvl_config_label(entry->config, method, sizeof method);
    snprintf(label, sizeof label, "%s %lld %s%s", group->task->name, (long long)group->n_context, method,
             entry->over ? " (stopped)" : "");
    kvl_progress_step(group->progress, label);
}

static enum kvl_status prefill(const struct kvl_eval_group *group, struct entry *const *together, int n,
                               const struct kvl_prompt *prompt)
{
    struct kvl_session **sessions = calloc((size_t)n + 1, sizeof *sessions);
    if (sessions == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for %d sessions", n);
    for (int i = 0; i < n; i++)
        sessions[i] = &together[i]->session;
    enum kvl_status status = kvl_engine_prefill(
        group->bench->engine, &(struct kvl_prefill){.ids = prompt->ids.data, .n = prompt->ids.n}, sessions, n);
    free(sessions);
    return status;
}

static void run_alone(const struct kvl_eval_group *group, struct entry *entry, const struct kvl_prompt *prompt)
{
    enum kvl_status status = open_session(group, entry, prompt);
    if (status == KVL_OK)
        status = prefill(group, &entry, 1, prompt);
    end_turn(group, entry, status == KVL_OK ? answer(group, entry, prompt) : status);
}

/* Prefills together, then lets each entry answer. What does not fit beside the others may fit alone. */
static void run_together(const struct kvl_eval_group *group, struct entry *const *together, int n, const struct kvl_prompt *prompt)
{
    enum kvl_status status = prefill(group, together, n, prompt);
    bool again = status == KVL_E_OOM && n > 1;
    for (int i = 0; i < n; i++)
        if (again)
            kvl_session_free(&together[i]->session);
        else
            end_turn(group, together[i], status == KVL_OK ? answer(group, together[i], prompt) : status);
    for (int i = 0; i < n && again; i++)
        run_alone(group, together[i], prompt);
}

/* Opens as many sessions as memory has room for and runs these, until none is left. */
static void run_shared(const struct kvl_eval_group *group, struct entry *const *shared, int n, const struct kvl_prompt *prompt)
{
    for (int first = 0; first < n;) {
        int opened = 0;
        enum kvl_status status = KVL_OK;
        while (first + opened < n && status == KVL_OK) {
            status = open_session(group, shared[first + opened], prompt);
            opened += status == KVL_OK;
        }
        if (opened > 0)
            run_together(group, shared + first, opened, prompt);
        else
            end_turn(group, shared[first], status);
        first += opened > 0 ? opened : 1;
    }
}

static bool leaves_prefill(const struct kvl_eval_group *group, const struct entry *entry, const struct kvl_prompt *prompt)
{
    const struct kvl_shape *shape = &group->bench->model->shape;
    struct kvl_plan *plan = malloc(sizeof *plan);
    bool leaves = plan != NULL
                  && kvl_plan_make(plan, &entry->config->run->policy, shape, prompt->ids.n, max_new_tokens(group, &prompt->sample))
                         == KVL_OK
                  && kvl_plan_leaves_prefill(plan, shape);
    free(plan);
    return leaves;
}

/* Entries that change the prefill run one after the other, the rest together. */
static enum kvl_status run_sample(const struct kvl_eval_group *group, struct entries *entries, const struct kvl_prompt *prompt)
{
    struct entry **shared = calloc((size_t)entries->n + 1, sizeof *shared);
    if (shared == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for %d sessions", entries->n);
    int n = 0;
    for (int i = 0; i < entries->n; i++) {
        struct entry *entry = &entries->items[i];
        if (entry->over)
            end_turn(group, entry, KVL_OK);
        else if (leaves_prefill(group, entry, prompt))
            shared[n++] = entry;
        else
            run_alone(group, entry, prompt);
    }
    run_shared(group, shared, n, prompt);
    free(shared);
    return KVL_OK;
}

static json_t *real_or_null(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static enum kvl_status finish_entry(const struct kvl_eval_group *group, struct entry *entry)
{
    json_t *record = entry->record, *scores = json_array();
    for (int64_t i = 0; i < entry->n_done; i++)
        json_array_append_new(scores, json_real(entry->scores[i]));
    if (!entry->over) {
        json_object_set_new(record, "status", json_string("ok"));
        json_object_set_new(record, "score", real_or_null(kvl_mean(entry->scores, entry->n_done)));
        json_object_set_new(record, "score_stderr", real_or_null(kvl_standard_error(entry->scores, entry->n_done)));
    }
    json_object_set_new(record, "scores", scores);
    json_object_set_new(record, "n_scored", json_integer(entry->n_done));
    json_object_set_new(record, "peak_bytes", json_integer(group->bench->ctx->memory.peak));
    if (entry->n_done > 0) {
        json_object_set_new(record, "tokens_in_mean", json_real(entry->tokens_in / (double)entry->n_done));
        json_object_set_new(record, "tokens_out_mean", json_real(entry->tokens_out / (double)entry->n_done));
    }
    size_t i;
    json_t *sample;
    enum kvl_status status = KVL_OK;
    json_array_foreach(entry->samples, i, sample)
        if (status == KVL_OK)
            status = kvl_sink_put_sample(group->sink, json_incref(sample));
    return status == KVL_OK ? kvl_sink_put(group->sink, json_incref(record)) : status;
}

/* The configurations that are still to be run. */
static enum kvl_status list_entries(const struct kvl_eval_group *group, struct entries *entries)
{
    entries->items = calloc((size_t)group->grid->n + 1, sizeof *entries->items);
    if (entries->items == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for %d configurations", group->grid->n);
    for (int i = 0; i < group->grid->n; i++) {
        struct entry *entry = &entries->items[entries->n];
        enum kvl_status status = entry_init(entry, group, &group->grid->configs[i]);
        if (status != KVL_OK || kvl_sink_has(group->sink, entry->record)) {
            entry_free(entry);
            group->progress->total -= status == KVL_OK ? group->bench->options->n_samples : 0;
            KVL_TRY(status);
            continue;
        }
        entries->n++;
    }
    return KVL_OK;
}

enum kvl_status kvl_eval_group_run(const struct kvl_eval_group *group)
{
    struct entries entries = {0};
    enum kvl_status status = list_entries(group, &entries);
    group->bench->ctx->memory.peak = group->bench->ctx->memory.current;
    for (int64_t i = 0; i < group->bench->options->n_samples && entries.n > 0 && status == KVL_OK; i++) {
        struct kvl_prompt prompt = {0};
        enum kvl_status made = prompt_make(&prompt, group, i);
        for (int e = 0; e < entries.n && made != KVL_OK; e++)
            if (!entries.items[e].over)
                fail_entry(&entries.items[e], made);
        status = run_sample(group, &entries, &prompt);
        kvl_prompt_free(&prompt);
    }
    for (int i = 0; i < entries.n; i++) {
        if (status == KVL_OK)
            status = finish_entry(group, &entries.items[i]);
        entry_free(&entries.items[i]);
    }
    free(entries.items);
    return status;
}

enum kvl_status kvl_eval_group_check(const struct kvl_eval_group *group)
{
    if (group->task->score == NULL)
        return kvl_fail(KVL_E_UNSUPPORTED, "%s has no answers to score, and this eval knows nothing else", group->task->name);
    struct kvl_prompt prompt = {0};
    enum kvl_status status = prompt_make(&prompt, group, 0);
    for (int i = 0; i < group->grid->n && status == KVL_OK; i++) {
        const struct kvl_config *config = &group->grid->configs[i];
        const struct kvl_shape *shape = &group->bench->model->shape;
        int64_t n_new = max_new_tokens(group, &prompt.sample), n_least = group->n_context - group->n_context / 50;
        status = kvl_config_check(config, shape, group->n_context, n_new);
        if (status == KVL_OK)
            status = kvl_config_check(config, shape, n_least, n_new);
    }
    kvl_prompt_free(&prompt);
    return status;
}
