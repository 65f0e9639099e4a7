#include "core/bpe.h"

#include <stdlib.h>
#include <string.h>

#include "core/unicode.h"

/* A token's text; id -1 marks an empty place of the table. */
struct token_entry {
    int64_t at, n; /* in `texts` */
    int32_t id;
};

/* What two neighbours become; merged -1 marks an empty place of the table. */
struct pair_entry {
    int32_t left, right, rank, merged;
};

/* Both tables: open addressing, a power of two, at most half full. */
struct kvl_bpe {
    char *texts;
    struct token_entry *tokens; /* [token_mask + 1] */
    struct pair_entry *pairs;   /* [pair_mask + 1] */
    uint64_t token_mask, pair_mask;
    int64_t n_longest; /* bytes of the longest token text */
    struct kvl_byte_alphabet alphabet;
    int32_t byte_id[256]; /* token of each byte alone, -1: none */
    bool ignore_merges;
};

/* One token of a piece in a doubly linked list; `alive` 0 once it was merged into its left neighbour. */
struct kvl_bpe_symbol {
    int32_t id, before, after; /* places in the list, -1: none */
    bool alive;
};

/* A merge that was possible when it was put into the heap. */
struct kvl_bpe_merge {
    int32_t rank, at, merged;
};

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
    return x ^ (x >> 31);
}

static uint64_t hash_text(const char *text, int64_t n)
{
    uint64_t h = (uint64_t)n + 0x9E3779B97F4A7C15U;
    for (; n >= 8; text += 8, n -= 8) {
        uint64_t word;
        memcpy(&word, text, 8);
        h = mix(h ^ word);
    }
    uint64_t rest = 0;
    memcpy(&rest, text, (size_t)n);
    return mix(h ^ rest);
}

/* Places of a table for n entries. */
static uint64_t table_size(int64_t n)
{
    uint64_t size = 16;
    while (size < 2 * (uint64_t)n)
        size *= 2;
    return size;
}

/* The place of a text, or the empty place where it belongs. */
static struct token_entry *token_place(const struct kvl_bpe *bpe, const char *text, int64_t n)
{
    uint64_t i = hash_text(text, n) & bpe->token_mask;
    for (;; i = (i + 1) & bpe->token_mask) {
        struct token_entry *e = &bpe->tokens[i];
        if (e->id < 0 || (e->n == n && memcmp(bpe->texts + e->at, text, (size_t)n) == 0))
            return e;
    }
}

static struct pair_entry *pair_place(const struct kvl_bpe *bpe, int32_t left, int32_t right)
{
    uint64_t i = mix((uint64_t)(uint32_t)left << 32 | (uint32_t)right) & bpe->pair_mask;
    for (;; i = (i + 1) & bpe->pair_mask) {
        struct pair_entry *e = &bpe->pairs[i];
        if (e->merged < 0 || (e->left == left && e->right == right))
            return e;
    }
}

int32_t kvl_bpe_find(const struct kvl_bpe *bpe, const char *text, int64_t n)
{
    return token_place(bpe, text, n)->id;
}

/* Room for all texts and for the two tables; the sizes are those of data that the caller holds in memory. */
static enum kvl_status allocate(struct kvl_bpe *bpe, const struct kvl_tokenizer_spec *spec)
{
    uint64_t n_bytes = 0;
    int64_t n_tokens = 0;
    for (int64_t i = 0; i < spec->n_vocab; i++)
        if (spec->vocab[i].data) {
            n_bytes += (uint64_t)spec->vocab[i].n;
            n_tokens++;
        }
    uint64_t n_token_places = table_size(n_tokens), n_pair_places = table_size(spec->n_merges);
    bpe->texts = malloc(n_bytes + 1);
    bpe->tokens = malloc(n_token_places * sizeof *bpe->tokens);
    bpe->pairs = malloc(n_pair_places * sizeof *bpe->pairs);
    if (!bpe->texts || !bpe->tokens || !bpe->pairs)
        return kvl_fail(KVL_E_OOM, "%s: no memory for %lld tokens and %lld merges", spec->source, (long long)n_tokens,
                        (long long)spec->n_merges);
    memset(bpe->tokens, -1, n_token_places * sizeof *bpe->tokens);
    memset(bpe->pairs, -1, n_pair_places * sizeof *bpe->pairs);
    bpe->token_mask = n_token_places - 1;
    bpe->pair_mask = n_pair_places - 1;
    return KVL_OK;
}

static enum kvl_status add_tokens(struct kvl_bpe *bpe, const struct kvl_tokenizer_spec *spec)
{
    int64_t at = 0;
    for (int64_t i = 0; i < spec->n_vocab; i++) {
        const struct kvl_token_text *text = &spec->vocab[i];
        if (!text->data)
            continue;
        int shown = text->n < 60 ? (int)text->n : 60;
        if (kvl_utf8_check(text->data, text->n) >= 0)
            return kvl_fail(KVL_E_FORMAT, "%s: token %lld is not valid UTF-8", spec->source, (long long)i);
        struct token_entry *e = token_place(bpe, text->data, text->n);
        if (e->id >= 0)
            return kvl_fail(KVL_E_FORMAT, "%s: token \"%.*s\" has two ids, %d and %lld", spec->source, shown, text->data, e->id,
                            (long long)i);
        memcpy(bpe->texts + at, text->data, (size_t)text->n);
        *e = (struct token_entry){at, text->n, (int32_t)i};
        at += text->n;
        if (text->n > bpe->n_longest)
            bpe->n_longest = text->n;
    }
    return KVL_OK;
}

static enum kvl_status merge_fails(const struct kvl_tokenizer_spec *spec, int64_t i, const char *what, const char *text,
                                   int64_t n)
{
    return kvl_fail(KVL_E_FORMAT, "%s: merge %lld: %s \"%.*s\" is not in the vocabulary", spec->source, (long long)i, what,
                    n < 60 ? (int)n : 60, text);
}

/* `joined` has room for two of the longest token. */
static enum kvl_status add_merges(struct kvl_bpe *bpe, const struct kvl_tokenizer_spec *spec, char *joined)
{
    for (int64_t i = 0; i < spec->n_merges; i++) {
        const struct kvl_token_text *left = &spec->merges[i][0], *right = &spec->merges[i][1];
        int32_t left_id = kvl_bpe_find(bpe, left->data, left->n), right_id = kvl_bpe_find(bpe, right->data, right->n);
        if (left_id < 0)
            return merge_fails(spec, i, "the left part", left->data, left->n);
        if (right_id < 0)
            return merge_fails(spec, i, "the right part", right->data, right->n);
        memcpy(joined, left->data, (size_t)left->n);
        memcpy(joined + left->n, right->data, (size_t)right->n);
        int32_t merged = kvl_bpe_find(bpe, joined, left->n + right->n);
        if (merged < 0)
            return merge_fails(spec, i, "the result", joined, left->n + right->n);
        *pair_place(bpe, left_id, right_id) = (struct pair_entry){left_id, right_id, (int32_t)i, merged};
    }
    return KVL_OK;
}

static void find_byte_tokens(struct kvl_bpe *bpe)
{
    char symbol[4];
    kvl_byte_alphabet_init(&bpe->alphabet);
    for (int b = 0; b < 256; b++)
        bpe->byte_id[b] = kvl_bpe_find(bpe, symbol, kvl_utf8_put(bpe->alphabet.symbol[b], symbol));
}

enum kvl_status kvl_bpe_init(struct kvl_bpe **out, const struct kvl_tokenizer_spec *spec)
{
    char *joined = NULL;
    enum kvl_status status = KVL_OK;
    *out = NULL;
    if (spec->n_merges < 0 || spec->n_merges > INT32_MAX)
        return kvl_fail(KVL_E_FORMAT, "%s: %lld merges are too many", spec->source, (long long)spec->n_merges);
    struct kvl_bpe *bpe = calloc(1, sizeof *bpe);
    if (!bpe)
        return kvl_fail(KVL_E_OOM, "%s: no memory for a tokenizer", spec->source);
    KVL_TRY_OUT(allocate(bpe, spec));
    KVL_TRY_OUT(add_tokens(bpe, spec));
    joined = malloc(2 * (size_t)bpe->n_longest + 1);
    if (!joined) {
        status = kvl_fail(KVL_E_OOM, "%s: no memory for a tokenizer", spec->source);
        goto out;
    }
    KVL_TRY_OUT(add_merges(bpe, spec, joined));
    find_byte_tokens(bpe);
    bpe->ignore_merges = spec->ignore_merges;
    *out = bpe;
    bpe = NULL;
out:
    free(joined);
    kvl_bpe_free(bpe);
    return status;
}

void kvl_bpe_free(struct kvl_bpe *bpe)
{
    if (!bpe)
        return;
    free(bpe->texts);
    free(bpe->tokens);
    free(bpe->pairs);
    free(bpe);
}

void kvl_bpe_scratch_free(struct kvl_bpe_scratch *scratch)
{
    free(scratch->symbols);
    free(scratch->heap);
    free(scratch->text);
    *scratch = (struct kvl_bpe_scratch){0};
}

/* The lower rank first, then the place further left. */
static bool comes_first(const struct kvl_bpe_merge *a, const struct kvl_bpe_merge *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->at < b->at;
}

/* Puts the merge of the symbols at `left` and `right` into the heap, if there is one. */
static enum kvl_status heap_push(const struct kvl_bpe *bpe, struct kvl_bpe_scratch *s, int32_t left, int32_t right)
{
    const struct pair_entry *pair = pair_place(bpe, s->symbols[left].id, s->symbols[right].id);
    if (pair->merged < 0)
        return KVL_OK;
    if (s->n_heap == s->n_heap_max) {
        int64_t more = s->n_heap_max ? 2 * s->n_heap_max : 64;
        struct kvl_bpe_merge *grown = realloc(s->heap, (size_t)more * sizeof *grown);
        if (!grown)
            return kvl_fail(KVL_E_OOM, "no memory to tokenize a piece of text: %lld merges", (long long)more);
        s->heap = grown;
        s->n_heap_max = more;
    }
    struct kvl_bpe_merge merge = {pair->rank, left, pair->merged};
    int64_t i = s->n_heap++;
    for (; i > 0 && comes_first(&merge, &s->heap[(i - 1) / 2]); i = (i - 1) / 2)
        s->heap[i] = s->heap[(i - 1) / 2];
    s->heap[i] = merge;
    return KVL_OK;
}

static struct kvl_bpe_merge heap_pop(struct kvl_bpe_scratch *s)
{
    struct kvl_bpe_merge top = s->heap[0], last = s->heap[--s->n_heap];
    int64_t i = 0;
    for (int64_t child; (child = 2 * i + 1) < s->n_heap; i = child) {
        if (child + 1 < s->n_heap && comes_first(&s->heap[child + 1], &s->heap[child]))
            child++;
        if (!comes_first(&s->heap[child], &last))
            break;
        s->heap[i] = s->heap[child];
    }
    s->heap[i] = last;
    return top;
}

/* One symbol per byte that has a token; returns how many. */
static int32_t list_bytes(const struct kvl_bpe *bpe, struct kvl_bpe_symbol *symbols, const char *piece, int64_t n)
{
    int32_t n_symbols = 0;
    for (int64_t i = 0; i < n; i++) {
        int32_t id = bpe->byte_id[(unsigned char)piece[i]];
        if (id < 0)
            continue;
        symbols[n_symbols] = (struct kvl_bpe_symbol){id, n_symbols - 1, n_symbols + 1, true};
        n_symbols++;
    }
    if (n_symbols > 0)
        symbols[n_symbols - 1].after = -1;
    return n_symbols;
}

/* Carries out one merge from the heap, unless the symbols it spoke of are gone. As in Hugging Face, a merge still stands if
 * the symbols there have changed but give the same token. */
static enum kvl_status merge_at(const struct kvl_bpe *bpe, struct kvl_bpe_scratch *s, struct kvl_bpe_merge merge)
{
    struct kvl_bpe_symbol *left = &s->symbols[merge.at];
    if (!left->alive || left->after < 0)
        return KVL_OK;
    struct kvl_bpe_symbol *right = &s->symbols[left->after];
    if (pair_place(bpe, left->id, right->id)->merged != merge.merged)
        return KVL_OK;
    left->id = merge.merged;
    left->after = right->after;
    right->alive = false;
    if (left->after >= 0)
        s->symbols[left->after].before = merge.at;
    if (left->before >= 0)
        KVL_TRY(heap_push(bpe, s, left->before, merge.at));
    if (left->after >= 0)
        KVL_TRY(heap_push(bpe, s, merge.at, left->after));
    return KVL_OK;
}

/* Room for the symbols of n bytes and for their text in the byte alphabet. */
static enum kvl_status reserve(struct kvl_bpe_scratch *s, int64_t n)
{
    if (n <= s->n_bytes_max)
        return KVL_OK;
    struct kvl_bpe_symbol *symbols = realloc(s->symbols, (size_t)n * sizeof *symbols);
    if (symbols)
        s->symbols = symbols;
    char *text = realloc(s->text, 2 * (size_t)n);
    if (text)
        s->text = text;
    if (!symbols || !text)
        return kvl_fail(KVL_E_OOM, "no memory to tokenize a piece of %lld bytes", (long long)n);
    s->n_bytes_max = n;
    return KVL_OK;
}

/* Id of a piece that is itself a token, else -1. `text` has room for 2 n bytes. */
static int32_t find_piece(const struct kvl_bpe *bpe, const char *piece, int64_t n, char *text)
{
    int64_t n_text = 0;
    if (n > bpe->n_longest)
        return -1;
    for (int64_t i = 0; i < n; i++)
        n_text += kvl_utf8_put(bpe->alphabet.symbol[(unsigned char)piece[i]], text + n_text);
    return kvl_bpe_find(bpe, text, n_text);
}

/* The pair of lowest rank is merged until none is left: a list of symbols and a heap of possible merges, in which those that
 * came to nothing stay until they are taken out. Every merge shortens the list by one and adds at most two to the heap. */
enum kvl_status kvl_bpe_encode(const struct kvl_bpe *bpe, struct kvl_bpe_scratch *scratch, const char *piece, int64_t n,
                               struct kvl_ids *ids)
{
    if (n >= INT32_MAX)
        return kvl_fail(KVL_E_UNSUPPORTED, "a piece of text of %lld bytes is too long to tokenize", (long long)n);
    KVL_TRY(reserve(scratch, n));
    if (bpe->ignore_merges) {
        int32_t whole = find_piece(bpe, piece, n, scratch->text);
        if (whole >= 0)
            return kvl_ids_push(ids, whole);
    }
    int32_t n_symbols = list_bytes(bpe, scratch->symbols, piece, n);
    scratch->n_heap = 0;
    for (int32_t i = 0; i + 1 < n_symbols; i++)
        KVL_TRY(heap_push(bpe, scratch, i, i + 1));
    while (scratch->n_heap > 0)
        KVL_TRY(merge_at(bpe, scratch, heap_pop(scratch)));
    for (int32_t i = n_symbols > 0 ? 0 : -1; i >= 0; i = scratch->symbols[i].after)
        KVL_TRY(kvl_ids_push(ids, scratch->symbols[i].id));
    return KVL_OK;
}
