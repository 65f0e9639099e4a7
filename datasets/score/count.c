#include "datasets/score/best.h"
#include "datasets/score/numbers.h"
#include "datasets/score/score.h"

static enum kvl_status score_answer(const struct kvl_scoring *scoring, const char *answer, double *score)
{
    *score = kvl_number_share(scoring->prediction, kvl_text_part_of(answer));
    return KVL_OK;
}

enum kvl_status kvl_score_count(const struct kvl_scoring *scoring, double *score)
{
    return kvl_score_best(scoring, score_answer, score);
}
