/* Records as tests read them: lines of JSON, compared without what differs between two runs of the same thing. Include behind
 * cmocka.h. */
#ifndef KVLAB_TEST_RECORD_LINES_H
#define KVLAB_TEST_RECORD_LINES_H

#include <jansson.h>

/* The whole file with a NUL behind it, malloc'd; *n its bytes. Fails the test where it cannot be read. */
char *record_lines_text(const char *path, size_t *n);

/* JSON lines to an array; frees `text`. Fails the test at a line that is no JSON. */
json_t *record_lines_parse(char *text);
json_t *record_lines_load(const char *path);

/* The same records in any order, each once; times, run ids, argv and clock aside. */
void record_lines_check_same(const json_t *got, const json_t *expected, const char *what);

#endif
