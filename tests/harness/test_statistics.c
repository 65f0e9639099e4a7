/* Statistics against values worked out by hand and by NumPy. */
#include <math.h>

#include "harness/statistics.h"
#include "tests/support/golden.h"

static void assert_near(double got, double expected)
{
    if (!(fabs(got - expected) <= 1e-12 * (1 + fabs(expected))))
        fail_msg("%.17g is not %.17g", got, expected);
}

static void quantiles_by_hand(void **state)
{
    (void)state;
    const double samples[] = {4, 1, 3, 2};
    assert_near(kvl_quantile(samples, 4, 0), 1);
    assert_near(kvl_quantile(samples, 4, 0.5), 2.5);
    assert_near(kvl_quantile(samples, 4, 0.25), 1.75);
    assert_near(kvl_quantile(samples, 4, 1), 4);
    assert_near(kvl_quantile(samples, 1, 0.95), 4);
    assert_true(samples[0] == 4 && samples[3] == 2); /* sorted a copy */
}

/* numpy.quantile(x, q), version 2. */
static void quantiles_as_numpy(void **state)
{
    (void)state;
    const double samples[] = {3.5, -1.25, 8, 0.1, 2.75, 2.75, 1e3};
    const double expected[][2] = {
        {0.0, -1.25},
        {0.05, -0.845},
        {0.1, -0.43999999999999995},
        {0.333, 2.744700000000001},
        {0.5, 2.75},
        {0.9, 404.80000000000035},
        {0.95, 702.3999999999993},
        {1.0, 1000.0},
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        assert_near(kvl_quantile(samples, 7, expected[i][0]), expected[i][1]);
}

static void quantiles_without_meaning(void **state)
{
    (void)state;
    const double samples[] = {1, NAN, 2};
    assert_true(isnan(kvl_quantile(samples, 0, 0.5)));
    assert_true(isnan(kvl_quantile(samples, 3, 0.5)));
    assert_true(isnan(kvl_quantile(samples, 1, 1.5)));
}

static void mean_and_error(void **state)
{
    (void)state;
    const double samples[] = {3.5, -1.25, 8, 0.1, 2.75, 2.75, 1e3}, hits[] = {1, 0, 1, 1};
    assert_near(kvl_mean(samples, 7), 145.12142857142857);
    assert_near(kvl_standard_error(samples, 7), 142.4840295382938);
    assert_near(kvl_mean(hits, 4), 0.75);
    assert_near(kvl_standard_error(hits, 4), 0.25); /* s^2 = 0.75 / 3, over 4 */
    assert_near(kvl_standard_error(hits, 2), 0.5);
    assert_true(isnan(kvl_mean(hits, 0)));
    assert_true(isnan(kvl_standard_error(hits, 1)));
}

/* The median of 5 draws from 1..5 is at most k with P(Bin(5, k / 5) >= 3) = 0.058, 0.317, 0.683, 0.942, 1. */
static void bootstrap_of_five(void **state)
{
    (void)state;
    const double samples[] = {5, 3, 1, 2, 4};
    double low, high;
    kvl_bootstrap_median(samples, 5, 0.95, 1, &low, &high);
    assert_true(low == 1 && high == 5);
    kvl_bootstrap_median(samples, 5, 0.8, 1, &low, &high);
    assert_true(low == 2 && high == 4);
    kvl_bootstrap_median(samples, 5, 0.3, 1, &low, &high);
    assert_true(low == 3 && high == 3);
}

/* The median of 2 draws from {0, 1} is 0, 1/2, 1 with 1/4, 1/2, 1/4. */
static void bootstrap_of_two(void **state)
{
    (void)state;
    const double samples[] = {1, 0};
    double low, high;
    kvl_bootstrap_median(samples, 2, 0.95, 7, &low, &high);
    assert_true(low == 0 && high == 1);
    kvl_bootstrap_median(samples, 2, 0.4, 7, &low, &high);
    assert_true(low == 0.5 && high == 0.5);
    kvl_bootstrap_median(samples, 1, 0.95, 7, &low, &high);
    assert_true(isnan(low) && isnan(high));
}

static void bootstrap_is_deterministic(void **state)
{
    (void)state;
    double samples[101], low[2], high[2];
    for (int i = 0; i < 101; i++)
        samples[i] = fmod(i * 0.6180339887, 1);
    for (int i = 0; i < 2; i++)
        kvl_bootstrap_median(samples, 101, 0.95, 42, &low[i], &high[i]);
    assert_true(low[0] == low[1] && high[0] == high[1]);
    double median = kvl_quantile(samples, 101, 0.5);
    assert_true(low[0] < median && median < high[0] && high[0] - low[0] < 0.3 && high[0] - low[0] > 0.1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_by_hand),     cmocka_unit_test(quantiles_as_numpy),
        cmocka_unit_test(quantiles_without_meaning), cmocka_unit_test(mean_and_error),
        cmocka_unit_test(bootstrap_of_five),     cmocka_unit_test(bootstrap_of_two),
        cmocka_unit_test(bootstrap_is_deterministic),
    };
    return test_result(cmocka_run_group_tests(tests, NULL, NULL));
}
