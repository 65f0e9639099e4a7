/* Regular expressions that cut a text into pieces, in the dialect of Hugging Face `tokenizers` (Oniguruma, Unicode 16).
 *
 * Translated by core/oniguruma.h, matched by PCRE2. */
#ifndef KVL_SPLIT_PATTERN_H
#define KVL_SPLIT_PATTERN_H

#include <stdint.h>

#include "kernels/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Pieces of a text. {0} is a valid empty list. */
struct kvl_span {
    int64_t start, n; /* bytes */
};
struct kvl_spans {
    struct kvl_span *data; /* [n] */
    int64_t n, n_allocated;
};
enum kvl_status kvl_spans_push(struct kvl_spans *spans, int64_t start, int64_t n);
void kvl_spans_free(struct kvl_spans *spans);

struct kvl_split_pattern;

/* Compiles a pattern. A pattern that is wrong is KVL_E_FORMAT with the place; `source` names the file. */
enum kvl_status kvl_split_pattern_init(struct kvl_split_pattern **out, const char *pattern, const char *source);
void kvl_split_pattern_free(struct kvl_split_pattern *pattern);

/* Appends the pieces of text[start..start+n), valid UTF-8: every match is one and so is what lies between matches. The
 * pattern sees nothing outside the span. Many threads may use one pattern. A pattern that needs too many steps or too much
 * memory for this text is KVL_E_UNSUPPORTED; one that tries much at every place may still take time quadratic in n. */
enum kvl_status kvl_split_pattern_apply(const struct kvl_split_pattern *pattern, const char *text, int64_t start, int64_t n,
                                        struct kvl_spans *pieces);

#ifdef __cplusplus
}
#endif
#endif
