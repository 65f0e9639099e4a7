#define _GNU_SOURCE /* asprintf */
#include "harness/report_published.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/published.h"

/* A method without a KV rate of its own (PyramidInfer) is found by the share of the cache that it keeps. */
static const double share_tolerance = 0.02;

/* The columns that name a configuration, and whose numbers a line has. */
enum label { MODEL, METHOD, PARAMS, SIZE, WHOSE, N_LABELS };

struct job {
    struct kvl_report *report;
    struct kvl_report_source *source;
    const struct kvl_published *published;
    const char *name;
    const struct kvl_lines *lines;
    struct kvl_table *table;
    enum label labels[N_LABELS]; /* [n_labels], those that are shown to people */
    int n_labels;
    int n_matched;               /* numbers that both have */
};

/* ---- our numbers ------------------------------------------------------------------------------------------------------ */

/* Measures of bench: a time in a unit, or the reference's time over this one's. */
static const struct measure {
    const char *name, *key;
    double scale;
    bool is_ratio;
} measures[] = {
    {"prefill_s", "prefill_median_ns", 1e-9, false},
    {"selection_s", "selection_median_ns", 1e-9, false},
    {"decode_ms_per_token", "decode_token_median_ns", 1e-6, false},
    {"prefill_speedup", "prefill_median_ns", 1, true},
    {"decode_speedup", "decode_token_median_ns", 1, true},
};

static double bench_number(const struct kvl_rows *rows, const struct kvl_row *row, const char *name)
{
    for (size_t i = 0; i < sizeof measures / sizeof *measures; i++) {
        const struct measure *measure = &measures[i];
        if (strcmp(measure->name, name) != 0)
            continue;
        const json_t *record = kvl_row_measured(rows, row, measure->key);
        double value = kvl_record_is_ok(record) ? measure->scale * kvl_record_number(record, measure->key) : NAN;
        if (!measure->is_ratio || isnan(value))
            return value;
        const json_t *reference = kvl_rows_reference(rows, row, record, measure->key);
        return reference != NULL ? kvl_record_number(reference, measure->key) / value : NAN;
    }
    return NAN;
}

static int find_family(const struct kvl_scored_tasks *tasks, const char *name)
{
    for (int f = 0; f < tasks->n_families; f++)
        if (tasks->families[f].n == (int)strlen(name) && strncmp(tasks->families[f].name, name, strlen(name)) == 0)
            return f;
    return -1;
}

static double eval_number(const struct job *job, const struct kvl_row *row, const char *measure)
{
    const struct kvl_scored_tasks *tasks = &job->source->tasks;
    int family = find_family(tasks, job->published->family);
    struct kvl_scored what = {.average = KVL_OVER_TASKS, .family = family};
    if (family < 0)
        return NAN;
    if (strcmp(measure, "category_mean") == 0) {
        what.average = KVL_OVER_CATEGORIES;
    } else if (strcmp(measure, "task_mean") != 0) {
        what.average = KVL_OF_TASK;
        for (what.task = 0; what.task < tasks->n; what.task++)
            if (tasks->items[what.task].family == family && strcmp(tasks->items[what.task].title, measure) == 0)
                break;
        if (what.task == tasks->n)
            return NAN;
    }
    return 100 * kvl_row_score(&job->source->rows, row, tasks, &what).mean;
}

/* At the column's context; without one, the mean over those that have a number. */
static double our_number(const struct job *job, const struct kvl_line *line, const struct kvl_published_column *column)
{
    double sum = 0;
    int n = 0;
    for (int c = 0; c < job->lines->n_contexts; c++) {
        const struct kvl_row *row = line->rows[c];
        if (row == NULL || (!isnan(column->context) && column->context != job->lines->contexts[c]))
            continue;
        double value = job->published->is_bench ? bench_number(&job->source->rows, row, column->measure)
                                                : eval_number(job, row, column->measure);
        sum += isnan(value) ? 0 : value;
        n += !isnan(value);
    }
    return n > 0 ? sum / n : NAN;
}

/* ---- what matches ----------------------------------------------------------------------------------------------------- */

static const json_t *record_of(const struct job *job, const struct kvl_line *line)
{
    return job->published->is_bench ? line->first->bench : line->first->eval;
}

static bool same_params(const json_t *published, const json_t *ours)
{
    const char *name;
    const json_t *value;
    json_object_foreach ((json_t *)published, name, value)
        if (!kvl_record_same(value, json_object_get(ours, name)))
            return false;
    return true;
}

static bool same_size(const struct kvl_published_row *row, const json_t *record)
{
    double rate = kvl_record_number(record, "kv_rate"), budget = kvl_record_number(record, "kv_budget");
    double share = kvl_record_number(record, "kv_bytes") / kvl_record_number(record, "kv_bytes_full");
    if (!row->says_rate)
        return true;
    if (!isnan(row->kv_budget) || !isnan(budget))
        return row->kv_budget == budget;
    if (isnan(row->kv_rate))
        return isnan(rate);
    return isnan(rate) ? fabs(share - row->kv_rate) <= share_tolerance : fabs(rate - row->kv_rate) < 1e-9;
}

static bool matches(const struct job *job, const struct kvl_published_row *row, const struct kvl_line *line)
{
    const json_t *record = record_of(job, line);
    const char *how;
    return strcmp(kvl_record_text(record, "method"), row->method) == 0 && same_size(row, record)
           && same_params(row->params, json_object_get(record, "params")) && kvl_published_is_model(row->model, record, &how);
}

/* Whether any of our lines is of the published model; the first says how. */
static const struct kvl_line *line_of_model(const struct job *job, const char *model, const char **how)
{
    for (int l = 0; l < job->lines->n; l++)
        if (kvl_published_is_model(model, record_of(job, &job->lines->items[l]), how))
            return &job->lines->items[l];
    return NULL;
}

/* Whether an earlier row is of the same model. */
static bool is_repeated(const struct kvl_published *published, int r)
{
    for (int other = 0; other < r; other++)
        if (strcmp(published->rows[other].model, published->rows[r].model) == 0)
            return true;
    return false;
}

/* ---- text ------------------------------------------------------------------------------------------------------------- */

/* What tells our line apart from others that match the same row: "profile paper, protocol plain". */
static void describe_line(const struct job *job, const struct kvl_published_row *row, const struct kvl_line *line, char *text,
                          size_t size)
{
    const struct kvl_knob *knob;
    size_t n = 0;
    text[0] = '\0';
    for (int i = 0; (knob = kvl_knob_at(i)) != NULL && n < size; i++) {
        bool is_size = strcmp(knob->key, "kv_rate") == 0 || strcmp(knob->key, "kv_budget") == 0;
        char value[KVL_CELL];
        if ((knob->scope & job->lines->scopes) == 0 || strcmp(knob->key, "method") == 0 || (is_size && row->says_rate)
            || !kvl_rows_vary(&job->source->rows, knob))
            continue;
        kvl_rows_format(&job->source->rows, line->first, knob, value, sizeof value);
        if (value[0] != '\0')
            n += (size_t)snprintf(text + n, size - n, "%s%s %s", n > 0 ? ", " : "", knob->title, value);
    }
}

static void describe_params(const struct kvl_published_row *row, char *text, size_t size)
{
    const char *name;
    json_t *value;
    size_t n = 0;
    text[0] = '\0';
    json_object_foreach (row->params, name, value) {
        char word[64];
        kvl_knob_format(value, word, sizeof word);
        n += n < size ? (size_t)snprintf(text + n, size - n, "%s%s=%s", n > 0 ? " " : "", name, word) : 0;
    }
}

static void describe_size(const struct kvl_published_row *row, char *text, size_t size)
{
    text[0] = '\0';
    if (!isnan(row->kv_rate))
        snprintf(text, size, "%g", row->kv_rate);
    else if (!isnan(row->kv_budget))
        snprintf(text, size, "%g entries", row->kv_budget);
}

/* ---- for people: three lines of numbers for each configuration -------------------------------------------------------- */

enum kind { PUBLISHED, OURS, DIFFERENCE };

/* Columns that would be the same in all lines are left out: *n of them stay, in order. */
static void pick_labels(const struct job *job, enum label *labels, int *n)
{
    const char *how;
    int n_models = 0;
    bool has_params = false;
    for (int r = 0; r < job->published->n_rows; r++) {
        const struct kvl_published_row *row = &job->published->rows[r];
        bool shown = line_of_model(job, row->model, &how) != NULL;
        n_models += shown && !is_repeated(job->published, r);
        has_params |= shown && row->params != NULL;
    }
    *n = 0;
    for (enum label label = MODEL; label < N_LABELS; label++)
        if ((label != MODEL || n_models > 1) && (label != PARAMS || has_params))
            labels[(*n)++] = label;
}

static enum kvl_status set_labels(const struct job *job, const struct kvl_published_row *row, enum kind kind, const char *whose)
{
    char params[KVL_CELL], size[KVL_CELL];
    describe_params(row, params, sizeof params);
    describe_size(row, size, sizeof size);
    const char *const texts[N_LABELS] = {row->model, row->method, params, size, whose};
    for (int c = 0; c < job->n_labels; c++) {
        const char *text = texts[job->labels[c]];
        if (kind == PUBLISHED || job->labels[c] == WHOSE)
            KVL_TRY(kvl_table_set(job->table, c, "%s", text[0] != '\0' ? text : "-"));
    }
    return KVL_OK;
}

static enum kvl_status add_numbers(struct job *job, const struct kvl_published_row *row, const struct kvl_line *line,
                                   enum kind kind, const char *whose)
{
    KVL_TRY(kvl_table_add_row(job->table));
    KVL_TRY(set_labels(job, row, kind, whose));
    for (int c = 0; c < job->published->n_columns; c++) {
        double ours = line != NULL ? our_number(job, line, &job->published->columns[c]) : NAN, theirs = row->values[c];
        double value = kind == PUBLISHED ? theirs : kind == OURS ? ours : ours - theirs;
        job->n_matched += kind == DIFFERENCE && !isnan(value);
        if (isnan(value))
            KVL_TRY(kvl_table_set(job->table, job->n_labels + c, "-"));
        else
            KVL_TRY(kvl_table_set(job->table, job->n_labels + c, kind == DIFFERENCE ? "%+.2f" : "%.2f",
                                  fabs(value) < 0.005 ? 0 : value)); /* no minus before what rounds to 0.00 */
    }
    return KVL_OK;
}

static enum kvl_status add_configuration(struct job *job, const struct kvl_published_row *row)
{
    int n = 0;
    KVL_TRY(add_numbers(job, row, NULL, PUBLISHED, "published"));
    if (job->table->n_rows > job->table->n_heads + 1)
        kvl_table_begin_part(job->table);
    for (int l = 0; l < job->lines->n; l++) {
        const struct kvl_line *line = &job->lines->items[l];
        char what[KVL_CELL], whose[KVL_CELL + 8];
        if (!matches(job, row, line))
            continue;
        describe_line(job, row, line, what, sizeof what);
        snprintf(whose, sizeof whose, what[0] != '\0' ? "ours, %s" : "ours", what);
        KVL_TRY(add_numbers(job, row, line, OURS, whose));
        KVL_TRY(add_numbers(job, row, line, DIFFERENCE, "difference"));
        n++;
    }
    return n > 0 ? KVL_OK : add_numbers(job, row, NULL, OURS, "ours");
}

/* Measures, or these above their contexts. */
static enum kvl_status add_heads(const struct job *job)
{
    static const char *const titles[N_LABELS] = {"model", "method", "parameters", "KV rate", "numbers"};
    bool has_contexts = false;
    for (int c = 0; c < job->published->n_columns; c++)
        has_contexts |= !isnan(job->published->columns[c].context);
    job->table->n_heads = has_contexts ? 2 : 1;
    for (int row = 0; row < job->table->n_heads; row++) {
        bool is_last = row == job->table->n_heads - 1;
        KVL_TRY(kvl_table_add_row(job->table));
        for (int c = 0; c < job->n_labels && is_last; c++)
            KVL_TRY(kvl_table_set(job->table, c, "%s", titles[job->labels[c]]));
        for (int c = 0; c < job->published->n_columns; c++) {
            const struct kvl_published_column *column = &job->published->columns[c];
            char context[32] = "";
            if (!isnan(column->context))
                kvl_context_format(column->context, context, sizeof context);
            KVL_TRY(kvl_table_set(job->table, job->n_labels + c, "%s", has_contexts && is_last ? context : column->measure));
        }
    }
    return KVL_OK;
}

static enum kvl_status fill_for_people(struct job *job)
{
    const char *how;
    pick_labels(job, job->labels, &job->n_labels);
    KVL_TRY(kvl_table_init(job->table, job->n_labels + job->published->n_columns));
    KVL_TRY(add_heads(job));
    for (int r = 0; r < job->published->n_rows; r++)
        if (line_of_model(job, job->published->rows[r].model, &how) != NULL)
            KVL_TRY(add_configuration(job, &job->published->rows[r]));
    return KVL_OK;
}

/* ---- CSV: a line for each number -------------------------------------------------------------------------------------- */

static enum kvl_status set_number(struct kvl_table *table, int column, double value)
{
    return isnan(value) ? KVL_OK : kvl_table_set(table, column, "%.6g", value);
}

static enum kvl_status add_csv_lines(struct job *job, const struct kvl_published_row *row, const struct kvl_line *line)
{
    char params[KVL_CELL], configuration[KVL_CELL] = "";
    describe_params(row, params, sizeof params);
    if (line != NULL)
        describe_line(job, row, line, configuration, sizeof configuration);
    for (int c = 0; c < job->published->n_columns; c++) {
        const struct kvl_published_column *column = &job->published->columns[c];
        double theirs = row->values[c], ours = line != NULL ? our_number(job, line, column) : NAN;
        if (isnan(theirs))
            continue;
        KVL_TRY(kvl_table_add_row(job->table));
        const char *const texts[] = {row->model, row->method, params};
        for (int t = 0; t < 3; t++)
            KVL_TRY(kvl_table_set(job->table, t, "%s", texts[t]));
        KVL_TRY(set_number(job->table, 3, row->kv_rate));
        KVL_TRY(set_number(job->table, 4, row->kv_budget));
        KVL_TRY(set_number(job->table, 5, column->context));
        KVL_TRY(kvl_table_set(job->table, 6, "%s", column->measure));
        const double values[] = {theirs, ours, ours - theirs};
        for (int v = 0; v < 3; v++)
            KVL_TRY(set_number(job->table, 7 + v, values[v]));
        if (line != NULL)
            KVL_TRY(kvl_table_set(job->table, 10, "%s", kvl_record_text(record_of(job, line), "model")));
        KVL_TRY(kvl_table_set(job->table, 11, "%s", configuration));
        job->n_matched += !isnan(ours);
    }
    return KVL_OK;
}

static enum kvl_status fill_csv(struct job *job)
{
    static const char *const titles[] = {"model", "method", "parameters", "KV rate", "KV budget", "context", "measure",
                                         "published", "ours", "difference", "our model", "our configuration"};
    enum { N = sizeof titles / sizeof *titles };
    const char *how;
    KVL_TRY(kvl_table_init(job->table, N));
    KVL_TRY(kvl_table_add_row(job->table));
    for (int c = 0; c < N; c++)
        KVL_TRY(kvl_table_set(job->table, c, "%s", titles[c]));
    for (int r = 0; r < job->published->n_rows; r++) {
        const struct kvl_published_row *row = &job->published->rows[r];
        int n = 0;
        if (line_of_model(job, row->model, &how) == NULL)
            continue;
        for (int l = 0; l < job->lines->n; l++)
            if (matches(job, row, &job->lines->items[l])) {
                KVL_TRY(add_csv_lines(job, row, &job->lines->items[l]));
                n++;
            }
        if (n == 0)
            KVL_TRY(add_csv_lines(job, row, NULL));
    }
    return KVL_OK;
}

/* ---- notes ------------------------------------------------------------------------------------------------------------ */

static void print_models(const struct job *job, FILE *notes, bool shown)
{
    const char *how, *before = "";
    for (int r = 0; r < job->published->n_rows; r++) {
        const char *model = job->published->rows[r].model;
        const struct kvl_line *line = line_of_model(job, model, &how);
        if (is_repeated(job->published, r) || (line != NULL) != shown)
            continue;
        if (line != NULL)
            fprintf(notes, "Ours, %s, is matched with published %s %s.\n", kvl_record_text(record_of(job, line), "model"), model,
                    how);
        else
            fprintf(notes, "%s%s", before, model);
        before = ", ";
    }
}

static bool has_others(const struct job *job)
{
    const char *how;
    for (int r = 0; r < job->published->n_rows; r++)
        if (line_of_model(job, job->published->rows[r].model, &how) == NULL)
            return true;
    return false;
}

static void print_mismatch(const struct job *job, FILE *notes)
{
    const char *how;
    int n_models = 0;
    for (int r = 0; r < job->published->n_rows; r++)
        n_models += line_of_model(job, job->published->rows[r].model, &how) != NULL;
    fprintf(notes, "Published %s: nothing matches the records; ", job->name);
    if (job->lines->n == 0) {
        fprintf(notes, "there are none of %s.\n", job->published->is_bench ? "bench" : "eval");
    } else if (n_models == 0) {
        fputs("it is of ", notes);
        print_models(job, notes, false);
        fprintf(notes, ", they are of %s.\n", kvl_record_text(record_of(job, &job->lines->items[0]), "model"));
    } else {
        fputs("the model does, but no method at its KV rate with a number that both have.\n", notes);
    }
}

static bool is_mean(const char *measure)
{
    return strcmp(measure, "task_mean") == 0 || strcmp(measure, "category_mean") == 0;
}

static bool has_family_at(const struct kvl_scored_tasks *tasks, int family, double context)
{
    int place = kvl_scored_context(tasks, context);
    for (int t = 0; t < tasks->n && place >= 0; t++)
        if (tasks->items[t].family == family && tasks->occurs[t * tasks->n_contexts + place])
            return true;
    return false;
}

/* Published means are of all their tasks and contexts; ours of what was run, which is said. */
static void print_means(const struct job *job, FILE *notes)
{
    const struct kvl_scored_tasks *tasks = &job->source->tasks;
    bool has_mean = false, over_contexts = false;
    for (int c = 0; c < job->published->n_columns && !job->published->is_bench; c++)
        if (is_mean(job->published->columns[c].measure)) {
            has_mean = true;
            over_contexts |= isnan(job->published->columns[c].context);
        }
    if (!has_mean)
        return;
    int family = find_family(tasks, job->published->family), n_tasks = 0, n_contexts = 0;
    fprintf(notes, "Our means are of what was run of %s:", job->published->family);
    for (int t = 0; t < tasks->n; t++)
        if (tasks->items[t].family == family)
            fprintf(notes, "%s %s", n_tasks++ > 0 ? "," : "", tasks->items[t].title);
    fprintf(notes, " (%d task%s)", n_tasks, n_tasks == 1 ? "" : "s");
    for (int c = 0; c < job->lines->n_contexts && over_contexts; c++) {
        char context[32];
        if (isnan(job->lines->contexts[c]) || !has_family_at(tasks, family, job->lines->contexts[c]))
            continue;
        kvl_context_format(job->lines->contexts[c], context, sizeof context);
        fprintf(notes, "%s %s", n_contexts++ > 0 ? "," : "; at", context);
    }
    fputs(".\n", notes);
}

static char *print_notes(const struct job *job)
{
    char *text = NULL;
    size_t n;
    FILE *notes = open_memstream(&text, &n);
    if (notes == NULL)
        return NULL;
    if (job->n_matched == 0) {
        print_mismatch(job, notes);
    } else {
        fprintf(notes, "Published: %s. Difference: ours minus published.\n", job->published->source);
        print_models(job, notes, true);
        print_means(job, notes);
        if (has_others(job)) {
            fputs("Not shown, published for other models: ", notes);
            print_models(job, notes, false);
            fputs(".\n", notes);
        }
    }
    if (fclose(notes) == 0)
        return text;
    free(text);
    return NULL;
}

static enum kvl_status add_table(struct job *job, char **notes)
{
    char title[256];
    snprintf(title, sizeof title, "Published beside ours: %.200s", job->published->title);
    KVL_TRY(kvl_report_add_table(job->report, title, &job->table));
    KVL_TRY(kvl_report_is_csv(job->source) ? fill_csv(job) : fill_for_people(job));
    *notes = print_notes(job);
    if (*notes == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for the notes of a report");
    if (job->n_matched > 0 || kvl_report_is_csv(job->source))
        return KVL_OK;
    struct kvl_report_table *last = &job->report->tables[--job->report->n_tables];
    free(last->title);
    kvl_table_free(&last->table);
    return KVL_OK;
}

enum kvl_status kvl_report_add_published(struct kvl_report *report, struct kvl_report_source *source, const char *name,
                                         char **notes)
{
    struct kvl_published published;
    struct kvl_lines lines;
    KVL_TRY(kvl_published_load(&published, name));
    enum kvl_status status =
        kvl_lines_init(&lines, &source->rows, published.is_bench ? KVL_KNOB_BENCH : KVL_KNOB_EVAL);
    if (status == KVL_OK) {
        struct job job = {.report = report, .source = source, .published = &published, .name = name, .lines = &lines};
        status = add_table(&job, notes);
        kvl_lines_free(&lines);
    }
    kvl_published_free(&published);
    return status;
}
