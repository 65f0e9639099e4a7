/* Top-k and ranges: exact indices, ties to the lower one. */
#include <stdio.h>

#include "tests/support/kernel_kit.h"
#include "tests/support/reference.h"

static void check_by_hand(struct kit *kit)
{
    (void)kit;
    const float scores[] = {1, 4, -2, 4, 0, -0.0f, 3};
    int32_t idx[7];
    ref_top_k(scores, 7, 1, idx);
    assert_int_equal(idx[0], 1); /* of two equals the lower */
    ref_top_k(scores, 7, 3, idx);
    assert_true(idx[0] == 1 && idx[1] == 3 && idx[2] == 6);
    ref_top_k(scores, 7, 5, idx); /* +0 and -0 tie: index 4 before 5 */
    assert_true(idx[0] == 0 && idx[1] == 1 && idx[2] == 3 && idx[3] == 4 && idx[4] == 6);
}

/* Runs rows of ld_scores, writes at column `at` of rows of ld_idx, and compares the whole array: what is not asked for must
 * stay as it was (-1). */
static void check_case(struct kit *kit, const float *scores, int64_t n_rows, int64_t n_cols, int64_t ld_scores, int64_t k,
                       int64_t extra, int64_t at, int32_t base)
{
    case_name("%lld rows of %lld (%lld), k=%lld at %lld", (long long)n_rows, (long long)n_cols, (long long)ld_scores,
              (long long)k, (long long)at);
    int64_t ld_idx = k + extra;
    int32_t *expected = kit_host(kit, n_rows * ld_idx * 4), *out = kit_output(kit, n_rows * ld_idx * 4);
    memset(expected, 0xff, (size_t)(n_rows * ld_idx) * sizeof *expected);
    for (int64_t r = 0; r < n_rows; r++) {
        int32_t *list = expected + r * ld_idx + at;
        ref_top_k(scores + r * ld_scores, n_cols, k, list);
        for (int64_t i = 0; i < k; i++)
            list[i] += base;
    }
    assert_ok(kit->ctx->be->top_k(kit->ctx, &(struct kvl_top_k){kit_input(kit, scores, n_rows * ld_scores * 4), n_rows, n_cols,
                                                                ld_scores, k, out, ld_idx, at, base}));
    const int32_t *got = kit_result(kit, out);
    for (int64_t i = 0; i < n_rows * ld_idx; i++)
        if (got[i] != expected[i])
            fail_msg("%lld rows of %lld, k=%lld: entry %lld is %d, expected %d", (long long)n_rows, (long long)n_cols,
                     (long long)k, (long long)i, (int)got[i], (int)expected[i]);
    kit_clear(kit);
}

static void check_sizes(struct kit *kit)
{
    static const int64_t SIZES[] = {1, 2, 3, 7, 8, 13, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257, 509, 1023, 1024, 1025};
    for (int64_t i = 0; i < COUNT_OF(SIZES); i++) {
        int64_t n = SIZES[i], ks[] = {1, n / 3, n / 2, n - 1, n};
        for (int64_t j = 0; j < COUNT_OF(ks); j++) {
            int64_t n_rows = 1 + (i + j) % 3, ld = n + (i + j) % 4;
            if (ks[j] >= 1 && (j == 0 || ks[j] != ks[j - 1]))
                check_case(kit, kit_random(kit, n_rows * ld, KVL_F32, 1.0f), n_rows, n, ld, ks[j], (i + j) % 5, (i + j) % 5 / 2,
                           (int32_t)(j * 1000));
        }
    }
}

/* Few different values, both zeros among them, so that the cut falls inside plateaus; and rows of one value. */
static void check_ties(struct kit *kit)
{
    static const float VALUES[] = {0.0f, -0.0f, 1.0f, -1.0f, 0.5f, 1.17549435e-38f, -1.17549435e-38f, 3e38f, -3e38f, 1e-45f};
    static const int64_t SIZES[] = {2, 7, 64, 129, 511};
    for (int64_t i = 0; i < COUNT_OF(SIZES); i++)
        for (int64_t n_values = 1; n_values <= COUNT_OF(VALUES); n_values++) {
            int64_t n = SIZES[i];
            for (int64_t k = 1; k <= n; k += n / 5 + 1) {
                float *scores = kit_host(kit, 2 * n * 4);
                for (int64_t j = 0; j < 2 * n; j++)
                    scores[j] = VALUES[random_below(n_values)];
                check_case(kit, scores, 2, n, n, k, 0, 0, 0);
            }
        }
}

/* Values that differ in the last bit only: every digit of the radix counts. */
static void check_neighbours(struct kit *kit)
{
    static const uint32_t BASES[] = {0x3f800000u, 0xbf800000u, 0x00000001u, 0x80000001u, 0x3f7fff80u, 0x3effff80u};
    enum { N = 300 };
    for (int64_t i = 0; i < COUNT_OF(BASES); i++)
        for (int64_t k = 1; k <= N; k += 37) {
            float *scores = kit_host(kit, N * 4);
            for (int64_t j = 0; j < N; j++) {
                uint32_t bits = BASES[i] + (uint32_t)random_below(N);
                memcpy(scores + j, &bits, sizeof bits);
            }
            check_case(kit, scores, 1, N, N, k, 0, 0, 0);
        }
}

/* Rows long enough for larger blocks of a GPU; half the values from a few, so that plateaus reach over many of its steps. */
static void check_long_rows(struct kit *kit)
{
    static const int64_t SIZES[] = {4096, 4097, 5003};
    for (int64_t i = 0; i < COUNT_OF(SIZES); i++)
        for (int64_t k = 1; k < SIZES[i]; k = 3 * k + 100) {
            float *scores = kit_random(kit, 2 * SIZES[i], KVL_F32, 1.0f);
            for (int64_t j = 0; j < 2 * SIZES[i]; j += 1 + random_below(3))
                scores[j] = 0.25f * (float)random_below(3);
            check_case(kit, scores, 2, SIZES[i], SIZES[i], k, 0, 0, 7);
        }
}

static void check_many_rows(struct kit *kit)
{
    check_case(kit, kit_random(kit, 41 * 97, KVL_F32, 1.0f), 41, 97, 97, 19, 8, 4, 4);
}

static void check_refusals(struct kit *kit)
{
    float *scores = kit_values(kit, kit_random(kit, 8, KVL_F32, 1.0f), 8, KVL_F32);
    int32_t *idx = kit_output(kit, 64);
    static const int64_t BAD[] = {0, -1, 9};
    for (int64_t i = 0; i < COUNT_OF(BAD); i++) {
        assert_int_equal(kit->ctx->be->top_k(kit->ctx, &(struct kvl_top_k){scores, 1, 8, 8, BAD[i], idx, 16, 0, 0}), KVL_E_ARG);
        char k[16];
        snprintf(k, sizeof k, "%lld", (long long)BAD[i]);
        assert_non_null(strstr(kvl_last_error(), k));
    }
    const int32_t *after = kit_result(kit, idx);
    for (int i = 0; i < 16; i++)
        assert_int_equal(after[i], -1);
}

static void check_range(struct kit *kit)
{
    static const int64_t SIZES[] = {0, 1, 2, 7, 32, 33, 127};
    for (int64_t i = 0; i < COUNT_OF(SIZES); i++)
        for (int64_t n_rows = 1; n_rows <= 5; n_rows += 2) {
            int64_t n = SIZES[i], at = i % 3, ld = n + at + i % 2;
            int32_t first = (int32_t)(1000 * i - 3), *out = kit_output(kit, n_rows * ld * 4);
            assert_ok(kit->ctx->be->range(kit->ctx, &(struct kvl_range){out, n_rows, ld, at, n, first}));
            const int32_t *got = kit_result(kit, out);
            for (int64_t j = 0; j < n_rows * ld; j++) {
                int64_t column = j % ld - at;
                assert_int_equal(got[j], column >= 0 && column < n ? first + column : -1);
            }
            kit_clear(kit);
        }
}

int main(void)
{
    const struct kernel_test tests[] = {{"top_k by hand", check_by_hand},       {"top_k sizes", check_sizes},
                                        {"top_k ties", check_ties},             {"top_k neighbours", check_neighbours},
                                        {"top_k many rows", check_many_rows},   {"top_k long rows", check_long_rows},
                                        {"top_k refusals", check_refusals},
                                        {"range", check_range}};
    return run_kernel_tests(tests, (int)COUNT_OF(tests));
}
