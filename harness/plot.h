/* Figures: the table of them, and how one is drawn. A new figure is a row, a function that writes its data, and a gnuplot
 * script in the folder plots. */
#ifndef KVL_PLOT_H
#define KVL_PLOT_H

#include <stdio.h>

#include "harness/report_rows.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the writer of a figure gets. */
struct kvl_plot {
    const struct kvl_rows *rows;
    FILE *data;     /* tab-separated columns, in blocks that two empty lines part, as the script expects them */
    FILE *settings; /* gnuplot assignments for the script, each followed by ';' */
    FILE *notes;    /* a line on each thing that is left out; NULL: nowhere */
};

struct kvl_figure {
    const char *name, *title;
    const char *script; /* in the folder plots */
    int kinds;          /* of records: KVL_KNOB_EVAL, KVL_KNOB_BENCH or both; or KVL_KNOB_ANALYZE */
    enum kvl_status (*write)(const struct kvl_plot *plot); /* KVL_E_FORMAT where the records do not make this figure */
};

extern const struct kvl_figure kvl_figure_accuracy_kv_rate, kvl_figure_accuracy_tsp_rate, kvl_figure_tsp_grid,
    kvl_figure_accuracy_latency, kvl_figure_latency, kvl_figure_prefill, kvl_figure_e2e, kvl_figure_memory, kvl_figure_needle,
    kvl_figure_overlap, kvl_figure_recall, kvl_figure_distance;

/* The i-th figure, NULL past the end. */
const struct kvl_figure *kvl_figure_at(int i);

/* By name; KVL_E_ARG with the near name if there is none. */
enum kvl_status kvl_figure_find(const char *name, const struct kvl_figure **out);

/* KVL_E_ARG unless the name of the output ends in .png, .svg or .pdf. */
enum kvl_status kvl_plot_check_output(const char *path);

/* Draws the figure into `path`; on failure nothing is left behind. `title` NULL: the figure's own, with the model. */
enum kvl_status kvl_plot_draw(const struct kvl_figure *figure, const struct kvl_record_set *set, const char *title,
                              const char *path, FILE *notes);

#ifdef __cplusplus
}
#endif
#endif
