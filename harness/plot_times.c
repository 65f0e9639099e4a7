/* Figures prefill (time of the prefill against the context, a line per method) and accuracy-latency (score against time, with the
 * configurations that none beats in both). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/plot_data.h"

static const char *const sizes[] = {"kv_rate", "kv_budget", NULL}, *const nothing[] = {NULL};

/* A time in ms with its spread; NaN where there is none. */
struct span {
    double median, low, high;
};

/* `phase`: "prefill" or "e2e". */
static struct span read_span(const struct kvl_rows *rows, const struct kvl_row *row, const char *phase)
{
    char median[32], low[32], high[32];
    snprintf(median, sizeof median, "%s_median_ns", phase);
    snprintf(low, sizeof low, "%s_p05_ns", phase);
    snprintf(high, sizeof high, "%s_p95_ns", phase);
    const json_t *record = row->bench != NULL ? kvl_row_measured(rows, row, median) : NULL;
    if (!kvl_record_is_ok(record))
        return (struct span){NAN, NAN, NAN};
    struct span span = {1e-6 * kvl_record_number(record, median), 1e-6 * kvl_record_number(record, low),
                        1e-6 * kvl_record_number(record, high)};
    span.low = isnan(span.low) ? span.median : span.low;
    span.high = isnan(span.high) ? span.median : span.high;
    return span;
}

/* Into the unit of the figure. */
static struct span in_unit(struct span span, double factor)
{
    return (struct span){factor * span.median, factor * span.low, factor * span.high};
}

/* "Prefill (ms)", and what turns milliseconds into the unit that the longest time of the rows calls for. */
static void title_axis(const struct kvl_rows *rows, const char *what, const char *phase, double *factor, char *title, size_t size)
{
    double longest = 0;
    for (int r = 0; r < rows->n; r++)
        longest = fmax(longest, read_span(rows, &rows->rows[r], phase).high); /* passes over NaN */
    snprintf(title, size, "%s (%s)", what, kvl_plot_time_unit(longest, factor));
}

static double context_of(const struct kvl_row *row)
{
    const json_t *value = kvl_row_value(row, kvl_knob_find("context"));
    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* ---- prefill ---------------------------------------------------------------------------------------------------------- */

static bool use_prefill(const void *context, const struct kvl_row *row, int facet)
{
    (void)facet;
    return !isnan(read_span(context, row, "prefill").median) && !isnan(context_of(row));
}

/* The different contexts, and how they read. */
static enum kvl_status assign_contexts(const struct kvl_rows *rows, const struct kvl_plot_data *data, FILE *settings)
{
    struct kvl_plot_axis axis = {0};
    enum kvl_status status = KVL_OK;
    for (int r = 0; r < rows->n && status == KVL_OK; r++)
        if (data->group_of[r] >= 0)
            status = kvl_plot_axis_add(&axis, context_of(&rows->rows[r]));
    fprintf(settings, "n_ticks=%d;array ticks[%d];array tick_labels[%d];", axis.n, axis.n, axis.n);
    for (int t = 0; t < axis.n; t++) {
        char label[32];
        kvl_context_format(axis.values[t], label, sizeof label);
        fprintf(settings, "ticks[%d]=%.9g;", t + 1, axis.values[t]);
        kvl_plot_assign_item(settings, "tick_labels", t + 1, label);
    }
    kvl_plot_axis_free(&axis);
    return status;
}

/* Per panel and series a block of context, median, p05, p95. */
static void write_line(const struct kvl_rows *rows, const struct kvl_plot_data *data, int series, int group, double factor,
                       FILE *stream)
{
    const struct kvl_row *row;
    int n = 0;
    for (int r = 0; (row = kvl_plot_data_next(data, rows, series, group, &r)) != NULL; n++) {
        struct span span = in_unit(read_span(rows, row, "prefill"), factor);
        kvl_plot_number(stream, context_of(row), '\t');
        kvl_plot_number(stream, span.median, '\t');
        kvl_plot_number(stream, span.low, '\t');
        kvl_plot_number(stream, span.high, '\n');
    }
    fputs(n == 0 ? "NaN\tNaN\tNaN\tNaN\n\n\n" : "\n\n", stream);
}

static enum kvl_status write_prefill(const struct kvl_plot *plot)
{
    const struct kvl_plot_layout layout = {
        .more = sizes, .except = nothing, .joins_contexts = true, .use = use_prefill, .context = plot->rows};
    struct kvl_plot_data data;
    KVL_TRY(kvl_plot_data_init(&data, plot->rows, &layout));
    enum kvl_status status = data.n_series > 0 ? assign_contexts(plot->rows, &data, plot->settings)
                                               : kvl_fail(KVL_E_FORMAT, "no bench record with a prefill time: nothing to plot");
    double factor;
    char title[64];
    title_axis(plot->rows, "Prefill", "prefill", &factor, title, sizeof title);
    kvl_plot_assign(plot->settings, "y_title", title);
    kvl_plot_assign(plot->settings, "remark", "medians, lines from p05 to p95; both axes logarithmic");
    kvl_plot_data_assign(&data, plot->settings);
    for (int g = 0; g < data.n_groups && status == KVL_OK; g++)
        for (int s = 0; s < data.n_series; s++)
            write_line(plot->rows, &data, s, g, factor, plot->data);
    kvl_plot_data_free(&data);
    return status;
}

/* ---- accuracy against latency ----------------------------------------------------------------------------------------- */

struct source {
    const struct kvl_rows *rows;
    struct kvl_scored_tasks tasks;
    const char *phase; /* whose time is on the x axis */
    double factor;     /* from milliseconds into its unit */
};

static double score_of(const struct source *source, const struct kvl_row *row, int family, double *error)
{
    const struct kvl_scored what = {.average = KVL_OVER_TASKS, .family = family};
    struct kvl_score score = kvl_row_score(source->rows, row, &source->tasks, &what);
    *error = isnan(score.error) ? 0 : 100 * score.error;
    return 100 * score.mean;
}

static bool use_point(const void *context, const struct kvl_row *row, int family)
{
    const struct source *source = context;
    double error;
    return row->eval != NULL && row->bench != NULL && !isnan(score_of(source, row, family, &error))
           && !isnan(read_span(source->rows, row, source->phase).median);
}

/* "0.1": what tells points of a series apart. */
static void point_label(const struct source *source, const struct kvl_row *row, char *text, size_t size)
{
    text[0] = '\0';
    for (const char *const *key = sizes; *key != NULL && text[0] == '\0'; key++)
        kvl_rows_format(source->rows, row, kvl_knob_find(*key), text, size);
}

/* Per panel and series a block of time, p05, p95, score, error, label. */
static void write_points(const struct source *source, const struct kvl_plot_data *data, int series, int group, FILE *stream)
{
    const struct kvl_row *row;
    int n = 0;
    for (int r = 0; (row = kvl_plot_data_next(data, source->rows, series, group, &r)) != NULL; n++) {
        struct span span = in_unit(read_span(source->rows, row, source->phase), source->factor);
        char label[64];
        double error, score = score_of(source, row, data->facet_of[group], &error);
        point_label(source, row, label, sizeof label);
        kvl_plot_number(stream, span.median, '\t');
        kvl_plot_number(stream, span.low, '\t');
        kvl_plot_number(stream, span.high, '\t');
        kvl_plot_number(stream, score, '\t');
        kvl_plot_number(stream, error, '\t');
        fprintf(stream, "%s\n", label[0] != '\0' ? label : "-");
    }
    fputs(n == 0 ? "NaN\tNaN\tNaN\tNaN\tNaN\t-\n\n\n" : "\n\n", stream);
}

struct point {
    double time, score;
};

/* Fast first; of equal times the better one. */
static int compare_points(const void *a, const void *b)
{
    const struct point *x = a, *y = b;
    if (x->time != y->time)
        return (x->time > y->time) - (x->time < y->time);
    return (x->score < y->score) - (x->score > y->score);
}

/* A block of time and score: the points of a panel than which none is both faster and better, fast ones first. */
static enum kvl_status write_frontier(const struct source *source, const struct kvl_plot_data *data, int group, FILE *stream)
{
    struct point *points = calloc((size_t)source->rows->n + 1, sizeof *points);
    if (points == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for a figure of %d points", source->rows->n);
    size_t n = 0;
    for (int s = 0; s < data->n_series; s++) {
        const struct kvl_row *row;
        for (int r = 0; (row = kvl_plot_data_next(data, source->rows, s, group, &r)) != NULL;) {
            double error, score = score_of(source, row, data->facet_of[group], &error);
            points[n++] = (struct point){source->factor * read_span(source->rows, row, source->phase).median, score};
        }
    }
    qsort(points, n, sizeof *points, compare_points);
    double best = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        if (points[i].score <= best)
            continue;
        best = points[i].score;
        kvl_plot_number(stream, points[i].time, '\t');
        kvl_plot_number(stream, points[i].score, '\n');
    }
    fputs("\n\n", stream);
    free(points);
    return KVL_OK;
}

static bool has_time(const struct kvl_rows *rows, const char *phase)
{
    for (int r = 0; r < rows->n; r++)
        if (rows->rows[r].eval != NULL && !isnan(read_span(rows, &rows->rows[r], phase).median))
            return true;
    return false;
}

static enum kvl_status write_pareto_data(const struct kvl_plot *plot, struct source *source, const struct kvl_plot_data *data)
{
    char title[64];
    if (data->n_series == 0)
        return kvl_fail(KVL_E_FORMAT, "no configuration has both a score of every task (eval) and a time (bench): nothing to plot");
    kvl_plot_assign(plot->settings, "remark", "labels: KV rate or budget; bars: standard error and p05 to p95; grey: none is both "
                                              "faster and better");
    title_axis(plot->rows, strcmp(source->phase, "e2e") == 0 ? "End to end" : "Prefill", source->phase, &source->factor, title,
               sizeof title);
    kvl_plot_assign(plot->settings, "x_title", title);
    kvl_plot_assign(plot->settings, "y_title", source->tasks.n > source->tasks.n_families ? "Score, mean over tasks (%)"
                                                                                          : "Score (%)");
    kvl_plot_data_assign(data, plot->settings);
    for (int g = 0; g < data->n_groups; g++) {
        for (int s = 0; s < data->n_series; s++)
            write_points(source, data, s, g, plot->data);
        KVL_TRY(write_frontier(source, data, g, plot->data));
    }
    return KVL_OK;
}

static enum kvl_status write_pareto(const struct kvl_plot *plot)
{
    struct source source = {.rows = plot->rows, .phase = has_time(plot->rows, "e2e") ? "e2e" : "prefill"};
    struct kvl_plot_data data = {0};
    enum kvl_status status;
    KVL_TRY(kvl_scored_tasks_init(&source.tasks, plot->rows));
    const struct kvl_plot_layout layout = {
        .more = nothing, .except = nothing, .facets = &source.tasks, .use = use_point, .context = &source};
    KVL_TRY_OUT(kvl_plot_data_init(&data, plot->rows, &layout));
    status = write_pareto_data(plot, &source, &data);
out:
    kvl_plot_data_free(&data);
    kvl_scored_tasks_free(&source.tasks);
    return status;
}

const struct kvl_figure kvl_figure_prefill = {
    .name = "prefill",
    .title = "Prefill latency by context",
    .script = "prefill.gp",
    .kinds = KVL_KNOB_BENCH,
    .write = write_prefill,
};

const struct kvl_figure kvl_figure_accuracy_latency = {
    .name = "accuracy-latency",
    .title = "Accuracy against latency",
    .script = "accuracy_latency.gp",
    .kinds = KVL_KNOB_EVAL | KVL_KNOB_BENCH,
    .write = write_pareto,
};
