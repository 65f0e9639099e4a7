#include "datasets/score/best.h"

enum kvl_status kvl_score_best(const struct kvl_scoring *scoring, kvl_score_answer score_answer, double *score)
{
    *score = 0;
    for (int i = 0; i < scoring->n_answers; i++) {
        double one;
        KVL_TRY(score_answer(scoring, scoring->answers[i], &one));
        *score = one > *score ? one : *score;
    }
    return KVL_OK;
}
