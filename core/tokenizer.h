/* Byte-level BPE tokenizer, with the same ids as Hugging Face `tokenizers` for the files it accepts.
 *
 * Two sources: a `tokenizer.json`, or the `tokenizer.ggml.*` values of a GGUF file. The split pattern, the normalizer,
 * the merges and the special tokens are always the file's own. */
#ifndef KVL_TOKENIZER_H
#define KVL_TOKENIZER_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kvl_tokenizer;

/* A growing list of token ids. {0} is a valid empty list; kvl_ids_free leaves {0}. */
struct kvl_ids {
    int32_t *data; /* i32 [n] */
    int64_t n, n_allocated;
};
enum kvl_status kvl_ids_push(struct kvl_ids *ids, int32_t id);
void kvl_ids_free(struct kvl_ids *ids);

/* How special tokens that stand in a text are taken. */
enum kvl_special {
    KVL_SPECIAL_PARSE, /* "<|im_end|>" in the text is the token */
    KVL_SPECIAL_TEXT,  /* it is text like any other (non-special added tokens still match, as in Hugging Face) */
};

/* What a tokenizer is made from, whichever file it came from. All pointers are borrowed for the call only.
 * Tokens are in the GPT-2 byte-to-unicode alphabet, as the files store them; special and added tokens are plain UTF-8. */
struct kvl_token_text {
    const char *data; /* not NUL-terminated, valid UTF-8 */
    int64_t n;        /* bytes */
};
struct kvl_added_token {
    struct kvl_token_text text;
    int32_t id;
    bool special, lstrip, rstrip, single_word, normalized;
};
struct kvl_tokenizer_spec {
    int64_t n_vocab;                        /* ids are 0..n_vocab-1, added tokens included */
    const struct kvl_token_text *vocab;     /* [n_vocab]; data NULL: no ordinary token has this id */
    int64_t n_merges;
    const struct kvl_token_text (*merges)[2]; /* [n_merges], in rank order */
    bool ignore_merges;                     /* a piece that is itself in the vocabulary is not merged */
    int64_t n_added;
    const struct kvl_added_token *added;    /* [n_added] */
    const char *normalizer;                 /* "none", "nfc", "nfd", "nfkc", "nfkd" */
    int n_split;
    const char *const *split;               /* [n_split] regular expressions (Oniguruma syntax), applied one after the
                                             * other; every match is a piece and what lies between matches is one too */
    bool add_prefix_space;
    int32_t bos, eos;                       /* -1: none */
    bool add_bos;                           /* encoding a whole text puts BOS first */
    const char *source;                     /* file name, for error sentences */
};

/* Builds a tokenizer; everything is copied. KVL_E_FORMAT names what is wrong (duplicate token, merge of unknown tokens,
 * id out of range, bad pattern). */
enum kvl_status kvl_tokenizer_init(struct kvl_tokenizer **out, const struct kvl_tokenizer_spec *spec);
void kvl_tokenizer_free(struct kvl_tokenizer *tokenizer);

/* Reads DIR/tokenizer.json and, where present, DIR/tokenizer_config.json (bos_token, eos_token, add_bos_token) and
 * DIR/generation_config.json or config.json (eos_token_id when the former names none).
 * `n_vocab_model`: rows of the embedding; ids at or above it are an error (0: not checked). */
enum kvl_status kvl_tokenizer_load_json(struct kvl_tokenizer **out, const char *dir, int64_t n_vocab_model);

/* The same from the n bytes of a tokenizer.json alone; `source` names it in error sentences. */
enum kvl_status kvl_tokenizer_parse_json(struct kvl_tokenizer **out, const char *json, size_t n, const char *source,
                                         int64_t n_vocab_model);

/* What a GGUF file's `tokenizer.ggml.pre` stands for: the split patterns (static) and whether the model takes a piece that
 * is a token as it is. KVL_E_UNSUPPORTED lists the names we know. */
enum kvl_status kvl_pretokenizer_by_name(const char *pre, const char *const **split, int *n_split, bool *ignore_merges);

/* Appends the ids of `text` (n bytes). Adds no BOS. Text that is not valid UTF-8 is KVL_E_ARG with the offset of the
 * first bad byte. Bytes without a token (SmolLM2 lacks 21) are dropped, as Hugging Face does. */
enum kvl_status kvl_tokenizer_encode(const struct kvl_tokenizer *tokenizer, const char *text, int64_t n,
                                     enum kvl_special special, struct kvl_ids *ids);

/* Bytes of one token: *n bytes at the returned address, valid as long as the tokenizer; NULL for an id without a text.
 * Special tokens give their text. The bytes of one token may be a part of a character. */
const char *kvl_tokenizer_token(const struct kvl_tokenizer *tokenizer, int32_t id, int64_t *n);

/* Text of ids[0..n) in a malloc'd, NUL-terminated buffer (*length bytes). Special tokens are left out if `skip_special`,
 * ids without a text always. The text is valid UTF-8: each longest piece of a character that could not be completed becomes
 * one U+FFFD, as in Hugging Face. */
enum kvl_status kvl_tokenizer_decode(const struct kvl_tokenizer *tokenizer, const int32_t *ids, int64_t n,
                                     bool skip_special, char **text, int64_t *length);

int64_t kvl_tokenizer_n_vocab(const struct kvl_tokenizer *tokenizer);
int32_t kvl_tokenizer_bos(const struct kvl_tokenizer *tokenizer); /* -1: none */
int32_t kvl_tokenizer_eos(const struct kvl_tokenizer *tokenizer); /* -1: none */
bool kvl_tokenizer_add_bos(const struct kvl_tokenizer *tokenizer);
bool kvl_tokenizer_is_special(const struct kvl_tokenizer *tokenizer, int32_t id);

/* Id of a token by its exact text (added tokens first, then vocabulary in the byte alphabet); -1 if there is none. */
int32_t kvl_tokenizer_find(const struct kvl_tokenizer *tokenizer, const char *text);

/* Offset of the first byte at which `text` stops being valid UTF-8 (overlong forms, surrogates and values above U+10FFFF
 * are invalid), or -1. */
int64_t kvl_utf8_check(const char *text, int64_t n);

#ifdef __cplusplus
}
#endif
#endif
