#include "harness/report_tables.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "methods/method.h"

enum {
    MAX_COLUMNS = 512,
    MAX_SCORES_ACROSS = 16, /* columns of scores in one table, else each context has its own */
    MAX_TIMES_ACROSS = 1,   /* contexts in one table of all times, else each time has its own */
};

/* A table that is being made. */
struct sheet {
    struct kvl_report_source *source;
    const struct kvl_lines *lines;
    struct kvl_column columns[MAX_COLUMNS];
    int n, n_knobs, n_judged; /* a line needs a value in a column from n_knobs up to n_judged */
    char (*texts)[KVL_CELL];  /* [lines->n * n], every cell, once the columns are known; "" for no value */
};

static const char *text_at(const struct sheet *sheet, int line, int column)
{
    return sheet->texts[line * sheet->n + column];
}

static enum kvl_status write_texts(struct sheet *sheet)
{
    free(sheet->texts);
    sheet->texts = calloc((size_t)sheet->lines->n * (size_t)sheet->n + 1, sizeof *sheet->texts);
    if (sheet->texts == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for the cells of a report");
    for (int l = 0; l < sheet->lines->n; l++)
        for (int c = 0; c < sheet->n; c++)
            sheet->columns[c].write(sheet->source, &sheet->lines->items[l], &sheet->columns[c],
                                    sheet->texts[l * sheet->n + c]);
    return KVL_OK;
}

/* ---- columns ---------------------------------------------------------------------------------------------------------- */

/* Adds a column unless it would be empty in all lines. */
static void add(struct sheet *sheet, const struct kvl_column *column, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void add(struct sheet *sheet, const struct kvl_column *column, const char *format, ...)
{
    for (int l = 0; l < sheet->lines->n && sheet->n < MAX_COLUMNS; l++) {
        char text[KVL_CELL] = "";
        column->write(sheet->source, &sheet->lines->items[l], column, text);
        if (text[0] == '\0')
            continue;
        struct kvl_column *added = &sheet->columns[sheet->n++];
        *added = *column;
        va_list args;
        va_start(args, format);
        vsnprintf(added->title, sizeof added->title, format, args);
        va_end(args);
        return;
    }
}

/* Those that tell the lines apart. */
static void add_knobs(struct sheet *sheet)
{
    const struct kvl_knob *knob;
    for (int i = 0; (knob = kvl_knob_at(i)) != NULL; i++) {
        struct kvl_column column = {.write = kvl_cell_knob, .knob = knob};
        if ((knob->scope & sheet->lines->scopes) != 0 && (knob->always || kvl_rows_vary(&sheet->source->rows, knob)))
            add(sheet, &column, "%s", knob->title);
    }
}

/* "1k"; "" where all have the same, or none has one. */
static void context_head(const struct kvl_lines *lines, int place, const char *category, char *head)
{
    head[0] = '\0';
    if (lines->n_contexts > 1 && isnan(lines->contexts[place]))
        snprintf(head, KVL_CELL, "own length");
    else if (lines->n_contexts > 1)
        kvl_context_format(lines->contexts[place], head, KVL_CELL);
    size_t n = strlen(head);
    if (category != NULL)
        snprintf(head + n, KVL_CELL - n, "%s%s", n > 0 ? ", " : "", category);
}

/* "multi_key", "multi_key v2"; in CSV the whole name. */
static void task_title(const struct kvl_report_source *source, int t, char *title)
{
    const struct kvl_scored_task *task = &source->tasks.items[t];
    int n = snprintf(title, KVL_CELL, "%.90s", kvl_report_is_csv(source) ? task->name : task->title);
    if (kvl_scored_task_is_twofold(&source->tasks, t))
        snprintf(title + n, (size_t)(KVL_CELL - n), " v%.0f", task->version);
}

static const char *second_metric(const struct kvl_report_source *source, int t)
{
    const struct kvl_rows *rows = &source->rows;
    for (int i = 0; i < rows->set->n; i++) {
        const char *task = kvl_record_text(rows->set->records[i], "task");
        const char *metric = kvl_record_text(rows->set->records[i], "second_metric");
        if (rows->group[i] >= 0 && task != NULL && metric != NULL && strcmp(task, source->tasks.items[t].name) == 0)
            return metric;
    }
    return NULL;
}

/* The score and what stands beside it in a table for people, or its numbers one by one in CSV. */
static void add_score(struct sheet *sheet, struct kvl_column column, const char *title)
{
    column.write = kvl_cell_score;
    column.rank = 1;
    add(sheet, &column, "%s", title);
    const char *second = column.scored.average == KVL_OF_TASK ? second_metric(sheet->source, column.scored.task) : NULL;
    column.write = kvl_cell_second;
    if (second != NULL)
        add(sheet, &column, "%s %s", title, second);
    column.rank = 0;
    if (!kvl_report_is_csv(sheet->source))
        return;
    column.write = kvl_cell_error;
    add(sheet, &column, "%s error", title);
    column.write = kvl_cell_samples;
    add(sheet, &column, "%s n", title);
    column.write = kvl_cell_difference_mean;
    add(sheet, &column, "%s difference", title);
    column.write = kvl_cell_difference_low;
    add(sheet, &column, "%s difference low", title);
    column.write = kvl_cell_difference_high;
    add(sheet, &column, "%s difference high", title);
}

static void add_difference(struct sheet *sheet, struct kvl_column column, const char *title)
{
    column.write = kvl_cell_difference;
    add(sheet, &column, "%s", title);
}

typedef void (*add_what)(struct sheet *sheet, struct kvl_column column, const char *title);

/* Tasks of a family that have a score at a context. */
static int n_scored(const struct kvl_report_source *source, int family, int context)
{
    int n = 0;
    for (int t = 0; t < source->tasks.n; t++)
        n += source->tasks.items[t].family == family && !source->tasks.items[t].is_fidelity
             && source->tasks.occurs[t * source->tasks.n_contexts + context];
    return n;
}

/* The most of all contexts. */
static int most_scored(const struct kvl_report_source *source, int family)
{
    int most = 0;
    for (int c = 0; c < source->tasks.n_contexts; c++) {
        int n = n_scored(source, family, c);
        most = n > most ? n : most;
    }
    return most;
}

static void add_tasks(struct sheet *sheet, int family, int place, add_what add_one)
{
    const struct kvl_scored_tasks *tasks = &sheet->source->tasks;
    char title[KVL_CELL];
    for (int t = 0; t < tasks->n; t++) {
        if (tasks->items[t].family != family || tasks->items[t].is_fidelity)
            continue;
        struct kvl_column column = {.place = place, .scored = {.average = KVL_OF_TASK, .task = t, .family = family}};
        if (!kvl_report_is_csv(sheet->source))
            context_head(sheet->lines, place, tasks->categories[tasks->items[t].category].name, column.head);
        task_title(sheet->source, t, title);
        add_one(sheet, column, title);
    }
}

/* Means: one over tasks; where they have categories, also of these and over these. `title`: "mean" or "needle mean". */
static void add_means(struct sheet *sheet, int family, int place, const char *title, add_what add_one)
{
    bool has_categories = sheet->source->tasks.families[family].has_categories;
    struct kvl_column column = {.place = place, .scored = {.average = KVL_OVER_TASKS, .family = family}};
    char text[KVL_CELL];
    if (most_scored(sheet->source, family) < 2)
        return;
    context_head(sheet->lines, place, NULL, column.head);
    snprintf(text, sizeof text, has_categories ? "%.80s of tasks" : "%.80s", title);
    add_one(sheet, column, text);
    column.scored.average = KVL_OVER_CATEGORIES;
    snprintf(text, sizeof text, "%.80s of categories", title);
    if (has_categories)
        add_one(sheet, column, text);
}

static void add_categories(struct sheet *sheet, int family, int place, add_what add_one)
{
    const struct kvl_scored_tasks *tasks = &sheet->source->tasks;
    for (int c = 0; c < tasks->n_categories; c++) {
        struct kvl_column column = {.place = place,
                                    .scored = {.average = KVL_OF_CATEGORY, .family = family, .category = c}};
        context_head(sheet->lines, place, NULL, column.head);
        if (tasks->categories[c].family == family)
            add_one(sheet, column, tasks->categories[c].name != NULL ? tasks->categories[c].name : "other");
    }
}

static void add_fidelity(struct sheet *sheet, int family, int place)
{
    const struct kvl_scored_tasks *tasks = &sheet->source->tasks;
    const struct kvl_report_number *number;
    bool is_csv = kvl_report_is_csv(sheet->source);
    char title[KVL_CELL], head[KVL_CELL];
    for (int t = 0; t < tasks->n; t++) {
        if (tasks->items[t].family != family || !tasks->items[t].is_fidelity)
            continue;
        task_title(sheet->source, t, title);
        context_head(sheet->lines, place, title, head);
        for (int i = 0; (number = kvl_report_number_at(i)) != NULL; i++) {
            struct kvl_column column = {.write = kvl_cell_fidelity, .place = place, .rank = number->rank, .number = number,
                                        .scored = {.average = KVL_OF_TASK, .task = t}};
            snprintf(column.head, sizeof column.head, "%s", is_csv ? "" : head);
            if (!is_csv) {
                add(sheet, &column, "%s", number->title);
                continue;
            }
            add(sheet, &column, "%s %s", title, number->csv_title);
            column.rank = 0;
            column.write = kvl_cell_fidelity_error;
            add(sheet, &column, "%s %s error", title, number->csv_title);
            column.write = kvl_cell_samples;
            if (kvl_report_number_at(i + 1) == NULL)
                add(sheet, &column, "%s n", title);
        }
    }
}

static void add_whole(struct sheet *sheet, kvl_cell_write write, int family, const char *title)
{
    struct kvl_column column = {.write = write, .place = sheet->lines->n_contexts, .scored = {.family = family}};
    add(sheet, &column, "%s", title);
}

/* Whether a record of these lines that holds the time has a number under `key`, too. */
static bool is_measured(const struct sheet *sheet, const struct kvl_report_time *time, const char *key)
{
    for (int l = 0; l < sheet->lines->n; l++)
        for (int c = 0; c < sheet->lines->n_contexts; c++) {
            const struct kvl_row *row = sheet->lines->items[l].rows[c];
            const json_t *record = row != NULL ? kvl_row_measured(&sheet->source->rows, row, time->key) : NULL;
            if (record != NULL && strcmp(kvl_record_text(record, "status"), "ok") == 0 && !isnan(kvl_record_number(record, key)))
                return true;
        }
    return false;
}

/* Beside its time a ratio needs no longer title. */
static void add_time(struct sheet *sheet, int place, const struct kvl_report_time *time)
{
    struct kvl_column column = {.write = kvl_cell_time, .place = place, .time = time};
    context_head(sheet->lines, place, NULL, column.head);
    add(sheet, &column, "%s", time->title);
    column.write = kvl_cell_ratio;
    if (kvl_report_is_csv(sheet->source))
        add(sheet, &column, "%s", time->ratio_title);
    else
        add(sheet, &column, "vs %s", kvl_method_at(0)->name);
    if (time->bound_key == NULL || !is_measured(sheet, time, time->bound_key))
        return;
    column.write = kvl_cell_ideal;
    add(sheet, &column, "%s", kvl_report_is_csv(sheet->source) ? time->ideal_title : "ideal");
}

/* Where nothing was measured, the first column tells of the failures. */
static void add_times(struct sheet *sheet, int place)
{
    const struct kvl_report_time *time;
    int n_measured = 0;
    for (int i = 0; (time = kvl_report_time_at(i)) != NULL; i++)
        if (is_measured(sheet, time, time->key)) {
            add_time(sheet, place, time);
            n_measured++;
        }
    if (n_measured == 0)
        add_time(sheet, place, kvl_report_time_at(0));
}

static void add_memory(struct sheet *sheet, int place)
{
    struct kvl_column column = {.write = kvl_cell_kv_bytes, .place = place};
    context_head(sheet->lines, place, NULL, column.head);
    add(sheet, &column, "KV MB");
    column.write = kvl_cell_peak_bytes;
    add(sheet, &column, "peak MB");
}

/* ---- best and second best --------------------------------------------------------------------------------------------- */

struct podium {
    double best, second;
    int n; /* different numbers */
};

/* The number as it is printed, so that what looks equal is equal; NaN for cells that are none. */
static double printed_number(const char *text)
{
    char *end;
    double value = strtod(text, &end);
    return end != text ? value : NAN;
}

static bool competes(const struct kvl_line *line, const struct kvl_line *with)
{
    return !kvl_row_is_reference(line->first) && strcmp(line->rivals, with->rivals) == 0;
}

static struct podium find_podium(const struct sheet *sheet, int column, const struct kvl_line *line)
{
    struct podium podium = {-INFINITY, -INFINITY, 0};
    for (int l = 0; l < sheet->lines->n; l++) {
        if (!competes(&sheet->lines->items[l], line))
            continue;
        double value = sheet->columns[column].rank * printed_number(text_at(sheet, l, column));
        if (isnan(value) || value == podium.best || value == podium.second)
            continue;
        podium.n++;
        if (value > podium.best) {
            podium.second = podium.best;
            podium.best = value;
        } else if (value > podium.second) {
            podium.second = value;
        }
    }
    return podium;
}

/* Where all competitors are equal, nothing stands out; and what is second is not last. */
static enum kvl_table_mark find_mark(struct sheet *sheet, int column, int l)
{
    const struct kvl_line *line = &sheet->lines->items[l];
    double value = sheet->columns[column].rank * printed_number(text_at(sheet, l, column));
    if (sheet->columns[column].rank == 0 || !competes(line, line) || isnan(value))
        return KVL_MARK_NONE;
    struct podium podium = find_podium(sheet, column, line);
    bool is_best = value == podium.best, is_second = value == podium.second && podium.n > 2;
    if (podium.n < 2 || (!is_best && !is_second))
        return KVL_MARK_NONE;
    sheet->source->has_marks = true;
    return is_best ? KVL_MARK_BEST : KVL_MARK_SECOND;
}

/* ---- tables ----------------------------------------------------------------------------------------------------------- */

enum kvl_status kvl_report_add_table(struct kvl_report *report, const char *title, struct kvl_table **out)
{
    struct kvl_report_table *tables = realloc(report->tables, (size_t)(report->n_tables + 1) * sizeof *tables);
    if (tables == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for %d tables", report->n_tables + 1);
    report->tables = tables;
    tables[report->n_tables] = (struct kvl_report_table){.title = strdup(title)};
    *out = &tables[report->n_tables++].table;
    return tables[report->n_tables - 1].title != NULL ? KVL_OK : kvl_fail(KVL_E_OOM, "no memory for a table's title");
}

static enum kvl_status fill_line(struct sheet *sheet, int line, struct kvl_table *table)
{
    KVL_TRY(kvl_table_add_row(table));
    for (int c = 0; c < sheet->n; c++) {
        const char *text = text_at(sheet, line, c);
        if (text[0] != '\0' || !kvl_report_is_csv(sheet->source))
            KVL_TRY(kvl_table_set(table, c, "%s", text[0] != '\0' ? text : "-"));
        if (!kvl_report_is_csv(sheet->source))
            kvl_table_mark(table, c, find_mark(sheet, c, line));
    }
    return KVL_OK;
}

static enum kvl_status fill_heads(const struct sheet *sheet, struct kvl_table *table)
{
    bool has_heads = false;
    for (int c = 0; c < sheet->n; c++)
        has_heads |= sheet->columns[c].head[0] != '\0';
    table->n_heads = has_heads ? 2 : 1;
    for (int row = 0; row < table->n_heads; row++) {
        KVL_TRY(kvl_table_add_row(table));
        for (int c = 0; c < sheet->n; c++)
            KVL_TRY(kvl_table_set(table, c, "%s", row < table->n_heads - 1 ? sheet->columns[c].head : sheet->columns[c].title));
    }
    return KVL_OK;
}

static bool has_cell(const struct sheet *sheet, int line)
{
    for (int c = sheet->n_knobs; c < sheet->n_judged; c++)
        if (text_at(sheet, line, c)[0] != '\0')
            return true;
    return false;
}

/* Lines without any value are left out, and so is a table of no columns. */
static enum kvl_status finish(struct sheet *sheet, struct kvl_report *report, const char *title)
{
    struct kvl_table *table;
    const struct kvl_line *before = NULL;
    if (sheet->n_judged == sheet->n_knobs)
        return KVL_OK;
    KVL_TRY(kvl_report_add_table(report, title, &table));
    KVL_TRY(kvl_table_init(table, sheet->n));
    KVL_TRY(fill_heads(sheet, table));
    KVL_TRY(write_texts(sheet));
    for (int l = 0; l < sheet->lines->n; l++) {
        const struct kvl_line *line = &sheet->lines->items[l];
        if (!has_cell(sheet, l))
            continue;
        KVL_TRY(fill_line(sheet, l, table));
        if (before != NULL && strcmp(before->rivals, line->rivals) != 0)
            kvl_table_begin_part(table);
        before = line;
    }
    return KVL_OK;
}

/* "Scores in percent: needle, 1k tokens": the context where there is one for all. */
static void table_title(const char *what, const struct kvl_scored_family *family, const struct kvl_lines *lines, char *title,
                        size_t size)
{
    char context[32] = "";
    if (lines->n_contexts == 1 && !isnan(lines->contexts[0]))
        kvl_context_format(lines->contexts[0], context, sizeof context);
    snprintf(title, size, "%s%s%.*s%s%s%s", what, family != NULL ? ": " : "", family != NULL ? family->n : 0,
             family != NULL ? family->name : "", context[0] != '\0' ? ", " : "", context, context[0] != '\0' ? " tokens" : "");
}

/* The lines of one place alone; `lines` borrows. */
static struct kvl_lines one_place(const struct kvl_lines *all, int place, struct kvl_line *items)
{
    struct kvl_lines lines = *all;
    lines.items = items;
    lines.n_contexts = 1;
    lines.contexts = &all->contexts[place];
    for (int l = 0; l < all->n; l++) {
        items[l] = all->items[l];
        items[l].rows = &all->items[l].rows[place];
    }
    return lines;
}

/* One table, and what its columns are about. */
struct job {
    struct sheet *sheet;
    struct kvl_report *report;
    const char *what;                   /* begins the title */
    int family;                         /* -1: none */
    const struct kvl_report_time *time; /* NULL: all */
};

static void score_columns(const struct job *job, int place)
{
    add_tasks(job->sheet, job->family, place, add_score);
    add_means(job->sheet, job->family, place, "mean", add_score);
}

static void mean_columns(const struct job *job, int place)
{
    add_means(job->sheet, job->family, place, "mean", add_score);
}

static void category_columns(const struct job *job, int place)
{
    add_categories(job->sheet, job->family, place, add_score);
    mean_columns(job, place);
}

static void fidelity_columns(const struct job *job, int place)
{
    add_fidelity(job->sheet, job->family, place);
}

static void difference_columns(const struct job *job, int place)
{
    add_tasks(job->sheet, job->family, place, add_difference);
    add_means(job->sheet, job->family, place, "mean", add_difference);
}

static void mean_difference_columns(const struct job *job, int place)
{
    add_means(job->sheet, job->family, place, "mean", add_difference);
}

static void memory_columns(const struct job *job, int place)
{
    add_memory(job->sheet, place);
}

static void time_columns(const struct job *job, int place)
{
    if (job->time != NULL) {
        add_time(job->sheet, place, job->time);
        return;
    }
    add_times(job->sheet, place);
    add_memory(job->sheet, place);
}

/* The knobs, what `add_columns` adds at each place, and for scores what is said of whole lines. */
static enum kvl_status make(const struct job *job, const struct kvl_lines *lines,
                            void (*add_columns)(const struct job *job, int place))
{
    struct sheet *sheet = job->sheet;
    char title[256];
    sheet->lines = lines;
    sheet->n = 0;
    add_knobs(sheet);
    sheet->n_knobs = sheet->n;
    for (int c = 0; c < lines->n_contexts; c++)
        add_columns(job, c);
    sheet->n_judged = sheet->n;
    if (add_columns == score_columns || add_columns == mean_columns || add_columns == fidelity_columns) {
        add_whole(sheet, kvl_cell_prefill_share, job->family, "prefill %");
        add_whole(sheet, kvl_cell_kv_share, job->family, "KV %");
        add_whole(sheet, kvl_cell_n, job->family, "n");
    }
    table_title(job->what, job->family >= 0 ? &sheet->source->tasks.families[job->family] : NULL, lines, title, sizeof title);
    return finish(sheet, job->report, title);
}

/* Keeps the contexts in which the family has a task. */
static void keep_contexts(const struct kvl_scored_tasks *tasks, int family, struct kvl_lines *lines)
{
    int n = 0;
    for (int c = 0; c < lines->n_contexts; c++) {
        int context = kvl_scored_context(tasks, lines->contexts[c]);
        bool has = false;
        for (int t = 0; t < tasks->n && context >= 0; t++)
            has |= tasks->items[t].family == family && tasks->occurs[t * tasks->n_contexts + context];
        if (!has)
            continue;
        lines->contexts[n] = lines->contexts[c];
        for (int l = 0; l < lines->n; l++)
            lines->items[l].rows[n] = lines->items[l].rows[c];
        n++;
    }
    lines->n_contexts = n;
}

/* Many contexts of many tasks: the means side by side, then each context by itself. */
static enum kvl_status make_by_context(struct job job, const struct kvl_lines *lines)
{
    struct kvl_line *items = calloc((size_t)lines->n + 1, sizeof *items);
    if (items == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for the lines of a report");
    job.what = "Mean scores in percent";
    enum kvl_status status = make(&job, lines, mean_columns);
    job.what = "Scores in percent";
    for (int c = 0; c < lines->n_contexts && status == KVL_OK; c++) {
        struct kvl_lines one = one_place(lines, c, items);
        status = make(&job, &one, score_columns);
    }
    free(items);
    job.what = "Mean differences in points";
    return status == KVL_OK ? make(&job, lines, mean_difference_columns) : status;
}

static enum kvl_status make_family(struct job job, const struct kvl_lines *lines)
{
    const struct kvl_scored_tasks *tasks = &job.sheet->source->tasks;
    int n_columns = most_scored(job.sheet->source, job.family) + 1;
    job.what = "Fidelity to full";
    KVL_TRY(make(&job, lines, fidelity_columns));
    if (lines->n_contexts > 1 && lines->n_contexts * n_columns > MAX_SCORES_ACROSS)
        return make_by_context(job, lines);
    job.what = "Scores in percent";
    KVL_TRY(make(&job, lines, score_columns));
    job.what = "Categories in percent";
    if (tasks->families[job.family].has_categories)
        KVL_TRY(make(&job, lines, category_columns));
    job.what = "Differences in points";
    return make(&job, lines, difference_columns);
}

static enum kvl_status make_scores(struct job job)
{
    const struct kvl_report_source *source = job.sheet->source;
    enum kvl_status status = KVL_OK;
    for (job.family = 0; job.family < source->tasks.n_families && status == KVL_OK; job.family++) {
        struct kvl_lines lines;
        KVL_TRY(kvl_lines_init(&lines, &source->rows, KVL_KNOB_EVAL));
        keep_contexts(&source->tasks, job.family, &lines);
        status = make_family(job, &lines);
        kvl_lines_free(&lines);
    }
    return status;
}

static enum kvl_status make_each_time(struct job job, const struct kvl_lines *lines)
{
    for (int i = 0; (job.time = kvl_report_time_at(i)) != NULL; i++) {
        char what[KVL_CELL];
        snprintf(what, sizeof what, "%c%s", job.time->title[0] - 'a' + 'A', job.time->title + 1);
        job.what = what;
        job.sheet->lines = lines;
        if (is_measured(job.sheet, job.time, job.time->key))
            KVL_TRY(make(&job, lines, time_columns));
    }
    job.what = "Memory";
    return make(&job, lines, memory_columns);
}

static enum kvl_status make_times(struct job job)
{
    struct kvl_lines lines;
    job.family = -1;
    job.what = "Times and memory";
    KVL_TRY(kvl_lines_init(&lines, &job.sheet->source->rows, KVL_KNOB_BENCH));
    enum kvl_status status =
        lines.n_contexts <= MAX_TIMES_ACROSS ? make(&job, &lines, time_columns) : make_each_time(job, &lines);
    kvl_lines_free(&lines);
    return status;
}

/* ---- CSV -------------------------------------------------------------------------------------------------------------- */

/* "mean" of the only family; "needle mean" of one of several. */
static void add_family(struct sheet *sheet, int family)
{
    const struct kvl_scored_family *item = &sheet->source->tasks.families[family];
    char title[KVL_CELL];
    bool single = sheet->source->tasks.n_families == 1;
    snprintf(title, sizeof title, "%.*s%smean", single ? 0 : item->n < 80 ? item->n : 80, item->name, single ? "" : " ");
    add_tasks(sheet, family, 0, add_score);
    if (item->has_categories)
        add_categories(sheet, family, 0, add_score);
    add_means(sheet, family, 0, title, add_score);
    add_fidelity(sheet, family, 0);
}

static void add_everything(struct sheet *sheet)
{
    add_knobs(sheet);
    for (int f = 0; f < sheet->source->tasks.n_families; f++)
        add_family(sheet, f);
    add_times(sheet, 0);
    add_memory(sheet, 0);
    add_whole(sheet, kvl_cell_kv_share, -1, "KV %");
    add_whole(sheet, kvl_cell_prefill_share, -1, "prefill %");
}

static enum kvl_status make_csv(struct sheet *sheet, struct kvl_report *report)
{
    struct kvl_lines lines;
    struct kvl_table *table;
    KVL_TRY(kvl_lines_init_flat(&lines, &sheet->source->rows));
    sheet->lines = &lines;
    add_everything(sheet);
    enum kvl_status status = kvl_report_add_table(report, "", &table);
    if (status == KVL_OK)
        status = kvl_table_init(table, sheet->n);
    if (status == KVL_OK)
        status = fill_heads(sheet, table);
    if (status == KVL_OK)
        status = write_texts(sheet);
    for (int l = 0; l < lines.n && status == KVL_OK; l++)
        status = fill_line(sheet, l, table);
    kvl_lines_free(&lines);
    return status;
}

enum kvl_status kvl_report_fill(struct kvl_report_source *source, struct kvl_report *report)
{
    struct sheet *sheet = calloc(1, sizeof *sheet);
    if (sheet == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for the columns of a report");
    sheet->source = source;
    const struct job job = {.sheet = sheet, .report = report};
    enum kvl_status status;
    if (kvl_report_is_csv(source)) {
        status = make_csv(sheet, report);
    } else {
        status = make_scores(job);
        if (status == KVL_OK)
            status = make_times(job);
    }
    free(sheet->texts);
    free(sheet);
    return status;
}
