/* Differences of paired samples: two methods on the same questions. */
#ifndef KVL_PAIRED_H
#define KVL_PAIRED_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A mean difference with its confidence interval; what is not known is NaN. */
struct kvl_difference {
    int64_t n;        /* pairs */
    double mean;
    double error;     /* standard error of the mean; NaN for n < 2 */
    double freedom;   /* degrees of freedom of that error */
    double low, high; /* of the confidence interval; NaN where there is no error */
};

/* a[i] - b[i] over n pairs with Student's interval of `level`, e.g. 0.95: mean +- t(n - 1) * s / sqrt(n). Where all pairs
 * differ by the same amount, the interval is that point. */
struct kvl_difference kvl_paired_difference(const double *a, const double *b, int64_t n, double level);

/* Sum of weights[i] * parts[i].mean over n independent differences, e.g. the mean over tasks; its degrees of freedom after
 * Welch and Satterthwaite. n of the result is the sum of pairs. NaN where a part with a weight has no mean or no error. */
struct kvl_difference kvl_weighted_difference(const struct kvl_difference *parts, const double *weights, int n, double level);

/* Quantile p of Student's t distribution, 0 < p < 1, with `freedom` > 0 degrees of freedom (not only whole ones). */
double kvl_student_quantile(double p, double freedom);

#ifdef __cplusplus
}
#endif
#endif
