#include "harness/statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N_RESAMPLES = 10000 };

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* A sorted copy; NULL where there is no memory, no sample, or a NaN among them (it has no place in an order). */
static double *sorted_copy(const double *samples, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (isnan(samples[i]))
            return NULL;
    double *copy = n > 0 ? malloc((size_t)n * sizeof *copy) : NULL;
    if (copy == NULL)
        return NULL;
    memcpy(copy, samples, (size_t)n * sizeof *copy);
    qsort(copy, (size_t)n, sizeof *copy, compare);
    return copy;
}

/* NumPy's two-sided interpolation: exact at both ends. */
static double between(double a, double b, double t)
{
    return t < 0.5 ? a + (b - a) * t : b - (b - a) * (1 - t);
}

static double quantile_sorted(const double *sorted, int64_t n, double q)
{
    double place = q * (double)(n - 1);
    int64_t below = (int64_t)floor(place);
    return below >= n - 1 ? sorted[n - 1] : between(sorted[below], sorted[below + 1], place - (double)below);
}

double kvl_quantile(const double *samples, int64_t n, double q)
{
    double *sorted = q >= 0 && q <= 1 ? sorted_copy(samples, n) : NULL;
    double value = sorted != NULL ? quantile_sorted(sorted, n, q) : NAN;
    free(sorted);
    return value;
}

double kvl_mean(const double *samples, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += samples[i];
    return n > 0 ? sum / (double)n : NAN;
}

double kvl_standard_error(const double *samples, int64_t n)
{
    if (n < 2)
        return NAN;
    double mean = kvl_mean(samples, n), squares = 0;
    for (int64_t i = 0; i < n; i++)
        squares += (samples[i] - mean) * (samples[i] - mean);
    return sqrt(squares / (double)(n - 1) / (double)n);
}

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Median of n draws from the sorted samples: counted, so that no resample needs a sort. counts: [n]. */
static double resampled_median(const double *sorted, int64_t n, uint32_t *counts, uint64_t *state)
{
    memset(counts, 0, (size_t)n * sizeof *counts);
    for (int64_t i = 0; i < n; i++) /* the upper 32 bits times n: an index without a division */
        counts[(int64_t)((next_random(state) >> 32) * (uint64_t)n >> 32)]++;
    int64_t seen = 0, lower = 0, upper;
    while ((seen += counts[lower]) <= (n - 1) / 2)
        lower++;
    for (upper = lower; seen <= n / 2; seen += counts[upper])
        upper++;
    return (sorted[lower] + sorted[upper]) / 2;
}

void kvl_bootstrap_median(const double *samples, int64_t n, double level, uint64_t seed, double *low, double *high)
{
    *low = *high = NAN;
    double *sorted = n >= 2 ? sorted_copy(samples, n) : NULL;
    double *medians = malloc(N_RESAMPLES * sizeof *medians);
    uint32_t *counts = n >= 2 ? malloc((size_t)n * sizeof *counts) : NULL;
    if (sorted != NULL && medians != NULL && counts != NULL) {
        for (int i = 0; i < N_RESAMPLES; i++)
            medians[i] = resampled_median(sorted, n, counts, &seed);
        qsort(medians, N_RESAMPLES, sizeof *medians, compare);
        *low = quantile_sorted(medians, N_RESAMPLES, (1 - level) / 2);
        *high = quantile_sorted(medians, N_RESAMPLES, (1 + level) / 2);
    }
    free(counts);
    free(medians);
    free(sorted);
}
