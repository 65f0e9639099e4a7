/* Words numbered in the order in which they first come, and how often each stands in two texts. */
#ifndef KVL_WORD_TABLE_H
#define KVL_WORD_TABLE_H

#include "datasets/score/python_text.h"

#ifdef __cplusplus
extern "C" {
#endif

enum kvl_word_side { KVL_WORD_PREDICTION, KVL_WORD_ANSWER, KVL_N_WORD_SIDES };

struct kvl_counted_word {
    struct kvl_text_part text; /* the caller's bytes */
    uint64_t hash;
    int64_t n[KVL_N_WORD_SIDES]; /* times added */
};

struct kvl_word_table { /* {0} is empty */
    struct kvl_counted_word *words; /* [n_words], by number */
    int32_t n_words;
    int32_t *slots;                 /* [n_slots] a number or -1 */
    int32_t n_slots;                /* a power of 2, at least twice n_words */
};

/* Counts one word, whose bytes must stay where they are; *number says which it is. KVL_E_OOM. */
enum kvl_status kvl_word_table_add(struct kvl_word_table *table, enum kvl_word_side side, struct kvl_text_part word,
                                   int32_t *number);

/* F1 of the prediction's bag of words against the answer's; 0 where they have no word in common. */
double kvl_word_table_f1(const struct kvl_word_table *table);

void kvl_word_table_free(struct kvl_word_table *table); /* leaves {0} */

#ifdef __cplusplus
}
#endif
#endif
