/* The parts of a tokenizer.json as a tokenizer's specification. Used by core/tokenizer_json.c and core/tokenizer_dir.c. */
#ifndef KVL_TOKENIZER_JSON_H
#define KVL_TOKENIZER_JSON_H

#include <stddef.h>

#include "core/tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What files beside tokenizer.json say. {.eos_id = -1} says nothing. */
struct kvl_tokenizer_overrides {
    const char *bos, *eos; /* texts of tokens; NULL: not said */
    int64_t eos_id;        /* used where `eos` is NULL; -1: not said */
    bool sets_add_bos, add_bos; /* whether it is said, and what; else as tokenizer.json says */
};

/* As kvl_tokenizer_parse_json, with what other files say. */
enum kvl_status kvl_tokenizer_parse_json_with(struct kvl_tokenizer **out, const char *json, size_t n, const char *source,
                                              int64_t n_vocab_model, const struct kvl_tokenizer_overrides *overrides);

#ifdef __cplusplus
}
#endif
#endif
