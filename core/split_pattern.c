#include "core/split_pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "core/oniguruma.h"
#include "core/unicode.h"

/* Steps and memory of one search. The patterns of real models stay far below both on megabytes of text. */
enum { MATCH_LIMIT = 20000000, HEAP_LIMIT_KIB = 256 << 10 };

struct kvl_split_pattern {
    pcre2_code *code;
    pcre2_match_context *limits;
};

enum kvl_status kvl_spans_push(struct kvl_spans *spans, int64_t start, int64_t n)
{
    if (spans->n == spans->n_allocated) {
        int64_t more = spans->n_allocated ? 2 * spans->n_allocated : 64;
        struct kvl_span *grown = realloc(spans->data, (size_t)more * sizeof *grown);
        if (!grown)
            return kvl_fail(KVL_E_OOM, "no memory for %lld pieces of a text", (long long)more);
        spans->data = grown;
        spans->n_allocated = more;
    }
    spans->data[spans->n++] = (struct kvl_span){start, n};
    return KVL_OK;
}

void kvl_spans_free(struct kvl_spans *spans)
{
    free(spans->data);
    *spans = (struct kvl_spans){0};
}

static enum kvl_status compile(struct kvl_split_pattern *p, const char *pattern, const char *source)
{
    char *translated;
    int error;
    PCRE2_SIZE at;
    KVL_TRY(kvl_oniguruma_to_pcre2(pattern, source, &translated));
    p->code = pcre2_compile((PCRE2_SPTR)translated, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_UCP, &error, &at, NULL);
    free(translated);
    if (!p->code) {
        PCRE2_UCHAR message[128];
        pcre2_get_error_message(error, message, sizeof message);
        return kvl_fail(KVL_E_FORMAT, "%s: split pattern \"%.80s\" is not a regular expression we can read: %s", source,
                        pattern, (const char *)message);
    }
    /* Where the library has no JIT, or memory cannot be made executable, its interpreter does the same. */
    pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE);
    return KVL_OK;
}

enum kvl_status kvl_split_pattern_init(struct kvl_split_pattern **out, const char *pattern, const char *source)
{
    *out = NULL;
    struct kvl_split_pattern *p = calloc(1, sizeof *p);
    if (!p)
        return kvl_fail(KVL_E_OOM, "%s: no memory for a split pattern", source);
    enum kvl_status status = compile(p, pattern, source);
    if (status == KVL_OK) {
        p->limits = pcre2_match_context_create(NULL);
        if (!p->limits)
            status = kvl_fail(KVL_E_OOM, "%s: no memory for a split pattern", source);
    }
    if (status != KVL_OK) {
        kvl_split_pattern_free(p);
        return status;
    }
    pcre2_set_match_limit(p->limits, MATCH_LIMIT);
    pcre2_set_heap_limit(p->limits, HEAP_LIMIT_KIB);
    *out = p;
    return KVL_OK;
}

void kvl_split_pattern_free(struct kvl_split_pattern *pattern)
{
    if (!pattern)
        return;
    pcre2_code_free(pattern->code);
    pcre2_match_context_free(pattern->limits);
    free(pattern);
}

/* The first match at or after `from`: *found, and its place. JIT code has a small stack; where that runs out, the
 * interpreter goes on with heap memory, up to the limit. */
static enum kvl_status find(const struct kvl_split_pattern *p, pcre2_match_data *data, const char *text, int64_t n,
                            int64_t from, bool *found, struct kvl_span *match)
{
    int rc = pcre2_match(p->code, (PCRE2_SPTR)text, (PCRE2_SIZE)n, (PCRE2_SIZE)from, PCRE2_NO_UTF_CHECK, data, p->limits);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
        rc = pcre2_match(p->code, (PCRE2_SPTR)text, (PCRE2_SIZE)n, (PCRE2_SIZE)from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, data,
                         p->limits);
    *found = rc >= 0;
    if (rc >= 0) {
        const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(data);
        *match = (struct kvl_span){(int64_t)ends[0], (int64_t)ends[1] - (int64_t)ends[0]};
        return KVL_OK;
    }
    if (rc == PCRE2_ERROR_NOMATCH)
        return KVL_OK;
    PCRE2_UCHAR message[128];
    pcre2_get_error_message(rc, message, sizeof message);
    return kvl_fail(rc == PCRE2_ERROR_NOMEMORY ? KVL_E_OOM : KVL_E_UNSUPPORTED,
                    "the tokenizer's split pattern takes too much work on a text of %lld bytes: %s", (long long)n,
                    (const char *)message);
}

enum kvl_status kvl_split_pattern_apply(const struct kvl_split_pattern *pattern, const char *text, int64_t start, int64_t n,
                                        struct kvl_spans *pieces)
{
    const char *span = text + start;
    enum kvl_status status = KVL_OK;
    int64_t from = 0, done = 0, last_end = -1; /* next search, end of the last piece, end of the last match */
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    if (!data)
        return kvl_fail(KVL_E_OOM, "no memory to split a text of %lld bytes", (long long)n);
    while (from <= n) {
        bool found;
        struct kvl_span match = {0};
        KVL_TRY_OUT(find(pattern, data, span, n, from, &found, &match));
        if (!found)
            break;
        if (match.n <= 0 && match.start == last_end) { /* nothing right after a match: try from the next character on */
            int size = 1;
            if (from < n)
                kvl_utf8_get(span, from, n, &size);
            from += size;
            continue;
        }
        if (match.start > done)
            KVL_TRY_OUT(kvl_spans_push(pieces, start + done, match.start - done));
        if (match.n > 0)
            KVL_TRY_OUT(kvl_spans_push(pieces, start + match.start, match.n));
        done = from = last_end = match.start + match.n;
    }
    if (done < n)
        KVL_TRY_OUT(kvl_spans_push(pieces, start + done, n - done));
out:
    pcre2_match_data_free(data);
    return status;
}
