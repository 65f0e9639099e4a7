#include "datasets/score/word_table.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_SLOTS = 256, MAX_SLOTS = 1 << 30 };

/* FNV-1a. */
static uint64_t hash_of(struct kvl_text_part word)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (int64_t i = 0; i < word.n; i++)
        hash = (hash ^ (unsigned char)word.data[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* The slot that holds the word, or the free one where it belongs. */
static int32_t *slot_of(const struct kvl_word_table *table, struct kvl_text_part word, uint64_t hash)
{
    uint64_t mask = (uint64_t)table->n_slots - 1;
    for (uint64_t i = hash ^ hash >> 32;; i++) {
        int32_t *slot = &table->slots[i & mask];
        if (*slot < 0)
            return slot;
        const struct kvl_counted_word *held = &table->words[*slot];
        if (held->hash == hash && held->text.n == word.n && memcmp(held->text.data, word.data, (size_t)word.n) == 0)
            return slot;
    }
}

static enum kvl_status grow(struct kvl_word_table *table)
{
    int32_t n_slots = table->n_slots > 0 ? 2 * table->n_slots : FIRST_SLOTS;
    struct kvl_counted_word *words = realloc(table->words, (size_t)n_slots / 2 * sizeof *words);
    if (words == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for a table of %d words", (int)n_slots / 2);
    table->words = words;
    int32_t *slots = realloc(table->slots, (size_t)n_slots * sizeof *slots);
    if (slots == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for a table of %d words", (int)n_slots / 2);
    table->slots = slots;
    table->n_slots = n_slots;
    memset(slots, -1, (size_t)n_slots * sizeof *slots);
    for (int32_t i = 0; i < table->n_words; i++)
        *slot_of(table, words[i].text, words[i].hash) = i;
    return KVL_OK;
}

enum kvl_status kvl_word_table_add(struct kvl_word_table *table, enum kvl_word_side side, struct kvl_text_part word,
                                   int32_t *number)
{
    uint64_t hash = hash_of(word);
    if (2 * table->n_words >= table->n_slots) {
        if (table->n_slots >= MAX_SLOTS)
            return kvl_fail(KVL_E_OOM, "a text has more than %d different words", MAX_SLOTS / 2);
        KVL_TRY(grow(table));
    }
    int32_t *slot = slot_of(table, word, hash);
    if (*slot < 0) {
        *slot = table->n_words++;
        table->words[*slot] = (struct kvl_counted_word){.text = word, .hash = hash};
    }
    table->words[*slot].n[side]++;
    *number = *slot;
    return KVL_OK;
}

double kvl_word_table_f1(const struct kvl_word_table *table)
{
    int64_t n_common = 0, n[KVL_N_WORD_SIDES] = {0};
    for (int32_t i = 0; i < table->n_words; i++) {
        int64_t in_prediction = table->words[i].n[KVL_WORD_PREDICTION], in_answer = table->words[i].n[KVL_WORD_ANSWER];
        n_common += in_prediction < in_answer ? in_prediction : in_answer;
        n[KVL_WORD_PREDICTION] += in_prediction;
        n[KVL_WORD_ANSWER] += in_answer;
    }
    if (n_common == 0)
        return 0;
    double precision = (double)n_common / (double)n[KVL_WORD_PREDICTION], recall = (double)n_common / (double)n[KVL_WORD_ANSWER];
    return 2 * precision * recall / (precision + recall);
}

void kvl_word_table_free(struct kvl_word_table *table)
{
    free(table->words);
    free(table->slots);
    *table = (struct kvl_word_table){0};
}
