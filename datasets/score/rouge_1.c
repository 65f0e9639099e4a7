#include <stdlib.h>

#include "datasets/score/best.h"
#include "datasets/score/porter.h"
#include "datasets/score/score.h"
#include "datasets/score/word_table.h"

enum { MIN_STEMMED = 4 }; /* shorter words stay */

static bool is_token(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Adds the stems of a text; they stay in *lower, which the caller frees. */
static enum kvl_status count_stems(struct kvl_word_table *table, enum kvl_word_side side, const char *text, char **lower)
{
    int64_t n;
    int32_t number;
    KVL_TRY(kvl_python_lower(kvl_text_part_of(text), lower, &n));
    for (int64_t i = 0, end; i < n; i = end + 1) {
        for (end = i; end < n && is_token((*lower)[end]);)
            end++;
        struct kvl_text_part word = {*lower + i, end - i >= MIN_STEMMED ? kvl_porter_stem(*lower + i, end - i) : end - i};
        if (word.n > 0)
            KVL_TRY(kvl_word_table_add(table, side, word, &number));
    }
    return KVL_OK;
}

static enum kvl_status score_answer(const struct kvl_scoring *scoring, const char *answer, double *score)
{
    struct kvl_word_table table = {0};
    char *prediction_lower = NULL, *answer_lower = NULL;
    enum kvl_status status = KVL_OK;
    KVL_TRY_OUT(count_stems(&table, KVL_WORD_PREDICTION, scoring->prediction, &prediction_lower));
    KVL_TRY_OUT(count_stems(&table, KVL_WORD_ANSWER, answer, &answer_lower));
    *score = kvl_word_table_f1(&table);
out:
    kvl_word_table_free(&table);
    free(prediction_lower);
    free(answer_lower);
    return status;
}

enum kvl_status kvl_score_rouge_1(const struct kvl_scoring *scoring, double *score)
{
    return kvl_score_best(scoring, score_answer, score);
}
