#include "harness/report_columns.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "methods/method.h"

static const struct kvl_report_time times[] = {
    {"prefill ms", "prefill speedup", "prefill_median_ns", 1},
    {"decode ms/token", "decode speedup", "decode_token_median_ns", 2},
    {"e2e ms", "e2e speedup", "e2e_median_ns", 1},
};

enum { N_TIMES = sizeof times / sizeof *times, CELL = 128, MAX_COLUMNS = 256 };

const struct kvl_report_time *kvl_report_time_at(int i)
{
    return i >= 0 && i < (int)N_TIMES ? &times[i] : NULL;
}

/* A column: its title and what writes a cell; an empty cell says that there is no value. */
struct column {
    char title[CELL];
    void (*write)(struct kvl_report_source *source, const struct kvl_row *row, const struct column *column, char *text);
    const struct kvl_knob *knob;
    const struct kvl_report_time *time;
    int task;
};

struct columns {
    struct column items[MAX_COLUMNS];
    int n;
};

static bool is_ok(const json_t *record)
{
    return strcmp(kvl_record_text(record, "status"), "ok") == 0;
}

static bool is_csv(const struct kvl_report_source *source)
{
    return source->format == KVL_TABLE_CSV;
}

static void write_number(const struct kvl_report_source *source, double value, int decimals, const char *unit, char *text)
{
    if (isnan(value))
        return;
    if (is_csv(source))
        snprintf(text, CELL, "%.6g", value);
    else
        snprintf(text, CELL, "%.*f%s", decimals, value, unit);
}

/* ---- cells ------------------------------------------------------------------------------------------------------------ */

static void write_knob(struct kvl_report_source *source, const struct kvl_row *row, const struct column *column,
                       char *text)
{
    const json_t *value = kvl_row_value(row, column->knob);
    if (!is_csv(source) && strcmp(column->knob->key, "context") == 0 && json_is_number(value))
        kvl_context_format(json_number_value(value), text, CELL);
    else
        kvl_rows_format(&source->rows, row, column->knob, text, CELL);
}

static const json_t *scored(const struct kvl_report_source *source, const struct kvl_row *row, int task)
{
    return kvl_row_scored(&source->rows, row, &source->tasks.items[task]);
}

static void write_percent_with_error(const struct kvl_report_source *source, double score, double error, char *text)
{
    write_number(source, 100 * score, 1, "", text);
    size_t n = strlen(text);
    if (!is_csv(source) && n > 0 && !isnan(error))
        snprintf(text + n, CELL - n, " ± %.1f", 100 * error);
}

static void write_score(struct kvl_report_source *source, const struct kvl_row *row, const struct column *column,
                        char *text)
{
    const json_t *record = scored(source, row, column->task);
    if (record != NULL && !is_ok(record))
        snprintf(text, CELL, "%s", kvl_record_text(record, "status"));
    else if (record != NULL)
        write_percent_with_error(source, kvl_record_number(record, "score"), kvl_record_number(record, "score_stderr"), text);
}

static void write_error(struct kvl_report_source *source, const struct kvl_row *row, const struct column *column,
                        char *text)
{
    const json_t *record = scored(source, row, column->task);
    if (record != NULL && is_ok(record))
        write_number(source, 100 * kvl_record_number(record, "score_stderr"), 1, "", text);
}

static void write_task_n(struct kvl_report_source *source, const struct kvl_row *row, const struct column *column,
                         char *text)
{
    const json_t *record = scored(source, row, column->task);
    if (record != NULL && is_ok(record))
        write_number(source, kvl_record_number(record, "n_scored"), 0, "", text);
}

static void write_mean(struct kvl_report_source *source, const struct kvl_row *row, const struct column *column,
                       char *text)
{
    (void)column;
    struct kvl_score score = kvl_row_mean_score(&source->rows, row, &source->tasks);
    write_percent_with_error(source, score.mean, score.error, text);
}

static void write_mean_error(struct kvl_report_source *source, const struct kvl_row *row, const struct column *column,
                             char *text)
{
    (void)column;
    write_number(source, 100 * kvl_row_mean_score(&source->rows, row, &source->tasks).error, 1, "", text);
}

/* Samples of every task of the row; "8-12" where they differ. */
static void write_n(struct kvl_report_source *source, const struct kvl_row *row, const struct column *column, char *text)
{
    (void)column;
    double least = INFINITY, most = 0;
    for (int t = 0; t < source->tasks.n; t++) {
        const json_t *record = scored(source, row, t);
        double n = record != NULL && is_ok(record) ? kvl_record_number(record, "n_scored") : NAN;
        least = fmin(least, n);
        most = fmax(most, n);
    }
    if (most > 0)
        snprintf(text, CELL, least < most ? "%.0f-%.0f" : "%.0f", least, most);
}

static void write_time(struct kvl_report_source *source, const struct kvl_row *row, const struct column *column,
                       char *text)
{
    const json_t *record = kvl_row_measured(&source->rows, row, column->time->key);
    if (record != NULL && !is_ok(record))
        snprintf(text, CELL, "%s", kvl_record_text(record, "status"));
    else if (record != NULL)
        write_number(source, kvl_record_number(record, column->time->key) / 1e6, column->time->decimals, "", text);
}

static void write_ratio(struct kvl_report_source *source, const struct kvl_row *row, const struct column *column,
                        char *text)
{
    const char *key = column->time->key;
    const json_t *record = kvl_row_measured(&source->rows, row, key);
    const json_t *reference = record != NULL && is_ok(record) ? kvl_rows_reference(&source->rows, row, record, key) : NULL;
    double ratio = reference != NULL ? kvl_record_number(reference, key) / kvl_record_number(record, key) : NAN;
    if (!isfinite(ratio))
        return;
    bool crossed = !kvl_record_same(json_object_get(record, "run_id"), json_object_get(reference, "run_id"));
    source->crossed_runs |= crossed;
    source->has_ratios = true;
    write_number(source, ratio, 2, crossed ? "x*" : "x", text);
}

/* The record that says how large the cache is: the bench, where there is one that got so far, else an eval. */
static const json_t *kv_record(const struct kvl_report_source *source, const struct kvl_row *row)
{
    const int groups[] = {row->bench_group, row->eval_group};
    const json_t *record;
    for (int g = 0; g < 2; g++)
        for (int i = 0; (record = kvl_rows_next(&source->rows, groups[g], &i)) != NULL;)
            if (is_ok(record) && !isnan(kvl_record_number(record, "kv_bytes")))
                return record;
    return NULL;
}

static void write_kv_bytes(struct kvl_report_source *source, const struct kvl_row *row, const struct column *column,
                           char *text)
{
    (void)column;
    const json_t *record = kv_record(source, row);
    if (record != NULL)
        write_number(source, kvl_record_number(record, "kv_bytes") / 1e6, 2, "", text);
}

static void write_kv_share(struct kvl_report_source *source, const struct kvl_row *row, const struct column *column,
                           char *text)
{
    (void)column;
    const json_t *record = kv_record(source, row);
    double share = record != NULL ? kvl_record_number(record, "kv_bytes") / kvl_record_number(record, "kv_bytes_full") : NAN;
    if (isfinite(share))
        write_number(source, 100 * share, 1, "", text);
}

/* ---- which columns ---------------------------------------------------------------------------------------------------- */

/* Adds a column unless it would be empty in all rows. */
static void add(struct columns *columns, struct kvl_report_source *source, struct column column)
{
    for (int r = 0; r < source->rows.n && columns->n < MAX_COLUMNS; r++) {
        char text[CELL] = "";
        column.write(source, &source->rows.rows[r], &column, text);
        if (text[0] != '\0') {
            columns->items[columns->n++] = column;
            return;
        }
    }
}

static void add_plain(struct columns *columns, struct kvl_report_source *source, const char *title,
                      void (*write)(struct kvl_report_source *, const struct kvl_row *, const struct column *, char *))
{
    struct column column = {.write = write};
    snprintf(column.title, sizeof column.title, "%s", title);
    add(columns, source, column);
}

static void add_knobs(struct columns *columns, struct kvl_report_source *source)
{
    const struct kvl_knob *knob;
    for (int i = 0; (knob = kvl_knob_at(i)) != NULL; i++) {
        struct column column = {.write = write_knob, .knob = knob};
        snprintf(column.title, sizeof column.title, "%s", knob->title);
        if (knob->always || kvl_rows_vary(&source->rows, knob))
            add(columns, source, column);
    }
}

int kvl_report_shared_prefix(const struct kvl_report_source *source)
{
    if (is_csv(source) || source->tasks.n == 0)
        return 0;
    const char *first = source->tasks.items[0].name, *slash = strrchr(first, '/');
    int n = slash != NULL ? (int)(slash - first) + 1 : 0;
    for (int t = 1; t < source->tasks.n; t++)
        if (strncmp(source->tasks.items[t].name, first, (size_t)n) != 0)
            return 0;
    return n;
}

static void add_task(struct columns *columns, struct kvl_report_source *source, int t)
{
    const struct kvl_scored_task *task = &source->tasks.items[t];
    struct column column = {.write = write_score, .task = t};
    char version[32] = "";
    if (kvl_scored_task_is_twofold(&source->tasks, t))
        snprintf(version, sizeof version, " v%.0f", task->version);
    const char *name = task->name + kvl_report_shared_prefix(source);
    snprintf(column.title, sizeof column.title, "%.80s%s", name, version);
    add(columns, source, column);
    if (!is_csv(source))
        return;
    column.write = write_error;
    snprintf(column.title, sizeof column.title, "%.80s%s error", name, version);
    add(columns, source, column);
    column.write = write_task_n;
    snprintf(column.title, sizeof column.title, "%.80s%s n", name, version);
    add(columns, source, column);
}

static void add_scores(struct columns *columns, struct kvl_report_source *source)
{
    for (int t = 0; t < source->tasks.n; t++)
        add_task(columns, source, t);
    if (source->tasks.n > 1)
        add_plain(columns, source, "mean", write_mean);
    if (source->tasks.n > 1 && is_csv(source))
        add_plain(columns, source, "mean error", write_mean_error);
}

static bool is_measured(const struct kvl_report_source *source, const struct kvl_report_time *time)
{
    for (int r = 0; r < source->rows.n; r++) {
        const json_t *record = kvl_row_measured(&source->rows, &source->rows.rows[r], time->key);
        if (record != NULL && is_ok(record))
            return true;
    }
    return false;
}

/* In text and markdown the ratio stands beside its time and needs no longer title. */
static void add_time(struct columns *columns, struct kvl_report_source *source, const struct kvl_report_time *time)
{
    struct column column = {.write = write_time, .time = time};
    snprintf(column.title, sizeof column.title, "%s", time->title);
    add(columns, source, column);
    column.write = write_ratio;
    if (is_csv(source))
        snprintf(column.title, sizeof column.title, "%s", time->ratio_title);
    else
        snprintf(column.title, sizeof column.title, "vs %s", kvl_method_at(0)->name);
    add(columns, source, column);
}

/* Where nothing was measured, the first column tells of the failures. */
static void add_times(struct columns *columns, struct kvl_report_source *source)
{
    int n_measured = 0;
    for (int i = 0; i < (int)N_TIMES; i++)
        if (is_measured(source, &times[i])) {
            add_time(columns, source, &times[i]);
            n_measured++;
        }
    if (n_measured == 0)
        add_time(columns, source, &times[0]);
}

static enum kvl_status fill_row(struct kvl_report_source *source, const struct columns *columns, const struct kvl_row *row,
                                struct kvl_table *table)
{
    KVL_TRY(kvl_table_add_row(table));
    for (int c = 0; c < columns->n; c++) {
        char text[CELL] = "";
        columns->items[c].write(source, row, &columns->items[c], text);
        if (text[0] != '\0' || !is_csv(source))
            KVL_TRY(kvl_table_set(table, c, "%s", text[0] != '\0' ? text : "-"));
    }
    return KVL_OK;
}

static enum kvl_status fill(struct kvl_report_source *source, struct columns *columns, struct kvl_table *table)
{
    add_knobs(columns, source);
    add_scores(columns, source);
    add_times(columns, source);
    add_plain(columns, source, "KV MB", write_kv_bytes);
    add_plain(columns, source, "KV %", write_kv_share);
    if (!is_csv(source))
        add_plain(columns, source, "n", write_n);
    KVL_TRY(kvl_table_init(table, columns->n));
    KVL_TRY(kvl_table_add_row(table));
    for (int c = 0; c < columns->n; c++)
        KVL_TRY(kvl_table_set(table, c, "%s", columns->items[c].title));
    for (int r = 0; r < source->rows.n; r++)
        KVL_TRY(fill_row(source, columns, &source->rows.rows[r], table));
    return KVL_OK;
}

enum kvl_status kvl_report_fill(struct kvl_report_source *source, struct kvl_table *table)
{
    struct columns *columns = calloc(1, sizeof *columns);
    if (columns == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for the columns of a report");
    enum kvl_status status = fill(source, columns, table);
    free(columns);
    if (status != KVL_OK)
        kvl_table_free(table);
    return status;
}
