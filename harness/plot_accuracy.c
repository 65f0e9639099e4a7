/* Figure accuracy-kv-rate: score, mean over tasks, against the share of the prompt that a layer keeps. */
#include <math.h>
#include <string.h>

#include "harness/gnuplot.h"
#include "harness/plot_data.h"
#include "harness/report_scores.h"

struct source {
    const struct kvl_rows *rows;
    struct kvl_scored_tasks tasks;
    const struct kvl_knob *x; /* the KV rate, or the KV budget where no row has a rate */
};

static double x_of(const struct source *source, const struct kvl_row *row)
{
    const json_t *value = kvl_row_value(row, source->x);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static bool has_x(const struct source *source)
{
    for (int r = 0; r < source->rows->n; r++)
        if (!isnan(x_of(source, &source->rows->rows[r])))
            return true;
    return false;
}

static struct kvl_score score_of(const struct source *source, const struct kvl_row *row)
{
    return kvl_row_mean_score(source->rows, row, &source->tasks);
}

/* A point needs a score of every task, else means of different tasks would stand side by side; the reference needs no x. */
static bool use(const void *context, const struct kvl_row *row)
{
    const struct source *source = context;
    return !isnan(score_of(source, row).mean) && (kvl_row_is_reference(row) || !isnan(x_of(source, row)));
}

/* Per panel and series a block of x, score and error in percent; a line of NaN where a panel lacks a series. */
static void write_block(const struct source *source, const struct kvl_plot_data *data, int series, int group, FILE *stream)
{
    const struct kvl_row *row;
    int n = 0;
    for (int r = 0; (row = kvl_plot_data_next(data, source->rows, series, group, &r)) != NULL; n++) {
        struct kvl_score score = score_of(source, row);
        kvl_plot_number(stream, kvl_row_is_reference(row) ? NAN : x_of(source, row), '\t');
        kvl_plot_number(stream, 100 * score.mean, '\t');
        kvl_plot_number(stream, isnan(score.error) ? 0 : 100 * score.error, '\n');
    }
    fputs(n == 0 ? "NaN\tNaN\tNaN\n\n\n" : "\n\n", stream);
}

static void assign(FILE *settings, const char *name, const char *text)
{
    fprintf(settings, "%s=", name);
    kvl_gnuplot_quote(settings, text);
    putc(';', settings);
}

/* The tasks by name where they fit into a line. */
static void assign_remark(const struct source *source, FILE *settings)
{
    enum { LINE = 110 };
    char names[LINE + 80] = "", text[sizeof names + 80];
    size_t n = 0;
    for (int t = 0; t < source->tasks.n && n <= LINE; t++)
        n += (size_t)snprintf(names + n, sizeof names - n, "%s%.70s", n > 0 ? ", " : "", source->tasks.items[t].name);
    if (n > LINE)
        snprintf(names, sizeof names, "mean of %d tasks", source->tasks.n);
    snprintf(text, sizeof text, "%s; with the standard error of the mean", names);
    assign(settings, "remark", text);
}

static void assign_axes(const struct source *source, FILE *settings)
{
    char label[80];
    snprintf(label, sizeof label, source->tasks.n > 1 ? "Score, mean of %d tasks (%%)" : "Score (%%)", source->tasks.n);
    assign(settings, "y_title", label);
    assign(settings, "x_title", source->x->title);
}

/* The different x, for the axis. */
static void assign_ticks(const struct source *source, const struct kvl_plot_data *data, FILE *settings)
{
    enum { MAX_TICKS = 64 };
    double ticks[MAX_TICKS];
    int n = 0;
    for (int r = 0; r < source->rows->n && n < MAX_TICKS; r++) {
        double x = x_of(source, &source->rows->rows[r]);
        bool is_new = data->series_of[r] >= 0 && !isnan(x);
        for (int t = 0; t < n && is_new; t++)
            is_new = ticks[t] != x;
        if (is_new)
            ticks[n++] = x;
    }
    fprintf(settings, "n_ticks=%d;array ticks[%d];", n, n);
    for (int t = 0; t < n; t++)
        fprintf(settings, "ticks[%d]=%.9g;", t + 1, ticks[t]);
}

/* Series of the reference come first and are drawn as lines across. */
static int n_references(const struct source *source, const struct kvl_plot_data *data)
{
    int n = 0;
    for (int r = 0; r < source->rows->n; r++)
        if (data->series_of[r] >= n && kvl_row_is_reference(&source->rows->rows[r]))
            n = data->series_of[r] + 1;
    return n;
}

static enum kvl_status write_data(const struct kvl_plot *plot, const struct source *source, const struct kvl_plot_data *data)
{
    int n_used = 0;
    for (int r = 0; r < plot->rows->n; r++)
        n_used += data->series_of[r] >= 0;
    if (data->n_series == n_references(source, data))
        return kvl_fail(KVL_E_FORMAT,
                        "no record of a method with a KV rate or budget has a score of every task: nothing to plot");
    if (n_used < plot->rows->n && plot->notes != NULL)
        fprintf(plot->notes, "kvlab: note: %d of %d configurations are left out: they lack a %s or a score of a task\n",
                plot->rows->n - n_used, plot->rows->n, source->x->title);
    kvl_plot_data_assign(data, plot->settings);
    fprintf(plot->settings, "n_references=%d;", n_references(source, data));
    assign_remark(source, plot->settings);
    assign_axes(source, plot->settings);
    assign_ticks(source, data, plot->settings);
    for (int g = 0; g < data->n_groups; g++)
        for (int s = 0; s < data->n_series; s++)
            write_block(source, data, s, g, plot->data);
    return KVL_OK;
}

static enum kvl_status write_figure(const struct kvl_plot *plot)
{
    static const char *const no_more[] = {NULL};
    struct source source = {.rows = plot->rows, .x = kvl_knob_find("kv_rate")};
    struct kvl_plot_data data = {0};
    enum kvl_status status;
    if (!has_x(&source))
        source.x = kvl_knob_find("kv_budget");
    KVL_TRY(kvl_scored_tasks_init(&source.tasks, plot->rows));
    KVL_TRY_OUT(kvl_plot_data_init(&data, plot->rows, no_more, use, &source));
    status = write_data(plot, &source, &data);
out:
    kvl_plot_data_free(&data);
    kvl_scored_tasks_free(&source.tasks);
    return status;
}

const struct kvl_figure kvl_figure_accuracy_kv_rate = {
    .name = "accuracy-kv-rate",
    .title = "Accuracy against KV rate",
    .script = "accuracy_kv_rate.gp",
    .kinds = KVL_KNOB_EVAL,
    .write = write_figure,
};
