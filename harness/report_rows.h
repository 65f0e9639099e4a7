/* The rows of a report: one per configuration and context, with its eval and its bench records brought together. */
#ifndef KVL_REPORT_ROWS_H
#define KVL_REPORT_ROWS_H

#include <stdint.h>

#include "harness/record_set.h"
#include "harness/report_knobs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The newest records of both kinds; one may be NULL. */
struct kvl_row {
    const json_t *eval, *bench; /* records of analyze and kernel take the bench's place */
    int eval_group, bench_group; /* -1: none */
};

/* Records of one kind with the same knobs: they differ in task and time only. The keys are the knobs' values as text.
 *
 * Protocols other than plain leave the template out for some tasks (PROTOCOL.md). There the template tells groups apart only
 * where a task occurs with two of them. */
struct kvl_row_group {
    const json_t *first; /* the newest; of those with a template, if any has one */
    int kind;            /* KVL_KNOB_EVAL, .._BENCH, .._ANALYZE or .._KERNEL */
    bool is_reference;   /* of the method that ratios and differences refer to */
    char *meet_key;      /* equal where an eval and a bench group make a row */
    char *ratio_key;     /* equal where a ratio or a difference may be taken */
    char *base_key;      /* equal where parameters are compared: model, method, profile */
};

struct kvl_rows {
    const struct kvl_record_set *set;
    int *group;                   /* [set->n]: its group; -1: not of the kinds asked for */
    struct kvl_row_group *groups; /* [n_groups] */
    int n_groups;
    struct kvl_row *rows;         /* [n], sorted */
    int n;
    uint32_t varying;             /* a bit per knob, for kvl_rows_vary */
};

/* `kinds`: KVL_KNOB_EVAL, KVL_KNOB_BENCH or both; or KVL_KNOB_ANALYZE or KVL_KNOB_KERNEL alone. The set is borrowed. */
enum kvl_status kvl_rows_init(struct kvl_rows *rows, const struct kvl_record_set *set, int kinds);
void kvl_rows_free(struct kvl_rows *rows);

/* Order of two rows by one knob: methods as in their table, missing values first, else by value. */
int kvl_row_compare(const struct kvl_row *a, const struct kvl_row *b, const struct kvl_knob *knob);

/* The next record of a group, newest first, from place *i of the set on; NULL at the end, and for group -1. */
const json_t *kvl_rows_next(const struct kvl_rows *rows, int group, int *i);

/* The row's newest bench record that measured `key`, or that failed; NULL if there is none. */
const json_t *kvl_row_measured(const struct kvl_rows *rows, const struct kvl_row *row, const char *key);

/* The bench record of the reference method that a ratio of `key` to `measured`, a record of the row, is taken from: same
 * model, context and run parameters, of the same run if there is one; NULL if there is none. */
const json_t *kvl_rows_reference(const struct kvl_rows *rows, const struct kvl_row *row, const json_t *measured,
                                 const char *key);

/* The record of the reference method whose samples those of `scored`, an eval record of the row, are compared with: same model,
 * context, task, protocol, template, seed; the longest prompt may differ. NULL if there is none. */
const json_t *kvl_rows_scored_reference(const struct kvl_rows *rows, const struct kvl_row *row, const json_t *scored);

/* Whether the row is of the method that ratios refer to: the first of the table, the full cache. */
bool kvl_row_is_reference(const struct kvl_row *row);

#ifdef __cplusplus
}
#endif
#endif
