/* What the figures share: which line or bar a row belongs to, and in which panel or group it stands. */
#ifndef KVL_PLOT_DATA_H
#define KVL_PLOT_DATA_H

#include "harness/plot.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { KVL_PLOT_LABEL = 160 };

/* A line, or the bars of one colour. */
struct kvl_plot_series {
    char label[KVL_PLOT_LABEL];
    int hue;        /* place of its method in the table: a method has one colour in all figures */
    int variant;    /* 0, 1, ... among the series of that hue */
    int n_variants;
};

struct kvl_plot_data {
    struct kvl_plot_series *series; /* [n_series] */
    char (*groups)[KVL_PLOT_LABEL]; /* [n_groups]: "1k tokens", and what else tells panels or groups of bars apart */
    int n_series, n_groups;
    int *series_of, *group_of;      /* [rows->n]; -1: left out */
};

/* Sorts the rows that `use` takes into series (method, profile, parameters, and the knobs of `more`, a list that NULL ends)
 * and groups (context and every other knob that varies). */
enum kvl_status kvl_plot_data_init(struct kvl_plot_data *data, const struct kvl_rows *rows, const char *const *more,
                                   bool (*use)(const void *context, const struct kvl_row *row), const void *context);
void kvl_plot_data_free(struct kvl_plot_data *data);

/* Tells the script: n_series, n_groups, and the arrays series, hue, variant, variants, groups (from 1). */
void kvl_plot_data_assign(const struct kvl_plot_data *data, FILE *settings);

/* The row of a series and group from place *r on; NULL at the end. */
const struct kvl_row *kvl_plot_data_next(const struct kvl_plot_data *data, const struct kvl_rows *rows, int series,
                                         int group, int *r);

/* A number for the data file; NaN where there is none. A tab or a newline follows. */
void kvl_plot_number(FILE *data, double value, char after);

#ifdef __cplusplus
}
#endif
#endif
