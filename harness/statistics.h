/* Statistics of samples. */
#ifndef KVL_STATISTICS_H
#define KVL_STATISTICS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Quantile q in 0..1 by linear interpolation between order statistics (type 7 of Hyndman and Fan, NumPy's default). Sorts a
 * copy; n >= 1; NaN if n is 0. */
double kvl_quantile(const double *samples, int64_t n, double q);

double kvl_mean(const double *samples, int64_t n);

/* Standard error of the mean, sqrt(s^2 / n) with the n - 1 variance; NaN for n < 2. */
double kvl_standard_error(const double *samples, int64_t n);

/* Percentile bootstrap interval of the median: `level` e.g. 0.95; deterministic in `seed`; 10,000 resamples. n >= 2, else both
 * are NaN. Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), ch. 13. Not BCa: its acceleration comes from
 * the jackknife, which is inconsistent for a median (there, sec. 11.6). */
void kvl_bootstrap_median(const double *samples, int64_t n, double level, uint64_t seed, double *low, double *high);

/* The same of median(above) / median(below), both resampled on their own. Medians must be above 0; n >= 2 each, else NaN. */
void kvl_bootstrap_median_ratio(const double *above, int64_t n_above, const double *below, int64_t n_below, double level,
                                uint64_t seed, double *low, double *high);

/* How many samples lie far from the median: modified z-score 0.6745 |x - median| / MAD above 3.5 (Iglewicz and Hoaglin, How to
 * Detect and Handle Outliers, 1993; where more than half are equal and MAD is 0, |x - median| / (1.2533 mean |x - median|)).
 * 0 for n < 3. */
int64_t kvl_count_outliers(const double *samples, int64_t n);

#ifdef __cplusplus
}
#endif
#endif
