/* Argmax, and the random values of weights: exact. */
#include <math.h>

#include "tests/support/kernel_kit.h"

static int32_t argmax(struct kit *kit, const float *values, int64_t n)
{
    int32_t *out = kit_output(kit, 4);
    assert_ok(kit->ctx->be->argmax(kit->ctx, &(struct kvl_argmax){kit_input(kit, values, n * 4), n, out}));
    int32_t got = *(const int32_t *)kit_result(kit, out);
    kit_clear(kit);
    return got;
}

static void check_argmax(struct kit *kit)
{
    static const int64_t SIZES[] = {1, 2, 3, 31, 32, 33, 97, 127, 128, 129, 255, 256, 257, 1021, 4096, 49152};
    for (int64_t i = 0; i < COUNT_OF(SIZES); i++) {
        int64_t n = SIZES[i], places[] = {0, n / 2, n - 1};
        for (int64_t j = 0; j < COUNT_OF(places); j++) {
            float *values = kit_random(kit, n, KVL_F32, 1.0f);
            values[places[j]] = 2.0f;
            assert_int_equal(argmax(kit, values, n), places[j]);
        }
    }
}

static void check_argmax_ties(struct kit *kit)
{
    static const float EQUAL[] = {1, 5, 2, 5, 5}, ZEROS[] = {-1, -0.0f, 0.0f, -0.0f}, ALIKE[] = {7, 7, 7},
                       NEGATIVE[] = {-3, -2, -9, -2}, INFINITE[] = {-INFINITY, -INFINITY, 3, INFINITY, INFINITY},
                       LOWEST[] = {-INFINITY, -INFINITY};
    assert_int_equal(argmax(kit, EQUAL, 5), 1);
    assert_int_equal(argmax(kit, ZEROS, 4), 1); /* -0 and +0 are equal */
    assert_int_equal(argmax(kit, ALIKE, 3), 0);
    assert_int_equal(argmax(kit, NEGATIVE, 4), 1);
    assert_int_equal(argmax(kit, INFINITE, 5), 3);
    assert_int_equal(argmax(kit, LOWEST, 2), 0);
    for (int64_t n = 2; n <= 1000; n = 3 * n + 1) { /* ties far apart: the lower one, however the row is cut */
        float *values = kit_host(kit, n * 4);
        values[n - 1] = values[n / 3] = 1.0f;
        assert_int_equal(argmax(kit, values, n), n / 3);
    }
}

static void check_argmax_nan(struct kit *kit)
{
    const float first[] = {NAN, -5, -7}, last[] = {-5, -4, NAN}, between[] = {NAN, 1, NAN, 3, NAN, 3},
                against[] = {NAN, -INFINITY, NAN};
    assert_int_equal(argmax(kit, first, 3), 1);
    assert_int_equal(argmax(kit, last, 3), 1);
    assert_int_equal(argmax(kit, between, 6), 3);
    assert_int_equal(argmax(kit, against, 3), 1);
}

/* SplitMix64 from seed 0 begins e220a8397b1dcdaf, 6e789e6aa1b965f4, 06c45d188009454f (the generator's own test vector). */
static void check_random_by_hand(struct kit *kit)
{
    static const uint32_t TOP[] = {0xe220a8, 0x6e789e, 0x06c45d};
    float *out = kit_output(kit, 12);
    assert_ok(kit->ctx->be->fill_random(kit->ctx, &(struct kvl_fill_random){out, KVL_F32, 3, 0, 0, 3.0f}));
    const float *got = kit_result(kit, out);
    for (int i = 0; i < 3; i++) {
        double expected = 3.0 * (2.0 * ((double)TOP[i] + 0.5) / 16777216.0 - 1.0);
        assert_true(fabs((double)got[i] - expected) <= 4e-7);
    }
}

static void check_random(struct kit *kit)
{
    static const int64_t SIZES[] = {1, 2, 31, 32, 33, 1021};
    static const uint64_t SEEDS[] = {0, 1, 0x123456789abcdef0u, UINT64_MAX}, FIRSTS[] = {0, 1, 1u << 31, UINT64_MAX - 10};
    for (int64_t i = 0; i < COUNT_OF(SIZES); i++)
        for (int64_t j = 0; j < COUNT_OF(SEEDS); j++) {
            int64_t n = SIZES[i];
            uint64_t seed = SEEDS[j], first = FIRSTS[(i + j) % COUNT_OF(FIRSTS)];
            float *wide = kit_output(kit, n * 4), *expected = kit_host(kit, n * 4);
            uint16_t *narrow = kit_output(kit, n * 2), *expected_narrow = kit_host(kit, n * 2);
            double sum = 0.0;
            for (int64_t x = 0; x < n; x++) {
                expected[x] = kvl_random_uniform(seed, first + (uint64_t)x, 0.25f);
                expected_narrow[x] = kvl_f32_to_bf16(expected[x]);
                assert_true(fabsf(expected[x]) <= 0.25f);
                sum += (double)expected[x];
            }
            if (n > 1000)
                assert_true(fabs(sum / (double)n) < 0.02); /* 4.4 standard errors */
            assert_ok(kit->ctx->be->fill_random(kit->ctx, &(struct kvl_fill_random){wide, KVL_F32, n, seed, first, 0.25f}));
            assert_ok(kit->ctx->be->fill_random(kit->ctx, &(struct kvl_fill_random){narrow, KVL_BF16, n, seed, first, 0.25f}));
            check_bits("f32", kit_result(kit, wide), expected, n * 4);
            check_bits("bf16", kit_result(kit, narrow), expected_narrow, n * 2);
            kit_clear(kit);
        }
}

int main(void)
{
    const struct kernel_test tests[] = {{"argmax", check_argmax},
                                        {"argmax ties", check_argmax_ties},
                                        {"argmax and NaN", check_argmax_nan},
                                        {"fill_random by hand", check_random_by_hand},
                                        {"fill_random", check_random}};
    return run_kernel_tests(tests, (int)COUNT_OF(tests));
}
