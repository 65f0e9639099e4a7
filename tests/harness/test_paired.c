/* Student's t and paired differences against numbers of SciPy 1.17 and of small cases worked out by hand. */
#include <math.h>

#include "harness/paired.h"
#include "tests/support/golden.h"

static void assert_near(double got, double expected, double tolerance)
{
    if (!(fabs(got - expected) <= tolerance * (1 + fabs(expected))))
        fail_msg("%.17g is not %.17g", got, expected);
}

/* scipy.stats.t.ppf(p, freedom) */
static void quantiles_as_scipy(void **state)
{
    (void)state;
    static const double expected[][3] = {
        {0.975, 1, 12.706204736174694},   {0.975, 2, 4.3026527297494619}, {0.975, 4.5, 2.6589123472044034},
        {0.975, 10, 2.2281388519862739},  {0.975, 199, 1.9719565442517533}, {0.6, 3, 0.27667066233268978},
        {0.025, 7, -2.3646242515927844},  {0.995, 1e6, 2.5758342201053344}, {0.9999, 0.7, 97570.040178784213},
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        assert_near(kvl_student_quantile(expected[i][0], expected[i][1]), expected[i][2], 1e-9);
}

/* One degree of freedom is Cauchy's distribution: tan(pi * (p - 1/2)); two have t = a * sqrt(2 / (1 - a^2)), a = 2p - 1. */
static void quantiles_by_hand(void **state)
{
    (void)state;
    for (double p = 0.05; p < 1; p += 0.1) {
        assert_near(kvl_student_quantile(p, 1), tan(acos(-1) * (p - 0.5)), 1e-9);
        assert_near(kvl_student_quantile(p, 2), (2 * p - 1) * sqrt(2 / (1 - (2 * p - 1) * (2 * p - 1))), 1e-9);
    }
    assert_true(kvl_student_quantile(0.5, 3) == 0);
    assert_true(isnan(kvl_student_quantile(0, 3)) && isnan(kvl_student_quantile(1, 3)) && isnan(kvl_student_quantile(0.9, 0)));
}

static const double ours[] = {1, 0, 1, 0.5, 0.25, 1, 0, 0.75}, theirs[] = {1, 1, 0.5, 0.75, 1, 1, 0.5, 0.5};

/* scipy.stats.ttest_rel(ours, theirs).confidence_interval(level) */
static void paired_as_scipy(void **state)
{
    (void)state;
    struct kvl_difference got = kvl_paired_difference(ours, theirs, 8, 0.95);
    assert_int_equal(got.n, 8);
    assert_near(got.mean, -0.21875, 1e-12);
    assert_near(got.error, 0.1795175827043134, 1e-12);
    assert_true(got.freedom == 7);
    assert_near(got.low, -0.6432416296499328, 1e-10);
    assert_near(got.high, 0.20574162964993276, 1e-10);
    got = kvl_paired_difference(ours, theirs, 8, 0.99);
    assert_near(got.low, -0.8469687822544804, 1e-10);
    assert_near(got.high, 0.40946878225448036, 1e-10);
}

static void few_pairs(void **state)
{
    (void)state;
    struct kvl_difference got = kvl_paired_difference(ours, theirs, 0, 0.95);
    assert_true(got.n == 0 && isnan(got.mean) && isnan(got.low) && isnan(got.high));
    got = kvl_paired_difference(ours + 1, theirs + 1, 1, 0.95);
    assert_true(got.n == 1 && got.mean == -1 && isnan(got.error) && isnan(got.low) && isnan(got.high));
}

static void pairs_that_all_differ_by_the_same(void **state)
{
    (void)state;
    const double a[] = {0.5, 0.25, 1}, b[] = {0.25, 0, 0.75};
    struct kvl_difference got = kvl_paired_difference(a, b, 3, 0.95);
    assert_true(got.mean == 0.25 && got.error == 0 && got.low == 0.25 && got.high == 0.25);
}

/* Welch's test is the case of two parts with weights 1 and -1: scipy.stats.ttest_ind(x, y, equal_var=False). */
static void weighted_as_welch(void **state)
{
    (void)state;
    static const double x[] = {0.1, 0.4, 0.35, 0.8, 0.2}, y[] = {0.9, 0.7, 0.3, 0.6, 0.65, 0.85, 0.2}, zero[7];
    const struct kvl_difference parts[] = {kvl_paired_difference(x, zero, 5, 0.95), kvl_paired_difference(y, zero, 7, 0.95)};
    const double weights[] = {1, -1};
    struct kvl_difference got = kvl_weighted_difference(parts, weights, 2, 0.95);
    assert_int_equal(got.n, 12);
    assert_near(got.mean, -0.23, 1e-12);
    assert_near(got.freedom, 8.655785890616993, 1e-10);
    assert_near(got.low, -0.5846455858408299, 1e-10);
    assert_near(got.high, 0.12464558584083002, 1e-10);
}

static void weighted_by_one_is_the_part(void **state)
{
    (void)state;
    const struct kvl_difference parts[] = {kvl_paired_difference(ours, theirs, 8, 0.95), {.mean = NAN, .error = NAN}};
    const double first[] = {1, 0}, both[] = {0.5, 0.5};
    struct kvl_difference got = kvl_weighted_difference(parts, first, 2, 0.95);
    assert_near(got.mean, parts[0].mean, 1e-15);
    assert_near(got.low, parts[0].low, 1e-12);
    assert_near(got.high, parts[0].high, 1e-12);
    got = kvl_weighted_difference(parts, both, 2, 0.95);
    assert_true(isnan(got.mean) && isnan(got.low) && isnan(got.high));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_as_scipy),
        cmocka_unit_test(quantiles_by_hand),
        cmocka_unit_test(paired_as_scipy),
        cmocka_unit_test(few_pairs),
        cmocka_unit_test(pairs_that_all_differ_by_the_same),
        cmocka_unit_test(weighted_as_welch),
        cmocka_unit_test(weighted_by_one_is_the_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
