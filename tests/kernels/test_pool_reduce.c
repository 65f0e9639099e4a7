/* Pooling and sums over heads. Both fix the order of their float32 sums, so beside the tolerance the bits are compared. */
#include <math.h>

#include "tests/support/kernel_kit.h"
#include "tests/support/reference.h"

static void check_by_hand(struct kit *kit)
{
    (void)kit;
    const float in[] = {3, 1, 2, -6, -9};
    const double max[] = {3, 3, 2, 2, -6}, average[] = {4.0 / 3, 2, -1, -13.0 / 3, -5}, summed[] = {-6, -8};
    double out[5];
    ref_pool(in, 1, 5, 3, KVL_POOL_MAX, out);
    for (int i = 0; i < 5; i++)
        assert_true(out[i] == max[i]);
    ref_pool(in, 1, 5, 3, KVL_POOL_AVG, out); /* the padding counts as zeros: (3 + 1) / 3 at the left end */
    for (int i = 0; i < 5; i++)
        assert_true(fabs(out[i] - average[i]) < 1e-15);
    /* (3, 1) + (2, -6) + (-11, -3) */
    const float rows[] = {3, 1, 2, -6, -11, -3};
    ref_reduce_heads(rows, 1, 3, 2, out);
    assert_true(out[0] == summed[0] && out[1] == summed[1]);
}

/* The contract's own float32: from left to right, divided once. */
static void plain_average(const float *in, int64_t n_rows, int64_t n_cols, int64_t kernel, float *out)
{
    for (int64_t r = 0; r < n_rows; r++)
        for (int64_t c = 0; c < n_cols; c++) {
            float sum = 0.0f;
            for (int64_t j = c - kernel / 2; j <= c + kernel / 2; j++)
                sum += j >= 0 && j < n_cols ? in[r * n_cols + j] : 0.0f;
            out[r * n_cols + c] = sum / (float)kernel;
        }
}

static void check_pool_case(struct kit *kit, int64_t n_rows, int64_t n_cols, int64_t kernel, enum kvl_pool_kind kind)
{
    case_name("%lld x %lld, kernel %lld, %s", (long long)n_rows, (long long)n_cols, (long long)kernel,
              kind == KVL_POOL_MAX ? "max" : "average");
    int64_t n = n_rows * n_cols;
    float *in = kit_random(kit, n, KVL_F32, 1.0f), *plain = kit_host(kit, n * 4), *out = kit_output(kit, n * 4);
    double *expected = kit_host(kit, n * 8);
    ref_pool(in, n_rows, n_cols, kernel, kind, expected);
    assert_ok(kit->ctx->be->pool(kit->ctx, &(struct kvl_pool){kit_input(kit, in, n * 4), out, n_rows, n_cols, kernel, kind}));
    const float *got = kit_result(kit, out);
    for (int64_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - expected[i]) <= (kind == KVL_POOL_MAX ? 0.0 : 1e-6)))
            fail_msg("%lld x %lld, kernel %lld: out[%lld] is %.9g, expected %.9g", (long long)n_rows, (long long)n_cols,
                     (long long)kernel, (long long)i, (double)got[i], expected[i]);
    if (kind == KVL_POOL_AVG) {
        plain_average(in, n_rows, n_cols, kernel, plain);
        check_bits("average", got, plain, n * 4);
    }
    kit_clear(kit);
}

static void check_pool(struct kit *kit)
{
    static const int64_t SIZES[] = {1, 2, 3, 5, 7, 31, 32, 33, 127, 128, 129, 509}, KERNELS[] = {1, 3, 5, 7, 33, 255};
    for (int64_t i = 0; i < COUNT_OF(SIZES); i++)
        for (int64_t j = 0; j < COUNT_OF(KERNELS); j++) {
            int64_t n_rows = SIZES[i] * KERNELS[j] > 20000 ? 1 : 1 + (i + j) % 5;
            check_pool_case(kit, n_rows, SIZES[i], KERNELS[j], KVL_POOL_MAX);
            check_pool_case(kit, n_rows, SIZES[i], KERNELS[j], KVL_POOL_AVG);
        }
}

static void check_pool_refusals(struct kit *kit)
{
    float *in = kit_values(kit, kit_random(kit, 8, KVL_F32, 1.0f), 8, KVL_F32), *out = kit_output(kit, 32);
    static const int64_t EVEN[] = {0, -1, 2, 6};
    for (int64_t i = 0; i < COUNT_OF(EVEN); i++)
        assert_int_equal(kit->ctx->be->pool(kit->ctx, &(struct kvl_pool){in, out, 1, 8, EVEN[i], KVL_POOL_MAX}), KVL_E_ARG);
}

static void check_reduce(struct kit *kit)
{
    static const int64_t GROUPS[] = {1, 2, 3, 4, 7, 8, 9}, COLS[] = {1, 3, 31, 64, 65, 127};
    for (int64_t i = 0; i < COUNT_OF(GROUPS); i++)
        for (int64_t j = 0; j < COUNT_OF(COLS); j++) {
            int64_t group = GROUPS[i], n_cols = COLS[j], n_rows = 1 + (i + j) % 4, n = n_rows * n_cols;
            case_name("%lld groups of %lld x %lld", (long long)n_rows, (long long)group, (long long)n_cols);
            float *in = kit_random(kit, n * group, KVL_F32, 1.0f), *plain = kit_host(kit, n * 4), *out = kit_output(kit, n * 4);
            double *expected = kit_host(kit, n * 8);
            ref_reduce_heads(in, n_rows, group, n_cols, expected);
            for (int64_t c = 0; c < n; c++) {
                const float *column = in + c / n_cols * group * n_cols + c % n_cols;
                plain[c] = column[0];
                for (int64_t a = 1; a < group; a++)
                    plain[c] += column[a * n_cols];
            }
            assert_ok(kit->ctx->be->reduce_heads(
                kit->ctx, &(struct kvl_reduce_heads){kit_input(kit, in, n * group * 4), out, n_rows, group, n_cols}));
            const float *got = kit_result(kit, out);
            if (n > 1)
                check_close("sums", got, expected, n, 1e-6, 1e-6);
            check_bits("sums", got, plain, n * 4);
            kit_clear(kit);
        }
}

int main(void)
{
    const struct kernel_test tests[] = {{"pool by hand", check_by_hand},
                                        {"pool", check_pool},
                                        {"pool refusals", check_pool_refusals},
                                        {"reduce_heads", check_reduce}};
    return run_kernel_tests(tests, (int)COUNT_OF(tests));
}
