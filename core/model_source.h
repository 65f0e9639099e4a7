/* What a model is loaded from: a GGUF file, a Hugging Face folder, or random:NAME, opened and checked, nothing copied. */
#ifndef KVL_MODEL_SOURCE_H
#define KVL_MODEL_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/file_map.h"
#include "core/gguf.h"
#include "core/shape.h"
#include "core/tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

enum kvl_source_kind { KVL_SOURCE_GGUF, KVL_SOURCE_FOLDER, KVL_SOURCE_RANDOM };

struct kvl_source_file {
    char *path; /* owned */
    struct kvl_file_map map;
};

struct kvl_model_source {
    enum kvl_source_kind kind;
    const char *path;  /* as the user gave it, borrowed */
    const char *preset; /* NAME of random:NAME, borrowed, else NULL */
    char name[128];
    int64_t n_files;
    struct kvl_source_file *files; /* [n_files]: the GGUF file, or config.json and the weight files by name */
    struct kvl_gguf gguf;          /* of a GGUF file; its tensors are moved to `tensors` */
    struct kvl_tensors tensors;    /* empty for random:NAME */
    struct kvl_shape shape;
};

/* Opens all that weights need: files, tensor table, shape. On failure the source is closed. */
enum kvl_status kvl_model_source_open(struct kvl_model_source *source, const char *path);
/* Opens what a tokenizer needs: no weights, no shape. KVL_E_ARG for random:NAME. */
enum kvl_status kvl_model_source_open_tokenizer(struct kvl_model_source *source, const char *path);
void kvl_model_source_close(struct kvl_model_source *source);

/* SHA-256 of the files in their order, or of "random:NAME:seed". */
void kvl_model_source_hash(const struct kvl_model_source *source, uint64_t seed, char hex[65]);

/* The tokenizer and the Jinja chat template (malloc'd; NULL: none). A GGUF file without tokenizer values gives *tokenizer =
 * NULL. `n_vocab`: rows of the embedding table, 0: unknown. (core/model_tokenizer.c) */
enum kvl_status kvl_model_source_tokenizer(const struct kvl_model_source *source, int64_t n_vocab,
                                           struct kvl_tokenizer **tokenizer, char **chat_jinja);

#ifdef __cplusplus
}
#endif
#endif
