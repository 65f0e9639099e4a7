#include "harness/layer_statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct ranked {
    float mass;
    int64_t token;
};

static int compare_heaviest_first(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->mass != y->mass)
        return x->mass < y->mass ? 1 : -1;
    return (x->token > y->token) - (x->token < y->token);
}

enum kvl_status kvl_top_tokens(const float *mass, int64_t n, int64_t k, bool *chosen)
{
    KVL_REQUIRE(k >= 1 && k <= n, "%lld of %lld tokens: give at least one and at most all", (long long)k, (long long)n);
    struct ranked *ranked = malloc((size_t)n * sizeof *ranked);
    if (ranked == NULL)
        return kvl_fail(KVL_E_OOM, "no memory to rank %lld tokens", (long long)n);
    for (int64_t i = 0; i < n; i++)
        ranked[i] = (struct ranked){mass[i], i};
    qsort(ranked, (size_t)n, sizeof *ranked, compare_heaviest_first);
    memset(chosen, 0, (size_t)n * sizeof *chosen);
    for (int64_t i = 0; i < k; i++)
        chosen[ranked[i].token] = true;
    free(ranked);
    return KVL_OK;
}

double kvl_mass_recall(const float *mass, const bool *chosen, int64_t n)
{
    double held = 0.0, all = 0.0;
    for (int64_t i = 0; i < n; i++) {
        held += chosen[i] ? (double)mass[i] : 0.0;
        all += (double)mass[i];
    }
    return held / all;
}

double kvl_token_overlap(const bool *a, const bool *b, int64_t n, int64_t k)
{
    int64_t both = 0;
    for (int64_t i = 0; i < n; i++)
        both += a[i] && b[i];
    return (double)both / (double)k;
}

void kvl_mean_by_distance(const double *matrix, int64_t n_layer, int64_t first, int64_t last, double *out)
{
    for (int64_t d = 0; d < n_layer; d++) {
        double sum = 0.0;
        int64_t n = 0;
        for (int64_t a = first; a <= last && a + d < n_layer; a++, n++)
            sum += matrix[a * n_layer + a + d];
        out[d] = n > 0 ? sum / (double)n : NAN;
    }
}

/* ---- outputs ---------------------------------------------------------------------------------------------------------- */

struct products {
    double aa, ab, bb, apart; /* a.a, a.b, b.b, |a - b|^2 */
};

static struct products multiply(const float *a, const float *b, int64_t n)
{
    struct products sum = {0};
    for (int64_t i = 0; i < n; i++) {
        double x = a[i], y = b[i];
        sum.aa += x * x;
        sum.ab += x * y;
        sum.bb += y * y;
        sum.apart += (x - y) * (x - y);
    }
    return sum;
}

static int64_t largest(const float *x, int64_t n)
{
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        best = x[i] > x[best] ? i : best;
    return best;
}

static double log_sum_exp(const float *x, int64_t n)
{
    double top = x[largest(x, n)], sum = 0.0;
    for (int64_t i = 0; i < n; i++)
        sum += exp((double)x[i] - top);
    return top + log(sum);
}

/* sum over i of p_i (log p_i - log q_i); rounding may not make it negative. */
static double divergence(const float *p, const float *q, int64_t n)
{
    double p_all = log_sum_exp(p, n), q_all = log_sum_exp(q, n), sum = 0.0;
    for (int64_t i = 0; i < n; i++) {
        double log_p = (double)p[i] - p_all, log_q = (double)q[i] - q_all;
        sum += exp(log_p) * (log_p - log_q);
    }
    return sum > 0.0 ? sum : isnan(sum) ? sum : 0.0;
}

struct kvl_output_distance kvl_output_compare(const struct kvl_output *full, const struct kvl_output *other, int64_t n_embd,
                                              int64_t n_vocab)
{
    struct products hidden = multiply(full->hidden, other->hidden, n_embd);
    struct products logits = multiply(full->logits, other->logits, n_vocab);
    return (struct kvl_output_distance){
        .hidden_l2 = sqrt(hidden.apart / hidden.aa),
        .hidden_squared = hidden.apart,
        .hidden_cosine = hidden.ab / sqrt(hidden.aa * hidden.bb),
        .logits_l2 = sqrt(logits.apart / logits.aa),
        .logits_kl = divergence(full->logits, other->logits, n_vocab),
        .same_top = largest(full->logits, n_vocab) == largest(other->logits, n_vocab),
    };
}
