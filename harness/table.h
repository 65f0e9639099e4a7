/* Tables of text cells, printed for people (aligned), markdown or CSV. */
#ifndef KVL_TABLE_H
#define KVL_TABLE_H

#include <stdio.h>

#include "kernels/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum kvl_table_format { KVL_TABLE_TEXT, KVL_TABLE_MARKDOWN, KVL_TABLE_CSV };

struct kvl_table {
    int n_cols, n_rows, n_allocated;
    char **cells; /* [n_rows * n_cols]; row 0 is the header; NULL cells print as empty */
};

/* "table", "markdown" or "csv"; KVL_E_ARG otherwise. */
enum kvl_status kvl_table_format_find(const char *name, enum kvl_table_format *out);

enum kvl_status kvl_table_init(struct kvl_table *table, int n_cols);
void kvl_table_free(struct kvl_table *table);

/* Begins a new row; its cells are empty. */
enum kvl_status kvl_table_add_row(struct kvl_table *table);

/* Sets a cell of the last row; printf-style. */
enum kvl_status kvl_table_set(struct kvl_table *table, int column, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Numbers are right-aligned in text; CSV quotes as RFC 4180. KVL_E_IO where the stream fails. */
enum kvl_status kvl_table_print(const struct kvl_table *table, enum kvl_table_format format, FILE *stream);

#ifdef __cplusplus
}
#endif
#endif
