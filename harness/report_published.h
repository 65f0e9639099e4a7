/* Published numbers beside ours, as a table of a report. */
#ifndef KVL_REPORT_PUBLISHED_H
#define KVL_REPORT_PUBLISHED_H

#include "harness/report_tables.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Appends the table of published numbers `name` for the models that the records are of: for each published configuration its
 * numbers, those of our lines of the same model, method, KV rate or budget and parameters, and the differences. CSV: a line per
 * number. *notes, malloc'd: which published model stands beside which of ours, and what is not shown; where nothing matches,
 * that alone (and no table, but in CSV its header). */
enum kvl_status kvl_report_add_published(struct kvl_report *report, struct kvl_report_source *source, const char *name,
                                         char **notes);

#ifdef __cplusplus
}
#endif
#endif
