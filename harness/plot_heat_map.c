/* Heat maps: needle (score by context and depth of the needle, a panel per method) and tsp-grid (score by TSP layer and TSP
 * rate, a panel per KV rate). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/plot_data.h"

enum { MAX_DEPTHS = 21, N_BINS = 10 };

static const char *const sizes[] = {"kv_rate", "kv_budget", NULL};

/* Cells of a panel: sums of what falls into each, by y, then x. */
struct cells {
    double *sums; /* [n_y * n_x] */
    int *counts;
    int n_x, n_y;
};

/* What a heat map is made of. */
struct map {
    const struct kvl_rows *rows;
    struct kvl_scored_tasks tasks;
    struct kvl_plot_axis x, y;
    void (*format_x)(double value, char *text, size_t size);
    void (*format_y)(double value, char *text, size_t size);
    /* Adds all that a row of a family has to the cells. */
    void (*add)(const struct map *map, const struct kvl_row *row, int family, struct cells *cells);
};

static enum kvl_status cells_init(struct cells *cells, const struct map *map)
{
    size_t n = (size_t)map->x.n * (size_t)map->y.n + 1;
    *cells = (struct cells){calloc(n, sizeof *cells->sums), calloc(n, sizeof *cells->counts), map->x.n, map->y.n};
    return cells->sums != NULL && cells->counts != NULL ? KVL_OK : kvl_fail(KVL_E_OOM, "no memory for a heat map");
}

static void cells_free(struct cells *cells)
{
    free(cells->sums);
    free(cells->counts);
}

static void cells_add(const struct map *map, struct cells *cells, double x, double y, double value)
{
    int column = kvl_plot_axis_find(&map->x, x), row = kvl_plot_axis_find(&map->y, y);
    if (column < 0 || row < 0 || isnan(value))
        return;
    cells->sums[row * cells->n_x + column] += value;
    cells->counts[row * cells->n_x + column]++;
}

/* A block per panel, a line per cell: its column and row from 0, and the mean in percent; NaN for a cell of nothing. */
static void write_cells(const struct cells *cells, FILE *stream)
{
    for (int y = 0; y < cells->n_y; y++)
        for (int x = 0; x < cells->n_x; x++) {
            int i = y * cells->n_x + x;
            fprintf(stream, "%d\t%d\t", x, y);
            kvl_plot_number(stream, cells->counts[i] > 0 ? 100 * cells->sums[i] / cells->counts[i] : NAN, '\n');
        }
    fputs("\n\n", stream);
}

static void assign_axis(FILE *settings, const char *name, const struct kvl_plot_axis *axis,
                        void (*format)(double value, char *text, size_t size))
{
    char array[32], text[64];
    snprintf(array, sizeof array, "%s_labels", name);
    fprintf(settings, "n_%s=%d;array %s[%d];", name, axis->n, array, axis->n);
    for (int i = 0; i < axis->n; i++) {
        format(axis->values[i], text, sizeof text);
        kvl_plot_assign_item(settings, array, i + 1, text);
    }
}

/* Panels: every series of every group that has any row. */
static enum kvl_status write_panels(const struct kvl_plot *plot, const struct map *map, const struct kvl_plot_data *data)
{
    int n = 0;
    fprintf(plot->settings, "array panels[%d];", data->n_series * data->n_groups);
    for (int g = 0; g < data->n_groups; g++)
        for (int s = 0; s < data->n_series; s++) {
            const struct kvl_row *row;
            struct cells cells;
            char title[2 * KVL_PLOT_LABEL + 8];
            int n_rows = 0;
            KVL_TRY(cells_init(&cells, map));
            for (int r = 0; (row = kvl_plot_data_next(data, map->rows, s, g, &r)) != NULL; n_rows++)
                map->add(map, row, data->facet_of[g], &cells);
            if (n_rows > 0) {
                write_cells(&cells, plot->data);
                snprintf(title, sizeof title, "%s%s%s", data->series[s].label, data->groups[g][0] != '\0' ? "; " : "",
                         data->groups[g]);
                kvl_plot_assign_item(plot->settings, "panels", ++n, title);
            }
            cells_free(&cells);
        }
    fprintf(plot->settings, "n_panels=%d;", n);
    kvl_plot_data_assign(data, plot->settings);
    assign_axis(plot->settings, "x", &map->x, map->format_x);
    assign_axis(plot->settings, "y", &map->y, map->format_y);
    return KVL_OK;
}

static void map_free(struct map *map)
{
    kvl_plot_axis_free(&map->x);
    kvl_plot_axis_free(&map->y);
    kvl_scored_tasks_free(&map->tasks);
}

/* ---- needle ----------------------------------------------------------------------------------------------------------- */

static double context_of(const struct kvl_row *row)
{
    const json_t *value = kvl_row_value(row, kvl_knob_find("context"));
    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* Depth of the i-th sample; NaN where it has none. */
static double depth_at(const json_t *record, size_t i)
{
    const json_t *depth = json_array_get(json_object_get(record, "depths"), i);
    return json_is_number(depth) ? json_number_value(depth) : NAN;
}

static double score_at(const json_t *record, size_t i)
{
    const json_t *score = json_array_get(json_object_get(record, "scores"), i);
    return json_is_number(score) ? json_number_value(score) : NAN;
}

/* The row's record of a task of the family, NULL at the end; *t moves on. */
static const json_t *next_record(const struct map *map, const struct kvl_row *row, int family, int *t)
{
    while (*t < map->tasks.n) {
        const struct kvl_scored_task *task = &map->tasks.items[(*t)++];
        const json_t *record = task->family == family ? kvl_row_scored(map->rows, row, task) : NULL;
        if (record != NULL && strcmp(kvl_record_text(record, "status"), "ok") == 0)
            return record;
    }
    return NULL;
}

static bool has_depths(const void *context, const struct kvl_row *row, int family)
{
    const struct map *map = context;
    const json_t *record;
    for (int t = 0; !isnan(context_of(row)) && (record = next_record(map, row, family, &t)) != NULL;)
        for (size_t i = 0; i < json_array_size(json_object_get(record, "scores")); i++)
            if (!isnan(depth_at(record, i)) && !isnan(score_at(record, i)))
                return true;
    return false;
}

static void add_samples(const struct map *map, const struct kvl_row *row, int family, struct cells *cells)
{
    const json_t *record;
    for (int t = 0; (record = next_record(map, row, family, &t)) != NULL;)
        for (size_t i = 0; i < json_array_size(json_object_get(record, "scores")); i++)
            cells_add(map, cells, context_of(row), depth_at(record, i), score_at(record, i));
}

static enum kvl_status add_depths(struct map *map, const struct kvl_row *row, int family)
{
    const json_t *record;
    for (int t = 0; (record = next_record(map, row, family, &t)) != NULL;)
        for (size_t i = 0; i < json_array_size(json_object_get(record, "scores")); i++)
            KVL_TRY(kvl_plot_axis_add(&map->y, round(1000 * depth_at(record, i)) / 1000));
    return KVL_OK;
}

/* Depths of a grid as they are; where samples lie anywhere, the middles of ten equal parts. */
static enum kvl_status find_axes(struct map *map, const struct kvl_plot_data *data)
{
    for (int i = 0; i < map->rows->n * data->n_facets; i++) {
        const struct kvl_row *row = &map->rows->rows[i / data->n_facets];
        if (data->group_of[i] < 0)
            continue;
        KVL_TRY(kvl_plot_axis_add(&map->x, context_of(row)));
        KVL_TRY(add_depths(map, row, i % data->n_facets));
    }
    if (map->y.n <= MAX_DEPTHS)
        return KVL_OK;
    kvl_plot_axis_free(&map->y);
    for (int bin = 0; bin < N_BINS; bin++)
        KVL_TRY(kvl_plot_axis_add(&map->y, (bin + 0.5) / N_BINS));
    return KVL_OK;
}

static void format_depth(double value, char *text, size_t size)
{
    snprintf(text, size, "%.4g", 100 * value);
}

static enum kvl_status write_needle(const struct kvl_plot *plot)
{
    static const char *const nothing[] = {NULL};
    struct map map = {.rows = plot->rows, .format_x = kvl_context_format, .format_y = format_depth, .add = add_samples};
    struct kvl_plot_data data = {0};
    enum kvl_status status;
    KVL_TRY(kvl_scored_tasks_init(&map.tasks, plot->rows));
    const struct kvl_plot_layout layout = {
        .more = sizes, .except = nothing, .joins_contexts = true, .facets = &map.tasks, .use = has_depths, .context = &map};
    KVL_TRY_OUT(kvl_plot_data_init(&data, plot->rows, &layout));
    if (data.n_series == 0) {
        status = kvl_fail(KVL_E_FORMAT, "no eval record says at which depth its needles stand: nothing to plot");
        goto out;
    }
    kvl_plot_assign(plot->settings, "remark", "score (%), mean over the samples of a cell");
    kvl_plot_assign(plot->settings, "x_title", "Context (tokens)");
    kvl_plot_assign(plot->settings, "y_title", "Depth (%)");
    KVL_TRY_OUT(find_axes(&map, &data));
    status = write_panels(plot, &map, &data);
out:
    kvl_plot_data_free(&data);
    map_free(&map);
    return status;
}

/* ---- TSP layer and rate ----------------------------------------------------------------------------------------------- */

static double param_of(const struct kvl_row *row, const char *name)
{
    const json_t *value = json_object_get(kvl_row_value(row, kvl_knob_find("params")), name);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static double score_of(const struct map *map, const struct kvl_row *row, int family)
{
    return kvl_row_score(map->rows, row, &map->tasks, &(struct kvl_scored){.average = KVL_OVER_TASKS, .family = family}).mean;
}

static bool has_tsp(const void *context, const struct kvl_row *row, int family)
{
    return !isnan(score_of(context, row, family)) && !isnan(param_of(row, "tsp_layer")) && !isnan(param_of(row, "tsp_rate"));
}

static void add_score(const struct map *map, const struct kvl_row *row, int family, struct cells *cells)
{
    cells_add(map, cells, param_of(row, "tsp_layer"), param_of(row, "tsp_rate"), score_of(map, row, family));
}

static void format_number(double value, char *text, size_t size)
{
    snprintf(text, size, "%g", value);
}

static enum kvl_status write_tsp_grid(const struct kvl_plot *plot)
{
    static const char *const except[] = {"tsp_layer", "tsp_rate", NULL};
    struct map map = {.rows = plot->rows, .format_x = format_number, .format_y = format_number, .add = add_score};
    struct kvl_plot_data data = {0};
    enum kvl_status status;
    KVL_TRY(kvl_scored_tasks_init(&map.tasks, plot->rows));
    const struct kvl_plot_layout layout = {
        .more = sizes, .except = except, .facets = &map.tasks, .use = has_tsp, .context = &map};
    KVL_TRY_OUT(kvl_plot_data_init(&data, plot->rows, &layout));
    if (data.n_series == 0) {
        status = kvl_fail(KVL_E_FORMAT,
                          "no record of a method with a TSP layer and rate has a score of every task: nothing to plot");
        goto out;
    }
    for (int i = 0; i < plot->rows->n * data.n_facets; i++)
        if (data.group_of[i] >= 0) {
            KVL_TRY_OUT(kvl_plot_axis_add(&map.x, param_of(&plot->rows->rows[i / data.n_facets], "tsp_layer")));
            KVL_TRY_OUT(kvl_plot_axis_add(&map.y, param_of(&plot->rows->rows[i / data.n_facets], "tsp_rate")));
        }
    kvl_plot_assign(plot->settings, "remark", "score (%), mean over tasks");
    kvl_plot_assign(plot->settings, "x_title", "TSP layer");
    kvl_plot_assign(plot->settings, "y_title", "TSP rate");
    status = write_panels(plot, &map, &data);
out:
    kvl_plot_data_free(&data);
    map_free(&map);
    return status;
}

const struct kvl_figure kvl_figure_needle = {
    .name = "needle",
    .title = "Needle in a haystack",
    .script = "needle.gp",
    .kinds = KVL_KNOB_EVAL,
    .write = write_needle,
};

const struct kvl_figure kvl_figure_tsp_grid = {
    .name = "tsp-grid",
    .title = "Accuracy by TSP layer and TSP rate",
    .script = "tsp_grid.gp",
    .kinds = KVL_KNOB_EVAL,
    .write = write_tsp_grid,
};
