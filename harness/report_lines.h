/* The lines of a report's table: rows of one configuration, whose contexts stand side by side. */
#ifndef KVL_REPORT_LINES_H
#define KVL_REPORT_LINES_H

#include "harness/report_rows.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kvl_line {
    const struct kvl_row **rows; /* [n_contexts] borrowed; NULL: no such row */
    const struct kvl_row *first; /* any of them: they share all knobs but the context */
    int scopes;                  /* of the knobs that tell it from other lines */
    char *rivals;                /* equal for lines that compete: same KV rate or budget, same run parameters */
};

struct kvl_lines {
    struct kvl_line *items; /* [n], by run parameters, then KV rate and budget, then method */
    int n;
    double *contexts;       /* [n_contexts], ascending; NaN, none, first */
    int n_contexts;
    int scopes;             /* of the knobs that tell lines apart */
};

/* `kind`: KVL_KNOB_EVAL or KVL_KNOB_BENCH, the rows that have such a record. */
enum kvl_status kvl_lines_init(struct kvl_lines *lines, const struct kvl_rows *rows, int kind);

/* Every row a line of its own, in the order of the rows, and their contexts as one place. */
enum kvl_status kvl_lines_init_flat(struct kvl_lines *lines, const struct kvl_rows *rows);

void kvl_lines_free(struct kvl_lines *lines);

#ifdef __cplusplus
}
#endif
#endif
