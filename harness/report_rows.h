/* The rows of a report: one per configuration and context, with its eval and its bench records brought together. */
#ifndef KVL_REPORT_ROWS_H
#define KVL_REPORT_ROWS_H

#include <stddef.h>

#include "harness/record_set.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Who a knob belongs to. METHOD: what is compared; ratios go across it. SHARED: eval and bench records meet only where it
 * is equal. EVAL, BENCH: it tells only records of that kind apart (an accuracy does not depend on the CPU). */
enum { KVL_KNOB_METHOD = 1, KVL_KNOB_SHARED = 2, KVL_KNOB_EVAL = 4, KVL_KNOB_BENCH = 8 };

struct kvl_knob {
    const char *key, *title;
    int scope;
};

/* The i-th knob in the order in which rows are sorted, NULL past the end; and by its key, which must exist. */
const struct kvl_knob *kvl_knob_at(int i);
const struct kvl_knob *kvl_knob_find(const char *key);

/* The newest records of both kinds; one may be NULL. */
struct kvl_row {
    const json_t *eval, *bench;
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

/* Value of a knob; NULL where it is null or does not apply. */
const json_t *kvl_row_value(const struct kvl_row *row, const struct kvl_knob *knob);

/* Whether the rows to which the knob applies have several values of it. */
bool kvl_rows_vary(const struct kvl_rows *rows, const struct kvl_knob *knob);

/* Value of a knob as people read it; "" where there is none. `params` gives only the parameters that differ from those of
 * another row of the same model, method and profile ("tsp_rate=0.1"). */
void kvl_rows_format(const struct kvl_rows *rows, const struct kvl_row *row, const struct kvl_knob *knob, char *text,
                     size_t size);

/* The next record of the same group as `one`, newest first, from place *i of the set on; NULL at the end. */
const json_t *kvl_rows_next(const struct kvl_rows *rows, const json_t *one, int *i);

/* The row's newest bench record that measured `key`, or that failed; NULL if there is none. */
const json_t *kvl_row_measured(const struct kvl_rows *rows, const struct kvl_row *row, const char *key);

/* The bench record of the reference method that a ratio of `key` to `measured` is taken from: same model, context and run
 * parameters, of the same run if there is one; NULL if there is none. */
const json_t *kvl_rows_reference(const struct kvl_rows *rows, const json_t *measured, const char *key);

/* Whether the row is of the method that ratios refer to: the first of the table, the full cache. */
bool kvl_row_is_reference(const struct kvl_row *row);

/* Tokens as people write them: "4k" for 4096, "1000". */
void kvl_context_format(double n, char *text, size_t size);

#ifdef __cplusplus
}
#endif
#endif
