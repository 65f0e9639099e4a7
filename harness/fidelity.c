#include "harness/fidelity.h"

#include <math.h>
#include <stdlib.h>

void kvl_reference_logits_free(struct kvl_reference_logits *reference)
{
    free(reference->logits);
    *reference = (struct kvl_reference_logits){0};
}

/* log of the sum of exp(x), in double. */
static double log_sum_exp(const float *x, int64_t n)
{
    double max = x[0], sum = 0.0;
    for (int64_t i = 1; i < n; i++)
        max = x[i] > max ? x[i] : max;
    for (int64_t i = 0; i < n; i++)
        sum += exp((double)x[i] - max);
    return max + log(sum);
}

static int64_t argmax(const float *x, int64_t n)
{
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (x[i] > x[best])
            best = i;
    return best;
}

/* Adds one prediction to the sums in *sums. */
static void add_prediction(const float *reference, const float *logits, int64_t n, int32_t token, struct kvl_fidelity *sums)
{
    double lse_reference = log_sum_exp(reference, n), lse = log_sum_exp(logits, n), kl = 0.0;
    for (int64_t i = 0; i < n; i++) {
        double log_p = (double)reference[i] - lse_reference;
        kl += exp(log_p) * (log_p - ((double)logits[i] - lse));
    }
    sums->kl += kl;
    sums->nll_difference += (lse - (double)logits[token]) - (lse_reference - (double)reference[token]);
    sums->top1_agreement += argmax(reference, n) == argmax(logits, n);
}

static int64_t n_vocab_of(const struct kvl_engine *engine)
{
    return kvl_engine_model(engine)->shape.n_vocab;
}

enum kvl_status kvl_fidelity_note(struct kvl_engine *engine, struct kvl_session *session, const struct kvl_ids *forced,
                                  struct kvl_reference_logits *reference)
{
    int64_t n_vocab = n_vocab_of(engine), n = forced->n * n_vocab;
    if (reference->n_allocated < n) {
        kvl_reference_logits_free(reference);
        reference->logits = malloc((size_t)n * sizeof *reference->logits);
        if (reference->logits == NULL)
            return kvl_fail(KVL_E_OOM, "no memory for the reference's %lld logits", (long long)n);
        reference->n_allocated = n;
    }
    for (int64_t i = 0; i < forced->n; i++) {
        KVL_TRY(kvl_session_logits(session, reference->logits + i * n_vocab));
        if (i + 1 < forced->n)
            KVL_TRY(kvl_engine_step(engine, session, forced->data[i]));
    }
    return KVL_OK;
}

enum kvl_status kvl_fidelity_compare(struct kvl_engine *engine, struct kvl_session *session, const struct kvl_ids *forced,
                                     const struct kvl_reference_logits *reference, struct kvl_fidelity *out)
{
    int64_t n_vocab = n_vocab_of(engine);
    if (reference->logits == NULL)
        return kvl_fail(KVL_E_INTERNAL, "the reference has not been run, so there is nothing to compare with");
    float *logits = malloc((size_t)n_vocab * sizeof *logits);
    if (logits == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for %lld logits", (long long)n_vocab);
    enum kvl_status status = KVL_OK;
    *out = (struct kvl_fidelity){0};
    for (int64_t i = 0; i < forced->n && status == KVL_OK; i++) {
        status = kvl_session_logits(session, logits);
        if (status == KVL_OK)
            add_prediction(reference->logits + i * n_vocab, logits, n_vocab, forced->data[i], out);
        if (status == KVL_OK && i + 1 < forced->n)
            status = kvl_engine_step(engine, session, forced->data[i]);
    }
    free(logits);
    out->kl /= (double)forced->n;
    out->nll_difference /= (double)forced->n;
    out->top1_agreement /= (double)forced->n;
    return status;
}
