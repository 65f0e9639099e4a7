/* `kvlab score TASK FILE`: scores stored outputs, ours or another engine's, without a model. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "datasets/score/score.h"
#include "datasets/task.h"
#include "harness/command.h"
#include "harness/json_text.h"
#include "harness/record.h"
#include "harness/record_set.h"
#include "harness/statistics.h"

/* One stored output, its strings owned. */
struct output {
    char *prediction;
    char **answers, **classes;
    int n_answers, n_classes;
};

static void output_free(struct output *output)
{
    free(output->prediction);
    for (int i = 0; output->answers != NULL && i < output->n_answers; i++)
        free(output->answers[i]);
    for (int i = 0; output->classes != NULL && i < output->n_classes; i++)
        free(output->classes[i]);
    free(output->answers);
    free(output->classes);
    *output = (struct output){0};
}

/* A C string of a JSON one; U+0000 becomes U+0001, a control character like it. */
static enum kvl_status copy_text(const json_t *value, char **out)
{
    size_t n = json_string_length(value);
    *out = malloc(n + 1);
    if (*out == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for a text of %zu bytes", n);
    for (size_t i = 0; i < n; i++)
        (*out)[i] = json_string_value(value)[i] != '\0' ? json_string_value(value)[i] : '\1';
    (*out)[n] = '\0';
    return KVL_OK;
}

/* The first of two names that the object has; null counts as missing. */
static const json_t *field(const json_t *line, const char *name, const char *other)
{
    const json_t *value = json_object_get(line, name);
    return value == NULL || json_is_null(value) ? json_object_get(line, other) : value;
}

static enum kvl_status copy_texts(const json_t *value, const char *name, char ***out, int *n)
{
    KVL_TRY(json_is_array(value) ? KVL_OK : kvl_fail(KVL_E_FORMAT, "'%s' is missing or no array of strings", name));
    *out = calloc(json_array_size(value) + 1, sizeof **out);
    if (*out == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for %zu texts", json_array_size(value));
    size_t i;
    json_t *item;
    json_array_foreach(value, i, item) {
        if (!json_is_string(item))
            return kvl_fail(KVL_E_FORMAT, "item %zu of '%s' is no string", i + 1, name);
        KVL_TRY(copy_text(item, &(*out)[(*n)++]));
    }
    return KVL_OK;
}

static enum kvl_status read_output(const json_t *line, struct output *output)
{
    const json_t *prediction = field(line, "prediction", "pred"), *classes = json_object_get(line, "all_classes");
    if (!json_is_string(prediction))
        return kvl_fail(KVL_E_FORMAT, "'prediction' (or 'pred') is missing or no string");
    KVL_TRY(copy_text(prediction, &output->prediction));
    KVL_TRY(copy_texts(field(line, "answers", "outputs"), "answers", &output->answers, &output->n_answers));
    return classes != NULL && !json_is_null(classes) ? copy_texts(classes, "all_classes", &output->classes, &output->n_classes)
                                                     : KVL_OK;
}

static enum kvl_status score_line(const struct kvl_task *task, const struct kvl_options *options, const json_t *line,
                                  double *score, double *second)
{
    struct output output = {0};
    enum kvl_status status;
    KVL_TRY_OUT(read_output(line, &output));
    const struct kvl_scoring scoring = {output.prediction, (const char *const *)output.answers, output.n_answers,
                                        (const char *const *)output.classes, output.n_classes, &options->task_settings};
    KVL_TRY_OUT(task->score(&scoring, score));
    if (task->second_score != NULL)
        KVL_TRY_OUT(task->second_score(&scoring, second));
out:
    output_free(&output);
    return status;
}

static enum kvl_status put(FILE *out, json_t *object)
{
    char *text = kvl_json_line(object);
    json_decref(object);
    if (text == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for a line");
    fprintf(out, "%s\n", text);
    free(text);
    return KVL_OK;
}

/* A scored line and the configuration that kvlab ran, NULL where the line names none. */
struct scored {
    double score;
    const char *config_key; /* borrowed */
};

static bool same_config(const struct scored *a, const struct scored *b)
{
    if (a->config_key == NULL || b->config_key == NULL)
        return a->config_key == b->config_key;
    return strcmp(a->config_key, b->config_key) == 0;
}

/* The mean over the lines of the same configuration as line `first`; values f64 [n] is scratch. */
static enum kvl_status put_mean(const struct kvl_task *task, const struct scored *lines, int64_t n, int64_t first, double *values,
                                FILE *out)
{
    int64_t n_values = 0;
    for (int64_t i = first; i < n; i++)
        if (same_config(&lines[i], &lines[first]))
            values[n_values++] = lines[i].score;
    double mean = kvl_mean(values, n_values), error = kvl_standard_error(values, n_values);
    json_t *object = json_pack("{s:I, s:f, s:o, s:s, s:i}", "n", (json_int_t)n_values, "mean", mean, "stderr",
                               isnan(error) ? json_null() : json_real(error), "metric", task->metric, "version", task->version);
    if (lines[first].config_key != NULL)
        json_object_set_new(object, "config_key", json_string(lines[first].config_key));
    return put(out, object);
}

/* One mean per configuration, in the order in which they appear: those of several methods have none together. */
static enum kvl_status put_means(const struct kvl_task *task, const struct scored *lines, int64_t n, FILE *out)
{
    double *values = calloc((size_t)n + 1, sizeof *values);
    enum kvl_status status = values != NULL ? KVL_OK : kvl_fail(KVL_E_OOM, "no memory for %lld scores", (long long)n);
    for (int64_t i = 0; i < n && status == KVL_OK; i++) {
        bool is_first = true;
        for (int64_t j = i - 1; j >= 0 && is_first; j--)
            is_first = !same_config(&lines[i], &lines[j]);
        if (is_first)
            status = put_mean(task, lines, n, i, values, out);
    }
    free(values);
    return status;
}

/* Lines that are not scored. */
struct left_out {
    int64_t n_others;   /* of other tasks */
    int64_t n_repeated; /* samples that a later line has again: a run that was made twice into one file */
};

/* "config_key#index" of a sample of kvlab; empty for another engine's line, which is never repeated. */
static enum kvl_status name_sample(const json_t *line, char **name)
{
    const char *key = kvl_record_text(line, "config_key");
    const json_t *index = json_object_get(line, "index");
    bool named = key != NULL && json_is_integer(index);
    size_t n = named ? strlen(key) + 24 : 1;
    *name = calloc(n, 1);
    if (*name == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for a sample's name");
    if (named)
        snprintf(*name, n, "%s#%lld", key, (long long)json_integer_value(index));
    return KVL_OK;
}

/* Leaves the last of several lines of one sample: *is_last [lines]. */
static enum kvl_status find_last(const json_t *lines, bool *is_last)
{
    json_t *seen = json_object();
    enum kvl_status status = seen != NULL ? KVL_OK : kvl_fail(KVL_E_OOM, "no memory to compare samples");
    for (size_t i = json_array_size(lines); i-- > 0 && status == KVL_OK;) {
        char *name = NULL;
        status = name_sample(json_array_get(lines, i), &name);
        if (status == KVL_OK) {
            is_last[i] = *name == '\0' || json_object_get(seen, name) == NULL;
            json_object_set_new(seen, name, json_true());
        }
        free(name);
    }
    json_decref(seen);
    return status;
}

/* Scores of all lines of this task, in their order; those of other tasks and repeated ones are left out and counted. */
static enum kvl_status score_lines(const struct kvl_task *task, const struct kvl_options *options, const json_t *lines,
                                   FILE *out, struct left_out *left_out)
{
    size_t i;
    json_t *line;
    int64_t n = 0;
    enum kvl_status status;
    struct scored *scored = calloc(json_array_size(lines) + 1, sizeof *scored);
    bool *is_last = calloc(json_array_size(lines) + 1, sizeof *is_last);
    if (scored == NULL || is_last == NULL)
        KVL_TRY_OUT(kvl_fail(KVL_E_OOM, "no memory for %zu scores", json_array_size(lines)));
    KVL_TRY_OUT(find_last(lines, is_last));
    json_array_foreach(lines, i, line) {
        const char *name = kvl_record_text(line, "task");
        double second = NAN;
        if (name != NULL && strcmp(name, task->name) != 0) {
            left_out->n_others++;
            continue;
        }
        if (!is_last[i]) {
            left_out->n_repeated++;
            continue;
        }
        scored[n].config_key = kvl_record_text(line, "config_key");
        status = score_line(task, options, line, &scored[n].score, &second);
        if (status != KVL_OK)
            KVL_TRY_OUT(kvl_fail_prefix(status, "%s, line %zu", options->positional.items[1], i + 1));
        json_t *object = json_pack("{s:f}", "score", scored[n++].score);
        if (!isnan(second))
            json_object_set_new(object, "second_score", json_real(second));
        KVL_TRY_OUT(put(out, object));
    }
    if (n == 0)
        KVL_TRY_OUT(kvl_fail(KVL_E_FORMAT, "%s holds no output of %s", options->positional.items[1], task->name));
    KVL_TRY_OUT(put_means(task, scored, n, out));
out:
    free(scored);
    free(is_last);
    return status;
}

/* Nothing is printed before all is scored: a bad line leaves no half of an answer. */
static enum kvl_status print_scores(const struct kvl_task *task, const struct kvl_options *options, const json_t *lines)
{
    char *text = NULL;
    size_t n_text = 0;
    struct left_out left_out = {0};
    FILE *out = open_memstream(&text, &n_text);
    if (out == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for the scores");
    enum kvl_status status = score_lines(task, options, lines, out, &left_out);
    if (fclose(out) != 0 && status == KVL_OK)
        status = kvl_fail(KVL_E_OOM, "no memory for the scores");
    if (status == KVL_OK && left_out.n_others > 0)
        fprintf(stderr, "kvlab: warning: %lld lines of %s are of other tasks and are left out\n", (long long)left_out.n_others,
                options->positional.items[1]);
    if (status == KVL_OK && left_out.n_repeated > 0)
        fprintf(stderr, "kvlab: warning: %lld lines of %s are left out: later lines have the same samples again\n",
                (long long)left_out.n_repeated, options->positional.items[1]);
    if (status == KVL_OK && kvl_score_rouge_l_too_deep() > 0)
        fprintf(stderr, "kvlab: note: %lld ROUGE-L pairs go beyond Python's recursion limit: the official script scores them 0\n",
                (long long)kvl_score_rouge_l_too_deep());
    if (status == KVL_OK)
        fwrite(text, 1, n_text, stdout);
    free(text);
    return status;
}

static enum kvl_status run(const struct kvl_options *options)
{
    const struct kvl_task *task;
    const char *path = options->positional.items[1];
    json_t *lines = NULL;
    bool truncated;
    KVL_TRY(kvl_task_find(options->positional.items[0], &task));
    KVL_REQUIRE(task->score != NULL, "%s has no answers to score: it compares predictions of a model", task->name);
    KVL_TRY(kvl_records_read(path, &lines, &truncated));
    if (truncated)
        fprintf(stderr, "kvlab: warning: the last line of %s was cut off and is left out\n", path);
    enum kvl_status status = print_scores(task, options, lines);
    json_decref(lines);
    return status;
}

const struct kvl_command kvl_command_score = {
    .name = "score",
    .arguments = "TASK FILE",
    .help = "Scores stored outputs (JSON lines with prediction and answers) without a model.",
    .min_positional = 2,
    .max_positional = 2,
    .keys = "S",
    .run = run,
};
