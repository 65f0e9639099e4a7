#include "core/added_tokens.h"

#include <stdlib.h>
#include <string.h>

struct entry {
    char *text; /* [n] */
    int64_t n;
    int32_t id;
    bool special, lstrip, rstrip, single_word;
};

struct kvl_added_tokens {
    struct entry *entries; /* [n], by text */
    int64_t n;
    int64_t first[257]; /* entries whose text begins with byte b: first[b]..first[b + 1]-1 */
};

/* Bytes as unsigned numbers, a text before what begins with it; ids decide between texts that normalization made equal. */
static int compare(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = memcmp(x->text, y->text, (size_t)(x->n < y->n ? x->n : y->n));
    if (order == 0)
        order = x->n != y->n ? (x->n < y->n ? -1 : 1) : (x->id > y->id) - (x->id < y->id);
    return order;
}

static enum kvl_status fill(struct kvl_added_tokens *tokens, const struct kvl_tokenizer_spec *spec, bool normalized,
                            enum kvl_normal_form form)
{
    for (int64_t i = 0; i < spec->n_added; i++) {
        const struct kvl_added_token *token = &spec->added[i];
        if (token->normalized != normalized)
            continue;
        struct entry *e = &tokens->entries[tokens->n];
        KVL_TRY(kvl_normalize(normalized ? form : KVL_FORM_NONE, token->text.data, token->text.n, &e->text, &e->n));
        e->id = token->id;
        e->special = token->special;
        e->lstrip = token->lstrip;
        e->rstrip = token->rstrip;
        e->single_word = token->single_word;
        tokens->n++;
    }
    qsort(tokens->entries, (size_t)tokens->n, sizeof *tokens->entries, compare);
    for (int64_t i = 0; i < tokens->n; i++)
        tokens->first[(unsigned char)tokens->entries[i].text[0] + 1]++;
    for (int b = 0; b < 256; b++)
        tokens->first[b + 1] += tokens->first[b];
    return KVL_OK;
}

enum kvl_status kvl_added_tokens_init(struct kvl_added_tokens **out, const struct kvl_tokenizer_spec *spec, bool normalized,
                                      enum kvl_normal_form form)
{
    enum kvl_status status;
    *out = NULL;
    struct kvl_added_tokens *tokens = calloc(1, sizeof *tokens);
    if (tokens)
        tokens->entries = calloc((size_t)spec->n_added + 1, sizeof *tokens->entries);
    if (!tokens || !tokens->entries)
        status = kvl_fail(KVL_E_OOM, "%s: no memory for %lld added tokens", spec->source, (long long)spec->n_added);
    else
        status = fill(tokens, spec, normalized, form);
    if (status != KVL_OK)
        kvl_added_tokens_free(tokens);
    else
        *out = tokens;
    return status;
}

void kvl_added_tokens_free(struct kvl_added_tokens *tokens)
{
    if (!tokens)
        return;
    for (int64_t i = 0; i < tokens->n; i++)
        free(tokens->entries[i].text);
    free(tokens->entries);
    free(tokens);
}

void kvl_segments_free(struct kvl_segments *segments)
{
    free(segments->data);
    *segments = (struct kvl_segments){0};
}

static enum kvl_status push(struct kvl_segments *segments, int64_t start, int64_t end, int32_t id)
{
    if (start >= end)
        return KVL_OK;
    if (segments->n == segments->n_allocated) {
        int64_t more = segments->n_allocated ? 2 * segments->n_allocated : 16;
        struct kvl_segment *grown = realloc(segments->data, (size_t)more * sizeof *grown);
        if (!grown)
            return kvl_fail(KVL_E_OOM, "no memory for %lld parts of a text", (long long)more);
        segments->data = grown;
        segments->n_allocated = more;
    }
    segments->data[segments->n++] = (struct kvl_segment){start, end - start, id};
    return KVL_OK;
}

/* First entry of entries[from..to) whose byte `at` is at least `byte`. All of them agree in the bytes before. */
static int64_t lower_bound(const struct entry *entries, int64_t from, int64_t to, int64_t at, int byte)
{
    while (from < to) {
        int64_t middle = from + (to - from) / 2;
        if ((int)(unsigned char)entries[middle].text[at] < byte)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

/* The longest token that text[0..n), n >= 1, begins with, or NULL: the range of entries that agree so far is narrowed byte
 * by byte; an entry that ends here stands at its beginning. */
static const struct entry *longest_at(const struct kvl_added_tokens *tokens, const char *text, int64_t n)
{
    int first = (unsigned char)text[0];
    int64_t from = tokens->first[first], to = tokens->first[first + 1];
    const struct entry *longest = NULL;
    for (int64_t at = 1; from < to; at++) {
        if (tokens->entries[from].n == at) {
            longest = &tokens->entries[from];
            while (from < to && tokens->entries[from].n == at)
                from++;
        }
        if (at >= n)
            break;
        int byte = (unsigned char)text[at];
        from = lower_bound(tokens->entries, from, to, at, byte);
        to = lower_bound(tokens->entries, from, to, at, byte + 1);
    }
    return longest;
}

static bool is_single_word(const char *text, int64_t n, int64_t start, int64_t end)
{
    int size;
    return (start == 0 || !kvl_is_word(kvl_utf8_get_before(text, start, &size)))
        && (end == n || !kvl_is_word(kvl_utf8_get(text, end, n, &size)));
}

/* Where the white space that ends at `at` begins, not before `least`. */
static int64_t space_before(const char *text, int64_t at, int64_t least)
{
    int size;
    while (at > least && kvl_is_white_space(kvl_utf8_get_before(text, at, &size)))
        at -= size;
    return at > least ? at : least;
}

static int64_t space_after(const char *text, int64_t at, int64_t n)
{
    int size;
    while (at < n && kvl_is_white_space(kvl_utf8_get(text, at, n, &size)))
        at += size;
    return at;
}

/* The search goes on behind the token itself, also where the token was passed over or swallowed white space; so a token of
 * white space can be found again in what was swallowed. That is what Hugging Face does. */
enum kvl_status kvl_added_tokens_split(const struct kvl_added_tokens *tokens, const char *text, int64_t n,
                                       enum kvl_special special, struct kvl_segments *segments)
{
    int64_t done = 0;
    for (int64_t at = 0; at < n;) {
        const struct entry *token = longest_at(tokens, text + at, n - at);
        if (!token) {
            at++;
            continue;
        }
        int64_t start = at, end = at + token->n;
        at = end;
        if ((token->special && special == KVL_SPECIAL_TEXT) || (token->single_word && !is_single_word(text, n, start, end)))
            continue;
        if (token->lstrip)
            start = space_before(text, start, done);
        if (token->rstrip)
            end = space_after(text, end, n);
        KVL_TRY(push(segments, done, start, -1));
        KVL_TRY(push(segments, start, end, token->id));
        done = end;
    }
    return push(segments, done, n, -1);
}
