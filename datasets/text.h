/* A growing text. {0} is a valid empty one. */
#ifndef KVL_TEXT_H
#define KVL_TEXT_H

#include <stdint.h>

#include "kernels/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kvl_text {
    char *data; /* n bytes and a NUL; NULL before the first byte */
    int64_t n, n_allocated;
};

/* Appends n bytes; `data` must not lie in the text itself. KVL_E_OOM leaves the text as it was. */
enum kvl_status kvl_text_append(struct kvl_text *text, const char *data, int64_t n);

/* Appends a NUL-terminated string. */
enum kvl_status kvl_text_add(struct kvl_text *text, const char *string);

/* Appends as printf writes. */
enum kvl_status kvl_text_format(struct kvl_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The text's bytes, which are the caller's to free() from now on; the text is {0} then. */
char *kvl_text_take(struct kvl_text *text);

void kvl_text_free(struct kvl_text *text); /* leaves {0} */

#ifdef __cplusplus
}
#endif
#endif
