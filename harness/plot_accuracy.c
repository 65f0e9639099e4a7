/* Figures accuracy-kv-rate and accuracy-tsp-rate: score, mean over the tasks of a family, against the share of the prompt that
 * a layer keeps, and against the share that goes on behind the TSP layer. */
#include <math.h>
#include <string.h>

#include "harness/plot_data.h"

/* What stands on the x axis: a knob, or a parameter of the method. */
struct axis {
    const char *title;
    const struct kvl_knob *knob;
    const char *param; /* NULL: the knob itself */
};

struct source {
    const struct kvl_rows *rows;
    struct kvl_scored_tasks tasks;
    struct axis x;
};

static double x_of(const struct source *source, const struct kvl_row *row)
{
    const json_t *value = kvl_row_value(row, source->x.knob);
    if (source->x.param != NULL)
        value = json_object_get(value, source->x.param);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static bool has_x(const struct source *source)
{
    for (int r = 0; r < source->rows->n; r++)
        if (!isnan(x_of(source, &source->rows->rows[r])))
            return true;
    return false;
}

static struct kvl_score score_of(const struct source *source, const struct kvl_row *row, int family)
{
    return kvl_row_score(source->rows, row, &source->tasks, &(struct kvl_scored){.average = KVL_OVER_TASKS, .family = family});
}

/* A point needs a score of every task, else means of different tasks would stand side by side; the reference needs no x. */
static bool use(const void *context, const struct kvl_row *row, int family)
{
    const struct source *source = context;
    return !isnan(score_of(source, row, family).mean) && (kvl_row_is_reference(row) || !isnan(x_of(source, row)));
}

/* Per panel and series a block of x, score and error in percent; a line of NaN where a panel lacks a series. */
static void write_block(const struct source *source, const struct kvl_plot_data *data, int series, int group, FILE *stream)
{
    const struct kvl_row *row;
    int n = 0;
    for (int r = 0; (row = kvl_plot_data_next(data, source->rows, series, group, &r)) != NULL; n++) {
        struct kvl_score score = score_of(source, row, data->facet_of[group]);
        kvl_plot_number(stream, kvl_row_is_reference(row) ? NAN : x_of(source, row), '\t');
        kvl_plot_number(stream, 100 * score.mean, '\t');
        kvl_plot_number(stream, isnan(score.error) ? 0 : 100 * score.error, '\n');
    }
    fputs(n == 0 ? "NaN\tNaN\tNaN\n\n\n" : "\n\n", stream);
}

/* Tasks with a score, which are those drawn, and whether two are of one family. */
static int count_scored(const struct kvl_scored_tasks *tasks, bool *has_means)
{
    int n = 0;
    *has_means = false;
    for (int t = 0; t < tasks->n; t++) {
        n += !tasks->items[t].is_fidelity;
        for (int other = 0; other < t; other++)
            *has_means |= !tasks->items[t].is_fidelity && !tasks->items[other].is_fidelity
                          && tasks->items[t].family == tasks->items[other].family;
    }
    return n;
}

/* The tasks by name where they fit into a line. */
static void assign_remark(const struct source *source, FILE *settings)
{
    enum { LINE = 110 };
    char names[LINE + 80] = "", text[sizeof names + 80];
    size_t n = 0;
    bool has_means;
    for (int t = 0; t < source->tasks.n && n <= LINE; t++)
        if (!source->tasks.items[t].is_fidelity)
            n += (size_t)snprintf(names + n, sizeof names - n, "%s%.70s", n > 0 ? ", " : "", source->tasks.items[t].name);
    if (n > LINE)
        snprintf(names, sizeof names, "mean over the %d tasks%s", count_scored(&source->tasks, &has_means),
                 source->tasks.n_families > 1 ? ", family by family" : "");
    snprintf(text, sizeof text, "%s; with the standard error of the mean", names);
    kvl_plot_assign(settings, "remark", text);
}

static void assign_axes(const struct source *source, FILE *settings)
{
    bool has_means;
    count_scored(&source->tasks, &has_means);
    kvl_plot_assign(settings, "y_title", has_means ? "Score, mean over tasks (%)" : "Score (%)");
    kvl_plot_assign(settings, "x_title", source->x.title);
}

/* The different x, for the axis. */
static enum kvl_status assign_ticks(const struct source *source, const struct kvl_plot_data *data, FILE *settings)
{
    struct kvl_plot_axis ticks = {0};
    enum kvl_status status = KVL_OK;
    for (int i = 0; i < source->rows->n * data->n_facets && status == KVL_OK; i++)
        if (data->group_of[i] >= 0)
            status = kvl_plot_axis_add(&ticks, x_of(source, &source->rows->rows[i / data->n_facets]));
    fprintf(settings, "n_ticks=%d;array ticks[%d];", ticks.n, ticks.n);
    for (int t = 0; t < ticks.n; t++)
        fprintf(settings, "ticks[%d]=%.9g;", t + 1, ticks.values[t]);
    kvl_plot_axis_free(&ticks);
    return status;
}

static bool has_lines(const struct kvl_plot_data *data)
{
    for (int s = 0; s < data->n_series; s++)
        if (!data->series[s].is_reference)
            return true;
    return false;
}

static enum kvl_status write_data(const struct kvl_plot *plot, const struct source *source, const struct kvl_plot_data *data)
{
    int n_unused = kvl_plot_data_n_unused(data, plot->rows);
    if (!has_lines(data))
        return kvl_fail(KVL_E_FORMAT, "no record of a method with a %s has a score of every task: nothing to plot",
                        source->x.title);
    if (n_unused > 0 && plot->notes != NULL)
        fprintf(plot->notes, "kvlab: note: %d of %d configurations are left out: they lack a %s or a score of a task\n",
                n_unused, plot->rows->n, source->x.title);
    kvl_plot_data_assign(data, plot->settings);
    assign_remark(source, plot->settings);
    assign_axes(source, plot->settings);
    KVL_TRY(assign_ticks(source, data, plot->settings));
    for (int g = 0; g < data->n_groups; g++)
        for (int s = 0; s < data->n_series; s++)
            write_block(source, data, s, g, plot->data);
    return KVL_OK;
}

static enum kvl_status write_figure(const struct kvl_plot *plot, struct source *source, struct kvl_plot_layout layout)
{
    struct kvl_plot_data data = {0};
    enum kvl_status status;
    KVL_TRY(kvl_scored_tasks_init(&source->tasks, plot->rows));
    layout.facets = &source->tasks;
    layout.use = use;
    layout.context = source;
    KVL_TRY_OUT(kvl_plot_data_init(&data, plot->rows, &layout));
    status = write_data(plot, source, &data);
out:
    kvl_plot_data_free(&data);
    kvl_scored_tasks_free(&source->tasks);
    return status;
}

static const char *const nothing[] = {NULL};

/* The KV budget where no row has a rate. */
static enum kvl_status write_kv_rate(const struct kvl_plot *plot)
{
    struct source source = {.rows = plot->rows, .x = {"KV rate", kvl_knob_find("kv_rate"), NULL}};
    if (!has_x(&source))
        source.x = (struct axis){"KV budget", kvl_knob_find("kv_budget"), NULL};
    return write_figure(plot, &source, (struct kvl_plot_layout){.more = nothing, .except = nothing});
}

/* One line per KV rate. */
static enum kvl_status write_tsp_rate(const struct kvl_plot *plot)
{
    static const char *const more[] = {"kv_rate", "kv_budget", NULL}, *const except[] = {"tsp_rate", NULL};
    struct source source = {.rows = plot->rows, .x = {"TSP rate", kvl_knob_find("params"), "tsp_rate"}};
    return write_figure(plot, &source, (struct kvl_plot_layout){.more = more, .except = except});
}

const struct kvl_figure kvl_figure_accuracy_kv_rate = {
    .name = "accuracy-kv-rate",
    .title = "Accuracy against KV rate",
    .script = "accuracy_kv_rate.gp",
    .kinds = KVL_KNOB_EVAL,
    .write = write_kv_rate,
};

const struct kvl_figure kvl_figure_accuracy_tsp_rate = {
    .name = "accuracy-tsp-rate",
    .title = "Accuracy against TSP rate",
    .script = "accuracy_tsp_rate.gp",
    .kinds = KVL_KNOB_EVAL,
    .write = write_tsp_rate,
};
