#include "core/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "core/added_tokens.h"
#include "core/bpe.h"
#include "core/split_pattern.h"
#include "core/unicode.h"

/* What a token stands for: bytes [at, at + n) of `bytes`. at -1: an id without a text. */
struct token_bytes {
    int64_t at, n;
    bool special;
};

struct kvl_tokenizer {
    struct kvl_bpe *bpe;
    struct kvl_added_tokens *added, *added_normalized;
    struct kvl_split_pattern **split; /* [n_split] */
    int n_split;
    enum kvl_normal_form form;
    bool add_prefix_space, add_bos;
    int32_t bos, eos;
    int64_t n_vocab;
    struct token_bytes *tokens; /* [n_vocab] */
    char *bytes;
    int64_t n_added;
    int32_t *added_ids; /* i32 [n_added] */
};

enum kvl_status kvl_ids_push(struct kvl_ids *ids, int32_t id)
{
    if (ids->n == ids->n_allocated) {
        int64_t more = ids->n_allocated ? 2 * ids->n_allocated : 256;
        int32_t *grown = realloc(ids->data, (size_t)more * sizeof *grown);
        if (!grown)
            return kvl_fail(KVL_E_OOM, "no memory for %lld token ids", (long long)more);
        ids->data = grown;
        ids->n_allocated = more;
    }
    ids->data[ids->n++] = id;
    return KVL_OK;
}

void kvl_ids_free(struct kvl_ids *ids)
{
    free(ids->data);
    *ids = (struct kvl_ids){0};
}

static enum kvl_status check_spec(const struct kvl_tokenizer_spec *spec, enum kvl_normal_form *form)
{
    if (spec->n_vocab < 1 || spec->n_vocab > INT32_MAX)
        return kvl_fail(KVL_E_FORMAT, "%s: a vocabulary of %lld tokens; it must have 1 to 2147483647", spec->source,
                        (long long)spec->n_vocab);
    if (!kvl_normal_form_find(spec->normalizer ? spec->normalizer : "none", form))
        return kvl_fail(KVL_E_UNSUPPORTED, "%s: normalizer \"%.40s\" is none of none, nfc, nfd, nfkc, nfkd", spec->source,
                        spec->normalizer);
    if (spec->bos < -1 || spec->bos >= spec->n_vocab)
        return kvl_fail(KVL_E_FORMAT, "%s: BOS id %d is not below the vocabulary's %lld", spec->source, spec->bos,
                        (long long)spec->n_vocab);
    if (spec->eos < -1 || spec->eos >= spec->n_vocab)
        return kvl_fail(KVL_E_FORMAT, "%s: EOS id %d is not below the vocabulary's %lld", spec->source, spec->eos,
                        (long long)spec->n_vocab);
    if (spec->add_bos && spec->bos < 0)
        return kvl_fail(KVL_E_FORMAT, "%s: a BOS token is to be added, but none is named", spec->source);
    return KVL_OK;
}

/* An added token that is also an ordinary one must agree with it in text and id. `seen` [n_vocab] marks added ids. */
static enum kvl_status check_added(const struct kvl_tokenizer *t, const struct kvl_tokenizer_spec *spec, int64_t i, bool *seen)
{
    const struct kvl_added_token *token = &spec->added[i];
    int shown = token->text.n < 60 ? (int)token->text.n : 60;
    if (token->text.n < 1)
        return kvl_fail(KVL_E_FORMAT, "%s: added token %lld (id %d) has no text", spec->source, (long long)i, token->id);
    if (kvl_utf8_check(token->text.data, token->text.n) >= 0)
        return kvl_fail(KVL_E_FORMAT, "%s: added token %lld (id %d) is not valid UTF-8", spec->source, (long long)i, token->id);
    if (token->id < 0 || token->id >= spec->n_vocab)
        return kvl_fail(KVL_E_FORMAT, "%s: added token \"%.*s\": id %d is not in 0..%lld", spec->source, shown,
                        token->text.data, token->id, (long long)spec->n_vocab - 1);
    if (seen[token->id])
        return kvl_fail(KVL_E_FORMAT, "%s: added token \"%.*s\": id %d is another added token's", spec->source, shown,
                        token->text.data, token->id);
    int32_t ordinary = kvl_bpe_find(t->bpe, token->text.data, token->text.n);
    if (ordinary != token->id && (ordinary >= 0 || spec->vocab[token->id].data))
        return kvl_fail(
            KVL_E_FORMAT,
            "%s: added token \"%.*s\" has id %d, which the vocabulary gives to another token or its text another id",
            spec->source, shown, token->text.data, token->id);
    seen[token->id] = true;
    return KVL_OK;
}

static int compare_texts(const void *a, const void *b)
{
    const struct kvl_token_text *x = &(*(const struct kvl_added_token *const *)a)->text;
    const struct kvl_token_text *y = &(*(const struct kvl_added_token *const *)b)->text;
    int order = memcmp(x->data, y->data, (size_t)(x->n < y->n ? x->n : y->n));
    return order != 0 ? order : (x->n > y->n) - (x->n < y->n);
}

static enum kvl_status check_added_texts(const struct kvl_tokenizer_spec *spec)
{
    const struct kvl_added_token **sorted = malloc(((size_t)spec->n_added + 1) * sizeof *sorted);
    enum kvl_status status = KVL_OK;
    if (!sorted)
        return kvl_fail(KVL_E_OOM, "%s: no memory for %lld added tokens", spec->source, (long long)spec->n_added);
    for (int64_t i = 0; i < spec->n_added; i++)
        sorted[i] = &spec->added[i];
    qsort(sorted, (size_t)spec->n_added, sizeof *sorted, compare_texts);
    for (int64_t i = 1; i < spec->n_added && status == KVL_OK; i++)
        if (compare_texts(&sorted[i - 1], &sorted[i]) == 0)
            status = kvl_fail(KVL_E_FORMAT, "%s: added token \"%.*s\" has two ids, %d and %d", spec->source,
                              sorted[i]->text.n < 60 ? (int)sorted[i]->text.n : 60, sorted[i]->text.data, sorted[i - 1]->id,
                              sorted[i]->id);
    free(sorted);
    return status;
}

/* Bytes of every token: an added token's text as it is, an ordinary one's decoded from the byte alphabet (or as it is, where
 * it is not written in it, as in Hugging Face). */
static enum kvl_status copy_bytes(struct kvl_tokenizer *t, const struct kvl_tokenizer_spec *spec)
{
    uint64_t n_bytes = 1;
    for (int64_t i = 0; i < spec->n_vocab; i++)
        n_bytes += spec->vocab[i].data ? (uint64_t)spec->vocab[i].n : 0;
    for (int64_t i = 0; i < spec->n_added; i++)
        n_bytes += (uint64_t)spec->added[i].text.n;
    t->bytes = malloc(n_bytes);
    if (!t->bytes)
        return kvl_fail(KVL_E_OOM, "%s: no memory for the texts of %lld tokens", spec->source, (long long)spec->n_vocab);
    struct kvl_byte_alphabet alphabet;
    kvl_byte_alphabet_init(&alphabet);
    int64_t at = 0;
    for (int64_t i = 0; i < spec->n_added; i++) {
        const struct kvl_added_token *token = &spec->added[i];
        memcpy(t->bytes + at, token->text.data, (size_t)token->text.n);
        t->tokens[token->id] = (struct token_bytes){at, token->text.n, token->special};
        t->added_ids[i] = token->id;
        at += token->text.n;
    }
    t->n_added = spec->n_added;
    for (int64_t i = 0; i < spec->n_vocab; i++) {
        const struct kvl_token_text *text = &spec->vocab[i];
        if (!text->data || t->tokens[i].at >= 0)
            continue;
        int64_t n = kvl_byte_alphabet_decode(&alphabet, text->data, text->n, t->bytes + at);
        if (n < 0)
            memcpy(t->bytes + at, text->data, (size_t)(n = text->n));
        t->tokens[i] = (struct token_bytes){at, n, false};
        at += n;
    }
    return KVL_OK;
}

static enum kvl_status copy_tokens(struct kvl_tokenizer *t, const struct kvl_tokenizer_spec *spec)
{
    bool *seen = calloc((size_t)spec->n_vocab, sizeof *seen);
    enum kvl_status status = KVL_OK;
    t->tokens = malloc((size_t)spec->n_vocab * sizeof *t->tokens);
    t->added_ids = malloc(((size_t)spec->n_added + 1) * sizeof *t->added_ids);
    if (!seen || !t->tokens || !t->added_ids) {
        status = kvl_fail(KVL_E_OOM, "%s: no memory for %lld tokens", spec->source, (long long)spec->n_vocab);
        goto out;
    }
    for (int64_t i = 0; i < spec->n_vocab; i++)
        t->tokens[i] = (struct token_bytes){-1, 0, false};
    for (int64_t i = 0; i < spec->n_added; i++)
        KVL_TRY_OUT(check_added(t, spec, i, seen));
    KVL_TRY_OUT(check_added_texts(spec));
    KVL_TRY_OUT(copy_bytes(t, spec));
out:
    free(seen);
    return status;
}

static enum kvl_status compile_split(struct kvl_tokenizer *t, const struct kvl_tokenizer_spec *spec)
{
    t->split = calloc((size_t)spec->n_split + 1, sizeof(struct kvl_split_pattern *));
    if (!t->split)
        return kvl_fail(KVL_E_OOM, "%s: no memory for %d split patterns", spec->source, spec->n_split);
    for (; t->n_split < spec->n_split; t->n_split++)
        KVL_TRY(kvl_split_pattern_init(&t->split[t->n_split], spec->split[t->n_split], spec->source));
    return KVL_OK;
}

enum kvl_status kvl_tokenizer_init(struct kvl_tokenizer **out, const struct kvl_tokenizer_spec *spec)
{
    enum kvl_status status = KVL_OK;
    *out = NULL;
    struct kvl_tokenizer *t = calloc(1, sizeof *t);
    if (!t)
        return kvl_fail(KVL_E_OOM, "%s: no memory for a tokenizer", spec->source);
    KVL_TRY_OUT(check_spec(spec, &t->form));
    t->n_vocab = spec->n_vocab;
    t->add_prefix_space = spec->add_prefix_space;
    t->add_bos = spec->add_bos;
    t->bos = spec->bos;
    t->eos = spec->eos;
    KVL_TRY_OUT(kvl_bpe_init(&t->bpe, spec));
    KVL_TRY_OUT(copy_tokens(t, spec));
    KVL_TRY_OUT(kvl_added_tokens_init(&t->added, spec, false, t->form));
    KVL_TRY_OUT(kvl_added_tokens_init(&t->added_normalized, spec, true, t->form));
    KVL_TRY_OUT(compile_split(t, spec));
    *out = t;
    t = NULL;
out:
    kvl_tokenizer_free(t);
    return status;
}

void kvl_tokenizer_free(struct kvl_tokenizer *tokenizer)
{
    if (!tokenizer)
        return;
    kvl_bpe_free(tokenizer->bpe);
    kvl_added_tokens_free(tokenizer->added);
    kvl_added_tokens_free(tokenizer->added_normalized);
    for (int i = 0; i < tokenizer->n_split; i++)
        kvl_split_pattern_free(tokenizer->split[i]);
    free(tokenizer->split);
    free(tokenizer->tokens);
    free(tokenizer->bytes);
    free(tokenizer->added_ids);
    free(tokenizer);
}

/* What one call of encode works with. */
struct encoder {
    const struct kvl_tokenizer *t;
    enum kvl_special special;
    struct kvl_spans pieces, next; /* of one segment: cut so far, and by the pattern at work */
    struct kvl_bpe_scratch bpe;
    struct kvl_ids *ids;
};

/* Cuts a text without added tokens by each pattern in turn, and each piece into tokens. */
static enum kvl_status encode_pieces(struct encoder *e, const char *text, int64_t n)
{
    e->pieces.n = 0;
    KVL_TRY(kvl_spans_push(&e->pieces, 0, n));
    for (int i = 0; i < e->t->n_split; i++) {
        e->next.n = 0;
        for (int64_t k = 0; k < e->pieces.n; k++)
            KVL_TRY(kvl_split_pattern_apply(e->t->split[i], text, e->pieces.data[k].start, e->pieces.data[k].n, &e->next));
        struct kvl_spans done = e->pieces;
        e->pieces = e->next;
        e->next = done;
    }
    for (int64_t k = 0; k < e->pieces.n; k++)
        KVL_TRY(kvl_bpe_encode(e->t->bpe, &e->bpe, text + e->pieces.data[k].start, e->pieces.data[k].n, e->ids));
    return KVL_OK;
}

static enum kvl_status encode_plain(struct encoder *e, const char *text, int64_t n)
{
    if (!e->t->add_prefix_space || text[0] == ' ')
        return encode_pieces(e, text, n);
    char *spaced = malloc((size_t)n + 1);
    if (!spaced)
        return kvl_fail(KVL_E_OOM, "no memory to tokenize a text of %lld bytes", (long long)n);
    spaced[0] = ' ';
    memcpy(spaced + 1, text, (size_t)n);
    enum kvl_status status = encode_pieces(e, spaced, n + 1);
    free(spaced);
    return status;
}

/* Normalizes a text that holds none of the tokens that stand as they are, and looks for the normalized ones. */
static enum kvl_status encode_normalized(struct encoder *e, const char *text, int64_t n)
{
    struct kvl_segments segments = {0};
    char *normalized = NULL;
    enum kvl_status status = KVL_OK;
    if (e->t->form != KVL_FORM_NONE) {
        KVL_TRY(kvl_normalize(e->t->form, text, n, &normalized, &n));
        text = normalized;
    }
    KVL_TRY_OUT(kvl_added_tokens_split(e->t->added_normalized, text, n, e->special, &segments));
    for (int64_t i = 0; i < segments.n; i++) {
        const struct kvl_segment *s = &segments.data[i];
        KVL_TRY_OUT(s->id >= 0 ? kvl_ids_push(e->ids, s->id) : encode_plain(e, text + s->start, s->n));
    }
out:
    kvl_segments_free(&segments);
    free(normalized);
    return status;
}

enum kvl_status kvl_tokenizer_encode(const struct kvl_tokenizer *tokenizer, const char *text, int64_t n,
                                     enum kvl_special special, struct kvl_ids *ids)
{
    struct encoder e = {.t = tokenizer, .special = special, .ids = ids};
    struct kvl_segments segments = {0};
    enum kvl_status status = KVL_OK;
    int64_t n_before = ids->n, bad = kvl_utf8_check(text, n);
    if (bad >= 0)
        return kvl_fail(KVL_E_ARG, "the text is not valid UTF-8 at byte %lld (0x%02X)", (long long)bad,
                        (unsigned char)text[bad]);
    KVL_TRY_OUT(kvl_added_tokens_split(tokenizer->added, text, n, special, &segments));
    for (int64_t i = 0; i < segments.n; i++) {
        const struct kvl_segment *s = &segments.data[i];
        KVL_TRY_OUT(s->id >= 0 ? kvl_ids_push(ids, s->id) : encode_normalized(&e, text + s->start, s->n));
    }
out:
    kvl_segments_free(&segments);
    kvl_spans_free(&e.pieces);
    kvl_spans_free(&e.next);
    kvl_bpe_scratch_free(&e.bpe);
    if (status != KVL_OK)
        ids->n = n_before;
    return status;
}

const char *kvl_tokenizer_token(const struct kvl_tokenizer *tokenizer, int32_t id, int64_t *n)
{
    *n = 0;
    if (id < 0 || id >= tokenizer->n_vocab || tokenizer->tokens[id].at < 0)
        return NULL;
    *n = tokenizer->tokens[id].n;
    return tokenizer->bytes + tokenizer->tokens[id].at;
}

enum kvl_status kvl_tokenizer_decode(const struct kvl_tokenizer *tokenizer, const int32_t *ids, int64_t n,
                                     bool skip_special, char **text, int64_t *length)
{
    int64_t n_bytes = 0, n_token;
    *text = NULL;
    for (int64_t i = 0; i < n; i++) {
        kvl_tokenizer_token(tokenizer, ids[i], &n_token);
        n_bytes += n_token;
    }
    char *bytes = malloc((size_t)n_bytes + 1), *repaired = malloc(3 * (size_t)n_bytes + 1);
    if (!bytes || !repaired) {
        free(bytes);
        free(repaired);
        return kvl_fail(KVL_E_OOM, "no memory for a text of %lld bytes", (long long)n_bytes);
    }
    n_bytes = 0;
    for (int64_t i = 0; i < n; i++) {
        const char *token = kvl_tokenizer_token(tokenizer, ids[i], &n_token);
        if (!token || (skip_special && kvl_tokenizer_is_special(tokenizer, ids[i])))
            continue;
        memcpy(bytes + n_bytes, token, (size_t)n_token);
        n_bytes += n_token;
    }
    *length = kvl_utf8_repair(bytes, n_bytes, repaired);
    repaired[*length] = 0;
    free(bytes);
    *text = repaired;
    return KVL_OK;
}

int64_t kvl_tokenizer_n_vocab(const struct kvl_tokenizer *tokenizer)
{
    return tokenizer->n_vocab;
}

int32_t kvl_tokenizer_bos(const struct kvl_tokenizer *tokenizer)
{
    return tokenizer->bos;
}

int32_t kvl_tokenizer_eos(const struct kvl_tokenizer *tokenizer)
{
    return tokenizer->eos;
}

bool kvl_tokenizer_add_bos(const struct kvl_tokenizer *tokenizer)
{
    return tokenizer->add_bos;
}

bool kvl_tokenizer_is_special(const struct kvl_tokenizer *tokenizer, int32_t id)
{
    return id >= 0 && id < tokenizer->n_vocab && tokenizer->tokens[id].special;
}

int32_t kvl_tokenizer_find(const struct kvl_tokenizer *tokenizer, const char *text)
{
    int64_t n = (int64_t)strlen(text);
    for (int64_t i = 0; i < tokenizer->n_added; i++) {
        const struct token_bytes *token = &tokenizer->tokens[tokenizer->added_ids[i]];
        if (token->n == n && memcmp(tokenizer->bytes + token->at, text, (size_t)n) == 0)
            return tokenizer->added_ids[i];
    }
    return kvl_bpe_find(tokenizer->bpe, text, n);
}
