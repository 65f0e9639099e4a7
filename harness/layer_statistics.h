/* What is said of layers: which tokens they look at, how far two of them agree, how far an output is from another. Plain
 * arithmetic on host memory, in double. Source: FastKV, arXiv:2502.01068 v7, sec. 3.1, 3.2 and 4.3. */
#ifndef KVL_LAYER_STATISTICS_H
#define KVL_LAYER_STATISTICS_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Marks the k largest of mass f32 [n], ties: the lower index, in chosen [n]. 1 <= k <= n. KVL_E_OOM. */
enum kvl_status kvl_top_tokens(const float *mass, int64_t n, int64_t k, bool *chosen);

/* Share of the sum of mass f32 [n] that the chosen tokens hold, in 0..1. The sum is above 0. */
double kvl_mass_recall(const float *mass, const bool *chosen, int64_t n);

/* |A and B| / k of two choices of k among n tokens. */
double kvl_token_overlap(const bool *a, const bool *b, int64_t n, int64_t k);

/* Mean of matrix [n_layer, n_layer] over the pairs (a, a + d) with first <= a <= last, for d = 0 .. n_layer - 1, into out
 * [n_layer]; NaN where there is no pair. */
void kvl_mean_by_distance(const double *matrix, int64_t n_layer, int64_t first, int64_t last, double *out);

/* What a prefill ends with: hidden f32 [n_embd], the last token's state behind the final norm, and logits f32 [n_vocab]. */
struct kvl_output {
    float *hidden, *logits;
};

/* How far an output is from the full cache's. KL is that of the full cache's distribution from the other, in nats. */
struct kvl_output_distance {
    double hidden_l2;      /* ||h - h'|| / ||h|| */
    double hidden_squared; /* ||h - h'||^2: what eq. 3 adds up */
    double hidden_cosine;
    double logits_l2;      /* ||z - z'|| / ||z|| */
    double logits_kl;
    double same_top;       /* 1 where both would go on with the same token, else 0 (the lower id on a tie) */
};

/* Neither ||h|| nor ||z|| is 0. */
struct kvl_output_distance kvl_output_compare(const struct kvl_output *full, const struct kvl_output *other, int64_t n_embd,
                                              int64_t n_vocab);

#ifdef __cplusplus
}
#endif
#endif
