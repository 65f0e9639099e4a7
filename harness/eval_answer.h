/* From a prefilled session to a sample's numbers: the answer is generated and scored, or a known text is fed and every
 * prediction compared with the reference's. */
#ifndef KVL_EVAL_ANSWER_H
#define KVL_EVAL_ANSWER_H

#include "harness/eval_entry.h"
#include "harness/fidelity.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Tokens that a session is made for: those compressed together, and those fed afterwards (the rest of a query-agnostic
 * prompt, the answer, or the forced tokens). */
void kvl_eval_lengths(const struct kvl_eval_job *job, const struct kvl_prompt *prompt, int64_t *n_prompt, int64_t *n_new);

/* Runs one sample to its end and adds it to the entry. The reference entry fills *reference, others read it. */
enum kvl_status kvl_eval_answer(const struct kvl_eval_job *job, struct kvl_eval_entry *entry,
                                const struct kvl_prompt *prompt, struct kvl_reference_logits *reference);

#ifdef __cplusplus
}
#endif
#endif
