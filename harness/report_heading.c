/* The line above a table or below a figure's title: what all its numbers share. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/report.h"
#include "harness/report_rows.h"

enum { COMMIT = 10, MAX_COMMITS = 4 };

static void print_part(FILE *line, const char *before, const char *text, const char *after)
{
    fprintf(line, "%s%s%s%s", ftell(line) > 0 ? " · " : "", before, text, after);
}

/* "0123456789", with a plus where the sources were changed. */
static void format_commit(const json_t *record, char *text, size_t size)
{
    const char *commit = kvl_record_text(record, "kvlab_commit");
    snprintf(text, size, "%.*s%s", COMMIT, commit != NULL ? commit : "",
             json_is_true(json_object_get(record, "kvlab_dirty")) ? "+" : "");
}

/* The commits of the rows' records, newest first, each once. */
static void print_commits(FILE *line, const struct kvl_rows *rows)
{
    char seen[MAX_COMMITS][COMMIT + 2];
    int n = 0;
    for (int i = 0; i < rows->set->n && n < MAX_COMMITS; i++) {
        format_commit(rows->set->records[i], seen[n], sizeof seen[n]);
        bool is_new = rows->group[i] >= 0 && seen[n][0] != '\0';
        for (int s = 0; s < n && is_new; s++)
            is_new = strcmp(seen[s], seen[n]) != 0;
        if (!is_new)
            continue;
        print_part(line, n == 0 ? "kvlab " : "", seen[n], "");
        n++;
    }
    if (n == MAX_COMMITS)
        print_part(line, "", "...", "");
}

char *kvl_report_heading(const struct kvl_rows *rows, bool with_model)
{
    static const struct {
        const char *key, *after;
    } parts[] = {{"backend", ""}, {"dtype", ""}, {"gpu", ""}, {"cpu", ""}, {"threads", " threads"}};
    char *text = NULL, value[128];
    size_t n;
    FILE *line = open_memstream(&text, &n);
    if (line == NULL)
        return NULL;
    const json_t *model = kvl_rows_common(rows, kvl_knob_find("model"));
    if (with_model && model != NULL)
        print_part(line, "", json_string_value(model), "");
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        kvl_knob_format(kvl_rows_common(rows, kvl_knob_find(parts[i].key)), value, sizeof value);
        bool single = strcmp(value, "1") == 0;
        if (value[0] != '\0')
            print_part(line, "", value, single && parts[i].after[0] != '\0' ? " thread" : parts[i].after);
    }
    print_commits(line, rows);
    if (fclose(line) == 0)
        return text;
    free(text);
    return NULL;
}
