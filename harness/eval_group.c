#include "harness/eval_group.h"

#include <stdio.h>
#include <stdlib.h>

#include "harness/eval_answer.h"

struct entries {
    struct kvl_eval_entry *items; /* [n]; the reference, where there is one, comes first */
    int n;
    struct kvl_grid reference; /* the reference's configuration, where the task compares with it */
    struct kvl_reference_logits logits;
};

/* What one prompt is run through. */
struct turn {
    const struct kvl_eval_job *job;
    const struct kvl_prompt *prompt;
    struct kvl_reference_logits *logits;
    int64_t n_prompt, n_new;
};

static enum kvl_status make_prompt(const struct kvl_eval_job *job, int64_t index, struct kvl_prompt *prompt)
{
    struct kvl_task_request request = kvl_eval_job_request(job, index);
    bool forced = job->task->score == NULL; /* a text that is only read has no question */
    return kvl_prompt_make(prompt, job->task, &request, forced || !job->bench->options->query_agnostic);
}

/* ---- one prompt --------------------------------------------------------------------------------------------------------- */

/* One entry's turn at a sample is over. */
static void end_turn(const struct turn *turn, struct kvl_eval_entry *entry, enum kvl_status status)
{
    char label[96], method[64];
    if (status != KVL_OK)
        kvl_eval_entry_fail(entry, status);
    kvl_session_free(&entry->session);
    if (entry->is_reference)
        return;
    kvl_config_label(entry->config, method, sizeof method);
    snprintf(label, sizeof label, "%s %lld %s%s", turn->job->task->name, (long long)turn->job->n_context, method,
             entry->over ? " (stopped)" : "");
    kvl_progress_step(turn->job->progress, label);
}

static void answer(const struct turn *turn, struct kvl_eval_entry *entry)
{
    end_turn(turn, entry, kvl_eval_answer(turn->job, entry, turn->prompt, turn->logits));
}

static enum kvl_status open_session(const struct turn *turn, struct kvl_eval_entry *entry)
{
    return kvl_session_init(&entry->session, turn->job->bench->engine, &entry->config->run->policy, turn->n_prompt, turn->n_new);
}

static enum kvl_status prefill(const struct turn *turn, struct kvl_eval_entry *const *together, int n)
{
    struct kvl_session **sessions = calloc((size_t)n + 1, sizeof *sessions);
    if (sessions == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for %d sessions", n);
    for (int i = 0; i < n; i++)
        sessions[i] = &together[i]->session;
    enum kvl_status status = kvl_engine_prefill(
        turn->job->bench->engine, &(struct kvl_prefill){.ids = turn->prompt->ids.data, .n = turn->n_prompt}, sessions, n);
    free(sessions);
    return status;
}

static void run_alone(const struct turn *turn, struct kvl_eval_entry *entry)
{
    enum kvl_status status = open_session(turn, entry);
    if (status == KVL_OK)
        status = prefill(turn, &entry, 1);
    if (status == KVL_OK)
        answer(turn, entry);
    else
        end_turn(turn, entry, status);
}

/* Prefills together, then lets each entry answer. What does not fit beside the others may fit alone. */
static void run_together(const struct turn *turn, struct kvl_eval_entry *const *together, int n)
{
    enum kvl_status status = prefill(turn, together, n);
    bool again = status == KVL_E_OOM && n > 1;
    for (int i = 0; i < n; i++)
        if (again)
            kvl_session_free(&together[i]->session);
        else if (status == KVL_OK)
            answer(turn, together[i]);
        else
            end_turn(turn, together[i], status);
    for (int i = 0; i < n && again; i++)
        run_alone(turn, together[i]);
}

/* Opens as many sessions as memory has room for and runs these, until none is left. */
static void run_shared(const struct turn *turn, struct kvl_eval_entry *const *shared, int n)
{
    for (int first = 0; first < n;) {
        int opened = 0;
        enum kvl_status status = KVL_OK;
        while (first + opened < n && status == KVL_OK) {
            status = open_session(turn, shared[first + opened]);
            opened += status == KVL_OK;
        }
        if (opened > 0)
            run_together(turn, shared + first, opened);
        else
            end_turn(turn, shared[first], status);
        first += opened > 0 ? opened : 1;
    }
}

/* Whether the entry's prefill is the full one; the first prompt's plan goes into the record. */
static enum kvl_status plan_entry(const struct turn *turn, struct kvl_eval_entry *entry, bool *leaves_prefill)
{
    const struct kvl_workbench *bench = turn->job->bench;
    const struct kvl_shape *shape = &bench->model->shape;
    struct kvl_plan *plan = malloc(sizeof *plan);
    if (plan == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for a plan");
    enum kvl_status status = kvl_plan_make(plan, &entry->config->run->policy, shape, turn->n_prompt, turn->n_new);
    *leaves_prefill = status == KVL_OK && kvl_plan_leaves_prefill(plan, shape);
    if (status == KVL_OK && !entry->planned)
        kvl_record_plan(entry->record, bench, plan);
    entry->planned = status == KVL_OK;
    free(plan);
    return status;
}

/* Entries that leave the prefill as it is run together, the rest one after the other. */
static enum kvl_status run_turn(const struct turn *turn, struct kvl_eval_entry *const *waiting, int n)
{
    struct kvl_eval_entry **parts = calloc(2 * (size_t)n + 1, sizeof *parts), **shared = parts, **alone = parts + n;
    int n_shared = 0, n_alone = 0;
    if (parts == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for %d sessions", n);
    for (int i = 0; i < n; i++) {
        bool leaves_prefill = false;
        enum kvl_status status = plan_entry(turn, waiting[i], &leaves_prefill);
        if (status != KVL_OK)
            end_turn(turn, waiting[i], status);
        else if (leaves_prefill)
            shared[n_shared++] = waiting[i];
        else
            alone[n_alone++] = waiting[i];
    }
    run_shared(turn, shared, n_shared);
    for (int i = 0; i < n_alone; i++)
        run_alone(turn, alone[i]);
    free(parts);
    return KVL_OK;
}

/* ---- all samples --------------------------------------------------------------------------------------------------------- */

/* Those that sample `index` is still to be run for; a reference alone waits for nobody. */
static int list_waiting(const struct kvl_eval_job *job, struct entries *entries, int64_t index,
                        struct kvl_eval_entry **waiting)
{
    int n = 0, n_records = 0;
    for (int i = 0; i < entries->n; i++) {
        struct kvl_eval_entry *entry = &entries->items[i];
        if (entry->over || kvl_eval_entry_recall(entry, job->sink, index)) {
            job->progress->total -= !entry->is_reference;
            continue;
        }
        waiting[n++] = entry;
        n_records += !entry->is_reference;
    }
    return n_records > 0 ? n : 0;
}

/* Entries that were interrupted behind this sample have it already, but no plan in their record. */
static bool has_unplanned(const struct entries *entries)
{
    for (int i = 0; i < entries->n; i++)
        if (!entries->items[i].planned && !entries->items[i].over && !entries->items[i].is_reference)
            return true;
    return false;
}

static enum kvl_status run_sample(const struct kvl_eval_job *job, struct entries *entries, int64_t index,
                                  struct kvl_eval_entry **waiting)
{
    int n = list_waiting(job, entries, index, waiting);
    if (n == 0 && !has_unplanned(entries))
        return KVL_OK;
    struct kvl_prompt prompt = {0};
    struct turn turn = {.job = job, .prompt = &prompt, .logits = &entries->logits};
    enum kvl_status status = make_prompt(job, index, &prompt);
    for (int i = 0; i < n && status != KVL_OK; i++)
        end_turn(&turn, waiting[i], status);
    if (status != KVL_OK)
        return KVL_OK;
    kvl_eval_lengths(job, &prompt, &turn.n_prompt, &turn.n_new);
    kvl_reference_logits_free(&entries->logits);
    for (int i = 0; i < entries->n && status == KVL_OK; i++) {
        bool unused;
        if (!entries->items[i].planned && entries->items[i].n_done > index)
            status = plan_entry(&turn, &entries->items[i], &unused);
    }
    if (status == KVL_OK)
        status = run_turn(&turn, waiting, n);
    kvl_prompt_free(&prompt);
    return status;
}

static enum kvl_status run_samples(const struct kvl_eval_job *job, struct entries *entries, struct kvl_eval_entry **waiting)
{
    for (int64_t i = 0; i < job->n_samples; i++)
        KVL_TRY_RANGE(job->bench->ctx, "sample", i, run_sample(job, entries, i, waiting));
    return KVL_OK;
}

/* The configurations that are still to be run. */
static enum kvl_status list_entries(const struct kvl_eval_job *job, struct entries *entries)
{
    const struct kvl_grid *grid = job->grid;
    bool compares = job->task->score == NULL;
    entries->items = calloc((size_t)grid->n + 2, sizeof *entries->items);
    if (entries->items == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for %d configurations", grid->n);
    if (compares) {
        KVL_TRY(kvl_grid_init_reference(&entries->reference, &job->bench->model->shape));
        KVL_TRY(kvl_eval_entry_init(&entries->items[entries->n++], job, &entries->reference.configs[0]));
        entries->items[0].is_reference = true;
    }
    for (int i = 0; i < grid->n; i++) {
        struct kvl_eval_entry *entry = &entries->items[entries->n];
        enum kvl_status status = kvl_eval_entry_init(entry, job, &grid->configs[i]);
        if (status != KVL_OK || kvl_sink_has(job->sink, entry->record)) {
            kvl_eval_entry_free(entry);
            job->progress->total -= status == KVL_OK ? job->n_samples : 0;
            KVL_TRY(status);
            continue;
        }
        entries->n++;
    }
    return KVL_OK;
}

static void free_entries(struct entries *entries)
{
    for (int i = 0; entries->items != NULL && i < entries->n; i++)
        kvl_eval_entry_free(&entries->items[i]);
    free(entries->items);
    kvl_grid_free(&entries->reference);
    kvl_reference_logits_free(&entries->logits);
}

enum kvl_status kvl_eval_group_run(const struct kvl_eval_job *job)
{
    struct entries entries = {0};
    struct kvl_eval_entry **waiting = NULL;
    enum kvl_status status;
    KVL_TRY_OUT(list_entries(job, &entries));
    waiting = calloc((size_t)entries.n + 1, sizeof *waiting);
    if (waiting == NULL)
        KVL_TRY_OUT(kvl_fail(KVL_E_OOM, "no memory for %d configurations", entries.n));
    KVL_TRY_OUT(run_samples(job, &entries, waiting));
    for (int i = 0; i < entries.n; i++)
        KVL_TRY_OUT(kvl_eval_entry_finish(&entries.items[i], job));
out:
    free(waiting);
    free_entries(&entries);
    return status;
}

/* ---- before anything runs ------------------------------------------------------------------------------------------------ */

/* A generated prompt may have any length from 2 % below the context on. */
static enum kvl_status check_config(const struct kvl_eval_job *job, const struct kvl_config *config,
                                    const struct kvl_prompt *prompt)
{
    const struct kvl_shape *shape = &job->bench->model->shape;
    int64_t n_prompt, n_new;
    kvl_eval_lengths(job, prompt, &n_prompt, &n_new);
    KVL_TRY(kvl_config_check(config, shape, n_prompt, n_new));
    if (!job->task->has_context || job->task->count != NULL || prompt->n_before_question > 0)
        return KVL_OK;
    KVL_TRY(kvl_config_check(config, shape, job->n_context, n_new));
    return kvl_config_check(config, shape, job->n_context - job->n_context / 50, n_new);
}

enum kvl_status kvl_eval_group_check(struct kvl_eval_job *job)
{
    struct kvl_prompt prompt = {0};
    KVL_TRY(kvl_eval_job_count(job));
    enum kvl_status status = make_prompt(job, 0, &prompt);
    for (int i = 0; i < job->grid->n && status == KVL_OK; i++)
        status = check_config(job, &job->grid->configs[i], &prompt);
    kvl_prompt_free(&prompt);
    return status;
}
