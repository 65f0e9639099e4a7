/* The rows of a report: one per configuration and context, with its eval and its bench records brought together. */
#ifndef KVL_REPORT_ROWS_H
#define KVL_REPORT_ROWS_H

#include "harness/record_set.h"
#include "harness/report_knobs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The newest records of both kinds; one may be NULL. */
struct kvl_row {
    const json_t *eval, *bench;
    int eval_group, bench_group; /* -1: none */
};

struct kvl_rows {
    const struct kvl_record_set *set;
    int *group;            /* [set->n]: records of one group differ in task and time only; -1: not of the kinds asked for */
    const json_t **first;  /* [n_groups]: the newest record of each group */
    int n_groups;
    struct kvl_row *rows;  /* [n], sorted */
    int n;
};

/* `kinds`: KVL_KNOB_EVAL, KVL_KNOB_BENCH or both. The set is borrowed. */
enum kvl_status kvl_rows_init(struct kvl_rows *rows, const struct kvl_record_set *set, int kinds);
void kvl_rows_free(struct kvl_rows *rows);

/* The next record of a group, newest first, from place *i of the set on; NULL at the end, and for group -1. */
const json_t *kvl_rows_next(const struct kvl_rows *rows, int group, int *i);

/* The row's newest bench record that measured `key`, or that failed; NULL if there is none. */
const json_t *kvl_row_measured(const struct kvl_rows *rows, const struct kvl_row *row, const char *key);

/* The bench record of the reference method that a ratio of `key` to `measured` is taken from: same model, context and run
 * parameters, of the same run if there is one; NULL if there is none. */
const json_t *kvl_rows_reference(const struct kvl_rows *rows, const json_t *measured, const char *key);

/* Whether the row is of the method that ratios refer to: the first of the table, the full cache. */
bool kvl_row_is_reference(const struct kvl_row *row);

#ifdef __cplusplus
}
#endif
#endif
