#include "harness/plot_points.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/gnuplot.h"

enum kvl_status kvl_points_add(struct kvl_points *points, const struct kvl_point *point)
{
    if (points->n == points->n_allocated) {
        int n = points->n_allocated > 0 ? 2 * points->n_allocated : 64;
        struct kvl_point *items = realloc(points->items, (size_t)n * sizeof *items);
        if (items == NULL)
            return kvl_fail(KVL_E_OOM, "no memory for the points of a figure");
        points->items = items;
        points->n_allocated = n;
    }
    points->items[points->n++] = *point;
    return KVL_OK;
}

void kvl_points_free(struct kvl_points *points)
{
    free(points->items);
    *points = (struct kvl_points){0};
}

static int compare_numbers(double a, double b)
{
    return (a > b) - (a < b);
}

static int compare_panels(const struct kvl_point *a, const struct kvl_point *b)
{
    int order = compare_numbers(a->panel_order, b->panel_order);
    return order != 0 ? order : strcmp(a->panel, b->panel);
}

static int compare_lines(const struct kvl_point *a, const struct kvl_point *b)
{
    int order = compare_numbers(a->line_order, b->line_order);
    return order != 0 ? order : strcmp(a->line, b->line);
}

static int by_line(const void *a, const void *b)
{
    int order = compare_lines(a, b);
    return order != 0 ? order : compare_panels(a, b);
}

static int by_panel(const void *a, const void *b)
{
    const struct kvl_point *x = a, *y = b;
    int order = compare_panels(x, y);
    order = order != 0 ? order : compare_lines(x, y);
    return order != 0 ? order : compare_numbers(x->x, y->x);
}

/* ---- what the script is told ------------------------------------------------------------------------------------------ */

static void assign_text(FILE *settings, const char *name, int i, const char *text)
{
    fprintf(settings, "%s[%d]=", name, i);
    kvl_gnuplot_quote(settings, text);
    putc(';', settings);
}

/* Lines of one hue are its variants, by the order in which they come. Sorted by_line. `lines` has room for all points. */
static int assign_lines(const struct kvl_points *points, const struct kvl_point **lines, FILE *settings)
{
    int n = 0;
    for (int i = 0; i < points->n; i++)
        if (i == 0 || compare_lines(&points->items[i - 1], &points->items[i]) != 0)
            lines[n++] = &points->items[i];
    fprintf(settings, "n_series=%d;array series[%d];array hue[%d];array variant[%d];array variants[%d];", n, n, n, n, n);
    for (int l = 0; l < n; l++) {
        int variant = 0, n_variants = 0;
        for (int other = 0; other < n; other++) {
            variant += other < l && lines[other]->hue == lines[l]->hue;
            n_variants += lines[other]->hue == lines[l]->hue;
        }
        assign_text(settings, "series", l + 1, lines[l]->line);
        fprintf(settings, "hue[%d]=%d;variant[%d]=%d;variants[%d]=%d;", l + 1, lines[l]->hue, l + 1, variant, l + 1, n_variants);
    }
    return n;
}

/* Sorted by_panel. */
static int assign_panels(const struct kvl_points *points, FILE *settings)
{
    int n = 0;
    for (int i = 0; i < points->n; i++)
        n += i == 0 || compare_panels(&points->items[i - 1], &points->items[i]) != 0;
    fprintf(settings, "n_groups=%d;array groups[%d];array level[%d];array scale[%d];", n, n, n, n);
    for (int i = 0, p = 0; i < points->n; i++)
        if (i == 0 || compare_panels(&points->items[i - 1], &points->items[i]) != 0) {
            double level = points->items[i].level;
            assign_text(settings, "groups", ++p, points->items[i].panel);
            fprintf(settings, "scale[%d]=%d;", p, points->items[i].scale);
            if (isfinite(level))
                fprintf(settings, "level[%d]=%.9g;", p, level);
            else
                fprintf(settings, "level[%d]=NaN;", p);
        }
    return n;
}

/* ---- data ------------------------------------------------------------------------------------------------------------- */

/* The points of one panel and line lie together; *i moves past them. Blocks of the panel without points get a line of NaN. */
static void write_panel(const struct kvl_points *points, const struct kvl_point *lines, int n_lines, int *i, FILE *data)
{
    const struct kvl_point *first = &points->items[*i];
    for (int l = 0; l < n_lines; l++) {
        int n = 0;
        for (; *i < points->n; ++*i, n++) {
            const struct kvl_point *point = &points->items[*i];
            if (compare_panels(first, point) != 0 || compare_lines(&lines[l], point) != 0)
                break;
            kvl_plot_number(data, point->x, '\t');
            kvl_plot_number(data, point->y, '\t');
            kvl_plot_number(data, isnan(point->error) ? 0 : point->error, '\n');
        }
        fputs(n == 0 ? "NaN\tNaN\tNaN\n\n\n" : "\n\n", data);
    }
}

enum kvl_status kvl_points_write(struct kvl_points *points, const struct kvl_plot *plot, const char *remark)
{
    if (points->n == 0)
        return kvl_fail(KVL_E_FORMAT, "no record of this analysis with a result: nothing to plot");
    const struct kvl_point **places = calloc((size_t)points->n, sizeof *places);
    struct kvl_point *lines = calloc((size_t)points->n, sizeof *lines);
    if (places == NULL || lines == NULL) {
        free(places);
        free(lines);
        return kvl_fail(KVL_E_OOM, "no memory for the lines of a figure");
    }
    qsort(points->items, (size_t)points->n, sizeof *points->items, by_line);
    int n_lines = assign_lines(points, places, plot->settings), i = 0;
    for (int l = 0; l < n_lines; l++)
        lines[l] = *places[l]; /* the next sort moves what the places point to */
    qsort(points->items, (size_t)points->n, sizeof *points->items, by_panel);
    int n_panels = assign_panels(points, plot->settings);
    for (int p = 0; p < n_panels; p++)
        write_panel(points, lines, n_lines, &i, plot->data);
    fputs("remark=", plot->settings);
    kvl_gnuplot_quote(plot->settings, remark);
    putc(';', plot->settings);
    free(places);
    free(lines);
    return KVL_OK;
}
