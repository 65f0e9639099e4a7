/* Added tokens in a text: where they stand, and what lies between them. The rules are those of Hugging Face's AddedVocabulary.
 *
 * Tokens are found left to right, of several at one place the longest. `single_word` wants no word character on either side,
 * `lstrip` and `rstrip` swallow the white space before and after. Tokens that are not `normalized` are looked for in the
 * text as it is, the others in what lies between, after normalization: two lists, one after the other. */
#ifndef KVL_ADDED_TOKENS_H
#define KVL_ADDED_TOKENS_H

#include "core/tokenizer.h"
#include "core/unicode.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A part of a text: an added token, or text without one (id -1). */
struct kvl_segment {
    int64_t start, n; /* bytes */
    int32_t id;
};
struct kvl_segments {
    struct kvl_segment *data; /* [n] */
    int64_t n, n_allocated;
};
void kvl_segments_free(struct kvl_segments *segments);

struct kvl_added_tokens;

/* Those of spec->added whose `normalized` is as asked, normalized to `form` if they are to be. The texts are copied. */
enum kvl_status kvl_added_tokens_init(struct kvl_added_tokens **out, const struct kvl_tokenizer_spec *spec, bool normalized,
                                      enum kvl_normal_form form);
void kvl_added_tokens_free(struct kvl_added_tokens *tokens);

/* Appends the segments of text[0..n), valid UTF-8, none of them empty. KVL_SPECIAL_TEXT: special tokens are text. */
enum kvl_status kvl_added_tokens_split(const struct kvl_added_tokens *tokens, const char *text, int64_t n, enum kvl_special special,
                                       struct kvl_segments *segments);

#ifdef __cplusplus
}
#endif
#endif
