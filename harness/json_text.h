/* JSON as one line of text. */
#ifndef KVL_JSON_TEXT_H
#define KVL_JSON_TEXT_H

#include <jansson.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Compact, keys in their order, every real in the shortest form that reads back the same (0.1, not 0.10000000000000001).
 * malloc'd, without a newline; NULL where there is no memory. */
char *kvl_json_line(const json_t *value);

/* A number, or null where x is NaN or infinite. */
json_t *kvl_json_real_or_null(double x);

#ifdef __cplusplus
}
#endif
#endif
