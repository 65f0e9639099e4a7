/* What the figures share: which line or bar a row belongs to, and in which panel or group it stands. */
#ifndef KVL_PLOT_DATA_H
#define KVL_PLOT_DATA_H

#include "harness/plot.h"
#include "harness/report_scores.h"

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
    bool is_reference;
};

/* How rows become series and groups. A row may stand in several groups, one for each facet (a family of tasks). */
struct kvl_plot_layout {
    const char *const *more;      /* knobs of a series besides method, profile, parameters; NULL ends the list */
    const char *const *except;    /* parameters that do not make a series, as they are an axis; NULL ends the list */
    bool joins_contexts;          /* the context is an axis too, and makes no group */
    const struct kvl_scored_tasks *facets; /* whose families are the facets; NULL: there is one */
    bool (*use)(const void *context, const struct kvl_row *row, int facet);
    const void *context;
};

struct kvl_plot_data {
    struct kvl_plot_series *series; /* [n_series] */
    char (*groups)[KVL_PLOT_LABEL]; /* [n_groups]: "1k tokens", and what else tells panels or groups of bars apart */
    int *facet_of;                  /* [n_groups] */
    int n_series, n_groups, n_facets;
    int *series_of, *group_of;      /* [rows->n * n_facets]; -1: left out */
};

/* Sorts the rows that `use` takes into series (method, profile, parameters, knobs of `more`) and groups (facet, context and
 * every other knob that varies). */
enum kvl_status kvl_plot_data_init(struct kvl_plot_data *data, const struct kvl_rows *rows,
                                   const struct kvl_plot_layout *layout);
void kvl_plot_data_free(struct kvl_plot_data *data);

/* Tells the script: n_series, n_groups, n_references (the first series), and the arrays series, hue, variant, variants, groups
 * (from 1). */
void kvl_plot_data_assign(const struct kvl_plot_data *data, FILE *settings);

/* The row of a series and group from place *r on; NULL at the end. */
const struct kvl_row *kvl_plot_data_next(const struct kvl_plot_data *data, const struct kvl_rows *rows, int series,
                                         int group, int *r);

/* Rows that stand in no group. */
int kvl_plot_data_n_unused(const struct kvl_plot_data *data, const struct kvl_rows *rows);

/* A number for the data file; NaN where there is none. A tab or a newline follows. */
void kvl_plot_number(FILE *data, double value, char after);

/* The unit in which times up to `longest_ms` read best, "ms" or "s", and what turns milliseconds into it. */
const char *kvl_plot_time_unit(double longest_ms, double *factor);

/* `name='text';` and `name[i]='text';` for the script; i from 1. */
void kvl_plot_assign(FILE *settings, const char *name, const char *text);
void kvl_plot_assign_item(FILE *settings, const char *name, int i, const char *text);

/* Numbers without repetition, ascending: what stands on an axis. */
struct kvl_plot_axis {
    double *values; /* [n] */
    int n, n_allocated;
};

enum kvl_status kvl_plot_axis_add(struct kvl_plot_axis *axis, double value); /* NaN is passed over */
int kvl_plot_axis_find(const struct kvl_plot_axis *axis, double value);      /* place of the nearest; -1 for NaN */
void kvl_plot_axis_free(struct kvl_plot_axis *axis);

#ifdef __cplusplus
}
#endif
#endif
