#include "harness/paired.h"

#include <math.h>

/* ---- Student's t ------------------------------------------------------------------------------------------------------ */

/* The continued fraction of the incomplete beta function (DLMF 8.17.22), by Lentz's algorithm; it converges fast for
 * x < (a + 1) / (a + b + 2). */
static double beta_fraction(double a, double b, double x)
{
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1), value;
    d = 1 / (fabs(d) < tiny ? tiny : d);
    value = d;
    for (int m = 1; m <= 10000; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        double change = 1;
        for (int half = 0; half < 2; half++) {
            double term = half == 0 ? even : odd;
            d = 1 + term * d;
            d = 1 / (fabs(d) < tiny ? tiny : d);
            c = 1 + term / c;
            c = fabs(c) < tiny ? tiny : c;
            change = c * d;
            value *= change;
        }
        if (fabs(change - 1) < 1e-16)
            break;
    }
    return value;
}

/* Regularized incomplete beta function I_x(a, b); `y` is 1 - x, given apart because it may be the small one. */
static double incomplete_beta(double a, double b, double x, double y)
{
    if (x <= 0 || y <= 0)
        return x <= 0 ? 0 : 1;
    double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(y));
    if (x < (a + 1) / (a + b + 2))
        return front * beta_fraction(a, b, x) / a;
    return 1 - front * beta_fraction(b, a, y) / b;
}

/* Probability of more than t, t >= 0. */
static double upper_tail(double t, double freedom)
{
    double square = t * t, sum = freedom + square;
    return 0.5 * incomplete_beta(freedom / 2, 0.5, freedom / sum, square / sum);
}

/* By bisection on the upper tail: sure, and fast enough for a table. */
double kvl_student_quantile(double p, double freedom)
{
    if (!(p > 0 && p < 1 && freedom > 0))
        return NAN;
    double tail = p < 0.5 ? p : 1 - p, low = 0, high = 1;
    while (upper_tail(high, freedom) > tail && high < 1e300)
        high *= 2;
    for (int i = 0; i < 200 && high - low > 1e-15 * high; i++) {
        double middle = (low + high) / 2;
        if (upper_tail(middle, freedom) > tail)
            low = middle;
        else
            high = middle;
    }
    double t = p == 0.5 ? 0 : (low + high) / 2;
    return p < 0.5 ? -t : t;
}

/* ---- differences ------------------------------------------------------------------------------------------------------ */

static void find_interval(struct kvl_difference *difference, double level)
{
    double half = difference->error > 0 ? kvl_student_quantile((1 + level) / 2, difference->freedom) * difference->error
                                        : difference->error; /* 0 or NaN */
    difference->low = difference->mean - half;
    difference->high = difference->mean + half;
}

struct kvl_difference kvl_paired_difference(const double *a, const double *b, int64_t n, double level)
{
    struct kvl_difference result = {.n = n, .mean = NAN, .error = NAN, .freedom = NAN, .low = NAN, .high = NAN};
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < n; i++)
        sum += a[i] - b[i];
    if (n > 0)
        result.mean = sum / (double)n;
    for (int64_t i = 0; i < n; i++)
        squares += (a[i] - b[i] - result.mean) * (a[i] - b[i] - result.mean);
    if (n < 2)
        return result;
    result.error = sqrt(squares / (double)(n - 1) / (double)n);
    result.freedom = (double)(n - 1);
    find_interval(&result, level);
    return result;
}

/* Degrees of freedom: V^2 / sum of V_i^2 / f_i, where V_i are the parts' variances and V is their sum. */
struct kvl_difference kvl_weighted_difference(const struct kvl_difference *parts, const double *weights, int n, double level)
{
    struct kvl_difference result = {.mean = 0};
    double variance = 0, fourth = 0;
    for (int i = 0; i < n; i++) {
        if (weights[i] == 0)
            continue;
        double part = weights[i] * weights[i] * parts[i].error * parts[i].error;
        result.n += parts[i].n;
        result.mean += weights[i] * parts[i].mean;
        variance += part;
        fourth += part * part / parts[i].freedom;
    }
    result.error = sqrt(variance);
    result.freedom = fourth > 0 ? variance * variance / fourth : NAN;
    find_interval(&result, level);
    return result;
}
