/* The text that needles hide in: sentences one after the other, each with its tokens, so that a text of a wanted number of
 * tokens is found by adding up.
 *
 * A new kind of haystack is one more `struct kvl_haystack_kind`. */
#ifndef KVL_HAYSTACK_H
#define KVL_HAYSTACK_H

#include <stdbool.h>
#include <stddef.h>

#include "core/tokenizer.h"
#include "datasets/random.h"
#include "datasets/text.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a haystack's sentences are drawn from. */
struct kvl_haystack_source {
    struct kvl_random random;
    const char *folder;          /* of text files; only kvl_haystack_folder reads it */
    uint64_t start;              /* where in their text it begins, in 2^64ths of the whole */
    const char *const *reserved; /* [n_reserved], borrowed: sentences that hold one of these are left out */
    int n_reserved;
};

struct kvl_haystack_kind {
    const char *name;
    const char *paragraph_break; /* stands between two paragraphs; sentences of one paragraph have a blank between them */
    bool needle_alone;           /* a needle is a paragraph of its own; false: it follows a sentence within a paragraph */
    bool break_anywhere;         /* a sentence may be broken within a word, where words are too long to fill a context */
    size_t state_size;
    enum kvl_status (*begin)(void *state, const struct kvl_haystack_source *source);
    /* Appends the next sentence, there is always one more; *opens: it begins a paragraph. */
    enum kvl_status (*next)(void *state, struct kvl_text *text, bool *opens);
    void (*end)(void *state); /* frees what `begin` allocated, also where it failed; NULL: nothing */
};
extern const struct kvl_haystack_kind kvl_haystack_noise; /* one line of five short sentences, over and over */
extern const struct kvl_haystack_kind kvl_haystack_essay; /* essays that a grammar composes; no digits, no colons */
extern const struct kvl_haystack_kind kvl_haystack_folder; /* a folder of text files, over and over (text_folder.h) */
extern const struct kvl_haystack_kind kvl_haystack_number_lines; /* needles: word keys, number values, all different */
extern const struct kvl_haystack_kind kvl_haystack_uuid_lines;   /* needles: uuid keys and values */

struct kvl_haystack_sentence {
    int64_t at, n;    /* bytes in the haystack's text */
    int64_t n_tokens; /* encoded by itself, with the blank or break before it */
    bool opens;
};

struct kvl_haystack {
    const struct kvl_haystack_kind *kind;
    const struct kvl_tokenizer *tokenizer;
    const char *const *reserved; /* [n_reserved], borrowed */
    int n_reserved;
    void *state;
    struct kvl_text text; /* all sentences so far, nothing between them */
    struct kvl_haystack_sentence *sentences; /* [n_sentences] */
    int64_t n_sentences, n_allocated;
    struct kvl_text piece; /* scratch */
    struct kvl_ids ids;    /* scratch */
};

/* Where a haystack ends: after whole sentences, and perhaps the first words of the next one, closed with a full stop. */
struct kvl_haystack_cut {
    int64_t n_sentences;
    int64_t n_bytes;  /* of sentence n_sentences; 0: none of it */
    int64_t n_tokens; /* sum over the sentences; the tokens of the whole differ a little */
};

/* A sentence to plant, at depth / 2^64 of the gaps that the cut haystack has. */
struct kvl_haystack_needle {
    const char *text;
    uint64_t depth;
};

enum kvl_status kvl_haystack_init(struct kvl_haystack *haystack, const struct kvl_haystack_kind *kind,
                                  const struct kvl_tokenizer *tokenizer, const struct kvl_haystack_source *source);
void kvl_haystack_free(struct kvl_haystack *haystack); /* leaves {0} */

/* The longest cut of at most n_tokens; a sentence is broken only where whole ones give fewer than n_tokens_min. */
enum kvl_status kvl_haystack_find_cut(struct kvl_haystack *haystack, int64_t n_tokens_min, int64_t n_tokens,
                                      struct kvl_haystack_cut *cut);

/* The cut of the first n_paragraphs whole ones. */
enum kvl_status kvl_haystack_first_paragraphs(struct kvl_haystack *haystack, int64_t n_paragraphs, struct kvl_haystack_cut *cut);

/* Places for a needle in the cut: before the first sentence (or paragraph, where needles stand alone), between, at the end. */
int64_t kvl_haystack_n_gaps(const struct kvl_haystack *haystack, const struct kvl_haystack_cut *cut);

/* Appends the cut with its needles to `text`. No two share a gap: whoever comes later in needles[] takes the next free one.
 * in_order: the first gap belongs to needles[0], the next to needles[1], and so on, whatever their depths.
 * gaps out i64 [n_needles]: where each came to lie. n_needles <= number of gaps, else KVL_E_ARG. */
enum kvl_status kvl_haystack_write(const struct kvl_haystack *haystack, const struct kvl_haystack_cut *cut,
                                   const struct kvl_haystack_needle *needles, int n_needles, bool in_order, int64_t *gaps,
                                   struct kvl_text *text);

#ifdef __cplusplus
}
#endif
#endif
