/* kvlab report FILE..: tables from records. */
#include <string.h>

#include "harness/command.h"
#include "harness/output_file.h"
#include "harness/published.h"
#include "harness/report.h"

static enum kvl_status print(const struct kvl_report *report, enum kvl_table_format format, const char *path)
{
    struct kvl_output_file file;
    KVL_TRY(kvl_output_file_open(&file, path));
    enum kvl_status status = kvl_report_print(report, format, file.stream);
    if (status == KVL_OK)
        return kvl_output_file_commit(&file);
    kvl_output_file_discard(&file);
    return kvl_fail_prefix(status, "%s", path != NULL ? path : "standard output");
}

/* CSV has no place for what is to be said of published numbers. */
static void note_published(const struct kvl_report *report)
{
    for (const char *note = report->notes; *note != '\0';) {
        int n = (int)strcspn(note, "\n");
        fprintf(stderr, "kvlab: note: %.*s\n", n, note);
        note += n + (note[n] == '\n');
    }
}

static enum kvl_status run(const struct kvl_options *options)
{
    enum kvl_table_format format = KVL_TABLE_TEXT;
    if (options->format != NULL)
        KVL_TRY(kvl_table_format_find(options->format, &format));
    if (options->published != NULL)
        KVL_TRY(kvl_published_check(options->published));
    struct kvl_record_set set;
    KVL_TRY(kvl_record_set_load(&set, options->positional.items, options->positional.n, stderr));
    struct kvl_report report;
    enum kvl_status status = kvl_report_init(&report, &set, format, options->published);
    kvl_record_set_free(&set);
    if (status != KVL_OK)
        return status;
    if (report.n_unused > 0)
        fprintf(stderr, "kvlab: note: %d record%s not shown: newer ones of the same configuration are there\n",
                report.n_unused, report.n_unused > 1 ? "s are" : " is");
    if (format == KVL_TABLE_CSV)
        note_published(&report);
    status = print(&report, format, options->output);
    kvl_report_free(&report);
    return status;
}

const struct kvl_command kvl_command_report = {
    .name = "report",
    .arguments = "FILE..",
    .help = "tables of methods from the records of eval and bench, published numbers beside them",
    .min_positional = 1,
    .max_positional = 1000,
    .keys = "oF\x85",
    .run = run,
};
