#define _GNU_SOURCE /* lgamma_r */
#include "harness/significance.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "harness/paired.h"
#include "harness/statistics.h"

enum { MAX_FLIPPED = 20, MAX_COUNTED = 50 };

/* P(|Z| >= z) of a standard normal Z. */
static double normal_two_sided(double z)
{
    return erfc(fabs(z) / sqrt(2.0));
}

static double log_gamma(double x)
{
    int sign;
    return lgamma_r(x, &sign);
}

/* ---- pairs ------------------------------------------------------------------------------------------------------------- */

/* Share of the 2^n ways to choose the signs whose sum is at least as far from 0 as `sum`. A Gray code changes one sign at a
 * time; the first stays, as a sum and its mirror image are equally far. */
static double flip_exactly(const double *differences, int64_t n, double sum)
{
    double size = 0.0, walk = 0.0;
    for (int64_t i = 0; i < n; i++)
        size += fabs(differences[i]);
    walk = size;
    const double bound = fabs(sum) - 1e-9 * size; /* equal sums in another order of adding count as equal */
    bool negative[MAX_FLIPPED] = {false};
    uint64_t n_ways = (uint64_t)1 << (n - 1), n_far = fabs(walk) >= bound;
    for (uint64_t i = 1; i < n_ways; i++) {
        int at = 1 + __builtin_ctzll(i);
        double step = 2.0 * fabs(differences[at]);
        walk += negative[at] ? step : -step;
        negative[at] = !negative[at];
        n_far += fabs(walk) >= bound;
    }
    return (double)n_far / (double)n_ways;
}

static void test_flips(const double *changed, int64_t n, struct kvl_estimate *out)
{
    double sum = 0.0, squares = 0.0;
    for (int64_t i = 0; i < n; i++) {
        sum += changed[i];
        squares += changed[i] * changed[i];
    }
    out->p_least = n > 0 ? ldexp(1.0, (int)(1 - (n < 1000 ? n : 1000))) : 1.0;
    out->p = n == 0 ? 1.0 : n <= MAX_FLIPPED ? flip_exactly(changed, n, sum) : normal_two_sided(sum / sqrt(squares));
}

void kvl_paired_test(const double *before, const double *after, int64_t n, double level, struct kvl_estimate *out)
{
    *out = (struct kvl_estimate){NAN, NAN, NAN, NAN, 1.0};
    double *differences = n > 0 ? malloc((size_t)n * sizeof *differences) : NULL;
    if (differences == NULL)
        return;
    for (int64_t i = 0; i < n; i++)
        differences[i] = after[i] - before[i];
    struct kvl_difference mean = kvl_paired_difference(after, before, n, level);
    out->value = mean.mean;
    out->low = mean.low;
    out->high = mean.high;
    int64_t n_changed = 0;
    for (int64_t i = 0; i < n; i++)
        if (differences[i] != 0.0)
            differences[n_changed++] = differences[i];
    test_flips(differences, n_changed, out);
    free(differences);
}

/* ---- two sets of samples ----------------------------------------------------------------------------------------------- */

struct ranked {
    double value;
    bool after;
};

static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    return (x->value > y->value) - (x->value < y->value);
}

static double binomial(int64_t n, int64_t k)
{
    return exp(log_gamma((double)n + 1) - log_gamma((double)k + 1) - log_gamma((double)(n - k) + 1));
}

/* ways[u]: ways to arrange a and b samples so that u pairs are inverted, from those for fewer; the last sample is one of the
 * a (inverted with all b) or one of the b. Counts stay below 2^100 and relative errors of a double do not matter here. */
static double tail_exactly(int64_t a, int64_t b, int64_t u)
{
    int64_t n_u = a * b + 1;
    double *ways = calloc((size_t)((b + 1) * n_u), sizeof *ways), below = 0.0, all = 0.0;
    if (ways == NULL)
        return NAN;
    for (int64_t j = 0; j <= b; j++)
        ways[j * n_u] = 1.0;
    for (int64_t i = 1; i <= a; i++) /* row j: from (i - 1, j) with j more inverted, and from (i, j - 1) */
        for (int64_t j = 1; j <= b; j++)
            for (int64_t v = n_u - 1; v >= 0; v--)
                ways[j * n_u + v] = (v >= j ? ways[j * n_u + v - j] : 0.0) + ways[(j - 1) * n_u + v];
    for (int64_t v = 0; v < n_u; v++) {
        all += ways[b * n_u + v];
        below += v <= u ? ways[b * n_u + v] : 0.0;
    }
    free(ways);
    return below / all;
}

/* Rank-sum test; `all` holds both sets. */
static double rank_sum_p(struct ranked *all, int64_t n_before, int64_t n_after)
{
    int64_t n = n_before + n_after;
    double ranks = 0.0, ties = 0.0;
    qsort(all, (size_t)n, sizeof *all, compare_ranked);
    for (int64_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && all[end].value == all[i].value;)
            end++;
        double t = (double)(end - i);
        ties += t * t * t - t;
        for (int64_t j = i; j < end; j++)
            ranks += all[j].after ? 0.5 * (double)(i + 1 + end) : 0.0;
    }
    double a = (double)n_after, b = (double)n_before, u = ranks - 0.5 * a * (a + 1.0), mean = 0.5 * a * b;
    if (ties == 0.0 && n_before <= MAX_COUNTED && n_after <= MAX_COUNTED)
        return fmin(1.0, 2.0 * tail_exactly(n_after, n_before, (int64_t)fmin(u, a * b - u)));
    double total = a + b, variance = a * b / 12.0 * (total + 1.0 - ties / (total * (total - 1.0)));
    double distance = fmax(0.0, fabs(u - mean) - 0.5);
    return variance > 0.0 ? normal_two_sided(distance / sqrt(variance)) : 1.0;
}

void kvl_median_ratio(const double *before, int64_t n_before, const double *after, int64_t n_after, double tolerance, double level,
                      uint64_t seed, struct kvl_estimate *out)
{
    *out = (struct kvl_estimate){NAN, NAN, NAN, NAN, 1.0};
    struct ranked *all = n_before > 0 && n_after > 0 ? malloc((size_t)(n_before + n_after) * sizeof *all) : NULL;
    if (all == NULL)
        return;
    out->value = kvl_quantile(after, n_after, 0.5) / kvl_quantile(before, n_before, 0.5);
    double nearest = out->value > 1.0 ? fmin(out->value, 1.0 + tolerance) : fmax(out->value, 1.0 / (1.0 + tolerance));
    for (int64_t i = 0; i < n_before; i++)
        all[i] = (struct ranked){before[i] * nearest, false};
    for (int64_t i = 0; i < n_after; i++)
        all[n_before + i] = (struct ranked){after[i], true};
    kvl_bootstrap_median_ratio(after, n_after, before, n_before, level, seed, &out->low, &out->high);
    out->p = rank_sum_p(all, n_before, n_after);
    out->p_least = fmin(1.0, 2.0 / binomial(n_before + n_after, n_after));
    free(all);
}

/* ---- one series -------------------------------------------------------------------------------------------------------- */

double kvl_trend_p(const double *samples, int64_t n)
{
    if (n < 3)
        return 1.0;
    double rises = 0.0, ties = 0.0;
    for (int64_t i = 0; i < n; i++) {
        int64_t n_before = 0, n_equal = 1;
        for (int64_t j = 0; j < n; j++) {
            n_before += j < i && samples[j] == samples[i];
            n_equal += j > i && samples[j] == samples[i];
            if (j > i)
                rises += (samples[j] > samples[i]) - (samples[j] < samples[i]);
        }
        double t = (double)n_equal;
        ties += n_before == 0 ? t * (t - 1.0) * (2.0 * t + 5.0) : 0.0;
    }
    double m = (double)n, variance = (m * (m - 1.0) * (2.0 * m + 5.0) - ties) / 18.0;
    double distance = fmax(0.0, fabs(rises) - 1.0);
    return variance > 0.0 ? normal_two_sided(distance / sqrt(variance)) : 1.0;
}

/* ---- many tests -------------------------------------------------------------------------------------------------------- */

static int compare_places(const void *a, const void *b)
{
    double x = **(double *const *)a, y = **(double *const *)b;
    return (x > y) - (x < y);
}

/* From the largest p down: p n / rank, and no larger than what a larger p has got. */
void kvl_adjust_p(double *p, int64_t n)
{
    double **sorted = n > 0 ? malloc((size_t)n * sizeof *sorted) : NULL, least = 1.0;
    if (sorted == NULL) {
        for (int64_t i = 0; i < n; i++) /* without memory: Bonferroni's bound, which is never too small */
            p[i] = fmin(1.0, p[i] * (double)n);
        return;
    }
    for (int64_t i = 0; i < n; i++)
        sorted[i] = &p[i];
    qsort(sorted, (size_t)n, sizeof *sorted, compare_places);
    for (int64_t i = n - 1; i >= 0; i--) {
        least = fmin(least, *sorted[i] * (double)n / (double)(i + 1));
        *sorted[i] = least;
    }
    free(sorted);
}
