/* A file that appears whole or not at all: written beside its place under another name, then renamed. */
#ifndef KVL_OUTPUT_FILE_H
#define KVL_OUTPUT_FILE_H

#include <stdio.h>

#include "kernels/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kvl_output_file {
    const char *path; /* borrowed; NULL: standard output */
    char *place;      /* where it goes: `path` with symbolic links followed */
    char *temporary;  /* where it is written; NULL: standard output, or a device or pipe, which is written to directly */
    FILE *stream;
};

/* Standard output if `path` is NULL. KVL_E_IO names the file. */
enum kvl_status kvl_output_file_open(struct kvl_output_file *file, const char *path);

/* Puts the file in its place and frees; on failure nothing of it is left behind. */
enum kvl_status kvl_output_file_commit(struct kvl_output_file *file);

/* Leaves nothing behind and frees. Harmless after a commit. */
void kvl_output_file_discard(struct kvl_output_file *file);

#ifdef __cplusplus
}
#endif
#endif
