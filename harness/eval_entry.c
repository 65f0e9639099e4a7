#include "harness/eval_entry.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness/json_text.h"
#include "harness/record_set.h"
#include "harness/statistics.h"

static json_t *text_or_null(const char *text)
{
    return text != NULL ? json_string(text) : json_null();
}

static void describe_task(json_t *record, const struct kvl_eval_job *job)
{
    const struct kvl_options *options = job->bench->options;
    const struct kvl_task_settings *settings = &options->task_settings;
    const struct kvl_task *task = job->task;
    json_object_set_new(record, "task", json_string(task->name));
    json_object_set_new(record, "task_version", json_integer(task->version));
    json_object_set_new(record, "category", text_or_null(task->category));
    json_object_set_new(record, "metric", json_string(task->metric));
    json_object_set_new(record, "second_metric", text_or_null(task->second_metric));
    json_object_set_new(record, "protocol", json_string(kvl_protocol_name((int)settings->protocol)));
    json_object_set_new(record, "query_aware", json_boolean(!options->query_agnostic));
    json_object_set_new(record, "max_prompt", settings->max_prompt > 0 ? json_integer(settings->max_prompt) : json_null());
    json_object_set_new(record, "haystack", text_or_null(settings->haystack_dir));
    json_object_set_new(record, "haystack_hash", text_or_null(job->haystack_hash[0] != '\0' ? job->haystack_hash : NULL));
    json_object_set_new(record, "code_similarity",
                        json_string(settings->code_similarity == KVL_CODE_DIFFLIB ? "difflib" : "levenshtein"));
    json_object_set_new(record, "template", text_or_null(job->template_name));
    json_object_set_new(record, "seed", json_integer((json_int_t)options->seed));
    json_object_set_new(record, "context", task->has_context ? json_integer(job->n_context) : json_null());
    json_object_set_new(record, "n_samples", json_integer(job->n_samples));
    if (options->n_new_tokens > 0)
        json_object_set_new(record, "new_tokens", json_integer(options->n_new_tokens));
}

enum kvl_status kvl_eval_entry_init(struct kvl_eval_entry *entry, const struct kvl_eval_job *job,
                                    const struct kvl_config *config)
{
    *entry = (struct kvl_eval_entry){.config = config};
    KVL_TRY(kvl_workbench_record(job->bench, "eval", config, &entry->record));
    describe_task(entry->record, job);
    entry->samples = calloc((size_t)job->n_samples, sizeof *entry->samples);
    if (entry->samples == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for the scores of %lld samples", (long long)job->n_samples);
    return kvl_record_key(entry->record);
}

void kvl_eval_entry_free(struct kvl_eval_entry *entry)
{
    kvl_session_free(&entry->session);
    json_decref(entry->record);
    free(entry->samples);
    *entry = (struct kvl_eval_entry){0};
}

void kvl_eval_entry_fail(struct kvl_eval_entry *entry, enum kvl_status status)
{
    kvl_record_failure(entry->record, status);
    entry->over = true;
    kvl_session_free(&entry->session);
}

/* The numbers of a sample under their names in its line. */
static const struct {
    const char *key;
    size_t offset;
    bool is_real;
} fields[] = {
#define REAL(name) {#name, offsetof(struct kvl_eval_numbers, name), true}
#define COUNT(name) {#name, offsetof(struct kvl_eval_numbers, name), false}
    REAL(score), REAL(second_score), REAL(depth), REAL(kl), REAL(nll_difference),
    COUNT(n_in), COUNT(n_out), COUNT(n_bos), COUNT(n_uncut),
#undef REAL
#undef COUNT
};
enum { N_FIELDS = sizeof fields / sizeof *fields };

static void write_numbers(json_t *line, const struct kvl_eval_numbers *numbers)
{
    for (size_t i = 0; i < N_FIELDS; i++) {
        const char *at = (const char *)numbers + fields[i].offset;
        json_object_set_new(line, fields[i].key, fields[i].is_real ? kvl_json_real_or_null(*(const double *)(const void *)at)
                                                                   : json_integer(*(const int64_t *)(const void *)at));
    }
    json_object_set_new(line, "logits_hash", json_string(numbers->logits_hash));
}

bool kvl_eval_entry_recall(struct kvl_eval_entry *entry, const struct kvl_sink *sink, int64_t index)
{
    const json_t *line = kvl_sink_sample(sink, kvl_record_text(entry->record, "config_key"), index);
    const char *hash = line != NULL ? kvl_record_text(line, "logits_hash") : NULL;
    if (entry->is_reference || hash == NULL || entry->n_done != index)
        return false;
    struct kvl_eval_numbers *numbers = &entry->samples[index];
    for (size_t i = 0; i < N_FIELDS; i++) {
        char *at = (char *)numbers + fields[i].offset;
        if (fields[i].is_real)
            *(double *)(void *)at = kvl_record_number(line, fields[i].key);
        else
            *(int64_t *)(void *)at = (int64_t)json_integer_value(json_object_get(line, fields[i].key));
    }
    snprintf(numbers->logits_hash, sizeof numbers->logits_hash, "%s", hash);
    entry->n_done++;
    return true;
}

enum kvl_status kvl_eval_entry_add(struct kvl_eval_entry *entry, const struct kvl_eval_job *job,
                                   const struct kvl_eval_numbers *numbers, json_t *line)
{
    if (entry->is_reference) {
        json_decref(line);
        return KVL_OK;
    }
    json_object_set(line, "config_key", json_object_get(entry->record, "config_key"));
    json_object_set_new(line, "index", json_integer(entry->n_done));
    json_object_set(line, "method", json_object_get(entry->record, "method"));
    json_object_set(line, "task", json_object_get(entry->record, "task"));
    json_object_set(line, "context", json_object_get(entry->record, "context"));
    write_numbers(line, numbers);
    entry->samples[entry->n_done++] = *numbers;
    return kvl_sink_put_sample(job->sink, line);
}

/* One number of every sample, in the order of their indices; out f64 [n_done]. */
static void gather(const struct kvl_eval_entry *entry, size_t offset, double *out)
{
    for (int64_t i = 0; i < entry->n_done; i++)
        out[i] = *(const double *)(const void *)((const char *)&entry->samples[i] + offset);
}

static json_t *list(const double *x, int64_t n)
{
    json_t *array = json_array();
    for (int64_t i = 0; i < n; i++)
        json_array_append_new(array, kvl_json_real_or_null(x[i]));
    return array;
}

/* The raw numbers of a kind, with mean and standard error where the configuration came to its end. */
static void put_series(const struct kvl_eval_entry *entry, const char *const keys[3], size_t offset, double *scratch)
{
    json_t *record = entry->record;
    gather(entry, offset, scratch);
    json_object_set_new(record, keys[2], list(scratch, entry->n_done));
    if (entry->over)
        return;
    json_object_set_new(record, keys[0], kvl_json_real_or_null(kvl_mean(scratch, entry->n_done)));
    json_object_set_new(record, keys[1], kvl_json_real_or_null(kvl_standard_error(scratch, entry->n_done)));
}

static void put_scores(const struct kvl_eval_entry *entry, const struct kvl_eval_job *job, double *scratch)
{
    static const char *const score[] = {"score", "score_stderr", "scores"};
    static const char *const second[] = {"second_score", "second_score_stderr", "second_scores"};
    static const char *const kl[] = {"kl_mean", "kl_stderr", "kl_samples"};
    static const char *const nll[] = {"nll_difference_mean", "nll_difference_stderr", "nll_difference_samples"};
    put_series(entry, score, offsetof(struct kvl_eval_numbers, score), scratch);
    if (job->task->second_metric != NULL)
        put_series(entry, second, offsetof(struct kvl_eval_numbers, second_score), scratch);
    if (job->task->score == NULL) {
        put_series(entry, kl, offsetof(struct kvl_eval_numbers, kl), scratch);
        put_series(entry, nll, offsetof(struct kvl_eval_numbers, nll_difference), scratch);
        json_object_set(entry->record, "top1_agreement", json_object_get(entry->record, "score"));
    }
    gather(entry, offsetof(struct kvl_eval_numbers, depth), scratch);
    bool has_depth = false;
    for (int64_t i = 0; i < entry->n_done; i++)
        has_depth = has_depth || isfinite(scratch[i]);
    if (has_depth)
        json_object_set_new(entry->record, "depths", list(scratch, entry->n_done));
}

static void put_counts(const struct kvl_eval_entry *entry)
{
    json_t *record = entry->record;
    double tokens_in = 0, tokens_out = 0;
    int64_t n_cut = 0;
    for (int64_t i = 0; i < entry->n_done; i++) {
        tokens_in += (double)entry->samples[i].n_in;
        tokens_out += (double)entry->samples[i].n_out;
        n_cut += entry->samples[i].n_uncut > 0;
    }
    json_object_set_new(record, "n_scored", json_integer(entry->n_done));
    json_object_set_new(record, "truncated", json_integer(n_cut));
    if (entry->n_done == 0)
        return;
    const struct kvl_eval_numbers *last = &entry->samples[entry->n_done - 1];
    json_object_set_new(record, "tokens_in_mean", json_real(tokens_in / (double)entry->n_done));
    json_object_set_new(record, "tokens_out_mean", json_real(tokens_out / (double)entry->n_done));
    json_object_set_new(record, "bos_count", json_integer(last->n_bos));
    json_object_set_new(record, "logits_hash", json_string(last->logits_hash));
}

enum kvl_status kvl_eval_entry_finish(struct kvl_eval_entry *entry, const struct kvl_eval_job *job)
{
    if (entry->is_reference)
        return KVL_OK;
    double *scratch = calloc((size_t)entry->n_done + 1, sizeof *scratch);
    if (scratch == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for %lld scores", (long long)entry->n_done);
    if (!entry->over)
        json_object_set_new(entry->record, "status", json_string("ok"));
    put_scores(entry, job, scratch);
    put_counts(entry);
    free(scratch);
    return kvl_sink_put(job->sink, json_incref(entry->record));
}
