/* Python's `format.format(**record)`, as far as prompts use it: {name}, and {{ and }} for braces. */
#ifndef KVL_LONGBENCH_FORMAT_H
#define KVL_LONGBENCH_FORMAT_H

#include <jansson.h>

#include "datasets/text.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Appends the format with every {name} replaced by that field of the record, a string or a whole number, which is not looked
 * into again. *after: where the last {field} ended in `text`, or where the text began if there is none. KVL_E_FORMAT for a brace
 * without its partner, a field that the record has not, and what else Python's formats may hold ({}, {0}, {name!r}, {name:>8},
 * {name.x}, {name[0]}). */
enum kvl_status kvl_format(const char *format, const json_t *record, const char *field, struct kvl_text *text, int64_t *after);

#ifdef __cplusplus
}
#endif
#endif
