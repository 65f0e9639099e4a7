/* LongBench's rule for several answers: the best score counts. */
#ifndef KVL_BEST_H
#define KVL_BEST_H

#include "datasets/task.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Scores the prediction against one answer. */
typedef enum kvl_status (*kvl_score_answer)(const struct kvl_scoring *scoring, const char *answer, double *score);

/* The highest score over the answers, at least 0; the first failure ends it. */
enum kvl_status kvl_score_best(const struct kvl_scoring *scoring, kvl_score_answer score_answer, double *score);

#ifdef __cplusplus
}
#endif
#endif
