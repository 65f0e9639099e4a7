/* Figures of lines over a whole number (layers, distances): points sorted into panels and lines. */
#ifndef KVL_PLOT_POINTS_H
#define KVL_PLOT_POINTS_H

#include "harness/plot.h"
#include "harness/plot_data.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Panels and lines are known by their labels and stand in the order of the numbers beside them, then of the labels. */
struct kvl_point {
    char panel[KVL_PLOT_LABEL], line[KVL_PLOT_LABEL];
    double panel_order, line_order;
    int hue;            /* of the line: its place in the palette */
    double x, y, error; /* error NaN: none */
    double level;       /* of the panel: a dashed line across, NaN for none */
    int scale;          /* of the panel: those with the same number, from 1, share their scale */
};

struct kvl_points {
    struct kvl_point *items; /* [n] */
    int n, n_allocated;
};

enum kvl_status kvl_points_add(struct kvl_points *points, const struct kvl_point *point);
void kvl_points_free(struct kvl_points *points);

/* Sorts them and tells the script: n_series, series[], hue[], variant[], variants[], n_groups, groups[] (the panels), level[],
 * scale[] and remark. Data: block (panel - 1) * n_series + line - 1 of x, y, error; a line of NaN where a panel lacks a line.
 * KVL_E_FORMAT where there is no point. */
enum kvl_status kvl_points_write(struct kvl_points *points, const struct kvl_plot *plot, const char *remark);

#ifdef __cplusplus
}
#endif
#endif
