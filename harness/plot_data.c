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

static void series_label(const struct kvl_rows *rows, const struct kvl_row *row, const char *const *more, char *label)
{
    static const char *const keys[] = {"profile", "params", NULL};
    char text[KVL_PLOT_LABEL];
    label[0] = '\0';
    append(label, "", method_title(method_of(row)));
    for (const char *const *key = keys; *key != NULL; key++)
        if (kvl_rows_vary(rows, kvl_knob_find(*key)) && !kvl_row_is_reference(row)) {
            kvl_rows_format(rows, row, kvl_knob_find(*key), text, sizeof text);
            append(label, " ", text);
        }
    for (; *more != NULL; more++) {
        const struct kvl_knob *knob = kvl_knob_find(*more);
        char value[KVL_PLOT_LABEL / 2];
        kvl_rows_format(rows, row, knob, value, sizeof value);
        snprintf(text, sizeof text, "%.40s %s", knob->title, value);
        append(label, ", ", value[0] != '\0' ? text : "");
    }
}

static void group_label(const struct kvl_rows *rows, const struct kvl_row *row, char *label)
{
    const struct kvl_knob *knob;
    const json_t *context = kvl_row_value(row, kvl_knob_find("context"));
    char text[KVL_PLOT_LABEL] = "";
    label[0] = '\0';
    if (json_is_number(context)) {
        kvl_context_format(json_number_value(context), text, sizeof text - 8);
        append(label, "", strcat(text, " tokens"));
    }
    for (int i = 0; (knob = kvl_knob_at(i)) != NULL; i++) {
        if (knob->scope == KVL_KNOB_METHOD || strcmp(knob->key, "context") == 0 || !kvl_rows_vary(rows, knob))
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
static int find_series(struct kvl_plot_data *data, const char *label, int hue)
{
    int n_same = 0;
    for (int s = 0; s < data->n_series; s++) {
        if (strcmp(data->series[s].label, label) == 0)
            return s;
        n_same += data->series[s].hue == hue;
    }
    struct kvl_plot_series *series = &data->series[data->n_series];
    *series = (struct kvl_plot_series){.hue = hue, .variant = n_same};
    snprintf(series->label, sizeof series->label, "%s", label);
    return data->n_series++;
}

static int find_group(struct kvl_plot_data *data, const char *label)
{
    for (int g = 0; g < data->n_groups; g++)
        if (strcmp(data->groups[g], label) == 0)
            return g;
    snprintf(data->groups[data->n_groups], KVL_PLOT_LABEL, "%s", label);
    return data->n_groups++;
}

static int compare_series(const void *a, const void *b)
{
    const struct kvl_plot_series *x = a, *y = b;
    return x->hue != y->hue ? x->hue - y->hue : x->variant - y->variant;
}

/* A series may first occur in a later group than one of a later method. */
static void sort_series(struct kvl_plot_data *data, const struct kvl_rows *rows, const char *const *more)
{
    char label[KVL_PLOT_LABEL];
    qsort(data->series, (size_t)data->n_series, sizeof *data->series, compare_series);
    for (int r = 0; r < rows->n; r++)
        if (data->group_of[r] >= 0) {
            series_label(rows, &rows->rows[r], more, label);
            data->series_of[r] = find_series(data, label, 0);
        }
    for (int s = 0; s < data->n_series; s++)
        for (int other = 0; other < data->n_series; other++)
            data->series[s].n_variants += data->series[other].hue == data->series[s].hue;
}

enum kvl_status kvl_plot_data_init(struct kvl_plot_data *data, const struct kvl_rows *rows, const char *const *more,
                                   bool (*use)(const void *context, const struct kvl_row *row), const void *context)
{
    size_t n = (size_t)rows->n + 1;
    *data = (struct kvl_plot_data){
        .series = calloc(n, sizeof *data->series),
        .groups = calloc(n, sizeof *data->groups),
        .series_of = calloc(n, sizeof *data->series_of),
        .group_of = calloc(n, sizeof *data->group_of),
    };
    if (data->series == NULL || data->groups == NULL || data->series_of == NULL || data->group_of == NULL) {
        kvl_plot_data_free(data);
        return kvl_fail(KVL_E_OOM, "no memory for a figure of %d rows", rows->n);
    }
    for (int r = 0; r < rows->n; r++) {
        const struct kvl_row *row = &rows->rows[r];
        char label[KVL_PLOT_LABEL];
        data->series_of[r] = data->group_of[r] = -1;
        if (!use(context, row))
            continue;
        series_label(rows, row, more, label);
        find_series(data, label, method_hue(method_of(row)));
        group_label(rows, row, label);
        data->group_of[r] = find_group(data, label);
    }
    sort_series(data, rows, more);
    return KVL_OK;
}

void kvl_plot_data_free(struct kvl_plot_data *data)
{
    free(data->series);
    free(data->groups);
    free(data->series_of);
    free(data->group_of);
    *data = (struct kvl_plot_data){0};
}

const struct kvl_row *kvl_plot_data_next(const struct kvl_plot_data *data, const struct kvl_rows *rows, int series,
                                         int group, int *r)
{
    while (*r < rows->n) {
        int here = (*r)++;
        if (data->series_of[here] == series && data->group_of[here] == group)
            return &rows->rows[here];
    }
    return NULL;
}

/* ---- for the script --------------------------------------------------------------------------------------------------- */

static void assign_label(FILE *settings, const char *array, int i, const char *label)
{
    fprintf(settings, "%s[%d]=", array, i + 1);
    kvl_gnuplot_quote(settings, label);
    putc(';', settings);
}

void kvl_plot_data_assign(const struct kvl_plot_data *data, FILE *settings)
{
    int s = data->n_series, g = data->n_groups;
    fprintf(settings, "n_series=%d;n_groups=%d;", s, g);
    fprintf(settings, "array series[%d];array hue[%d];array variant[%d];array variants[%d];", s, s, s, s);
    fprintf(settings, "array groups[%d];", g);
    for (int i = 0; i < s; i++) {
        const struct kvl_plot_series *series = &data->series[i];
        assign_label(settings, "series", i, series->label);
        fprintf(settings, "hue[%d]=%d;variant[%d]=%d;variants[%d]=%d;", i + 1, series->hue, i + 1, series->variant, i + 1,
                series->n_variants);
    }
    for (int i = 0; i < g; i++)
        assign_label(settings, "groups", i, data->groups[i]);
}

void kvl_plot_number(FILE *data, double value, char after)
{
    if (isfinite(value))
        fprintf(data, "%.9g%c", value, after);
    else
        fprintf(data, "NaN%c", after);
}
