#include "harness/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "harness/report_columns.h"
#include "harness/report_notes.h"

static enum kvl_status build(struct kvl_report *report, struct kvl_report_source *source)
{
    KVL_TRY(kvl_scored_tasks_init(&source->tasks, &source->rows));
    KVL_TRY(kvl_report_fill(source, &report->table));
    report->heading = kvl_report_heading(&source->rows, true);
    report->notes = kvl_report_notes(source);
    report->n_unused = kvl_report_n_unused(source);
    if (report->heading == NULL || report->notes == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for a report");
    return KVL_OK;
}

enum kvl_status kvl_report_init(struct kvl_report *report, const struct kvl_record_set *set, enum kvl_table_format format)
{
    *report = (struct kvl_report){0};
    struct kvl_report_source source = {.format = format};
    KVL_TRY(kvl_rows_init(&source.rows, set, KVL_KNOB_EVAL | KVL_KNOB_BENCH));
    enum kvl_status status = source.rows.n > 0 ? build(report, &source)
                                               : kvl_fail(KVL_E_FORMAT, "no eval or bench record: nothing to report");
    kvl_scored_tasks_free(&source.tasks);
    kvl_rows_free(&source.rows);
    if (status != KVL_OK)
        kvl_report_free(report);
    return status;
}

void kvl_report_free(struct kvl_report *report)
{
    free(report->heading);
    kvl_table_free(&report->table);
    free(report->notes);
    *report = (struct kvl_report){0};
}

/* Markdown joins lines that follow each other: each note becomes a paragraph. */
static void print_notes(const char *notes, enum kvl_table_format format, FILE *stream)
{
    while (*notes != '\0') {
        int n = (int)strcspn(notes, "\n");
        fprintf(stream, "%s%.*s\n", format == KVL_TABLE_MARKDOWN ? "\n" : "", n, notes);
        notes += n + (notes[n] == '\n');
    }
}

enum kvl_status kvl_report_print(const struct kvl_report *report, enum kvl_table_format format, FILE *stream)
{
    bool framed = format != KVL_TABLE_CSV;
    if (framed && report->heading[0] != '\0')
        fprintf(stream, "%s\n\n", report->heading);
    KVL_TRY(kvl_table_print(&report->table, format, stream));
    if (framed && report->notes[0] != '\0') {
        fputs(format == KVL_TABLE_TEXT ? "\n" : "", stream);
        print_notes(report->notes, format, stream);
    }
    if (fflush(stream) != 0 || ferror(stream))
        return kvl_fail(KVL_E_IO, "cannot write the report: %s", strerror(errno));
    return KVL_OK;
}
