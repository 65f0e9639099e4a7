#include "datasets/needle/haystack.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_LEFT_OUT = 1000 };

enum kvl_status kvl_haystack_init(struct kvl_haystack *haystack, const struct kvl_haystack_kind *kind,
                                  const struct kvl_tokenizer *tokenizer, const struct kvl_haystack_source *source)
{
    *haystack = (struct kvl_haystack){.kind = kind, .tokenizer = tokenizer, .reserved = source->reserved,
                                      .n_reserved = source->n_reserved, .state = calloc(1, kind->state_size)};
    if (!haystack->state)
        return kvl_fail(KVL_E_OOM, "no memory for the state of a haystack, %zu bytes", kind->state_size);
    return kind->begin(haystack->state, source);
}

void kvl_haystack_free(struct kvl_haystack *haystack)
{
    if (haystack->state && haystack->kind->end)
        haystack->kind->end(haystack->state);
    free(haystack->state);
    free(haystack->sentences);
    kvl_text_free(&haystack->text);
    kvl_text_free(&haystack->piece);
    kvl_ids_free(&haystack->ids);
    *haystack = (struct kvl_haystack){0};
}

static const char *separator(const struct kvl_haystack *haystack, int64_t i, bool opens)
{
    return i == 0 ? "" : opens ? haystack->kind->paragraph_break : " ";
}

/* The first n bytes of a sentence as the end of a text: no comma, one full stop. */
static enum kvl_status add_broken(struct kvl_text *text, const char *sentence, int64_t n)
{
    while (n > 0 && strchr(",;", sentence[n - 1]))
        n--;
    KVL_TRY(kvl_text_append(text, sentence, n));
    return kvl_text_add(text, ".");
}

/* Tokens of sentence i with what stands before it; n_bytes > 0: of its first n_bytes only. */
static enum kvl_status count(struct kvl_haystack *haystack, int64_t i, int64_t n_bytes, int64_t *n_tokens)
{
    const struct kvl_haystack_sentence *sentence = &haystack->sentences[i];
    const char *data = haystack->text.data + sentence->at;
    haystack->piece.n = haystack->ids.n = 0;
    KVL_TRY(kvl_text_add(&haystack->piece, separator(haystack, i, sentence->opens)));
    if (n_bytes > 0)
        KVL_TRY(add_broken(&haystack->piece, data, n_bytes));
    else
        KVL_TRY(kvl_text_append(&haystack->piece, data, sentence->n));
    KVL_TRY(kvl_tokenizer_encode(haystack->tokenizer, haystack->piece.data, haystack->piece.n, KVL_SPECIAL_PARSE,
                                 &haystack->ids));
    *n_tokens = haystack->ids.n;
    return KVL_OK;
}

static bool holds_reserved(const struct kvl_haystack *haystack, int64_t at)
{
    for (int i = 0; i < haystack->n_reserved; i++)
        if (strstr(haystack->text.data + at, haystack->reserved[i]))
            return true;
    return false;
}

/* The next sentence without a reserved text. A paragraph whose opening is left out is opened by the sentence after it. */
static enum kvl_status next_sentence(struct kvl_haystack *haystack, struct kvl_haystack_sentence *sentence)
{
    bool opens;
    *sentence = (struct kvl_haystack_sentence){.at = haystack->text.n};
    for (int i = 0; i < MAX_LEFT_OUT; i++) {
        KVL_TRY(haystack->kind->next(haystack->state, &haystack->text, &opens));
        sentence->opens = sentence->opens || opens;
        sentence->n = haystack->text.n - sentence->at;
        if (!holds_reserved(haystack, sentence->at))
            return KVL_OK;
        haystack->text.n = sentence->at;
    }
    return kvl_fail(KVL_E_FORMAT, "a text for needles holds the needle's own words in %d sentences in a row: give another one",
                    MAX_LEFT_OUT);
}

static enum kvl_status grow(struct kvl_haystack *haystack)
{
    if (haystack->n_sentences == haystack->n_allocated) {
        int64_t n = haystack->n_allocated ? 2 * haystack->n_allocated : 256;
        struct kvl_haystack_sentence *sentences = realloc(haystack->sentences, (size_t)n * sizeof *sentences);
        if (!sentences)
            return kvl_fail(KVL_E_OOM, "no memory for a haystack of %lld sentences", (long long)n);
        haystack->sentences = sentences;
        haystack->n_allocated = n;
    }
    struct kvl_haystack_sentence *sentence = &haystack->sentences[haystack->n_sentences];
    KVL_TRY(next_sentence(haystack, sentence));
    KVL_TRY(count(haystack, haystack->n_sentences, 0, &sentence->n_tokens));
    haystack->n_sentences++;
    return KVL_OK;
}

enum kvl_status kvl_haystack_find_cut(struct kvl_haystack *haystack, int64_t n_tokens_min, int64_t n_tokens,
                                      struct kvl_haystack_cut *cut)
{
    *cut = (struct kvl_haystack_cut){0};
    const struct kvl_haystack_sentence *next;
    for (;; cut->n_sentences++) {
        if (cut->n_sentences == haystack->n_sentences)
            KVL_TRY(grow(haystack));
        next = &haystack->sentences[cut->n_sentences];
        if (cut->n_tokens + next->n_tokens > n_tokens)
            break;
        cut->n_tokens += next->n_tokens;
    }
    if (cut->n_tokens >= n_tokens_min)
        return KVL_OK;
    int64_t n_whole = cut->n_tokens, n_broken;
    const char *data = haystack->text.data + next->at;
    for (int64_t i = 1; i < next->n; i++) {
        if (data[i] != ' ' && !haystack->kind->break_anywhere)
            continue;
        KVL_TRY(count(haystack, cut->n_sentences, i, &n_broken));
        if (n_whole + n_broken > n_tokens)
            break;
        cut->n_bytes = i;
        cut->n_tokens = n_whole + n_broken;
    }
    return KVL_OK;
}

enum kvl_status kvl_haystack_first_paragraphs(struct kvl_haystack *haystack, int64_t n_paragraphs, struct kvl_haystack_cut *cut)
{
    *cut = (struct kvl_haystack_cut){0};
    for (;; cut->n_sentences++) {
        if (cut->n_sentences == haystack->n_sentences)
            KVL_TRY(grow(haystack));
        const struct kvl_haystack_sentence *next = &haystack->sentences[cut->n_sentences];
        if (cut->n_sentences > 0 && next->opens)
            n_paragraphs--;
        if (n_paragraphs <= 0)
            return KVL_OK;
        cut->n_tokens += next->n_tokens;
    }
}

/* Sentences, the broken one included. */
static int64_t n_items(const struct kvl_haystack_cut *cut)
{
    return cut->n_sentences + (cut->n_bytes > 0);
}

static bool has_gap_before(const struct kvl_haystack *haystack, int64_t i)
{
    return !haystack->kind->needle_alone || haystack->sentences[i].opens;
}

int64_t kvl_haystack_n_gaps(const struct kvl_haystack *haystack, const struct kvl_haystack_cut *cut)
{
    int64_t n = 1;
    for (int64_t i = 0; i < n_items(cut); i++)
        n += has_gap_before(haystack, i);
    return n;
}

static int needle_in(const int64_t *gaps, int n_needles, int64_t gap)
{
    for (int i = 0; i < n_needles; i++)
        if (gaps[i] == gap)
            return i;
    return -1;
}

static int by_value(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

enum kvl_status kvl_haystack_write(const struct kvl_haystack *haystack, const struct kvl_haystack_cut *cut,
                                   const struct kvl_haystack_needle *needles, int n_needles, bool in_order, int64_t *gaps,
                                   struct kvl_text *text)
{
    int64_t n_gaps = kvl_haystack_n_gaps(haystack, cut), gap = 0;
    KVL_REQUIRE(n_needles <= n_gaps, "too short: %lld places for %d needles", (long long)n_gaps, n_needles);
    for (int i = 0; i < n_needles; i++) {
        gaps[i] = kvl_random_scale(needles[i].depth, n_gaps);
        while (needle_in(gaps, i, gaps[i]) >= 0)
            gaps[i] = (gaps[i] + 1) % n_gaps;
    }
    if (in_order)
        qsort(gaps, (size_t)n_needles, sizeof *gaps, by_value);
    /* A needle belongs to the paragraph before it, except at the very beginning. */
    const char *before_needle = haystack->kind->needle_alone ? haystack->kind->paragraph_break : " ";
    const char *between = "";
    for (int64_t i = 0; i <= n_items(cut); i++) {
        bool end = i == n_items(cut);
        if (end || has_gap_before(haystack, i)) {
            int needle = needle_in(gaps, n_needles, gap++);
            if (needle >= 0) {
                KVL_TRY(kvl_text_add(text, i > 0 ? before_needle : ""));
                KVL_TRY(kvl_text_add(text, needles[needle].text));
                between = before_needle;
            }
        }
        if (end)
            break;
        const struct kvl_haystack_sentence *sentence = &haystack->sentences[i];
        KVL_TRY(kvl_text_add(text, i > 0 ? separator(haystack, i, sentence->opens) : between));
        if (i < cut->n_sentences)
            KVL_TRY(kvl_text_append(text, haystack->text.data + sentence->at, sentence->n));
        else
            KVL_TRY(add_broken(text, haystack->text.data + sentence->at, cut->n_bytes));
    }
    return KVL_OK;
}
