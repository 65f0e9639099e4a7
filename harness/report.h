/* A report: tables of what methods score, take and keep, and of what single operations take, from the records of eval and bench. */
#ifndef KVL_REPORT_H
#define KVL_REPORT_H

#include "harness/record_set.h"
#include "harness/table.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kvl_report_table {
    char *title;
    struct kvl_table table;
};

struct kvl_report {
    char *heading;                   /* a line: model, backend, machine, commit */
    struct kvl_report_table *tables; /* [n_tables]; CSV: one */
    int n_tables;
    char *notes;                     /* lines that say what the numbers are and why some are missing */
    int n_unused;                    /* records that newer ones of the same configuration stand in for */
};

/* `published`: the name of published numbers to set beside ours (harness/published.h), NULL for none; with CSV they are the
 * table. `set` is needed during the call only. */
enum kvl_status kvl_report_init(struct kvl_report *report, const struct kvl_record_set *set, enum kvl_table_format format,
                                const char *published);
void kvl_report_free(struct kvl_report *report);

/* Heading, tables, notes; CSV is the table alone; LaTeX needs the package booktabs. `format` as in init. */
enum kvl_status kvl_report_print(const struct kvl_report *report, enum kvl_table_format format, FILE *stream);

struct kvl_rows; /* harness/report_rows.h */

/* A line of its own for tables and figures: "SmolLM2-135M-Instruct · cpu · bf16 · 2 threads · kvlab 0123456789".
 * Only what all records share; malloc'd, NULL where there is no memory. `with_model`: the model's name in front. */
char *kvl_report_heading(const struct kvl_rows *rows, bool with_model);

#ifdef __cplusplus
}
#endif
#endif
