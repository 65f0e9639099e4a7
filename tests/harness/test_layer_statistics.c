/* The arithmetic of analyses: cases worked out by hand, then made-up numbers against plain loops. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness/layer_statistics.h"
#include "tests/support/golden.h"
#include "tests/support/reference.h"

static double uniform(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) / 9007199254740992.0;
}

static void by_hand(void **state)
{
    (void)state;
    const float mass[] = {0.5f, 2.0f, 0.25f, 2.0f, 0.25f}, other[] = {3.0f, 1.0f, 1.0f, 1.0f, 0.0f};
    bool a[5], b[5];
    assert_ok(kvl_top_tokens(mass, 5, 3, a));
    assert_true(a[0] && a[1] && !a[2] && a[3] && !a[4]);
    assert_true(fabs(kvl_mass_recall(mass, a, 5) - 4.5 / 5.0) < 1e-12);
    assert_ok(kvl_top_tokens(other, 5, 3, b)); /* three alike: the lower indices win */
    assert_true(b[0] && b[1] && b[2] && !b[3] && !b[4]);
    assert_true(fabs(kvl_token_overlap(a, b, 5, 3) - 2.0 / 3.0) < 1e-12);
    assert_ok(kvl_top_tokens(mass, 5, 4, a)); /* of two alike at the cut the lower one */
    assert_true(a[2] && !a[4]);
    const double matrix[] = {1.0, 0.5, 0.25, 0.5, 1.0, 0.75, 0.25, 0.75, 1.0};
    double mean[3];
    kvl_mean_by_distance(matrix, 3, 0, 2, mean);
    assert_true(mean[0] == 1.0 && mean[1] == 0.625 && mean[2] == 0.25);
    kvl_mean_by_distance(matrix, 3, 1, 2, mean);
    assert_true(mean[0] == 1.0 && mean[1] == 0.75 && isnan(mean[2]));
    kvl_mean_by_distance(matrix, 3, 0, -1, mean);
    assert_true(isnan(mean[0]) && isnan(mean[1]) && isnan(mean[2]));
    assert_int_equal(kvl_top_tokens(mass, 5, 0, a), KVL_E_ARG);
    assert_int_equal(kvl_top_tokens(mass, 5, 6, a), KVL_E_ARG);
}

/* Two logits: p = (1/2, 1/2) and q = (1/4, 3/4), of which KL is known. */
static void distances_by_hand(void **state)
{
    (void)state;
    float h[] = {3.0f, 4.0f}, g[] = {3.0f, -4.0f}, z[] = {1.0f, 1.0f}, y[] = {0.0f, (float)log(3.0)};
    const struct kvl_output full = {h, z}, other = {g, y};
    struct kvl_output_distance d = kvl_output_compare(&full, &other, 2, 2);
    double kl = 0.5 * log(0.5 / 0.25) + 0.5 * log(0.5 / 0.75), l2 = sqrt(1.0 + (1.0 - log(3.0)) * (1.0 - log(3.0))) / sqrt(2.0);
    assert_true(fabs(d.hidden_l2 - 8.0 / 5.0) < 1e-12 && fabs(d.hidden_squared - 64.0) < 1e-12);
    assert_true(fabs(d.hidden_cosine - (9.0 - 16.0) / 25.0) < 1e-12);
    assert_true(fabs(d.logits_l2 - l2) < 1e-7 && fabs(d.logits_kl - kl) < 1e-7);
    assert_true(d.same_top == 0.0); /* the first of two alike against the second */
    d = kvl_output_compare(&full, &full, 2, 2);
    assert_true(d.hidden_l2 == 0.0 && d.hidden_squared == 0.0 && d.logits_l2 == 0.0 && d.logits_kl == 0.0 && d.same_top == 1.0);
    assert_true(fabs(d.hidden_cosine - 1.0) < 1e-12);
    float large[] = {1000.0f, 998.0f}, larger[] = {998.0f, 1000.0f};
    d = kvl_output_compare(&(struct kvl_output){h, large}, &(struct kvl_output){h, larger}, 2, 2);
    double p = 1.0 / (1.0 + exp(-2.0)); /* no overflow: KL = (p - (1 - p)) * 2 */
    assert_true(fabs(d.logits_kl - (2.0 * p - 1.0) * 2.0) < 1e-9);
    h[0] = NAN;
    d = kvl_output_compare(&full, &other, 2, 2);
    assert_true(isnan(d.hidden_l2) && isnan(d.hidden_cosine)); /* nothing hides a NaN */
}

/* Choices against the reference of the top-k operation; sums against plain loops. */
static void made_up_masses(void **state)
{
    (void)state;
    static const int64_t SIZES[] = {1, 2, 7, 64, 255, 1000};
    uint64_t seed = 20261122;
    int n_checked = 0;
    for (size_t s = 0; s < sizeof SIZES / sizeof *SIZES; s++)
        for (int ties = 0; ties < 2; ties++) {
            int64_t n = SIZES[s], ks[] = {1, n / 3 + 1, n};
            float *mass = malloc((size_t)n * sizeof *mass);
            bool *chosen = malloc((size_t)n * sizeof *chosen);
            int32_t *expected = malloc((size_t)n * sizeof *expected);
            for (int64_t i = 0; i < n; i++)
                mass[i] = ties ? (float)(int)(4.0 * uniform(&seed)) + 1.0f : (float)uniform(&seed) + 0.001f;
            for (int i = 0; i < 3; i++) {
                double held = 0.0, all = 0.0;
                int64_t at = 0;
                assert_ok(kvl_top_tokens(mass, n, ks[i], chosen));
                ref_top_k(mass, n, ks[i], expected);
                for (int64_t j = 0; j < n; j++) {
                    bool wanted = at < ks[i] && expected[at] == j;
                    at += wanted;
                    assert_int_equal(chosen[j], wanted);
                    held += wanted ? (double)mass[j] : 0.0;
                    all += (double)mass[j];
                }
                assert_int_equal(at, ks[i]);
                assert_true(fabs(kvl_mass_recall(mass, chosen, n) - held / all) < 1e-12);
                assert_true(kvl_token_overlap(chosen, chosen, n, ks[i]) == 1.0);
                n_checked++;
            }
            assert_true(kvl_mass_recall(mass, chosen, n) == 1.0); /* the last k is n */
            free(mass);
            free(chosen);
            free(expected);
        }
    assert_int_equal(n_checked, 36);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(by_hand), cmocka_unit_test(distances_by_hand), cmocka_unit_test(made_up_masses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
