/* Analyses of the full cache's attention: overlap (do layers look at the same tokens?), recall (do few tokens hold most of it?).
 *
 *   mass_l(j) = mean over query heads of the probability that the observing rows of layer l give token j, summed over rows
 *   T_l       = the k tokens of largest mass
 *   overlap   = |T_a and T_b| / k for each pair of layers;    recall = sum of mass_l over T_l / sum of mass_l
 * Overlap ranks the tokens before the observation window, those that a method can drop: the window looks at itself in all layers,
 * which of a short prompt's few top tokens would be many. Recall counts every token.
 * Source: FastKV, arXiv:2502.01068 v7, sec. 3.1 and 3.2, which take k = 512 of 131,072 tokens and do not say which rows observe;
 * we take those of its eq. 1, and all of them with --window 0. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness/analysis.h"
#include "harness/layer_statistics.h"
#include "harness/record_set.h"
#include "harness/table.h"
#include "harness/token_mass.h"

/* The paper's share, and that of the KV rates and TSP rate that it runs with. */
static const double DEFAULT_TOPS[] = {512.0 / 131072.0, 0.1, 0.2};
enum { N_DEFAULT_TOPS = sizeof DEFAULT_TOPS / sizeof *DEFAULT_TOPS };

/* One prompt's masses. */
struct masses {
    const float *mass; /* f32 [n_layer, n] */
    int64_t n_layer, n, window;
};

/* One of the two measures of a prompt: `values` numbers per layer, or per pair of layers. */
struct measure {
    const char *name;
    bool pairs;         /* values [n_layer, n_layer], else [n_layer] */
    bool window_counts; /* tokens of the window are ranked too */
    enum kvl_status (*take)(const struct masses *masses, int64_t n_keys, int64_t k, bool *chosen, double *values);
    void (*write)(json_t *record, const double *mean, const double *error, int64_t n_layer);
};

/* The sums of one number of top tokens over the prompts. */
struct tally {
    json_t *record;
    double top;            /* as given: up to 1 a share of the prompt, else tokens */
    double *sum, *squares; /* [n_values] */
    double tokens;         /* sum of k */
};

/* ---- overlap ---------------------------------------------------------------------------------------------------------- */

static enum kvl_status take_overlap(const struct masses *masses, int64_t n_keys, int64_t k, bool *chosen, double *values)
{
    int64_t n_layer = masses->n_layer;
    for (int64_t l = 0; l < n_layer; l++)
        KVL_TRY(kvl_top_tokens(masses->mass + l * masses->n, n_keys, k, chosen + l * n_keys));
    for (int64_t a = 0; a < n_layer; a++)
        for (int64_t b = 0; b < n_layer; b++)
            values[a * n_layer + b] = kvl_token_overlap(chosen + a * n_keys, chosen + b * n_keys, n_keys, k);
    return KVL_OK;
}

static json_t *means_json(const double *values, int64_t n)
{
    json_t *array = json_array();
    for (int64_t i = 0; i < n; i++)
        json_array_append_new(array, kvl_mean_json(values[i]));
    return array;
}

static void write_distances(json_t *record, const char *key, const double *matrix, int64_t n_layer, int64_t first, int64_t last)
{
    double by_distance[KVL_MAX_LAYERS];
    kvl_mean_by_distance(matrix, n_layer, first, last, by_distance);
    json_object_set_new(record, key, means_json(by_distance, n_layer));
}

static void write_overlap(json_t *record, const double *mean, const double *error, int64_t n_layer)
{
    (void)error;
    json_t *matrix = json_array();
    int64_t middle = n_layer / 2;
    for (int64_t l = 0; l < n_layer; l++)
        json_array_append_new(matrix, means_json(mean + l * n_layer, n_layer));
    json_object_set_new(record, "overlap", matrix);
    json_object_set_new(record, "first_late_layer", json_integer(middle));
    write_distances(record, "overlap_by_distance", mean, n_layer, 0, n_layer - 1);
    write_distances(record, "overlap_by_distance_early", mean, n_layer, 0, middle - 1);
    write_distances(record, "overlap_by_distance_late", mean, n_layer, middle, n_layer - 1);
}

/* ---- recall ----------------------------------------------------------------------------------------------------------- */

static enum kvl_status take_recall(const struct masses *masses, int64_t n_keys, int64_t k, bool *chosen, double *values)
{
    for (int64_t l = 0; l < masses->n_layer; l++) {
        const float *mass = masses->mass + l * masses->n;
        KVL_TRY(kvl_top_tokens(mass, n_keys, k, chosen));
        values[l] = kvl_mass_recall(mass, chosen, n_keys);
    }
    return KVL_OK;
}

static void write_recall(json_t *record, const double *mean, const double *error, int64_t n_layer)
{
    json_object_set_new(record, "recall", means_json(mean, n_layer));
    json_object_set_new(record, "recall_stderr", means_json(error, n_layer));
}

static const struct measure overlap = {"overlap", true, false, take_overlap, write_overlap};
static const struct measure recall = {"recall", false, true, take_recall, write_recall};

/* ---- from prompts to records ------------------------------------------------------------------------------------------ */

static int64_t window_of(const struct kvl_options *options)
{
    return options->window >= 0 ? options->window : KVL_DEFAULT_WINDOW;
}

static int64_t n_values(const struct measure *measure, int64_t n_layer)
{
    return measure->pairs ? n_layer * n_layer : n_layer;
}

static void tally_free(struct tally *tally)
{
    json_decref(tally->record);
    free(tally->sum);
    free(tally->squares);
    *tally = (struct tally){0};
}

static enum kvl_status tally_init(struct tally *tally, const struct kvl_analysis_run *run, const struct measure *measure,
                                  const struct kvl_prompt_source *source, double top)
{
    size_t n = (size_t)n_values(measure, run->bench->model->shape.n_layer);
    *tally = (struct tally){.top = top, .sum = calloc(n, sizeof *tally->sum), .squares = calloc(n, sizeof *tally->squares)};
    if (tally->sum == NULL || tally->squares == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for the sums of an analysis");
    KVL_TRY(kvl_analysis_record(run, measure->name, &run->grid->configs[0], source, &tally->record));
    json_object_set_new(tally->record, "window", json_integer(window_of(run->bench->options)));
    json_object_set_new(tally->record, "top", json_real(top));
    return kvl_record_key(tally->record);
}

/* One prompt into one tally. `chosen` and `values` are working memory. */
static enum kvl_status add_prompt(struct tally *tally, const struct measure *measure, const struct masses *masses, bool *chosen,
                                  double *values)
{
    int64_t n_keys = measure->window_counts ? masses->n : masses->n - masses->window;
    double wanted = tally->top <= 1.0 ? floor(tally->top * (double)masses->n) : tally->top;
    int64_t k = wanted < 1.0 ? 1 : wanted > (double)n_keys ? n_keys : (int64_t)wanted;
    KVL_TRY(measure->take(masses, n_keys, k, chosen, values));
    for (int64_t i = 0; i < n_values(measure, masses->n_layer); i++) {
        tally->sum[i] += values[i];
        tally->squares[i] += values[i] * values[i];
    }
    tally->tokens += (double)k;
    return KVL_OK;
}

static enum kvl_status measure_prompt(const struct kvl_analysis_run *run, const struct measure *measure, struct tally *tallies,
                                      int n, const struct kvl_ids *ids)
{
    int64_t n_layer = run->bench->model->shape.n_layer, window = window_of(run->bench->options);
    size_t n_all = (size_t)(n_layer * ids->n);
    float *mass = malloc(n_all * sizeof *mass);
    bool *chosen = malloc(n_all * sizeof *chosen);
    double *values = malloc((size_t)n_values(measure, n_layer) * sizeof *values);
    enum kvl_status status = mass != NULL && chosen != NULL && values != NULL
                                 ? kvl_token_mass(run->bench->engine, ids->data, ids->n, window, mass)
                                 : kvl_fail(KVL_E_OOM, "no memory for the masses of %lld tokens", (long long)ids->n);
    const struct masses masses = {mass, n_layer, ids->n, window};
    for (int t = 0; t < n && status == KVL_OK; t++)
        status = add_prompt(&tallies[t], measure, &masses, chosen, values);
    free(mass);
    free(chosen);
    free(values);
    return status;
}

/* Means and their standard errors, in place of the sums. */
static void divide(struct tally *tally, int64_t n_values_of, int64_t n)
{
    for (int64_t i = 0; i < n_values_of; i++) {
        double mean = tally->sum[i] / (double)n, spread = tally->squares[i] - (double)n * mean * mean;
        tally->sum[i] = mean;
        tally->squares[i] = n > 1 ? sqrt((spread > 0.0 ? spread : 0.0) / (double)(n - 1) / (double)n) : NAN;
    }
}

static enum kvl_status put(const struct kvl_analysis_run *run, const struct measure *measure, struct tally *tally, int64_t n,
                           double tokens_in, enum kvl_status outcome)
{
    int64_t n_layer = run->bench->model->shape.n_layer;
    if (outcome != KVL_OK) {
        kvl_record_failure(tally->record, outcome);
    } else {
        divide(tally, n_values(measure, n_layer), n);
        json_object_set_new(tally->record, "status", json_string("ok"));
        json_object_set_new(tally->record, "tokens_in_mean", json_real(tokens_in / (double)n));
        json_object_set_new(tally->record, "top_tokens_mean", json_real(tally->tokens / (double)n));
        measure->write(tally->record, tally->sum, tally->squares, n_layer);
    }
    return kvl_sink_put(run->sink, json_incref(tally->record));
}

/* All numbers of top tokens of one source: one prefill per prompt serves them. */
static enum kvl_status measure_source(const struct kvl_analysis_run *run, const struct measure *measure,
                                      const struct kvl_prompt_source *source, struct tally *tallies, int n)
{
    char label[96];
    double tokens_in = 0.0;
    enum kvl_status outcome = KVL_OK;
    kvl_prompt_source_label(source, label, sizeof label);
    for (int64_t i = 0; i < source->n_samples && outcome == KVL_OK && n > 0; i++) {
        struct kvl_ids ids = {0};
        outcome = kvl_prompt_source_ids(source, i, &ids);
        if (outcome == KVL_OK)
            outcome = measure_prompt(run, measure, tallies, n, &ids);
        tokens_in += (double)ids.n;
        kvl_ids_free(&ids);
        kvl_progress_step(run->progress, label);
    }
    for (int t = 0; t < n; t++)
        KVL_TRY(put(run, measure, &tallies[t], source->n_samples, tokens_in, outcome));
    return KVL_OK;
}

static enum kvl_status run_source(const struct kvl_analysis_run *run, const struct measure *measure,
                                  const struct kvl_prompt_source *source)
{
    const struct kvl_reals *given = &run->bench->options->tops;
    int n_tops = given->n > 0 ? given->n : N_DEFAULT_TOPS, n = 0;
    struct tally *tallies = calloc((size_t)n_tops, sizeof *tallies);
    enum kvl_status status = tallies != NULL ? KVL_OK : kvl_fail(KVL_E_OOM, "no memory for an analysis");
    for (int t = 0; t < n_tops && status == KVL_OK; t++) {
        status = tally_init(&tallies[n], run, measure, source, given->n > 0 ? given->items[t] : DEFAULT_TOPS[t]);
        if (status == KVL_OK && !kvl_sink_has(run->sink, tallies[n].record))
            n++;
        else
            tally_free(&tallies[n]);
    }
    if (status == KVL_OK)
        status = measure_source(run, measure, source, tallies, n);
    for (int t = 0; t < n; t++)
        tally_free(&tallies[t]);
    free(tallies);
    return status;
}

static enum kvl_status run_measure(const struct kvl_analysis_run *run, const struct measure *measure)
{
    int64_t n = 0;
    for (int s = 0; s < run->n_sources; s++)
        n += run->sources[s].n_samples;
    kvl_progress_begin(run->progress, n);
    enum kvl_status status = KVL_OK;
    for (int s = 0; s < run->n_sources && status == KVL_OK; s++)
        status = run_source(run, measure, &run->sources[s]);
    kvl_progress_end(run->progress);
    return status;
}

static enum kvl_status run_overlap(const struct kvl_analysis_run *run)
{
    return run_measure(run, &overlap);
}

static enum kvl_status run_recall(const struct kvl_analysis_run *run)
{
    return run_measure(run, &recall);
}

/* ---- tables ----------------------------------------------------------------------------------------------------------- */

static void format_top(const json_t *record, char *text, size_t size)
{
    double top = kvl_record_number(record, "top");
    if (top <= 1.0)
        snprintf(text, size, "%.3g %%", 100.0 * top);
    else
        snprintf(text, size, "%.0f tokens", top);
}

static enum kvl_status set_percent(struct kvl_table *table, int column, const json_t *value)
{
    return json_is_number(value) ? kvl_table_set(table, column, "%.1f", 100.0 * json_number_value(value)) : KVL_OK;
}

static enum kvl_status begin_row(struct kvl_table *table, const json_t *record)
{
    char prompts[96], top[32];
    kvl_analysis_prompts(record, prompts, sizeof prompts);
    format_top(record, top, sizeof top);
    KVL_TRY(kvl_table_add_row(table));
    KVL_TRY(kvl_table_set(table, 0, "%s", prompts));
    return kvl_table_set(table, 1, "%s", top);
}

static const int DISTANCES[] = {1, 2, 4, 8, 16, 32};
enum { N_DISTANCES = sizeof DISTANCES / sizeof *DISTANCES };

/* How many of them a record's layers have. */
static int n_distances(const json_t *record)
{
    int n = 0;
    while (n < N_DISTANCES && (size_t)DISTANCES[n] < json_array_size(json_object_get(record, "overlap_by_distance")))
        n++;
    return n;
}

static enum kvl_status add_overlap_rows(struct kvl_table *table, const json_t *record)
{
    static const struct {
        const char *title, *key;
    } rows[] = {{"all", "overlap_by_distance"}, {"first half", "overlap_by_distance_early"},
                {"second half", "overlap_by_distance_late"}};
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        const json_t *values = json_object_get(record, rows[r].key);
        KVL_TRY(begin_row(table, record));
        KVL_TRY(kvl_table_set(table, 2, "%s", rows[r].title));
        for (int d = 0; d < n_distances(record); d++)
            KVL_TRY(set_percent(table, 3 + d, json_array_get(values, (size_t)DISTANCES[d])));
    }
    return KVL_OK;
}

static enum kvl_status fill_overlap(struct kvl_table *table, const json_t *records, int n)
{
    static const char *const heads[] = {"prompts", "top", "layers"};
    size_t i;
    const json_t *record;
    KVL_TRY(kvl_table_add_row(table));
    for (int c = 0; c < 3; c++)
        KVL_TRY(kvl_table_set(table, c, "%s", heads[c]));
    for (int d = 0; d < n; d++)
        KVL_TRY(kvl_table_set(table, 3 + d, "+%d", DISTANCES[d]));
    json_array_foreach (records, i, record)
        if (json_object_get(record, "overlap") != NULL)
            KVL_TRY(add_overlap_rows(table, record));
    return KVL_OK;
}

static enum kvl_status print_overlap(const json_t *records, FILE *stream)
{
    struct kvl_table table;
    size_t i;
    const json_t *record;
    int n = 0;
    json_array_foreach (records, i, record)
        n = n_distances(record) > n ? n_distances(record) : n;
    KVL_TRY(kvl_table_init(&table, 3 + n));
    enum kvl_status status = fill_overlap(&table, records, n);
    if (status == KVL_OK)
        status = kvl_table_print(&table, KVL_TABLE_TEXT, stream);
    if (status == KVL_OK)
        fputs("\nOverlap (%) of the top tokens of a layer with those of the layer so many further on, by where the first lies.\n",
              stream);
    kvl_table_free(&table);
    return status;
}

/* A row per layer, a column per record. */
static enum kvl_status fill_recall(struct kvl_table *table, const json_t *const *columns, int n, size_t n_layer)
{
    char prompts[96], top[32];
    KVL_TRY(kvl_table_add_row(table));
    KVL_TRY(kvl_table_set(table, 0, "layer"));
    for (int c = 0; c < n; c++) {
        kvl_analysis_prompts(columns[c], prompts, sizeof prompts);
        format_top(columns[c], top, sizeof top);
        KVL_TRY(kvl_table_set(table, 1 + c, "%s, %s", prompts, top));
    }
    for (size_t l = 0; l < n_layer; l++) {
        KVL_TRY(kvl_table_add_row(table));
        KVL_TRY(kvl_table_set(table, 0, "%zu", l));
        for (int c = 0; c < n; c++)
            KVL_TRY(set_percent(table, 1 + c, json_array_get(json_object_get(columns[c], "recall"), l)));
    }
    return KVL_OK;
}

static enum kvl_status print_recall(const json_t *records, FILE *stream)
{
    const json_t **columns = calloc(json_array_size(records) + 1, sizeof *columns), *record;
    struct kvl_table table = {0};
    size_t i, n_layer = 0;
    int n = 0;
    enum kvl_status status = KVL_OK;
    if (columns == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for a table");
    json_array_foreach (records, i, record)
        if (json_object_get(record, "recall") != NULL) {
            columns[n++] = record;
            n_layer = json_array_size(json_object_get(record, "recall"));
        }
    KVL_TRY_OUT(kvl_table_init(&table, 1 + n));
    KVL_TRY_OUT(fill_recall(&table, columns, n, n_layer));
    KVL_TRY_OUT(kvl_table_print(&table, KVL_TABLE_TEXT, stream));
    fputs("\nShare (%) of a layer's attention that the tokens with most of it hold.\n", stream);
out:
    kvl_table_free(&table);
    free(columns);
    return status;
}

const struct kvl_analysis kvl_analysis_overlap = {
    .name = "overlap", .run = run_overlap, .print = print_overlap};
const struct kvl_analysis kvl_analysis_recall = {
    .name = "recall", .run = run_recall, .print = print_recall};
