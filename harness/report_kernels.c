#include "harness/report_kernels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness/report_tables.h"

/* A column: a text of the record, or a number. */
struct column {
    const char *title, *key;
    double scale;     /* 0: a text */
    char conversion;  /* 'f' or 'g' */
    int digits;
};

static const struct column columns[] = {
    {"operation", "operation", 0.0, 0, 0},
    {"case", "case", 0.0, 0, 0},
    {"phase", "phase", 0.0, 0, 0},
    {"time µs", "kernel_median_ns", 1e-3, 'f', 2},
    {"GFLOP/s", "flops_per_s", 1e-9, 'f', 1},
    {"GB/s", "bytes_per_s", 1e-9, 'f', 1},
    {"floor µs", "bound_ns", 1e-3, 'f', 2},
    {"bound by", "bound_by", 0.0, 0, 0},
    {"% of limit", "bound_share", 100.0, 'f', 1},
    {"check error", "check_error", 1.0, 'g', 2},
};

static const struct column csv_columns[] = {
    {"model", "model", 0.0, 0, 0},
    {"backend", "backend", 0.0, 0, 0},
    {"dtype", "dtype", 0.0, 0, 0},
    {"context", "context", 1.0, 'f', 0},
    {"operation", "operation", 0.0, 0, 0},
    {"case", "case", 0.0, 0, 0},
    {"phase", "phase", 0.0, 0, 0},
    {"shape", "shape", 0.0, 0, 0},
    {"status", "status", 0.0, 0, 0},
    {"flops", "flops", 1.0, 'g', 6},
    {"bytes", "bytes", 1.0, 'g', 6},
    {"time µs", "kernel_median_ns", 1e-3, 'g', 6},
    {"p05 µs", "kernel_p05_ns", 1e-3, 'g', 6},
    {"p95 µs", "kernel_p95_ns", 1e-3, 'g', 6},
    {"GFLOP/s", "flops_per_s", 1e-9, 'g', 6},
    {"GB/s", "bytes_per_s", 1e-9, 'g', 6},
    {"floor µs", "bound_ns", 1e-3, 'g', 6},
    {"bound by", "bound_by", 0.0, 0, 0},
    {"% of limit", "bound_share", 100.0, 'g', 6},
    {"check error", "check_error", 1.0, 'g', 6},
};

enum { N_COLUMNS = sizeof columns / sizeof *columns, N_CSV_COLUMNS = sizeof csv_columns / sizeof *csv_columns, TIME = 3 };

static enum kvl_status begin_table(struct kvl_report *report, const char *title, const struct column *heads, int n,
                                   struct kvl_table **table)
{
    KVL_TRY(kvl_report_add_table(report, title, table));
    KVL_TRY(kvl_table_init(*table, n));
    KVL_TRY(kvl_table_add_row(*table));
    for (int c = 0; c < n; c++)
        KVL_TRY(kvl_table_set(*table, c, "%s", heads[c].title));
    return KVL_OK;
}

static enum kvl_status set_cell(struct kvl_table *table, int c, const struct column *column, const json_t *record)
{
    const char *text = kvl_record_text(record, column->key);
    double number = kvl_record_number(record, column->key);
    if (column->scale <= 0.0)
        return text != NULL ? kvl_table_set(table, c, "%s", text) : KVL_OK;
    if (isnan(number))
        return KVL_OK;
    return kvl_table_set(table, c, column->conversion == 'f' ? "%.*f" : "%.*g", column->digits, number * column->scale);
}

static enum kvl_status add_record(struct kvl_table *table, const struct column *heads, int n, const json_t *record)
{
    KVL_TRY(kvl_table_add_row(table));
    for (int c = 0; c < n; c++)
        KVL_TRY(set_cell(table, c, &heads[c], record));
    return KVL_OK;
}

/* The newest record of a case comes first in a group; one behind it that is of the same case was run again. */
static bool is_newest(const struct kvl_rows *rows, int group, int place)
{
    static const char *const keys[] = {"operation", "case", "phase"};
    const json_t *record = rows->set->records[place], *other;
    for (int i = 0; (other = kvl_rows_next(rows, group, &i)) != NULL && i <= place;) {
        bool same = true;
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
            same = same && kvl_record_same(json_object_get(record, keys[k]), json_object_get(other, keys[k]));
        if (same)
            return false;
    }
    return true;
}

/* The group's records, oldest first, as they were measured. */
static enum kvl_status add_group(struct kvl_table *table, const struct column *heads, int n, const struct kvl_rows *rows, int group,
                                 bool names_status)
{
    for (int i = rows->set->n - 1; i >= 0; i--) {
        const json_t *record = rows->set->records[i];
        if (rows->group[i] != group || !is_newest(rows, group, i))
            continue;
        KVL_TRY(add_record(table, heads, n, record));
        if (names_status && !kvl_record_is_ok(record))
            KVL_TRY(kvl_table_set(table, TIME, "%s", kvl_record_text(record, "status")));
    }
    return KVL_OK;
}

/* "Operations, 2k tokens", and what tells the row from others. */
static void write_title(const struct kvl_rows *rows, const struct kvl_row *row, const char *shared, char *title, size_t size)
{
    char context[32];
    const struct kvl_knob *knob;
    kvl_context_format(kvl_record_number(row->bench, "context"), context, sizeof context);
    int n = snprintf(title, size, "Operations, %s tokens%s%s", context, shared != NULL ? ": " : "", shared != NULL ? shared : "");
    for (int i = 0; (knob = kvl_knob_at(i)) != NULL && n > 0 && (size_t)n < size; i++) {
        char text[96];
        kvl_rows_format(rows, row, knob, text, sizeof text);
        if (knob->scope != KVL_KNOB_CONTEXT && text[0] != '\0' && kvl_rows_vary(rows, knob))
            n += snprintf(title + n, size - (size_t)n, ", %s %s", knob->title, text);
    }
}

static enum kvl_status add_tables(struct kvl_report *report, const struct kvl_rows *rows, const char *shared)
{
    for (int r = 0; r < rows->n; r++) {
        char title[512];
        struct kvl_table *table;
        write_title(rows, &rows->rows[r], shared, title, sizeof title);
        KVL_TRY(begin_table(report, title, columns, N_COLUMNS, &table));
        KVL_TRY(add_group(table, columns, N_COLUMNS, rows, rows->rows[r].bench_group, true));
    }
    return KVL_OK;
}

static enum kvl_status add_csv(struct kvl_report *report, const struct kvl_rows *rows)
{
    struct kvl_table *table;
    KVL_TRY(begin_table(report, "", csv_columns, N_CSV_COLUMNS, &table));
    for (int r = 0; r < rows->n; r++)
        KVL_TRY(add_group(table, csv_columns, N_CSV_COLUMNS, rows, rows->rows[r].bench_group, false));
    return KVL_OK;
}

enum kvl_status kvl_report_add_kernels(struct kvl_report *report, const struct kvl_rows *rows, enum kvl_table_format format,
                                       bool alone)
{
    if (format == KVL_TABLE_CSV)
        return alone ? add_csv(report, rows) : KVL_OK;
    if (alone)
        return add_tables(report, rows, NULL);
    char *shared = kvl_report_heading(rows, true);
    enum kvl_status status = shared != NULL ? add_tables(report, rows, shared) : kvl_fail(KVL_E_OOM, "no memory for a report");
    free(shared);
    return status;
}

static void print_reasons(FILE *notes, const struct kvl_rows *rows)
{
    for (int i = rows->set->n - 1; i >= 0; i--) {
        const json_t *record = rows->set->records[i];
        const char *reason = kvl_record_text(record, "reason");
        if (rows->group[i] < 0 || kvl_record_is_ok(record) || !is_newest(rows, rows->group[i], i))
            continue;
        fprintf(notes, "%s: %s %s, %s, context %g: %s\n", kvl_record_text(record, "status"), kvl_record_text(record, "operation"),
                kvl_record_text(record, "case"), kvl_record_text(record, "phase"), kvl_record_number(record, "context"),
                reason != NULL ? reason : "no reason given");
    }
}

char *kvl_report_kernel_notes(const struct kvl_rows *rows, enum kvl_table_format format, bool alone)
{
    char *text = NULL;
    size_t n;
    FILE *notes = open_memstream(&text, &n);
    if (notes == NULL)
        return NULL;
    if (rows->n > 0 && format != KVL_TABLE_CSV) {
        fputs("Operations: medians of calls in a row, on inputs that go round beyond the caches.\n"
              "Floor: the work's flops or bytes (inputs read once, outputs written once) at this machine's measured rate, whichever "
              "takes longer; % of limit: floor over time.\n"
              "Check error: largest difference to a computation in double precision; 1 is what is allowed.\n", notes);
        print_reasons(notes, rows);
    }
    if (rows->n > 0 && format == KVL_TABLE_CSV && !alone)
        fputs("records of single operations are left out: report their file by itself\n", notes);
    if (fclose(notes) == 0)
        return text;
    free(text);
    return NULL;
}
