/* What a compressed cache does to the model itself: the next tokens of a text are fed one by one, and every prediction is
 * compared with that of the reference, which has the whole cache.
 *
 * A text of n_forced tokens has n_forced predictions: the one that the prefill leaves and those after feeding all tokens but
 * the last. Source: PROTOCOL.md, item 5 (fidelity). */
#ifndef KVL_FIDELITY_H
#define KVL_FIDELITY_H

#include "core/engine.h"
#include "core/tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The reference's predictions of one prompt's forced tokens. {0} is a valid empty one. */
struct kvl_reference_logits {
    float *logits; /* f32 [n_forced, n_vocab]: before each forced token; NULL until the reference has been there */
    int64_t n_allocated;
};
void kvl_reference_logits_free(struct kvl_reference_logits *reference); /* leaves {0} */

/* Means over the predictions of one text. */
struct kvl_fidelity {
    double kl;             /* KL(reference || session) in nats, >= 0 up to rounding */
    double nll_difference; /* -log p_session(token) + log p_reference(token): > 0 where the session is worse */
    double top1_agreement; /* share of predictions with the reference's most likely token (the lower id on a tie) */
};

/* Feeds `forced` and keeps the logits before each of them. The session has been prefilled. */
enum kvl_status kvl_fidelity_note(struct kvl_engine *engine, struct kvl_session *session, const struct kvl_ids *forced,
                                  struct kvl_reference_logits *reference);

/* Feeds `forced` and compares every prediction. KVL_E_INTERNAL where there is no reference. */
enum kvl_status kvl_fidelity_compare(struct kvl_engine *engine, struct kvl_session *session, const struct kvl_ids *forced,
                                     const struct kvl_reference_logits *reference, struct kvl_fidelity *out);

#ifdef __cplusplus
}
#endif
#endif
