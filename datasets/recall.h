/* The metric "recall": the share of the answers that stand in a model's text. */
#ifndef KVL_RECALL_H
#define KVL_RECALL_H

#include "datasets/task.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Mean over answers[0..n_answers) of "the text contains it, case ignored" (ASCII letters), after RULER's clean-up of the
 * text: blanks at both ends off, control characters 0x01-0x1f become newlines, blanks off again. The answers are taken as
 * they are. 0 for no answers. Allocates nothing.
 * Source: RULER, arXiv:2404.06654, string_match_all. Departs: lower() of ASCII only, which is all that our own tasks hold. */
enum kvl_status kvl_recall(const struct kvl_scoring *scoring, double *score);

#ifdef __cplusplus
}
#endif
#endif
