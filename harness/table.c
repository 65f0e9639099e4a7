#define _GNU_SOURCE /* vasprintf */
#include "harness/table.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "core/nearest.h"

enum kvl_status kvl_table_init(struct kvl_table *table, int n_cols)
{
    *table = (struct kvl_table){.n_cols = n_cols};
    return KVL_OK;
}

void kvl_table_free(struct kvl_table *table)
{
    for (int i = 0; i < table->n_rows * table->n_cols; i++)
        free(table->cells[i]);
    free(table->cells);
    *table = (struct kvl_table){0};
}

enum kvl_status kvl_table_add_row(struct kvl_table *table)
{
    if (table->n_rows == table->n_allocated) {
        int n_allocated = table->n_allocated > 0 ? 2 * table->n_allocated : 16;
        size_t bytes = (size_t)n_allocated * (size_t)table->n_cols * sizeof *table->cells;
        char **cells = realloc(table->cells, bytes);
        if (cells == NULL)
            return kvl_fail(KVL_E_OOM, "no memory for a table of %d rows", n_allocated);
        table->cells = cells;
        table->n_allocated = n_allocated;
    }
    for (int c = 0; c < table->n_cols; c++)
        table->cells[table->n_rows * table->n_cols + c] = NULL;
    table->n_rows++;
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

static const char *cell_at(const struct kvl_table *table, int row, int column)
{
    const char *cell = table->cells[row * table->n_cols + column];
    return cell != NULL ? cell : "";
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
    for (int row = 1; row < table->n_rows; row++)
        if (is_number(cell_at(table, row, column)))
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

static int column_width(const struct kvl_table *table, int column)
{
    int width = 0;
    for (int row = 0; row < table->n_rows; row++) {
        int n = n_characters(cell_at(table, row, column));
        width = n > width ? n : width;
    }
    return width;
}

static void print_repeated(char c, int n, FILE *stream)
{
    for (int i = 0; i < n; i++)
        putc(c, stream);
}

static void print_text_row(const struct kvl_table *table, int row, const int *widths, const bool *right, FILE *stream)
{
    for (int c = 0; c < table->n_cols; c++) {
        const char *cell = cell_at(table, row, c);
        int pad = widths[c] - n_characters(cell);
        fputs(c > 0 ? "  " : "", stream);
        print_repeated(' ', right[c] ? pad : 0, stream);
        fputs(cell, stream);
        print_repeated(' ', right[c] || c == table->n_cols - 1 ? 0 : pad, stream);
    }
    putc('\n', stream);
}

static void print_text_rule(const struct kvl_table *table, const int *widths, FILE *stream)
{
    for (int c = 0; c < table->n_cols; c++) {
        fputs(c > 0 ? "  " : "", stream);
        print_repeated('-', widths[c], stream);
    }
    putc('\n', stream);
}

static void print_text(const struct kvl_table *table, const int *widths, const bool *right, FILE *stream)
{
    for (int row = 0; row < table->n_rows; row++) {
        print_text_row(table, row, widths, right, stream);
        if (row == 0)
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

static void print_markdown(const struct kvl_table *table, const int *widths, const bool *right, FILE *stream)
{
    (void)widths;
    for (int row = 0; row < table->n_rows; row++) {
        for (int c = 0; c < table->n_cols; c++) {
            fputs(c > 0 ? " | " : "| ", stream);
            print_markdown_cell(cell_at(table, row, c), stream);
        }
        fputs(" |\n", stream);
        for (int c = 0; row == 0 && c < table->n_cols; c++)
            fputs(right[c] ? "|---:" : "|---", stream);
        fputs(row == 0 ? "|\n" : "", stream);
    }
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

static void print_csv(const struct kvl_table *table, const int *widths, const bool *right, FILE *stream)
{
    (void)widths, (void)right;
    for (int row = 0; row < table->n_rows; row++)
        for (int c = 0; c < table->n_cols; c++) {
            print_csv_cell(cell_at(table, row, c), stream);
            putc(c < table->n_cols - 1 ? ',' : '\n', stream);
        }
}

/* The formats; a new one is a function and a row. */
static const struct {
    const char *name;
    void (*print)(const struct kvl_table *table, const int *widths, const bool *right, FILE *stream);
} formats[] = {
    [KVL_TABLE_TEXT] = {"table", print_text},
    [KVL_TABLE_MARKDOWN] = {"markdown", print_markdown},
    [KVL_TABLE_CSV] = {"csv", print_csv},
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
    return kvl_fail(KVL_E_ARG, "unknown format '%.100s': table, markdown or csv", name);
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
    for (int c = 0; c < table->n_cols; c++) {
        widths[c] = column_width(table, c);
        right[c] = is_right_aligned(table, c);
    }
    formats[format].print(table, widths, right, stream);
    free(widths);
    free(right);
    if (fflush(stream) != 0 || ferror(stream))
        return kvl_fail(KVL_E_IO, "cannot write the table: %s", strerror(errno));
    return KVL_OK;
}
