/* What a compressed cache does to the model itself: the next tokens of a text are fed one by one, and every prediction is
 * compared with that of the reference, which has the whole cache.
 *
 * A text of n_forced tokens has n_forced predictions: the one that the prefill leaves and those after feeding all tokens but
 * the last. Source: PROTOCOL.md, item 5 (fidelity). */
#ifndef KVL_FIDELITY_H
#define KVL_FIDELITY_H

#include "harness/eval_answer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Feeds `forced` and keeps the logits before each of them. The session has been prefilled. */
enum kvl_status kvl_fidelity_note(struct kvl_engine *engine, struct kvl_session *session, const struct kvl_ids *forced,
                                  struct kvl_reference_logits *reference);

/* Feeds `forced` and sets, over the predictions,
 *   numbers->kl              mean of KL(reference || session) in nats, >= 0 up to rounding
 *   numbers->nll_difference  mean of -log p_session(token) + log p_reference(token): > 0 where the session is worse
 *   numbers->score           share of predictions with the reference's most likely token (the lower id on a tie)
 * KVL_E_INTERNAL where there is no reference. */
enum kvl_status kvl_fidelity_compare(struct kvl_engine *engine, struct kvl_session *session, const struct kvl_ids *forced,
                                     const struct kvl_reference_logits *reference, struct kvl_eval_numbers *numbers);

#ifdef __cplusplus
}
#endif
#endif
