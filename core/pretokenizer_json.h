/* The steps of a tokenizer.json before the model, read into split patterns. Used by core/tokenizer_json.c. Sentences give the
 * path inside the file and the value, not the file. */
#ifndef KVL_PRETOKENIZER_JSON_H
#define KVL_PRETOKENIZER_JSON_H

#include <jansson.h>
#include <stdbool.h>

#include "kernels/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { KVL_MAX_SPLITS = 16 };

struct kvl_pretokenizer_json {
    char *split[KVL_MAX_SPLITS]; /* owned */
    int n_split;
    bool byte_level; /* the last step was ByteLevel */
    bool add_prefix_space;
};

/* Reads `pre_tokenizer`; what we do not do is KVL_E_UNSUPPORTED. */
enum kvl_status kvl_pretokenizer_json_read(struct kvl_pretokenizer_json *out, const json_t *value);
void kvl_pretokenizer_json_free(struct kvl_pretokenizer_json *pre);

/* KVL_E_UNSUPPORTED: "PATH is VALUE: WHY"; `value` NULL is a missing one. */
enum kvl_status kvl_json_unsupported(const char *path, const json_t *value, const char *why);

/* Text of a member, NULL if it is missing or not a string. */
const char *kvl_json_member(const json_t *object, const char *key);

#ifdef __cplusplus
}
#endif
#endif
