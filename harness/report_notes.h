/* The lines below a report's table. */
#ifndef KVL_REPORT_NOTES_H
#define KVL_REPORT_NOTES_H

#include "harness/report_cells.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Says what the numbers are, and of each configuration that has none, why. Call it after the tables are filled. `beside`: what
 * is to be said of published numbers, NULL for nothing; in CSV that alone is said. malloc'd, "" where there is nothing to say;
 * NULL where there is no memory. */
char *kvl_report_notes(const struct kvl_report_source *source, const char *beside);

/* Records of the rows that no cell reads, because newer ones of the same knobs are there. */
int kvl_report_n_unused(const struct kvl_report_source *source);

#ifdef __cplusplus
}
#endif
#endif
