#define _GNU_SOURCE /* asprintf */
#include "harness/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/report_kernels.h"
#include "harness/report_notes.h"
#include "harness/report_published.h"
#include "harness/report_tables.h"
#include "harness/table_latex.h"

/* Published numbers in CSV are a table of their own: two would not be one CSV file. */
static enum kvl_status fill(struct kvl_report *report, struct kvl_report_source *source, const char *published, char **beside)
{
    if (published == NULL || !kvl_report_is_csv(source))
        KVL_TRY(kvl_report_fill(source, report));
    return published != NULL ? kvl_report_add_published(report, source, published, beside) : KVL_OK;
}

/* One text behind the other; frees both. NULL where either is or there is no memory. */
static char *join(char *a, char *b)
{
    char *text = NULL;
    if (a == NULL || b == NULL || asprintf(&text, "%s%s", a, b) < 0)
        text = NULL;
    free(a);
    free(b);
    return text;
}

/* Methods first, then single operations; a report of these alone has their heading. */
static enum kvl_status build(struct kvl_report *report, struct kvl_report_source *source, const struct kvl_rows *kernels,
                             const char *published)
{
    char *beside = NULL;
    bool alone = source->rows.n == 0;
    enum kvl_status status;
    KVL_TRY_OUT(kvl_scored_tasks_init(&source->tasks, &source->rows));
    if (!alone)
        KVL_TRY_OUT(fill(report, source, published, &beside));
    KVL_TRY_OUT(kvl_report_add_kernels(report, kernels, source->format, alone));
    report->heading = kvl_report_heading(alone ? kernels : &source->rows, true);
    report->notes = join(kvl_report_notes(source, beside), kvl_report_kernel_notes(kernels, source->format, alone));
    report->n_unused = kvl_report_n_unused(source);
    if (report->heading == NULL || report->notes == NULL)
        status = kvl_fail(KVL_E_OOM, "no memory for a report");
out:
    free(beside);
    return status;
}

enum kvl_status kvl_report_init(struct kvl_report *report, const struct kvl_record_set *set, enum kvl_table_format format,
                                const char *published)
{
    *report = (struct kvl_report){0};
    struct kvl_report_source source = {.format = format};
    struct kvl_rows kernels = {0};
    enum kvl_status status;
    KVL_TRY_OUT(kvl_rows_init(&source.rows, set, KVL_KNOB_EVAL | KVL_KNOB_BENCH));
    KVL_TRY_OUT(kvl_rows_init(&kernels, set, KVL_KNOB_KERNEL));
    if (source.rows.n > 0 || (kernels.n > 0 && published == NULL))
        status = build(report, &source, &kernels, published);
    else
        status = kvl_fail(KVL_E_FORMAT, "no eval or bench record: nothing to report");
out:
    kvl_scored_tasks_free(&source.tasks);
    kvl_rows_free(&source.rows);
    kvl_rows_free(&kernels);
    if (status != KVL_OK)
        kvl_report_free(report);
    return status;
}

void kvl_report_free(struct kvl_report *report)
{
    for (int t = 0; t < report->n_tables; t++) {
        free(report->tables[t].title);
        kvl_table_free(&report->tables[t].table);
    }
    free(report->tables);
    free(report->heading);
    free(report->notes);
    *report = (struct kvl_report){0};
}

/* ---- printing --------------------------------------------------------------------------------------------------------- */

static enum kvl_status print_text(const struct kvl_report *report, FILE *stream)
{
    if (report->heading[0] != '\0')
        fprintf(stream, "%s\n\n", report->heading);
    for (int t = 0; t < report->n_tables; t++) {
        fprintf(stream, "%s\n\n", report->tables[t].title);
        KVL_TRY(kvl_table_print(&report->tables[t].table, KVL_TABLE_TEXT, stream));
        putc('\n', stream);
    }
    fputs(report->notes, stream);
    return KVL_OK;
}

/* Markdown joins lines that follow each other: each note becomes a paragraph. */
static enum kvl_status print_markdown(const struct kvl_report *report, FILE *stream)
{
    if (report->heading[0] != '\0')
        fprintf(stream, "%s\n\n", report->heading);
    for (int t = 0; t < report->n_tables; t++) {
        fprintf(stream, "**%s**\n\n", report->tables[t].title);
        KVL_TRY(kvl_table_print(&report->tables[t].table, KVL_TABLE_MARKDOWN, stream));
        putc('\n', stream);
    }
    for (const char *note = report->notes; *note != '\0';) {
        int n = (int)strcspn(note, "\n");
        fprintf(stream, "%s%.*s\n", note != report->notes ? "\n" : "", n, note);
        note += n + (note[n] == '\n');
    }
    return KVL_OK;
}

static enum kvl_status print_csv(const struct kvl_report *report, FILE *stream)
{
    for (int t = 0; t < report->n_tables; t++)
        KVL_TRY(kvl_table_print(&report->tables[t].table, KVL_TABLE_CSV, stream));
    return KVL_OK;
}

/* To be read into a document with \input: a table environment each, the notes as a paragraph. */
static enum kvl_status print_latex(const struct kvl_report *report, FILE *stream)
{
    fputs("% needs \\usepackage{booktabs}\n", stream);
    for (int t = 0; t < report->n_tables; t++) {
        fputs("\\begin{table}\n\\centering\n\\caption{", stream);
        kvl_latex_escape(report->tables[t].title, stream);
        if (report->heading[0] != '\0') {
            fputs(". ", stream);
            kvl_latex_escape(report->heading, stream);
        }
        fputs(".}\n", stream);
        KVL_TRY(kvl_table_print(&report->tables[t].table, KVL_TABLE_LATEX, stream));
        fputs("\\end{table}\n\n", stream);
    }
    if (report->notes[0] == '\0')
        return KVL_OK;
    fputs("\\begin{flushleft}\\footnotesize\n", stream);
    for (const char *note = report->notes; *note != '\0';) {
        size_t n = strcspn(note, "\n");
        char *line = strndup(note, n);
        if (line == NULL)
            return kvl_fail(KVL_E_OOM, "no memory for the notes of a report");
        kvl_latex_escape(line, stream);
        fputs("\\\\\n", stream);
        free(line);
        note += n + (note[n] == '\n');
    }
    fputs("\\end{flushleft}\n", stream);
    return KVL_OK;
}

enum kvl_status kvl_report_print(const struct kvl_report *report, enum kvl_table_format format, FILE *stream)
{
    static enum kvl_status (*const prints[])(const struct kvl_report *report, FILE *stream) = {
        [KVL_TABLE_TEXT] = print_text, [KVL_TABLE_MARKDOWN] = print_markdown, [KVL_TABLE_CSV] = print_csv,
        [KVL_TABLE_LATEX] = print_latex,
    };
    KVL_TRY(prints[format](report, stream));
    if (fflush(stream) != 0 || ferror(stream))
        return kvl_fail(KVL_E_IO, "cannot write the report: %s", strerror(errno));
    return KVL_OK;
}
