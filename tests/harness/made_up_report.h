/* Reports of made-up records, and their cells. */
#ifndef KVLAB_TEST_MADE_UP_REPORT_H
#define KVLAB_TEST_MADE_UP_REPORT_H

#include "harness/report.h"
#include "tests/harness/made_up.h"

/* An empty file of the test's own. */
static inline const char *new_file(const char *name)
{
    const char *path = made_up_path(name);
    made_up_write(path, "");
    return path;
}

/* Loads a file and prints its report, with published numbers where a name is given; malloc'd. Not inlined: gcc 12 takes what
 * open_memstream gave for a pointer to a local. */
__attribute__((noinline)) static char *published_report_of(const char *path, enum kvl_table_format format, const char *published)
{
    char *paths[] = {(char *)path}, *text = NULL;
    size_t n;
    struct kvl_record_set set;
    struct kvl_report report;
    FILE *stream = open_memstream(&text, &n);
    assert_ok(kvl_record_set_load(&set, paths, 1, NULL));
    assert_ok(kvl_report_init(&report, &set, format, published));
    kvl_record_set_free(&set);
    assert_ok(kvl_report_print(&report, format, stream));
    kvl_report_free(&report);
    fclose(stream);
    return text;
}

static inline char *report_of(const char *path, enum kvl_table_format format)
{
    return published_report_of(path, format, NULL);
}

static inline void assert_report(const char *path, enum kvl_table_format format, const char *expected)
{
    char *text = report_of(path, format);
    if (strcmp(text, expected) != 0) {
        fprintf(stderr, "the report is\n%s\nand not\n%s\n", text, expected);
        fail();
    }
    free(text);
}

static inline void assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("no \"%s\" in\n%s", part, text);
}

static inline void assert_lacks(const char *text, const char *part)
{
    if (strstr(text, part) != NULL)
        fail_msg("\"%s\" in\n%s", part, text);
}

/* Reads a cell as RFC 4180 has it; returns where the next one begins, behind the comma or the end of the line. */
static inline const char *csv_read(const char *csv, char *cell, size_t size, bool *is_last)
{
    size_t n = 0;
    bool quoted = *csv == '"';
    for (csv += quoted; *csv != '\0' && (quoted || (*csv != ',' && *csv != '\n')); csv++) {
        if (quoted && *csv == '"' && *++csv != '"')
            quoted = false;
        if (!quoted && (*csv == ',' || *csv == '\n'))
            break;
        if (n + 1 < size)
            cell[n++] = *csv;
    }
    cell[n] = '\0';
    *is_last = *csv != ',';
    return *csv != '\0' ? csv + 1 : csv;
}

/* One cell; false where the table has no such row or column. */
static inline bool csv_cell(const char *csv, int row, int column, char *cell, size_t size)
{
    for (int r = 0; *csv != '\0'; r++) {
        bool is_last = false;
        for (int c = 0; !is_last; c++) {
            csv = csv_read(csv, cell, size, &is_last);
            if (r == row && c == column)
                return true;
        }
    }
    return false;
}

/* Checks a cell by row (from 1) and title. */
static inline void assert_cell(const char *csv, int row, const char *title, const char *expected)
{
    char cell[256];
    int column = 0;
    while (csv_cell(csv, 0, column, cell, sizeof cell) && strcmp(cell, title) != 0)
        column++;
    if (strcmp(cell, title) != 0 || !csv_cell(csv, row, column, cell, sizeof cell))
        fail_msg("no row %d with a column '%s' in\n%s", row, title, csv);
    if (strcmp(cell, expected) != 0)
        fail_msg("row %d, %s is '%s' and not '%s' in\n%s", row, title, cell, expected, csv);
}

#endif
