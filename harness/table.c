#define _GNU_SOURCE /* vasprintf */
#include "harness/table.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "core/nearest.h"
#include "harness/table_latex.h"

enum kvl_status kvl_table_init(struct kvl_table *table, int n_cols)
{
    *table = (struct kvl_table){.n_cols = n_cols, .n_heads = 1};
    return KVL_OK;
}

void kvl_table_free(struct kvl_table *table)
{
    for (int i = 0; i < table->n_rows * table->n_cols; i++)
        free(table->cells[i]);
    free(table->cells);
    free(table->marks);
    free(table->parts);
    *table = (struct kvl_table){0};
}

/* On failure the table is as it was, a little larger. */
static enum kvl_status grow(struct kvl_table *table)
{
    size_t n_rows = table->n_allocated > 0 ? 2 * (size_t)table->n_allocated : 16, n = n_rows * (size_t)table->n_cols + 1;
    char **cells = realloc(table->cells, n * sizeof *cells);
    table->cells = cells != NULL ? cells : table->cells;
    enum kvl_table_mark *marks = realloc(table->marks, n * sizeof *marks);
    table->marks = marks != NULL ? marks : table->marks;
    bool *parts = realloc(table->parts, n_rows * sizeof *parts);
    table->parts = parts != NULL ? parts : table->parts;
    if (cells == NULL || marks == NULL || parts == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for a table of %zu rows", n_rows);
    table->n_allocated = (int)n_rows;
    return KVL_OK;
}

enum kvl_status kvl_table_add_row(struct kvl_table *table)
{
    if (table->n_rows == table->n_allocated)
        KVL_TRY(grow(table));
    for (int c = 0; c < table->n_cols; c++) {
        table->cells[table->n_rows * table->n_cols + c] = NULL;
        table->marks[table->n_rows * table->n_cols + c] = KVL_MARK_NONE;
    }
    table->parts[table->n_rows++] = false;
    return KVL_OK;
}

enum kvl_status kvl_table_set(struct kvl_table *table, int column, const char *format, ...)
{
    char *text, **cell = &table->cells[(table->n_rows - 1) * table->n_cols + column];
    va_list args;
    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    if (n < 0)
        return kvl_fail(KVL_E_OOM, "no memory for a table cell");
    free(*cell);
    *cell = text;
    return KVL_OK;
}

void kvl_table_mark(struct kvl_table *table, int column, enum kvl_table_mark mark)
{
    table->marks[(table->n_rows - 1) * table->n_cols + column] = mark;
}

void kvl_table_begin_part(struct kvl_table *table)
{
    table->parts[table->n_rows - 1] = true;
}

const char *kvl_table_cell(const struct kvl_table *table, int row, int column)
{
    const char *cell = table->cells[row * table->n_cols + column];
    return cell != NULL ? cell : "";
}

int kvl_table_span(const struct kvl_table *table, int row, int column)
{
    const char *head = kvl_table_cell(table, row, column);
    int n = 1;
    while (row < table->n_heads - 1 && head[0] != '\0' && column + n < table->n_cols
           && strcmp(kvl_table_cell(table, row, column + n), head) == 0)
        n++;
    return n;
}

/* A number, perhaps with a mark or an error behind it ("0.5", "12%", "1.5x", "2k", "97.5 ± 1.2"), but not "7b-chat". */
static bool is_number(const char *cell)
{
    char *end;
    strtod(cell, &end);
    if (end == cell || isalpha((unsigned char)*cell))
        return false;
    if (strchr("xkm", *end) != NULL && *end != '\0')
        end++;
    while (*end != '\0' && !isalpha((unsigned char)*end))
        end++;
    return *end == '\0';
}

/* A column that holds a number anywhere is one of numbers; the other cells say why there is none. */
static bool is_right_aligned(const struct kvl_table *table, int column)
{
    for (int row = table->n_heads; row < table->n_rows; row++)
        if (is_number(kvl_table_cell(table, row, column)))
            return true;
    return false;
}

/* Characters of UTF-8 text: every byte that does not continue one. */
static int n_characters(const char *text)
{
    int n = 0;
    for (; *text != '\0'; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static enum kvl_table_mark mark_at(const struct kvl_table *table, int row, int column)
{
    return table->marks[row * table->n_cols + column];
}

/* A column with a mark anywhere has room for one in all its rows: the numbers stay below each other. */
static bool has_marks(const struct kvl_table *table, int column)
{
    for (int row = table->n_heads; row < table->n_rows; row++)
        if (mark_at(table, row, column) != KVL_MARK_NONE)
            return true;
    return false;
}

static int column_width(const struct kvl_table *table, int column)
{
    int width = 0, n_mark = has_marks(table, column) ? 2 : 0;
    for (int row = table->n_heads - 1; row < table->n_rows; row++) {
        int n = n_characters(kvl_table_cell(table, row, column)) + (row >= table->n_heads ? n_mark : 0);
        width = n > width ? n : width;
    }
    return width;
}

enum { GAP = 2 }; /* blanks between columns of text */

static int span_width(const int *widths, int column, int n)
{
    int width = (n - 1) * GAP;
    for (int c = column; c < column + n; c++)
        width += widths[c];
    return width;
}

/* Heads that are wider than their columns widen the last one. */
static void widen_for_heads(const struct kvl_table *table, int *widths)
{
    for (int row = 0; row < table->n_heads - 1; row++)
        for (int c = 0, n; c < table->n_cols; c += n) {
            n = kvl_table_span(table, row, c);
            int lacking = n_characters(kvl_table_cell(table, row, c)) - span_width(widths, c, n);
            widths[c + n - 1] += lacking > 0 ? lacking : 0;
        }
}

static void print_repeated(char c, int n, FILE *stream)
{
    for (int i = 0; i < n; i++)
        putc(c, stream);
}

/* "---- head ----" over its columns; without dashes where there is no room, on the right as numbers are. */
static void print_text_head(const char *head, int width, FILE *stream)
{
    int pad = width - n_characters(head), n_dashes = pad / 2 - 1;
    if (head[0] == '\0' || n_dashes < 1) {
        print_repeated(' ', pad, stream);
        fputs(head, stream);
        return;
    }
    print_repeated('-', n_dashes, stream);
    fprintf(stream, " %s ", head);
    print_repeated('-', pad - 2 - n_dashes, stream);
}

static void print_text_heads(const struct kvl_table *table, int row, const int *widths, FILE *stream)
{
    int last = table->n_cols - 1;
    while (last > 0 && kvl_table_cell(table, row, last)[0] == '\0')
        last--;
    for (int c = 0, n; c <= last; c += n) {
        n = kvl_table_span(table, row, c);
        print_repeated(' ', c > 0 ? GAP : 0, stream);
        print_text_head(kvl_table_cell(table, row, c), span_width(widths, c, n), stream);
    }
    putc('\n', stream);
}

static void print_text_row(const struct kvl_table *table, int row, const int *widths, const bool *right, FILE *stream)
{
    static const char *const signs[] = {"  ", " " KVL_SIGN_BEST, " " KVL_SIGN_SECOND};
    for (int c = 0; c < table->n_cols; c++) {
        const char *cell = kvl_table_cell(table, row, c);
        bool marked = row >= table->n_heads && has_marks(table, c);
        int pad = widths[c] - n_characters(cell) - (marked ? 2 : 0);
        print_repeated(' ', c > 0 ? GAP : 0, stream);
        print_repeated(' ', right[c] ? pad : 0, stream);
        fprintf(stream, "%s%s", cell, marked ? signs[mark_at(table, row, c)] : "");
        print_repeated(' ', right[c] || c == table->n_cols - 1 ? 0 : pad, stream);
    }
    putc('\n', stream);
}

static void print_text_rule(const struct kvl_table *table, const int *widths, FILE *stream)
{
    for (int c = 0; c < table->n_cols; c++) {
        print_repeated(' ', c > 0 ? GAP : 0, stream);
        print_repeated('-', widths[c], stream);
    }
    putc('\n', stream);
}

static void print_text(const struct kvl_table *table, int *widths, const bool *right, FILE *stream)
{
    for (int c = 0; c < table->n_cols; c++)
        widths[c] = column_width(table, c);
    widen_for_heads(table, widths);
    for (int row = 0; row < table->n_rows; row++) {
        if (row < table->n_heads - 1)
            print_text_heads(table, row, widths, stream);
        else
            print_text_row(table, row, widths, right, stream);
        if (row == table->n_heads - 1)
            print_text_rule(table, widths, stream);
    }
}

static void print_markdown_cell(const char *cell, FILE *stream)
{
    for (; *cell != '\0'; cell++)
        if (*cell == '|')
            fputs("\\|", stream);
        else
            putc(*cell == '\n' || *cell == '\r' ? ' ' : *cell, stream);
}

/* A column's title behind the heads above it, parted by `separator`. */
static void print_titles(const struct kvl_table *table, int column, const char *separator,
                         void (*print_cell)(const char *cell, FILE *stream), FILE *stream)
{
    for (int row = 0; row < table->n_heads; row++) {
        const char *head = kvl_table_cell(table, row, column);
        print_cell(head, stream);
        fputs(row < table->n_heads - 1 && head[0] != '\0' ? separator : "", stream);
    }
}

static void print_markdown_row(const struct kvl_table *table, int row, FILE *stream)
{
    static const char *const before[] = {"", "**", "<u>"}, *const after[] = {"", "**", "</u>"};
    for (int c = 0; c < table->n_cols; c++) {
        enum kvl_table_mark mark = mark_at(table, row, c);
        fprintf(stream, "%s%s", c > 0 ? " | " : "| ", before[mark]);
        print_markdown_cell(kvl_table_cell(table, row, c), stream);
        fputs(after[mark], stream);
    }
    fputs(" |\n", stream);
}

static void print_markdown(const struct kvl_table *table, int *widths, const bool *right, FILE *stream)
{
    (void)widths;
    for (int c = 0; c < table->n_cols; c++) {
        fputs(c > 0 ? " | " : "| ", stream);
        print_titles(table, c, "<br>", print_markdown_cell, stream);
    }
    fputs(" |\n", stream);
    for (int c = 0; c < table->n_cols; c++)
        fputs(right[c] ? "|---:" : "|---", stream);
    fputs("|\n", stream);
    for (int row = table->n_heads; row < table->n_rows; row++)
        print_markdown_row(table, row, stream);
}

static void print_csv_cell(const char *cell, FILE *stream)
{
    if (strpbrk(cell, ",\"\r\n") == NULL) {
        fputs(cell, stream);
        return;
    }
    putc('"', stream);
    for (; *cell != '\0'; cell++) {
        if (*cell == '"')
            putc('"', stream);
        putc(*cell, stream);
    }
    putc('"', stream);
}

/* As print_titles, into a cell that is then quoted as a whole. */
static void print_csv_title(const struct kvl_table *table, int column, FILE *stream)
{
    char title[512];
    size_t n = 0;
    title[0] = '\0';
    for (int row = 0; row < table->n_heads && n < sizeof title; row++) {
        const char *head = kvl_table_cell(table, row, column);
        n += (size_t)snprintf(title + n, sizeof title - n, "%s%s", n > 0 && head[0] != '\0' ? " " : "", head);
    }
    print_csv_cell(title, stream);
}

static void print_csv(const struct kvl_table *table, int *widths, const bool *right, FILE *stream)
{
    (void)widths, (void)right;
    for (int row = table->n_heads - 1; row < table->n_rows; row++)
        for (int c = 0; c < table->n_cols; c++) {
            if (row < table->n_heads)
                print_csv_title(table, c, stream);
            else
                print_csv_cell(kvl_table_cell(table, row, c), stream);
            putc(c < table->n_cols - 1 ? ',' : '\n', stream);
        }
}

static void print_latex(const struct kvl_table *table, int *widths, const bool *right, FILE *stream)
{
    (void)widths;
    kvl_table_print_latex(table, right, stream);
}

/* The formats; a new one is a function and a row. */
static const struct {
    const char *name;
    /* widths: room for [n_cols]; right: columns to be right-aligned */
    void (*print)(const struct kvl_table *table, int *widths, const bool *right, FILE *stream);
} formats[] = {
    [KVL_TABLE_TEXT] = {"table", print_text},
    [KVL_TABLE_MARKDOWN] = {"markdown", print_markdown},
    [KVL_TABLE_CSV] = {"csv", print_csv},
    [KVL_TABLE_LATEX] = {"latex", print_latex},
};

enum { N_FORMATS = sizeof formats / sizeof *formats };

static const char *format_name(const void *context, int i)
{
    (void)context;
    return i < (int)N_FORMATS ? formats[i].name : NULL;
}

enum kvl_status kvl_table_format_find(const char *name, enum kvl_table_format *out)
{
    for (int i = 0; i < (int)N_FORMATS; i++)
        if (strcmp(name, formats[i].name) == 0) {
            *out = (enum kvl_table_format)i;
            return KVL_OK;
        }
    const char *near = kvl_nearest(name, format_name, NULL);
    if (near != NULL)
        return kvl_fail(KVL_E_ARG, "unknown format '%.100s': did you mean '%s'?", name, near);
    return kvl_fail(KVL_E_ARG, "unknown format '%.100s': table, markdown, csv or latex", name);
}

enum kvl_status kvl_table_print(const struct kvl_table *table, enum kvl_table_format format, FILE *stream)
{
    int *widths = calloc((size_t)table->n_cols + 1, sizeof *widths);
    bool *right = calloc((size_t)table->n_cols + 1, sizeof *right);
    if (widths == NULL || right == NULL) {
        free(widths);
        free(right);
        return kvl_fail(KVL_E_OOM, "no memory to print a table of %d columns", table->n_cols);
    }
    for (int c = 0; c < table->n_cols; c++)
        right[c] = is_right_aligned(table, c);
    formats[format].print(table, widths, right, stream);
    free(widths);
    free(right);
    if (fflush(stream) != 0 || ferror(stream))
        return kvl_fail(KVL_E_IO, "cannot write the table: %s", strerror(errno));
    return KVL_OK;
}
