#include "harness/statistics.h"

#include <math.h>
#include <stdbool.h>
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

/* Sorted samples of which medians are drawn again and again. */
struct resampler {
    double *sorted;   /* [n] */
    uint32_t *counts; /* [n] */
    int64_t n;
};

static bool resampler_init(struct resampler *resampler, const double *samples, int64_t n)
{
    *resampler = (struct resampler){.n = n};
    if (n < 2)
        return false;
    resampler->sorted = sorted_copy(samples, n);
    resampler->counts = malloc((size_t)n * sizeof *resampler->counts);
    return resampler->sorted != NULL && resampler->counts != NULL;
}

static void resampler_free(struct resampler *resampler)
{
    free(resampler->sorted);
    free(resampler->counts);
}

/* Median of n draws: counted, so that no resample needs a sort. */
static double resampled_median(const struct resampler *resampler, uint64_t *state)
{
    int64_t n = resampler->n;
    uint32_t *counts = resampler->counts;
    memset(counts, 0, (size_t)n * sizeof *counts);
    for (int64_t i = 0; i < n; i++) /* the upper 32 bits times n: an index without a division */
        counts[(int64_t)((next_random(state) >> 32) * (uint64_t)n >> 32)]++;
    int64_t seen = 0, lower = 0, upper;
    while ((seen += counts[lower]) <= (n - 1) / 2)
        lower++;
    for (upper = lower; seen <= n / 2; seen += counts[upper])
        upper++;
    return (resampler->sorted[lower] + resampler->sorted[upper]) / 2;
}

/* The middle `level` of the resampled values, which are sorted here. */
static void percentiles(double *values, double level, double *low, double *high)
{
    qsort(values, N_RESAMPLES, sizeof *values, compare);
    *low = quantile_sorted(values, N_RESAMPLES, (1 - level) / 2);
    *high = quantile_sorted(values, N_RESAMPLES, (1 + level) / 2);
}

void kvl_bootstrap_median(const double *samples, int64_t n, double level, uint64_t seed, double *low, double *high)
{
    *low = *high = NAN;
    struct resampler resampler;
    double *medians = malloc(N_RESAMPLES * sizeof *medians);
    if (resampler_init(&resampler, samples, n) && medians != NULL) {
        for (int i = 0; i < N_RESAMPLES; i++)
            medians[i] = resampled_median(&resampler, &seed);
        percentiles(medians, level, low, high);
    }
    free(medians);
    resampler_free(&resampler);
}

void kvl_bootstrap_median_ratio(const double *above, int64_t n_above, const double *below, int64_t n_below, double level,
                                uint64_t seed, double *low, double *high)
{
    *low = *high = NAN;
    struct resampler a, b;
    double *ratios = malloc(N_RESAMPLES * sizeof *ratios);
    bool has_a = resampler_init(&a, above, n_above), has_b = resampler_init(&b, below, n_below);
    if (has_a && has_b && ratios != NULL && a.sorted[0] > 0.0 && b.sorted[0] > 0.0) {
        for (int i = 0; i < N_RESAMPLES; i++) {
            double median = resampled_median(&a, &seed);
            ratios[i] = median / resampled_median(&b, &seed);
        }
        percentiles(ratios, level, low, high);
    }
    free(ratios);
    resampler_free(&a);
    resampler_free(&b);
}

int64_t kvl_count_outliers(const double *samples, int64_t n)
{
    const double bound = 3.5, to_sigma = 0.6745, mean_to_sigma = 1.2533;
    double *distances = n >= 3 ? malloc((size_t)n * sizeof *distances) : NULL;
    double median = kvl_quantile(samples, n, 0.5);
    if (distances == NULL || isnan(median)) {
        free(distances);
        return 0;
    }
    for (int64_t i = 0; i < n; i++)
        distances[i] = fabs(samples[i] - median);
    double mad = kvl_quantile(distances, n, 0.5);
    double sigma = mad > 0.0 ? mad / to_sigma : mean_to_sigma * kvl_mean(distances, n);
    int64_t n_far = 0;
    for (int64_t i = 0; i < n; i++)
        n_far += distances[i] > bound * sigma;
    free(distances);
    return n_far;
}
