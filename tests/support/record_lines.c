#include "tests/support/golden.h"
#include "tests/support/record_lines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *record_lines_text(const char *path, size_t *n)
{
    enum { MOST = 1 << 24 };
    FILE *file = fopen(path, "rb");
    char *text = malloc(MOST + 1);
    if (file == NULL || text == NULL)
        fail_msg("%s cannot be read", path);
    *n = fread(text, 1, MOST, file);
    text[*n] = '\0';
    fclose(file);
    return text;
}

json_t *record_lines_parse(char *text)
{
    json_t *lines = json_array();
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        json_t *value = json_loads(line, JSON_ALLOW_NUL, NULL);
        if (value == NULL)
            fail_msg("no JSON: %.200s", line);
        json_array_append_new(lines, value);
    }
    free(text);
    return lines;
}

json_t *record_lines_load(const char *path)
{
    size_t n;
    return record_lines_parse(record_lines_text(path, &n));
}

/* A record without what differs between two runs of the same thing. */
static json_t *without_times(const json_t *record)
{
    static const char *const moving[] = {"run_id", "time_utc", "argv", "clock_mhz", "kvlab_commit", "kvlab_dirty"};
    json_t *copy = json_deep_copy(record);
    for (size_t i = 0; i < sizeof moving / sizeof *moving; i++)
        json_object_del(copy, moving[i]);
    return copy;
}

/* The same records in any order, each once. */
void record_lines_check_same(const json_t *got, const json_t *expected, const char *what)
{
    if (json_array_size(got) != json_array_size(expected))
        fail_msg("%s: %zu lines, expected %zu", what, json_array_size(got), json_array_size(expected));
    for (size_t i = 0; i < json_array_size(expected); i++) {
        json_t *wanted = without_times(json_array_get(expected, i));
        int n = 0;
        for (size_t j = 0; j < json_array_size(got); j++) {
            json_t *other = without_times(json_array_get(got, j));
            n += json_equal(wanted, other);
            json_decref(other);
        }
        if (n != 1)
            fail_msg("%s: line %zu is there %d times", what, i, n);
        json_decref(wanted);
    }
}
