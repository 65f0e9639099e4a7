/* Which tables a report has for some rows, and which columns they have. */
#ifndef KVL_REPORT_TABLES_H
#define KVL_REPORT_TABLES_H

#include "harness/report.h"
#include "harness/report_cells.h"

#ifdef __cplusplus
extern "C" {
#endif

/* For people: per family of tasks the scores, methods as lines, tasks as columns, contexts side by side (or, where these are
 * many, the means by context and a table of each); the means of categories; the differences to the reference; then times and
 * memory. CSV: one table with a line per configuration and context. Appends to the report. */
enum kvl_status kvl_report_fill(struct kvl_report_source *source, struct kvl_report *report);

/* Appends an empty table; the title is copied. *out stays valid until the next one. */
enum kvl_status kvl_report_add_table(struct kvl_report *report, const char *title, struct kvl_table **out);

#ifdef __cplusplus
}
#endif
#endif
