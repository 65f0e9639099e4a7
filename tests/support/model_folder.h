/* Temporary model files and folders for tests. */
#ifndef KVLAB_TEST_MODEL_FOLDER_H
#define KVLAB_TEST_MODEL_FOLDER_H

#include <stddef.h>

#include "tests/support/gguf_builder.h"

struct model_folder {
    char path[64];
};

/* Makes an empty folder below $TMPDIR or /tmp; aborts where it cannot. */
void model_folder_init(struct model_folder *folder);
/* Writes DIR/name (0 bytes: an empty file). */
void model_folder_write(const struct model_folder *folder, const char *name, const void *data, size_t n);
void model_folder_write_text(const struct model_folder *folder, const char *name, const char *text);
/* DIR/name in a static buffer. */
const char *model_folder_file(const struct model_folder *folder, const char *name);
void model_folder_remove(const struct model_folder *folder, const char *name);
/* Removes the folder and the files in it. */
void model_folder_free(struct model_folder *folder);

/* A safetensors file: length, header, n_data bytes of small float32 values. `claimed` is the header's length, or -1 for the
 * true one. */
struct bytes safetensors_write(const char *header, long long claimed, size_t n_data);

#endif
