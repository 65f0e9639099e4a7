/* Reading a text that a user names. */
#ifndef KVL_TEXT_INPUT_H
#define KVL_TEXT_INPUT_H

#include <stdint.h>

#include "kernels/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* `what` is "-" (standard input), "@FILE", or the text itself; *text is malloc'd and NUL-terminated, *n its bytes. Text that is
 * not valid UTF-8 is KVL_E_FORMAT (KVL_E_ARG where it is the text itself) with the offset of the first bad byte. */
enum kvl_status kvl_read_text(const char *what, char **text, int64_t *n);

#ifdef __cplusplus
}
#endif
#endif
