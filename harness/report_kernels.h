/* The tables of single operations: time, rates, and the share of what the machine allows. */
#ifndef KVL_REPORT_KERNELS_H
#define KVL_REPORT_KERNELS_H

#include "harness/report.h"
#include "harness/report_rows.h"

#ifdef __cplusplus
extern "C" {
#endif

/* `rows` are of KVL_KNOB_KERNEL. For people a table for each of them (model, context, machine), cases in the order in which they
 * were measured. CSV: one table with a line per record. `alone`: the report has nothing else, and its heading says what they share;
 * otherwise titles do, and there is no place in CSV. */
enum kvl_status kvl_report_add_kernels(struct kvl_report *report, const struct kvl_rows *rows, enum kvl_table_format format,
                                       bool alone);

/* Lines that say what the columns are, and why some are empty; with CSV, that the table is not there. malloc'd, NULL where there is
 * no memory. */
char *kvl_report_kernel_notes(const struct kvl_rows *rows, enum kvl_table_format format, bool alone);

#ifdef __cplusplus
}
#endif
#endif
