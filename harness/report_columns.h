/* The columns of a report: which there are for some rows, and what stands in a cell. */
#ifndef KVL_REPORT_COLUMNS_H
#define KVL_REPORT_COLUMNS_H

#include "harness/report_rows.h"
#include "harness/report_scores.h"
#include "harness/table.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a report is made from. CSV is for programs: numbers to six digits, errors and counts in columns of their own. */
struct kvl_report_source {
    struct kvl_rows rows;
    struct kvl_scored_tasks tasks;
    enum kvl_table_format format;
    bool has_ratios;   /* set while cells are written */
    bool crossed_runs; /* the same; a ratio to a reference of another run is marked with a star */
};

/* One measured time: a column of its own and one of its ratio to the reference. */
struct kvl_report_time {
    const char *title, *ratio_title, *key;
    int decimals; /* of milliseconds */
};

/* The i-th, NULL past the end. */
const struct kvl_report_time *kvl_report_time_at(int i);

/* Part of a task's name that all tasks share ("needle/") and that their columns leave out, in characters; CSV: 0. */
int kvl_report_shared_prefix(const struct kvl_report_source *source);

/* Fills the table: header and one row each. */
enum kvl_status kvl_report_fill(struct kvl_report_source *source, struct kvl_table *table);

#ifdef __cplusplus
}
#endif
#endif
