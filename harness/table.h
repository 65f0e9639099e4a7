/* Tables of text cells, printed for people (aligned), as markdown, CSV or LaTeX. */
#ifndef KVL_TABLE_H
#define KVL_TABLE_H

#include <stdio.h>

#include "kernels/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum kvl_table_format { KVL_TABLE_TEXT, KVL_TABLE_MARKDOWN, KVL_TABLE_CSV, KVL_TABLE_LATEX };

/* How a cell stands out: bold and underlined in markdown and LaTeX, a sign behind it in text, nothing in CSV. */
enum kvl_table_mark { KVL_MARK_NONE, KVL_MARK_BEST, KVL_MARK_SECOND };

/* The signs of text, for a line that explains them. */
#define KVL_SIGN_BEST "●"
#define KVL_SIGN_SECOND "○"

struct kvl_table {
    int n_cols, n_rows, n_allocated;
    int n_heads;                /* rows of the header, at least 1. The last names the columns; in those above it, neighbours of
                                 * equal text are one head over several columns */
    char **cells;               /* [n_rows * n_cols]; the header comes first; NULL cells print as empty */
    enum kvl_table_mark *marks; /* [n_rows * n_cols] */
    bool *parts;                /* [n_rows]: a part begins with this row; LaTeX draws a rule above it */
};

/* "table", "markdown", "csv" or "latex"; KVL_E_ARG otherwise. */
enum kvl_status kvl_table_format_find(const char *name, enum kvl_table_format *out);

/* One row of header; set n_heads before adding rows for more. */
enum kvl_status kvl_table_init(struct kvl_table *table, int n_cols);
void kvl_table_free(struct kvl_table *table);

/* Begins a new row; its cells are empty. */
enum kvl_status kvl_table_add_row(struct kvl_table *table);

/* Sets a cell of the last row; printf-style. */
enum kvl_status kvl_table_set(struct kvl_table *table, int column, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Marks a cell of the last row; a part that begins with the last row. */
void kvl_table_mark(struct kvl_table *table, int column, enum kvl_table_mark mark);
void kvl_table_begin_part(struct kvl_table *table);

/* Text of a cell; "" for NULL. */
const char *kvl_table_cell(const struct kvl_table *table, int row, int column);

/* Columns from `column` on that one head of a header row covers: 1 for the row that names the columns and for empty heads. */
int kvl_table_span(const struct kvl_table *table, int row, int column);

/* Columns that hold numbers are right-aligned; CSV quotes as RFC 4180; LaTeX is a tabular with the rules of booktabs. Heads
 * over columns stand before their titles in markdown and CSV. KVL_E_IO where the stream fails. */
enum kvl_status kvl_table_print(const struct kvl_table *table, enum kvl_table_format format, FILE *stream);

#ifdef __cplusplus
}
#endif
#endif
