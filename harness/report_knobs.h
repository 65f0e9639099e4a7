/* Knobs: the fields of a record that tell configurations apart, and how they read in a report. */
#ifndef KVL_REPORT_KNOBS_H
#define KVL_REPORT_KNOBS_H

#include <stddef.h>

#include "harness/record_set.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kvl_rows; /* harness/report_rows.h */
struct kvl_row;

/* Who a knob belongs to. METHOD: what is compared; ratios and differences go across it. SHARED: eval and bench records meet
 * only where it is equal. CONTEXT: the same, and tables may show its values side by side. EVAL, BENCH: it tells only records of
 * that kind apart (an accuracy does not depend on the CPU). SETUP: of eval, but belongs to the method, as the longest prompt
 * that it is given. ANALYZE and KERNEL are kinds without knobs of their own; those of BENCH tell the latter
 * apart, too. */
enum {
    KVL_KNOB_METHOD = 1, KVL_KNOB_SHARED = 2, KVL_KNOB_EVAL = 4, KVL_KNOB_BENCH = 8, KVL_KNOB_SETUP = 16, KVL_KNOB_CONTEXT = 32,
    KVL_KNOB_ANALYZE = 64, KVL_KNOB_KERNEL = 128,
};

struct kvl_knob {
    const char *key, *title;
    int scope;
    bool always; /* a column wherever it has a value; the others only where it varies */
};

/* The i-th knob in the order in which rows are sorted, NULL past the end; and by its key, which must exist. */
const struct kvl_knob *kvl_knob_at(int i);
const struct kvl_knob *kvl_knob_find(const char *key);

/* Values of all knobs of some scopes (a sum of KVL_KNOB_..) but `except` (a key; NULL: none) as one text that is equal where
 * they are; malloc'd, NULL where there is no memory. And the same of those within which parameters are compared: model, method,
 * profile. */
char *kvl_knobs_key(const json_t *record, int scopes, const char *except);
char *kvl_knobs_base_key(const json_t *record);

/* Value of a knob, from the row's record of the kind that it belongs to, else from the other; NULL where it is null. */
const json_t *kvl_row_value(const struct kvl_row *row, const struct kvl_knob *knob);

/* Whether rows are told apart by the knob: those to which it applies have several values of it. */
bool kvl_rows_vary(const struct kvl_rows *rows, const struct kvl_knob *knob);

/* Finds that out for all knobs; part of kvl_rows_init. */
void kvl_rows_find_varying(struct kvl_rows *rows);

/* Value that all rows share which have any; NULL where they differ or have none. */
const json_t *kvl_rows_common(const struct kvl_rows *rows, const struct kvl_knob *knob);

/* A value as people read it; "" for none. */
void kvl_knob_format(const json_t *value, char *text, size_t size);

/* Value of a row's knob as people read it; "" where there is none. `params` gives only the parameters that differ from those
 * of another row of the same model, method and profile ("tsp_rate=0.1"). */
void kvl_rows_format(const struct kvl_rows *rows, const struct kvl_row *row, const struct kvl_knob *knob, char *text,
                     size_t size);

/* The parameters of a row as there, without those named in `except` (a list that NULL ends). */
void kvl_rows_format_params(const struct kvl_rows *rows, const struct kvl_row *row, const char *const *except, char *text,
                            size_t size);

/* Tokens as people write them: "4k" for 4096, "1000". */
void kvl_context_format(double n, char *text, size_t size);

#ifdef __cplusplus
}
#endif
#endif
