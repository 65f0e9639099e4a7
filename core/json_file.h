/* JSON read from bytes, with sentences for values that are not what they should be. null counts as missing. */
#ifndef KVL_JSON_FILE_H
#define KVL_JSON_FILE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "kernels/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Parses bytes that hold one JSON object; duplicate keys are refused. Sentences give line and column, not the file. */
enum kvl_status kvl_json_parse(const char *data, int64_t n, json_t **out);

/* Reads a file of at most `most` bytes; the sentence names it. */
enum kvl_status kvl_json_load(const char *path, int64_t most, json_t **out);

/* A value of an object: NULL if it is missing or null. */
json_t *kvl_json_get(const json_t *object, const char *key);

/* A whole number or a number: *out stays as it is where the key is missing; KVL_E_FORMAT if it is missing and `required`, or
 * something else. */
enum kvl_status kvl_json_integer(const json_t *object, const char *key, bool required, int64_t *out);
enum kvl_status kvl_json_real(const json_t *object, const char *key, bool required, double *out);
enum kvl_status kvl_json_bool(const json_t *object, const char *key, bool *out);
enum kvl_status kvl_json_string(const json_t *object, const char *key, bool required, const char **out);

#ifdef __cplusplus
}
#endif
#endif
