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

/* Percentile bootstrap interval of the median: `level` e.g. 0.95; deterministic in `seed`. n >= 2, else both are NaN. */
void kvl_bootstrap_median(const double *samples, int64_t n, double level, uint64_t seed, double *low, double *high);

#ifdef __cplusplus
}
#endif
#endif
