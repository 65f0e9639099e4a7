#include "harness/report_notes.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "methods/method.h"

enum { MAX_REASONS = 10 };

/* "; protocol plain, seed 1": the knobs of one kind that all rows share. */
static void print_common(FILE *notes, const struct kvl_rows *rows, int scope, const char *const *keys)
{
    const char *before = "; ";
    for (; *keys != NULL; keys++) {
        const struct kvl_knob *knob = kvl_knob_find(*keys);
        char text[64];
        kvl_knob_format(kvl_rows_common(rows, knob), text, sizeof text);
        if (text[0] == '\0' || knob->scope != scope || kvl_rows_vary(rows, knob))
            continue;
        fprintf(notes, "%s%s %s", before, knob->title, text);
        before = ", ";
    }
}

static void print_score_note(FILE *notes, const struct kvl_report_source *source)
{
    static const char *const keys[] = {"protocol", "query_aware", "template", "seed", NULL};
    int prefix = kvl_report_shared_prefix(source);
    if (source->tasks.n == 0)
        return;
    fprintf(notes, "Scores: percent ± standard error of the mean, n samples per task");
    if (prefix > 0)
        fprintf(notes, " of %.*s", prefix - 1, source->tasks.items[0].name);
    print_common(notes, &source->rows, KVL_KNOB_EVAL, keys);
    fputs(".\n", notes);
}

static bool has_bench(const struct kvl_rows *rows)
{
    for (int r = 0; r < rows->n; r++)
        if (rows->rows[r].bench != NULL)
            return true;
    return false;
}

static void print_time_note(FILE *notes, const struct kvl_report_source *source)
{
    static const char *const keys[] = {"new_tokens", NULL};
    const char *reference = kvl_method_at(0)->name;
    if (!has_bench(&source->rows))
        return;
    fputs("Times: medians", notes);
    if (source->has_ratios)
        fprintf(notes, "; vs %s: %s's time over this one's, same model, context and run parameters", reference, reference);
    print_common(notes, &source->rows, KVL_KNOB_BENCH, keys);
    fputs(".\n", notes);
    if (source->crossed_runs)
        fprintf(notes, "*: %s was measured in another run.\n", reference);
}

/* "oom: METHOD, context 4096, needle/x: reason" */
static void print_reason(FILE *notes, const json_t *record)
{
    const char *task = kvl_record_text(record, "task"), *reason = kvl_record_text(record, "reason");
    double rate = kvl_record_number(record, "kv_rate"), budget = kvl_record_number(record, "kv_budget");
    fprintf(notes, "%s: %s", kvl_record_text(record, "status"), kvl_record_text(record, "method"));
    if (!isnan(rate))
        fprintf(notes, ", KV rate %g", rate);
    if (!isnan(budget))
        fprintf(notes, ", KV budget %g", budget);
    fprintf(notes, ", context %g, %s: %s\n", kvl_record_number(record, "context"),
            task != NULL ? task : kvl_record_text(record, "kind"), reason != NULL ? reason : "no reason given");
}

static bool is_ok(const json_t *record)
{
    return strcmp(kvl_record_text(record, "status"), "ok") == 0;
}

/* Whether a cell of the row reads the record. */
static bool is_used(const struct kvl_report_source *source, const struct kvl_row *row, const json_t *record)
{
    for (int t = 0; t < source->tasks.n; t++)
        if (kvl_row_scored(&source->rows, row, &source->tasks.items[t]) == record)
            return true;
    const struct kvl_report_time *time;
    for (int i = 0; (time = kvl_report_time_at(i)) != NULL; i++)
        if (kvl_row_measured(&source->rows, row, time->key) == record)
            return true;
    return false;
}

/* The record's first row; every record of a group that is in a row is. */
static const struct kvl_row *row_of(const struct kvl_rows *rows, int place)
{
    for (int r = 0; r < rows->n && rows->group[place] >= 0; r++)
        if (rows->rows[r].eval_group == rows->group[place] || rows->rows[r].bench_group == rows->group[place])
            return &rows->rows[r];
    return NULL;
}

int kvl_report_n_unused(const struct kvl_report_source *source)
{
    int n = 0;
    for (int i = 0; i < source->rows.set->n; i++) {
        const struct kvl_row *row = row_of(&source->rows, i);
        n += row != NULL && !is_used(source, row, source->rows.set->records[i]);
    }
    return n;
}

static void print_reasons(FILE *notes, const struct kvl_report_source *source)
{
    int n = 0;
    for (int i = 0; i < source->rows.set->n; i++) {
        const json_t *record = source->rows.set->records[i];
        const struct kvl_row *row = row_of(&source->rows, i);
        if (row == NULL || is_ok(record) || !is_used(source, row, record))
            continue;
        if (++n <= MAX_REASONS)
            print_reason(notes, record);
    }
    if (n > MAX_REASONS)
        fprintf(notes, "... and %d more without a result.\n", n - MAX_REASONS);
}

char *kvl_report_notes(const struct kvl_report_source *source)
{
    char *text = NULL;
    size_t n;
    FILE *notes = open_memstream(&text, &n);
    if (notes == NULL)
        return NULL;
    print_score_note(notes, source);
    print_time_note(notes, source);
    print_reasons(notes, source);
    if (fclose(notes) == 0)
        return text;
    free(text);
    return NULL;
}
