#include <stdlib.h>
#include <string.h>

#include "datasets/score/best.h"
#include "datasets/score/score.h"
#include "datasets/score/word_table.h"

static bool is_article(struct kvl_text_part word)
{
    return (word.n == 1 && word.data[0] == 'a') || (word.n == 2 && memcmp(word.data, "an", 2) == 0)
           || (word.n == 3 && memcmp(word.data, "the", 3) == 0);
}

/* normalize_answer: lower case, ASCII punctuation off, blanks in place of articles. An article stands between \b and \b, so it
 * is a whole run of \w: what a combining mark or a curly quote follows is one too. */
static enum kvl_status normalize(const char *text, char **out, int64_t *n_out)
{
    int64_t n_lower;
    KVL_TRY(kvl_python_lower(kvl_text_part_of(text), out, &n_lower));
    char *data = *out;
    int64_t n = 0;
    for (int64_t i = 0; i < n_lower; i++)
        if (!kvl_python_is_punctuation(data[i]))
            data[n++] = data[i];
    struct kvl_text_part rest = {data, n}, run;
    while (kvl_python_next_run(&rest, kvl_python_is_word, &run))
        if (is_article(run))
            memset(data + (run.data - data), ' ', (size_t)run.n);
    *n_out = n;
    return KVL_OK;
}

/* Adds the words of a text; they stay in *normalized, which the caller frees. */
static enum kvl_status count_words(struct kvl_word_table *table, enum kvl_word_side side, const char *text, char **normalized)
{
    struct kvl_text_part rest, word;
    int32_t number;
    KVL_TRY(normalize(text, normalized, &rest.n));
    rest.data = *normalized;
    while (kvl_python_next_word(&rest, &word))
        KVL_TRY(kvl_word_table_add(table, side, word, &number));
    return KVL_OK;
}

static enum kvl_status score_answer(const struct kvl_scoring *scoring, const char *answer, double *score)
{
    struct kvl_word_table table = {0};
    char *prediction_words = NULL, *answer_words = NULL;
    enum kvl_status status = KVL_OK;
    KVL_TRY_OUT(count_words(&table, KVL_WORD_PREDICTION, scoring->prediction, &prediction_words));
    KVL_TRY_OUT(count_words(&table, KVL_WORD_ANSWER, answer, &answer_words));
    *score = kvl_word_table_f1(&table);
out:
    kvl_word_table_free(&table);
    free(prediction_words);
    free(answer_words);
    return status;
}

enum kvl_status kvl_score_qa_f1(const struct kvl_scoring *scoring, double *score)
{
    return kvl_score_best(scoring, score_answer, score);
}
