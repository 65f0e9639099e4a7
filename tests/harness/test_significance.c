/* Tests and intervals against SciPy, pymannkendall and enumeration (tests/reference/significance.py), and cases by hand. */
#include <math.h>
#include <stdlib.h>

#include "harness/paired.h"
#include "harness/significance.h"
#include "harness/statistics.h"
#include "tests/support/golden.h"

static json_t *golden;

static int load(void **state)
{
    (void)state;
    golden = golden_load("significance.json");
    return 0;
}

static int unload(void **state)
{
    (void)state;
    json_decref(golden);
    return 0;
}

static void assert_near(double got, double expected, double tolerance)
{
    if (!(fabs(got - expected) <= tolerance * (1e-3 + fabs(expected))))
        fail_msg("%.17g is not %.17g", got, expected);
}

static double number(const json_t *row, const char *key)
{
    const json_t *value = json_object_get(row, key);
    assert_true(json_is_number(value));
    return json_number_value(value);
}

/* An array of numbers, malloc'd. */
static double *numbers(const json_t *row, const char *key, int64_t *n)
{
    const json_t *array = json_object_get(row, key), *item;
    *n = (int64_t)json_array_size(array);
    double *values = malloc(((size_t)*n + 1) * sizeof *values);
    size_t i;
    json_array_foreach (array, i, item)
        values[i] = json_number_value(item);
    return values;
}

/* The rows of a list, at least `least`. */
static const json_t *rows(const char *key, size_t least)
{
    const json_t *list = json_object_get(golden, key);
    assert_true(json_array_size(list) >= least);
    return list;
}

static void student(void **state)
{
    (void)state;
    size_t i;
    const json_t *row;
    json_array_foreach (rows("students", 40), i, row)
        assert_near(kvl_student_quantile(number(row, "q"), number(row, "df")), number(row, "t"), 1e-9);
    assert_true(fabs(kvl_student_quantile(0.5, 7)) < 1e-12);
    assert_near(kvl_student_quantile(0.75, 1), 1, 1e-12); /* Cauchy: tan(pi / 4) */
    assert_true(isnan(kvl_student_quantile(0, 3)) && isnan(kvl_student_quantile(1, 3)) && isnan(kvl_student_quantile(0.9, 0)));
}

static void pairs(void **state)
{
    (void)state;
    size_t i;
    const json_t *row;
    json_array_foreach (rows("pairs", 10), i, row) {
        int64_t n, m;
        double *before = numbers(row, "before", &n), *after = numbers(row, "after", &m);
        struct kvl_estimate got;
        kvl_paired_test(before, after, n, number(row, "level"), &got);
        assert_int_equal(n, m);
        assert_near(got.value, number(row, "value"), 1e-12);
        assert_near(got.low, number(row, "low"), 1e-9);
        assert_near(got.high, number(row, "high"), 1e-9);
        assert_near(got.p, number(row, "p"), 1e-9);
        assert_near(got.p_least, number(row, "p_least"), 1e-12);
        free(before);
        free(after);
    }
}

/* Three samples that all fall by 1: of 8 patterns of signs, 2 are as far from 0. */
static void pairs_by_hand(void **state)
{
    (void)state;
    const double before[] = {1, 1, 1, 0.5}, after[] = {0, 0, 0, 0.5};
    struct kvl_estimate got;
    kvl_paired_test(before, after, 3, 0.95, &got);
    assert_true(got.value == -1 && got.low == -1 && got.high == -1 && got.p == 0.25 && got.p_least == 0.25);
    kvl_paired_test(before, after, 4, 0.95, &got);
    assert_true(got.value == -0.75 && got.p == 0.25);
    assert_near(got.low, -0.75 - 3.182446305283708 * 0.25, 1e-12); /* s = 1/2, n = 4 */
    kvl_paired_test(after, after, 4, 0.95, &got);
    assert_true(got.value == 0 && got.low == 0 && got.high == 0 && got.p == 1 && got.p_least == 1);
    kvl_paired_test(before, after, 1, 0.95, &got);
    assert_true(got.value == -1 && isnan(got.low) && got.p == 1);
    kvl_paired_test(before, after, 0, 0.95, &got);
    assert_true(isnan(got.value) && isnan(got.p));
}

static void rank_sums(void **state)
{
    (void)state;
    size_t i;
    const json_t *row;
    json_array_foreach (rows("rank_sums", 9), i, row) {
        int64_t n, m;
        double *before = numbers(row, "before", &n), *after = numbers(row, "after", &m);
        struct kvl_estimate got;
        kvl_median_ratio(before, n, after, m, 0, 0.95, 1, &got);
        assert_near(got.value, number(row, "value"), 1e-12);
        assert_near(got.p, number(row, "p"), 1e-9);
        assert_near(got.p_least, number(row, "p_least"), 1e-9);
        free(before);
        free(after);
    }
}

/* {1, 2} against {3, 4}: one of the 6 arrangements, and its mirror image. */
static void rank_sums_by_hand(void **state)
{
    (void)state;
    const double before[] = {1, 2}, after[] = {4, 3}, equal[] = {7, 7, 7};
    struct kvl_estimate got;
    kvl_median_ratio(before, 2, after, 2, 0, 0.95, 1, &got);
    assert_near(got.p, 1.0 / 3, 1e-12);
    assert_near(got.p_least, 1.0 / 3, 1e-12);
    assert_near(got.value, 7.0 / 3, 1e-12);
    assert_true(got.low == 1.5 && got.high == 4);
    kvl_median_ratio(equal, 3, equal, 3, 0, 0.95, 1, &got);
    assert_true(got.value == 1 && got.p == 1 && got.low == 1 && got.high == 1);
    kvl_median_ratio(before, 1, after, 2, 0, 0.95, 1, &got);
    assert_true(isnan(got.low) && isnan(got.high) && got.p > 0.5);
    kvl_median_ratio(before, 0, after, 2, 0, 0.95, 1, &got);
    assert_true(isnan(got.value) && isnan(got.p));
}

/* Within [first, second] of an array, up to rounding. */
static void assert_in_band(double x, const json_t *band)
{
    assert_true(x >= json_number_value(json_array_get(band, 0)) - 1e-12);
    assert_true(x <= json_number_value(json_array_get(band, 1)) + 1e-12);
}

static void bootstraps(void **state)
{
    (void)state;
    size_t i;
    const json_t *row;
    json_array_foreach (rows("bootstrap_medians", 8), i, row) {
        int64_t n;
        double *samples = numbers(row, "samples", &n), low, high;
        kvl_bootstrap_median(samples, n, number(row, "level"), i, &low, &high);
        assert_true(low == number(row, "low") && high == number(row, "high"));
        free(samples);
    }
    json_array_foreach (rows("bootstrap_ratios", 6), i, row) {
        int64_t n, m;
        double *below = numbers(row, "below", &n), *above = numbers(row, "above", &m), low, high, again[2];
        kvl_bootstrap_median_ratio(above, m, below, n, number(row, "level"), i, &low, &high);
        const json_t *lows = json_object_get(row, "low"), *highs = json_object_get(row, "high");
        assert_in_band(low, lows);
        assert_in_band(high, highs);
        assert_true(low < high);
        kvl_bootstrap_median_ratio(above, m, below, n, number(row, "level"), i, &again[0], &again[1]);
        assert_true(again[0] == low && again[1] == high);
        free(below);
        free(above);
    }
}

static void trends(void **state)
{
    (void)state;
    size_t i;
    const json_t *row;
    json_array_foreach (rows("trends", 6), i, row) {
        int64_t n;
        double *samples = numbers(row, "samples", &n);
        assert_near(kvl_trend_p(samples, n), number(row, "p"), 1e-9);
        free(samples);
    }
    const double rising[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    assert_near(kvl_trend_p(rising, 10), erfc(44 / sqrt(125) / sqrt(2)), 1e-12); /* S = 45, variance 10 9 25 / 18 = 125 */
    assert_true(kvl_trend_p(rising, 2) == 1);
}

static void outliers(void **state)
{
    (void)state;
    size_t i;
    const json_t *row;
    int64_t n_in_all = 0;
    json_array_foreach (rows("outliers", 6), i, row) {
        int64_t n;
        double *samples = numbers(row, "samples", &n);
        assert_int_equal(kvl_count_outliers(samples, n), (int64_t)number(row, "n"));
        n_in_all += kvl_count_outliers(samples, n);
        free(samples);
    }
    assert_true(n_in_all >= 3);
    const double two[] = {1, 100}, spoilt[] = {1, NAN, 3, 4};
    assert_int_equal(kvl_count_outliers(two, 2), 0);
    assert_int_equal(kvl_count_outliers(spoilt, 4), 0);
}

static void adjusted(void **state)
{
    (void)state;
    size_t i;
    const json_t *row;
    json_array_foreach (rows("adjusted", 4), i, row) {
        int64_t n, m;
        double *p = numbers(row, "p", &n), *expected = numbers(row, "adjusted", &m);
        kvl_adjust_p(p, n);
        for (int64_t j = 0; j < n; j++)
            assert_near(p[j], expected[j], 1e-12);
        free(p);
        free(expected);
    }
    kvl_adjust_p(NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(student),   cmocka_unit_test(pairs),  cmocka_unit_test(pairs_by_hand),
        cmocka_unit_test(rank_sums), cmocka_unit_test(rank_sums_by_hand), cmocka_unit_test(bootstraps),
        cmocka_unit_test(trends),    cmocka_unit_test(outliers), cmocka_unit_test(adjusted),
    };
    return test_result(cmocka_run_group_tests(tests, load, unload));
}
