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

/* Which signs mark the best, in the words of each format. */
static void print_mark_note(FILE *notes, const struct kvl_report_source *source)
{
    bool is_text = source->format == KVL_TABLE_TEXT;
    if (source->has_marks)
        fprintf(notes, "%s: best, %s: second best of those with the same KV rate or budget; %s does not compete.\n",
                is_text ? KVL_SIGN_BEST : "Bold", is_text ? KVL_SIGN_SECOND : "underlined", kvl_method_at(0)->name);
}

/* Tasks that a protocol runs without the template of the others. */
static void print_template_note(FILE *notes, const struct kvl_report_source *source)
{
    const struct kvl_scored_tasks *tasks = &source->tasks;
    const struct kvl_rows *rows = &source->rows;
    const char *before = "Without a template: ";
    for (int t = 0; t < tasks->n; t++)
        for (int i = 0; i < rows->set->n; i++) {
            const struct kvl_row_group *group = rows->group[i] >= 0 ? &rows->groups[rows->group[i]] : NULL;
            const char *name = kvl_record_text(rows->set->records[i], "task");
            if (group == NULL || name == NULL || strcmp(name, tasks->items[t].name) != 0
                || kvl_record_text(rows->set->records[i], "template") != NULL || kvl_record_text(group->first, "template") == NULL)
                continue;
            fprintf(notes, "%s%s", before, name);
            before = ", ";
            break;
        }
    fputs(before[0] == ',' ? ".\n" : "", notes);
}

/* `truncated` counts prompts, or says that there are any. */
static double n_cut(const json_t *record)
{
    const json_t *cut = json_object_get(record, "truncated");
    return json_is_number(cut) ? json_number_value(cut) : json_is_true(cut) ? NAN : 0;
}

static void print_cut_note(FILE *notes, const struct kvl_report_source *source)
{
    const struct kvl_method *method;
    const struct kvl_rows *rows = &source->rows;
    const char *before = "Prompts cut in the middle: ";
    for (int m = 0; (method = kvl_method_at(m)) != NULL; m++) {
        double n = 0;
        bool any = false;
        for (int i = 0; i < rows->set->n; i++)
            if (rows->group[i] >= 0 && strcmp(kvl_record_text(rows->set->records[i], "method"), method->name) == 0) {
                double here = n_cut(rows->set->records[i]);
                any |= here != 0;
                n += here;
            }
        if (any)
            fprintf(notes, isnan(n) ? "%s%s" : "%s%s %.0f", before, method->name, n);
        before = any ? ", " : before;
    }
    fputs(before[0] == ',' ? ".\n" : "", notes);
}

static bool has_scores(const struct kvl_scored_tasks *tasks)
{
    for (int t = 0; t < tasks->n; t++)
        if (!tasks->items[t].is_fidelity)
            return true;
    return false;
}

static void print_score_note(FILE *notes, const struct kvl_report_source *source)
{
    static const char *const keys[] = {"protocol", "query_aware", "template", "seed", NULL};
    const char *reference = kvl_method_at(0)->name;
    if (source->tasks.n == 0)
        return;
    fputs(has_scores(&source->tasks) ? "Scores: ± standard error of the mean, n samples per task" : "n samples per task", notes);
    print_common(notes, &source->rows, KVL_KNOB_EVAL, keys);
    fputs(".\n", notes);
    print_template_note(notes, source);
    print_cut_note(notes, source);
    print_mark_note(notes, source);
    if (source->has_differences)
        fprintf(notes, "Differences: to %s on the same samples, in percentage points, with Student's 95 %% interval of the pairs; "
                       "none where every sample differs by the same.\n", reference);
    if (source->has_fidelity)
        fprintf(notes, "Fidelity: mean KL divergence from %s, difference in negative log-likelihood (nats a token), equal top-1 "
                       "predictions in percent, ± standard error of the mean.\n", reference);
    if (source->has_shares)
        fprintf(notes, "prefill %%: tokens times layers against %s; KV %%: bytes in the cache behind the prefill against %s.\n",
                reference, reference);
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
    if (source->has_ideals)
        fputs("; ideal: the same of the bounds, the prefill's operations and the bytes of a decode step", notes);
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
    if (!isnan(kvl_record_number(record, "context")))
        fprintf(notes, ", context %g", kvl_record_number(record, "context"));
    fprintf(notes, ", %s: %s\n", task != NULL ? task : kvl_record_text(record, "kind"),
            reason != NULL ? reason : "no reason given");
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
        if (row == NULL || kvl_record_is_ok(record) || !is_used(source, row, record))
            continue;
        if (++n <= MAX_REASONS)
            print_reason(notes, record);
    }
    if (n > MAX_REASONS)
        fprintf(notes, "... and %d more without a result.\n", n - MAX_REASONS);
}

char *kvl_report_notes(const struct kvl_report_source *source, const char *beside)
{
    char *text = NULL;
    size_t n;
    FILE *notes = open_memstream(&text, &n);
    if (notes == NULL)
        return NULL;
    if (!kvl_report_is_csv(source)) {
        print_score_note(notes, source);
        print_time_note(notes, source);
        print_reasons(notes, source);
    }
    fputs(beside != NULL ? beside : "", notes);
    if (fclose(notes) == 0)
        return text;
    free(text);
    return NULL;
}
