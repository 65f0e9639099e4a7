/* Refusing outputs before the work is done that they are for. */
#ifndef KVL_OUTPUT_CHECK_H
#define KVL_OUTPUT_CHECK_H

#include "kernels/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Whether a path names something that is there and is no regular file: a device, a pipe. */
bool kvl_is_special_file(const char *path);

/* KVL_E_ARG if `path` (given by `option`) is the file that `input` names. */
enum kvl_status kvl_output_check_other(const char *option, const char *path, const char *input);

/* KVL_E_IO if a file could not be put in its place; leaves nothing behind. Devices and pipes are not touched. */
enum kvl_status kvl_output_check_whole(const char *path);

/* KVL_E_IO if nothing can be added to the file; makes no file and changes none. */
enum kvl_status kvl_output_check_append(const char *path);

#ifdef __cplusplus
}
#endif
#endif
