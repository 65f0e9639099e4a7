/* Whether two measurements differ by more than chance, and whether one drifts. */
#ifndef KVL_SIGNIFICANCE_H
#define KVL_SIGNIFICANCE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A difference or ratio with its confidence interval and a two-sided p-value of "nothing has changed". */
struct kvl_estimate {
    double value;
    double low, high; /* NaN where there are too few samples */
    double p;
    double p_least;   /* the smallest p that these samples could have given: above a level, the test can never reach it */
};

/* Mean of after[i] - before[i] over n pairs. The interval is Student's, as in harness/paired.h (NaN for n < 2). p is that of the
 * sign-flip test (Fisher, The Design of Experiments, 1935, sec. 21): the share of all ways to swap the pairs that give a mean
 * at least as far from 0; exact for at most 20 pairs that differ, by its normal approximation beyond. Unlike Student's p it means
 * something where all the differences are the same. NaN values are not allowed. */
void kvl_paired_test(const double *before, const double *after, int64_t n, double level, struct kvl_estimate *out);

/* median(after) / median(before); the interval is kvl_bootstrap_median_ratio's. p is that of the rank-sum test of Wilcoxon
 * (1945), Mann and Whitney (1947), in which outliers count no more than others: exact without ties and up to 50 samples each,
 * by the normal approximation with corrections for ties and continuity otherwise. It asks for a change by more than `tolerance`,
 * above 0 where equal runs differ by more than their samples scatter: `before` is first multiplied by the ratio in
 * 1 / (1 + tolerance) .. 1 + tolerance that explains most. Values above 0. */
void kvl_median_ratio(const double *before, int64_t n_before, const double *after, int64_t n_after, double tolerance, double level,
                      uint64_t seed, struct kvl_estimate *out);

/* Two-sided p of "no trend in the order of the samples": Mann (1945), Kendall (1975), normal approximation with corrections for
 * ties and continuity. 1 for n < 3. */
double kvl_trend_p(const double *samples, int64_t n);

/* p-values of n tests adjusted so that of those at or below a level, at most that share is expected to be false (Benjamini and
 * Hochberg 1995); where nothing has changed anywhere, the level bounds the probability of any. In place. */
void kvl_adjust_p(double *p, int64_t n);

#ifdef __cplusplus
}
#endif
#endif
