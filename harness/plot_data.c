#include "harness/plot_data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/gnuplot.h"
#include "methods/method.h"

/* ---- labels ----------------------------------------------------------------------------------------------------------- */

static void append(char *label, const char *separator, const char *text)
{
    size_t n = strlen(label);
    if (text[0] != '\0')
        snprintf(label + n, KVL_PLOT_LABEL - n, "%s%s", n > 0 ? separator : "", text);
}

static const char *method_title(const char *name)
{
    const struct kvl_method *method;
    for (int i = 0; (method = kvl_method_at(i)) != NULL; i++)
        if (strcmp(method->name, name) == 0)
            return method->title;
    return name;
}

static int method_hue(const char *name)
{
    const struct kvl_method *method;
    int i;
    for (i = 0; (method = kvl_method_at(i)) != NULL; i++)
        if (strcmp(method->name, name) == 0)
            break;
    return i;
}

static const char *method_of(const struct kvl_row *row)
{
    return json_string_value(kvl_row_value(row, kvl_knob_find("method")));
}

/* ", KV rate 0.1" */
static void append_knob(const struct kvl_rows *rows, const struct kvl_row *row, const char *key, char *label)
{
    const struct kvl_knob *knob = kvl_knob_find(key);
    char value[KVL_PLOT_LABEL / 2], text[KVL_PLOT_LABEL];
    kvl_rows_format(rows, row, knob, value, sizeof value);
    snprintf(text, sizeof text, "%.40s %s", knob->title, value);
    append(label, ", ", value[0] != '\0' ? text : "");
}

static void series_label(const struct kvl_rows *rows, const struct kvl_row *row, const struct kvl_plot_layout *layout,
                         char *label)
{
    char text[KVL_PLOT_LABEL] = "";
    label[0] = '\0';
    append(label, "", method_title(method_of(row)));
    if (kvl_row_is_reference(row))
        return;
    if (kvl_rows_vary(rows, kvl_knob_find("profile")))
        kvl_rows_format(rows, row, kvl_knob_find("profile"), text, sizeof text);
    append(label, " ", text);
    kvl_rows_format_params(rows, row, layout->except, text, sizeof text);
    append(label, " ", text);
    if (kvl_rows_vary(rows, kvl_knob_find("max_prompt")))
        append_knob(rows, row, "max_prompt", label);
    for (const char *const *key = layout->more; *key != NULL; key++)
        append_knob(rows, row, *key, label);
}

static void group_label(const struct kvl_rows *rows, const struct kvl_row *row, const struct kvl_plot_layout *layout, int facet,
                        char *label)
{
    const struct kvl_knob *knob;
    const json_t *context = kvl_row_value(row, kvl_knob_find("context"));
    char text[KVL_PLOT_LABEL] = "";
    label[0] = '\0';
    if (layout->facets != NULL && layout->facets->n_families > 1)
        snprintf(label, KVL_PLOT_LABEL, "%.*s", layout->facets->families[facet].n, layout->facets->families[facet].name);
    if (json_is_number(context) && !layout->joins_contexts) {
        kvl_context_format(json_number_value(context), text, sizeof text - 8);
        append(label, ", ", strcat(text, " tokens"));
    }
    for (int i = 0; (knob = kvl_knob_at(i)) != NULL; i++) {
        if ((knob->scope & (KVL_KNOB_METHOD | KVL_KNOB_SETUP | KVL_KNOB_CONTEXT)) != 0 || !kvl_rows_vary(rows, knob))
            continue;
        char value[KVL_PLOT_LABEL / 2];
        kvl_rows_format(rows, row, knob, value, sizeof value);
        bool is_name = json_is_string(kvl_row_value(row, knob));
        snprintf(text, sizeof text, "%.40s%s%.100s", is_name ? "" : knob->title, is_name ? "" : " ", value);
        append(label, ", ", text);
    }
}

/* ---- sorting rows in -------------------------------------------------------------------------------------------------- */

/* Rows come sorted, so that series and groups do. Both arrays have room for every row. */
static int find_series(struct kvl_plot_data *data, const char *label, int hue, bool is_reference)
{
    int n_same = 0;
    for (int s = 0; s < data->n_series; s++) {
        if (strcmp(data->series[s].label, label) == 0)
            return s;
        n_same += data->series[s].hue == hue;
    }
    struct kvl_plot_series *series = &data->series[data->n_series];
    *series = (struct kvl_plot_series){.hue = hue, .variant = n_same, .is_reference = is_reference};
    snprintf(series->label, sizeof series->label, "%s", label);
    return data->n_series++;
}

static int find_group(struct kvl_plot_data *data, const char *label, int facet)
{
    for (int g = 0; g < data->n_groups; g++)
        if (data->facet_of[g] == facet && strcmp(data->groups[g], label) == 0)
            return g;
    snprintf(data->groups[data->n_groups], KVL_PLOT_LABEL, "%s", label);
    data->facet_of[data->n_groups] = facet;
    return data->n_groups++;
}

static int compare_series(const void *a, const void *b)
{
    const struct kvl_plot_series *x = a, *y = b;
    return x->hue != y->hue ? x->hue - y->hue : x->variant - y->variant;
}

/* A series may first occur in a later group than one of a later method. */
static void sort_series(struct kvl_plot_data *data, const struct kvl_rows *rows, const struct kvl_plot_layout *layout)
{
    char label[KVL_PLOT_LABEL];
    qsort(data->series, (size_t)data->n_series, sizeof *data->series, compare_series);
    for (int i = 0; i < rows->n * data->n_facets; i++)
        if (data->group_of[i] >= 0) {
            series_label(rows, &rows->rows[i / data->n_facets], layout, label);
            data->series_of[i] = find_series(data, label, 0, false);
        }
    for (int s = 0; s < data->n_series; s++)
        for (int other = 0; other < data->n_series; other++)
            data->series[s].n_variants += data->series[other].hue == data->series[s].hue;
}

static void sort_in(struct kvl_plot_data *data, const struct kvl_rows *rows, const struct kvl_plot_layout *layout)
{
    char label[KVL_PLOT_LABEL];
    for (int i = 0; i < rows->n * data->n_facets; i++)
        data->series_of[i] = data->group_of[i] = -1;
    for (int facet = 0; facet < data->n_facets; facet++)
        for (int r = 0; r < rows->n; r++) {
            const struct kvl_row *row = &rows->rows[r];
            if (!layout->use(layout->context, row, facet))
                continue;
            series_label(rows, row, layout, label);
            find_series(data, label, method_hue(method_of(row)), kvl_row_is_reference(row));
            group_label(rows, row, layout, facet, label);
            data->group_of[r * data->n_facets + facet] = find_group(data, label, facet);
        }
    sort_series(data, rows, layout);
}

enum kvl_status kvl_plot_data_init(struct kvl_plot_data *data, const struct kvl_rows *rows,
                                   const struct kvl_plot_layout *layout)
{
    int n_facets = layout->facets != NULL ? layout->facets->n_families : 1;
    size_t n = (size_t)rows->n * (size_t)n_facets + 1;
    *data = (struct kvl_plot_data){
        .series = calloc(n, sizeof *data->series),
        .groups = calloc(n, sizeof *data->groups),
        .facet_of = calloc(n, sizeof *data->facet_of),
        .n_facets = n_facets,
        .series_of = calloc(n, sizeof *data->series_of),
        .group_of = calloc(n, sizeof *data->group_of),
    };
    if (data->series == NULL || data->groups == NULL || data->facet_of == NULL || data->series_of == NULL
        || data->group_of == NULL) {
        kvl_plot_data_free(data);
        return kvl_fail(KVL_E_OOM, "no memory for a figure of %d rows", rows->n);
    }
    sort_in(data, rows, layout);
    return KVL_OK;
}

void kvl_plot_data_free(struct kvl_plot_data *data)
{
    free(data->series);
    free(data->groups);
    free(data->facet_of);
    free(data->series_of);
    free(data->group_of);
    *data = (struct kvl_plot_data){0};
}

const struct kvl_row *kvl_plot_data_next(const struct kvl_plot_data *data, const struct kvl_rows *rows, int series,
                                         int group, int *r)
{
    while (*r < rows->n) {
        int here = (*r)++, item = here * data->n_facets + data->facet_of[group];
        if (data->series_of[item] == series && data->group_of[item] == group)
            return &rows->rows[here];
    }
    return NULL;
}

int kvl_plot_data_n_unused(const struct kvl_plot_data *data, const struct kvl_rows *rows)
{
    int n = 0;
    for (int r = 0; r < rows->n; r++) {
        bool used = false;
        for (int facet = 0; facet < data->n_facets; facet++)
            used |= data->group_of[r * data->n_facets + facet] >= 0;
        n += !used;
    }
    return n;
}

/* ---- axes ------------------------------------------------------------------------------------------------------------- */

enum kvl_status kvl_plot_axis_add(struct kvl_plot_axis *axis, double value)
{
    int place = 0;
    while (place < axis->n && axis->values[place] < value)
        place++;
    if (isnan(value) || (place < axis->n && axis->values[place] == value))
        return KVL_OK;
    if (axis->n == axis->n_allocated) {
        int n_allocated = 2 * axis->n_allocated + 16;
        double *values = realloc(axis->values, (size_t)n_allocated * sizeof *values);
        if (values == NULL)
            return kvl_fail(KVL_E_OOM, "no memory for an axis of %d values", n_allocated);
        axis->values = values;
        axis->n_allocated = n_allocated;
    }
    memmove(axis->values + place + 1, axis->values + place, (size_t)(axis->n - place) * sizeof *axis->values);
    axis->values[place] = value;
    axis->n++;
    return KVL_OK;
}

int kvl_plot_axis_find(const struct kvl_plot_axis *axis, double value)
{
    int nearest = -1;
    for (int i = 0; i < axis->n && !isnan(value); i++)
        if (nearest < 0 || fabs(axis->values[i] - value) < fabs(axis->values[nearest] - value))
            nearest = i;
    return nearest;
}

void kvl_plot_axis_free(struct kvl_plot_axis *axis)
{
    free(axis->values);
    *axis = (struct kvl_plot_axis){0};
}

/* ---- for the script --------------------------------------------------------------------------------------------------- */

void kvl_plot_assign(FILE *settings, const char *name, const char *text)
{
    fprintf(settings, "%s=", name);
    kvl_gnuplot_quote(settings, text);
    putc(';', settings);
}

void kvl_plot_assign_item(FILE *settings, const char *name, int i, const char *text)
{
    fprintf(settings, "%s[%d]=", name, i);
    kvl_gnuplot_quote(settings, text);
    putc(';', settings);
}

/* Series of the reference are those of the table's first method: they come first. */
void kvl_plot_data_assign(const struct kvl_plot_data *data, FILE *settings)
{
    int s = data->n_series, g = data->n_groups, n_references = 0;
    fprintf(settings, "n_series=%d;n_groups=%d;", s, g);
    fprintf(settings, "array series[%d];array hue[%d];array variant[%d];array variants[%d];", s, s, s, s);
    fprintf(settings, "array groups[%d];", g);
    for (int i = 0; i < s; i++) {
        const struct kvl_plot_series *series = &data->series[i];
        kvl_plot_assign_item(settings, "series", i + 1, series->label);
        fprintf(settings, "hue[%d]=%d;variant[%d]=%d;variants[%d]=%d;", i + 1, series->hue, i + 1, series->variant, i + 1,
                series->n_variants);
        n_references += series->is_reference;
    }
    fprintf(settings, "n_references=%d;", n_references);
    for (int i = 0; i < g; i++)
        kvl_plot_assign_item(settings, "groups", i + 1, data->groups[i]);
}

const char *kvl_plot_time_unit(double longest_ms, double *factor)
{
    bool is_long = longest_ms >= 20000;
    *factor = is_long ? 1e-3 : 1;
    return is_long ? "s" : "ms";
}

void kvl_plot_number(FILE *data, double value, char after)
{
    if (isfinite(value))
        fprintf(data, "%.9g%c", value, after);
    else
        fprintf(data, "NaN%c", after);
}
