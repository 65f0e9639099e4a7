/* A data file of JSON objects, one a line, read record by record: files of long texts have tens of megabytes.
 *
 * The first call for a file reads all of it once and checks every record, so that a broken line shows before a model runs;
 * where the lines begin is remembered in this process until the file's size or time changes. Thread-safe. */
#ifndef KVL_JSON_LINES_H
#define KVL_JSON_LINES_H

#include "core/json_file.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kvl_json_lines {
    const char *path;
    /* What is asked of every record, beyond being an object without duplicate keys; its sentence names neither file nor
     * line. NULL: nothing. Whether a file has passed is remembered by (check, context). */
    enum kvl_status (*check)(const json_t *record, const void *context);
    const void *context;
};

/* Records in the file. KVL_E_FORMAT names file and line: not UTF-8, malformed JSON, an empty line among records, a record
 * that fails the check. Empty lines at the end are fine; a file without a record is not. */
enum kvl_status kvl_json_lines_count(const struct kvl_json_lines *file, int64_t *n);

/* Record `index` (0 is the first); json_decref it. KVL_E_ARG past the end. */
enum kvl_status kvl_json_lines_read(const struct kvl_json_lines *file, int64_t index, json_t **record);

/* Puts "FILE, line N: " of record `index` before the stored sentence; returns `status`. */
enum kvl_status kvl_json_lines_fail(const struct kvl_json_lines *file, int64_t index, enum kvl_status status);

/* The strings of a list, copied: *list [n], each and the list malloc'd. A missing list: KVL_E_FORMAT if it is `required`, else
 * NULL and 0. KVL_E_FORMAT where it is no list of strings. */
enum kvl_status kvl_json_lines_strings(const json_t *record, const char *key, bool required, char ***list, int *n);

#ifdef __cplusplus
}
#endif
#endif
