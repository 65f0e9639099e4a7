/* Analyses of where to cut: distance (how far is a prefill that goes on with chosen tokens only from the full cache's, by the
 * layer that chooses?) and tsp-layer (which layer to use).
 *
 *   L* = argmin over layers L <= bound of the mean over the calibration prompts of ||H - H_L||^2, the earliest on a tie
 * H is the last token's hidden state behind the final norm, as the head reads it: the one row that every way of cutting computes.
 * Source: FastKV, arXiv:2502.01068 v7, sec. 4.3: fig. 3 (normalized L2 distance; the text says of logits, the caption of hidden
 * states, so both are recorded) and eq. 3. It names no bound; its own three choices are all L/2 - 1, which is our default. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness/analysis.h"
#include "harness/layer_statistics.h"
#include "harness/record_set.h"
#include "harness/table.h"

/* What is recorded of a prompt: a field for the mean, and the raw samples under the same name with "_samples" behind it. */
static const struct metric {
    const char *key, *title, *format;
    size_t offset; /* in struct kvl_output_distance */
} metrics[] = {
    {"hidden_l2", "hidden L2", "%.4f", offsetof(struct kvl_output_distance, hidden_l2)},
    {"hidden_squared", NULL, NULL, offsetof(struct kvl_output_distance, hidden_squared)},
    {"hidden_cosine", "cosine", "%.4f", offsetof(struct kvl_output_distance, hidden_cosine)},
    {"logits_l2", "logits L2", "%.4f", offsetof(struct kvl_output_distance, logits_l2)},
    {"logits_kl", "KL (nats)", "%.4f", offsetof(struct kvl_output_distance, logits_kl)},
    {"same_top", "same token", "%.2f", offsetof(struct kvl_output_distance, same_top)},
};
enum { N_METRICS = sizeof metrics / sizeof *metrics };

static double value_of(const struct kvl_output_distance *distance, const struct metric *metric)
{
    return *(const double *)(const void *)((const char *)distance + metric->offset);
}

/* ---- outputs ---------------------------------------------------------------------------------------------------------- */

static enum kvl_status output_init(struct kvl_output *output, const struct kvl_shape *shape)
{
    output->hidden = malloc((size_t)shape->n_embd * sizeof *output->hidden);
    output->logits = malloc((size_t)shape->n_vocab * sizeof *output->logits);
    return output->hidden != NULL && output->logits != NULL ? KVL_OK : kvl_fail(KVL_E_OOM, "no memory for an output of the model");
}

static void output_free(struct kvl_output *output)
{
    free(output->hidden);
    free(output->logits);
    *output = (struct kvl_output){0};
}

static enum kvl_status prefill(struct kvl_engine *engine, const struct kvl_policy *policy, const struct kvl_ids *ids,
                               struct kvl_output *output)
{
    struct kvl_session session, *sessions[] = {&session};
    KVL_TRY(kvl_session_init(&session, engine, policy, ids->n, 0));
    enum kvl_status status = kvl_engine_prefill(engine, &(struct kvl_prefill){.ids = ids->data, .n = ids->n}, sessions, 1);
    if (status == KVL_OK)
        status = kvl_engine_hidden(engine, output->hidden);
    if (status == KVL_OK)
        status = kvl_session_logits(&session, output->logits);
    kvl_session_free(&session);
    return status;
}

/* ---- the full cache's side -------------------------------------------------------------------------------------------- */

/* The prompts of a source and what the full cache makes of them. */
struct reference {
    struct kvl_ids ids;
    struct kvl_output output;
};

static void references_free(struct reference *references, int64_t n)
{
    for (int64_t i = 0; i < n && references != NULL; i++) {
        kvl_ids_free(&references[i].ids);
        output_free(&references[i].output);
    }
    free(references);
}

static enum kvl_status fill_references(const struct kvl_analysis_run *run, const struct kvl_prompt_source *source,
                                       const struct kvl_policy *full, struct reference *references)
{
    for (int64_t i = 0; i < source->n_samples; i++) {
        KVL_TRY(kvl_prompt_source_ids(source, i, &references[i].ids));
        KVL_TRY(output_init(&references[i].output, &run->bench->model->shape));
        KVL_TRY(prefill(run->bench->engine, full, &references[i].ids, &references[i].output));
    }
    return KVL_OK;
}

static enum kvl_status make_references(const struct kvl_analysis_run *run, const struct kvl_prompt_source *source,
                                       struct reference **out)
{
    struct kvl_method_run *full = aligned_alloc(_Alignof(struct kvl_method_run), sizeof *full);
    *out = calloc((size_t)source->n_samples, sizeof **out);
    enum kvl_status status = full != NULL && *out != NULL ? KVL_OK : kvl_fail(KVL_E_OOM, "no memory for the full cache's outputs");
    if (status == KVL_OK)
        status = kvl_method_init(full, kvl_method_at(0), KVL_PROFILE_DEFAULT, (struct kvl_budget){0}, &run->bench->model->shape,
                                 NULL, 0);
    if (status == KVL_OK)
        status = fill_references(run, source, &full->policy, *out);
    free(full);
    return status;
}

/* ---- one configuration ------------------------------------------------------------------------------------------------ */

static int64_t cut_layer(const struct kvl_config *config)
{
    return config->run->values[kvl_cut_param(config->method)].i;
}

static const char *cut_name(const struct kvl_config *config)
{
    return config->method->params[kvl_cut_param(config->method)].name;
}

/* A record without results, with its key. */
static enum kvl_status begin_record(const struct kvl_analysis_run *run, const struct kvl_config *config,
                                    const struct kvl_prompt_source *source, json_t **out)
{
    KVL_TRY(kvl_analysis_record(run, "distance", config, source, out));
    json_object_set_new(*out, "layer", json_integer(cut_layer(config)));
    json_object_set_new(*out, "layer_param", json_string(cut_name(config)));
    return kvl_record_key(*out);
}

static void write_distances(json_t *record, const struct kvl_output_distance *distances, int64_t n)
{
    for (int m = 0; m < N_METRICS; m++) {
        char key[64];
        double sum = 0.0;
        json_t *samples = json_array();
        for (int64_t i = 0; i < n; i++) {
            sum += value_of(&distances[i], &metrics[m]);
            json_array_append_new(samples, kvl_number_json(value_of(&distances[i], &metrics[m])));
        }
        snprintf(key, sizeof key, "%s_samples", metrics[m].key);
        json_object_set_new(record, metrics[m].key, kvl_number_json(sum / (double)n));
        json_object_set_new(record, key, samples);
    }
}

static void step(const struct kvl_analysis_run *run, const struct kvl_config *config, const struct kvl_prompt_source *source)
{
    char prompts[96], label[192];
    kvl_prompt_source_label(source, prompts, sizeof prompts);
    snprintf(label, sizeof label, "%s %s layer %lld", prompts, config->method->name, (long long)cut_layer(config));
    kvl_progress_step(run->progress, label);
}

static enum kvl_status compare_prompts(const struct kvl_analysis_run *run, const struct kvl_config *config,
                                       const struct kvl_prompt_source *source, const struct reference *references,
                                       struct kvl_output *output, struct kvl_output_distance *distances)
{
    const struct kvl_shape *shape = &run->bench->model->shape;
    for (int64_t i = 0; i < source->n_samples; i++) {
        KVL_TRY(prefill(run->bench->engine, &config->run->policy, &references[i].ids, output));
        distances[i] = kvl_output_compare(&references[i].output, output, shape->n_embd, shape->n_vocab);
        step(run, config, source);
    }
    return KVL_OK;
}

/* Measures one configuration and puts its record. */
static enum kvl_status run_config(const struct kvl_analysis_run *run, const struct kvl_config *config,
                                  const struct kvl_prompt_source *source, const struct reference *references, json_t *record)
{
    struct kvl_output output = {0};
    struct kvl_output_distance *distances = calloc((size_t)source->n_samples, sizeof *distances);
    enum kvl_status status = distances != NULL ? output_init(&output, &run->bench->model->shape)
                                               : kvl_fail(KVL_E_OOM, "no memory for the distances");
    double tokens = 0.0;
    for (int64_t i = 0; i < source->n_samples; i++)
        tokens += (double)references[i].ids.n;
    if (status == KVL_OK)
        status = compare_prompts(run, config, source, references, &output, distances);
    if (status == KVL_OK) {
        json_object_set_new(record, "status", json_string("ok"));
        json_object_set_new(record, "tokens_in_mean", json_real(tokens / (double)source->n_samples));
        write_distances(record, distances, source->n_samples);
    } else {
        kvl_record_failure(record, status);
    }
    output_free(&output);
    free(distances);
    return kvl_sink_put(run->sink, json_incref(record));
}

/* Every configuration that the sink does not hold; the full cache runs only if there is one. */
static enum kvl_status run_source(const struct kvl_analysis_run *run, const struct kvl_prompt_source *source)
{
    struct reference *references = NULL;
    enum kvl_status status = KVL_OK;
    for (int c = 0; c < run->grid->n && status == KVL_OK; c++) {
        const struct kvl_config *config = &run->grid->configs[c];
        json_t *record = NULL;
        status = begin_record(run, config, source, &record);
        bool known = status == KVL_OK && kvl_sink_has(run->sink, record);
        if (known)
            run->progress->total -= source->n_samples;
        if (status == KVL_OK && !known && references == NULL)
            status = make_references(run, source, &references);
        if (status == KVL_OK && !known)
            status = run_config(run, config, source, references, record);
        json_decref(record);
    }
    references_free(references, source->n_samples);
    return status;
}

static enum kvl_status run_distance(const struct kvl_analysis_run *run)
{
    int64_t n = 0;
    for (int s = 0; s < run->n_sources; s++)
        n += run->sources[s].n_samples;
    kvl_progress_begin(run->progress, n * run->grid->n);
    enum kvl_status status = KVL_OK;
    for (int s = 0; s < run->n_sources && status == KVL_OK; s++)
        status = run_source(run, &run->sources[s]);
    kvl_progress_end(run->progress);
    return status;
}

/* ---- the layer search ------------------------------------------------------------------------------------------------- */

/* Equal but for the layer. */
static bool same_search(const struct kvl_config *a, const struct kvl_config *b)
{
    if (a->method != b->method || a->profile != b->profile || a->run->budget.rate != b->run->budget.rate
        || a->run->budget.budget != b->run->budget.budget)
        return false;
    for (int i = 0; i < a->method->n_params; i++)
        if (i != kvl_cut_param(a->method) && memcmp(&a->run->values[i], &b->run->values[i], sizeof a->run->values[i]) != 0)
            return false;
    return true;
}

/* The record of a configuration and source, of this run or resumed; NULL where it failed. */
static const json_t *find_result(const struct kvl_analysis_run *run, const char *key)
{
    size_t i;
    const json_t *record;
    json_array_foreach (run->sink->records, i, record) {
        const char *own = kvl_record_text(record, "config_key");
        if (own != NULL && strcmp(own, key) == 0 && json_object_get(record, "hidden_squared_samples") != NULL)
            return record;
    }
    return NULL;
}

/* Mean of ||H - H_L||^2 over all prompts of all sources; NaN where one of them failed. */
static enum kvl_status mean_squared(const struct kvl_analysis_run *run, const struct kvl_config *config, double *mean)
{
    double sum = 0.0;
    int64_t n = 0;
    for (int s = 0; s < run->n_sources; s++) {
        json_t *wanted = NULL;
        enum kvl_status status = begin_record(run, config, &run->sources[s], &wanted);
        const json_t *found = status == KVL_OK ? find_result(run, kvl_record_text(wanted, "config_key")) : NULL;
        const json_t *samples = json_object_get(found, "hidden_squared_samples");
        json_decref(wanted);
        KVL_TRY(status);
        sum += found == NULL ? NAN : 0.0;
        for (size_t i = 0; i < json_array_size(samples); i++, n++)
            sum += json_number_value(json_array_get(samples, i));
    }
    *mean = sum / (double)n;
    return KVL_OK;
}

struct candidate {
    const struct kvl_config *config;
    double mean;
};

static int compare_layers(const void *a, const void *b)
{
    int64_t x = cut_layer(((const struct candidate *)a)->config), y = cut_layer(((const struct candidate *)b)->config);
    return (x > y) - (x < y);
}

static json_t *source_labels(const struct kvl_analysis_run *run)
{
    json_t *labels = json_array();
    for (int s = 0; s < run->n_sources; s++) {
        char label[96];
        kvl_prompt_source_label(&run->sources[s], label, sizeof label);
        json_array_append_new(labels, kvl_text_json(label, (int64_t)strlen(label)));
    }
    return labels;
}

static enum kvl_status put_search(const struct kvl_analysis_run *run, const struct candidate *candidates, int n, int best)
{
    const struct kvl_config *config = candidates[best].config;
    const struct kvl_prompt_source *source = &run->sources[0];
    json_t *record = NULL, *layers = json_array(), *means = json_array();
    for (int i = 0; i < n; i++) {
        json_array_append_new(layers, json_integer(cut_layer(candidates[i].config)));
        json_array_append_new(means, kvl_number_json(candidates[i].mean));
    }
    enum kvl_status status = kvl_analysis_record(run, "tsp-layer", config, run->n_sources == 1 ? source : NULL, &record);
    json_object_set_new(record, "sources", source_labels(run));
    json_object_set_new(record, "seed", json_integer((json_int_t)run->bench->options->seed));
    json_object_set_new(record, "n_samples", json_integer(source->n_samples));
    json_object_set_new(record, "bound", json_integer(cut_layer(candidates[n - 1].config)));
    json_object_set_new(record, "layer", json_integer(cut_layer(config)));
    json_object_set_new(record, "layer_param", json_string(cut_name(config)));
    json_object_set_new(record, "setting", json_sprintf("%s.%s=%lld", config->method->name, cut_name(config),
                                                        (long long)cut_layer(config)));
    json_object_set_new(record, "layers", layers);
    json_object_set_new(record, "hidden_squared_means", means);
    json_object_set_new(record, "status", json_string("ok"));
    if (status == KVL_OK)
        status = kvl_record_key(record);
    if (status == KVL_OK && !kvl_sink_has(run->sink, record))
        return kvl_sink_put(run->sink, record);
    json_decref(record);
    return status;
}

/* The candidates of one search, by layer, and the one that differs least, the earliest on a tie. */
static enum kvl_status search(const struct kvl_analysis_run *run, int first, struct candidate *candidates)
{
    int n = 0, best = -1;
    for (int c = first; c < run->grid->n; c++)
        if (same_search(&run->grid->configs[first], &run->grid->configs[c]))
            candidates[n++] = (struct candidate){&run->grid->configs[c], NAN};
    qsort(candidates, (size_t)n, sizeof *candidates, compare_layers);
    for (int i = 0; i < n; i++) {
        KVL_TRY(mean_squared(run, candidates[i].config, &candidates[i].mean));
        if (!isnan(candidates[i].mean) && (best < 0 || candidates[i].mean < candidates[best].mean))
            best = i;
    }
    return best >= 0 ? put_search(run, candidates, n, best) : KVL_OK; /* none: the sink tells of the failures */
}

static enum kvl_status run_tsp_layer(const struct kvl_analysis_run *run)
{
    KVL_TRY(run_distance(run));
    struct candidate *candidates = calloc((size_t)run->grid->n, sizeof *candidates);
    enum kvl_status status = candidates != NULL ? KVL_OK : kvl_fail(KVL_E_OOM, "no memory for the layer search");
    for (int c = 0; c < run->grid->n && status == KVL_OK; c++) {
        bool done = false;
        for (int before = 0; before < c && !done; before++)
            done = same_search(&run->grid->configs[before], &run->grid->configs[c]);
        if (!done)
            status = search(run, c, candidates);
    }
    free(candidates);
    return status;
}

/* ---- tables ----------------------------------------------------------------------------------------------------------- */

/* "r=0.2", and the parameters besides the layer in which records of the method differ. */
static void format_method(const json_t *records, const json_t *record, char *text, size_t size)
{
    const char *name, *layer_param = kvl_record_text(record, "layer_param");
    double rate = kvl_record_number(record, "kv_rate"), budget = kvl_record_number(record, "kv_budget");
    json_t *value, *other;
    size_t i, n = (size_t)snprintf(text, size, isnan(rate) ? "%s c=%.10g" : "%s r=%.10g", kvl_record_text(record, "method"),
                                   isnan(rate) ? budget : rate);
    json_object_foreach (json_object_get(record, "params"), name, value) {
        bool varies = false;
        json_array_foreach (records, i, other)
            varies = varies || (kvl_record_same(json_object_get(other, "method"), json_object_get(record, "method"))
                                && !kvl_record_same(json_object_get(json_object_get(other, "params"), name), value));
        if (!varies || n >= size || strcmp(name, layer_param) == 0)
            continue;
        if (json_is_number(value))
            n += (size_t)snprintf(text + n, size - n, " %s=%.10g", name, json_number_value(value));
        else
            n += (size_t)snprintf(text + n, size - n, " %s=%s", name,
                                  json_is_string(value) ? json_string_value(value) : json_is_true(value) ? "true" : "false");
    }
}

static enum kvl_status fill_distance(struct kvl_table *table, const json_t *records)
{
    static const char *const heads[] = {"prompts", "method", "layer"};
    size_t i;
    const json_t *record;
    KVL_TRY(kvl_table_add_row(table));
    for (int c = 0; c < 3; c++)
        KVL_TRY(kvl_table_set(table, c, "%s", heads[c]));
    for (int m = 0, c = 3; m < N_METRICS; m++)
        if (metrics[m].title != NULL)
            KVL_TRY(kvl_table_set(table, c++, "%s", metrics[m].title));
    json_array_foreach (records, i, record) {
        char prompts[96], method[128];
        if (json_object_get(record, metrics[0].key) == NULL)
            continue;
        kvl_analysis_prompts(record, prompts, sizeof prompts);
        format_method(records, record, method, sizeof method);
        KVL_TRY(kvl_table_add_row(table));
        KVL_TRY(kvl_table_set(table, 0, "%s", prompts));
        KVL_TRY(kvl_table_set(table, 1, "%s", method));
        KVL_TRY(kvl_table_set(table, 2, "%.0f", kvl_record_number(record, "layer")));
        for (int m = 0, c = 3; m < N_METRICS; m++) {
            char text[32];
            if (metrics[m].title == NULL)
                continue;
            snprintf(text, sizeof text, metrics[m].format, kvl_record_number(record, metrics[m].key));
            KVL_TRY(kvl_table_set(table, c++, "%s", text));
        }
    }
    return KVL_OK;
}

static enum kvl_status print_distance(const json_t *records, FILE *stream)
{
    struct kvl_table table;
    KVL_TRY(kvl_table_init(&table, 3 + N_METRICS - 1));
    enum kvl_status status = fill_distance(&table, records);
    if (status == KVL_OK)
        status = kvl_table_print(&table, KVL_TABLE_TEXT, stream);
    if (status == KVL_OK)
        fputs("\nThe last token's hidden state and logits behind the prefill, against the full cache's; L2 relative to its "
              "length.\n", stream);
    kvl_table_free(&table);
    return status;
}

static enum kvl_status print_tsp_layer(const json_t *records, FILE *stream)
{
    size_t i, l;
    const json_t *record;
    KVL_TRY(print_distance(records, stream));
    json_array_foreach (records, i, record) {
        const json_t *layers = json_object_get(record, "layers"), *means = json_object_get(record, "hidden_squared_means"), *layer;
        const char *setting = kvl_record_text(record, "setting");
        if (setting == NULL)
            continue;
        fputs("\nmean squared distance by layer:", stream);
        json_array_foreach (layers, l, layer)
            fprintf(stream, "  %lld: %.5g", (long long)json_integer_value(layer), json_number_value(json_array_get(means, l)));
        fprintf(stream, "\n%s differs least at layer %.0f, of those up to the bound %.0f; use\n  --set %s\n",
                kvl_record_text(record, "method"), kvl_record_number(record, "layer"), kvl_record_number(record, "bound"),
                setting);
    }
    return KVL_OK;
}

const struct kvl_analysis kvl_analysis_distance = {
    .name = "distance", .cuts = true, .run = run_distance, .print = print_distance};
const struct kvl_analysis kvl_analysis_tsp_layer = {
    .name = "tsp-layer", .cuts = true, .bounded = true, .run = run_tsp_layer, .print = print_tsp_layer};
