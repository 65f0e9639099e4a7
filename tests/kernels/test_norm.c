/* RMS norm against plain loops in double precision. */
#include <math.h>

#include "tests/support/kernel_kit.h"
#include "tests/support/reference.h"

static void check_by_hand(struct kit *kit)
{
    (void)kit;
    /* mean of squares of (3, 4, 0, 5) is 12.5, with eps 3.5: divided by 4 */
    const float x[] = {3, 4, 0, 5}, weight[] = {1, 2, 3, -4};
    const double expected[] = {0.75, 2, 0, -5};
    double out[4];
    ref_norm(x, weight, 1, 4, 3.5, out);
    for (int i = 0; i < 4; i++)
        assert_true(fabs(out[i] - expected[i]) < 1e-15);
}

/* One float32 loop per row, rounded at the end. */
static void naive(const float *x, const float *weight, int64_t n, int64_t n_embd, float eps, float *out)
{
    for (int64_t i = 0; i < n; i++) {
        float squares = 0.0f;
        for (int64_t c = 0; c < n_embd; c++)
            squares += x[i * n_embd + c] * x[i * n_embd + c];
        for (int64_t c = 0; c < n_embd; c++)
            out[i * n_embd + c] = kvl_bf16_to_f32(
                kvl_f32_to_bf16(x[i * n_embd + c] / sqrtf(squares / (float)n_embd + eps) * weight[c]));
    }
}

static void check_case(struct kit *kit, int64_t n, int64_t n_embd, enum kvl_dtype dtype, float bound, float eps)
{
    case_name("n=%lld n_embd=%lld %s bound=%g", (long long)n, (long long)n_embd, kvl_dtype_name(dtype), (double)bound);
    float *x = kit_random(kit, n * n_embd, KVL_F32, bound), *weight = kit_random(kit, n_embd, KVL_F32, 2.0f);
    double *expected = kit_host(kit, n * n_embd * 8);
    ref_norm(x, weight, n, n_embd, (double)eps, expected);
    void *out = kit_output(kit, n * n_embd * (int64_t)kvl_dtype_size(dtype));
    assert_ok(kit->ctx->be->norm(kit->ctx, &(struct kvl_norm){kit_values(kit, x, n * n_embd, KVL_F32),
                                                              kit_values(kit, weight, n_embd, KVL_F32), out, dtype, n, n_embd,
                                                              eps}));
    const float *got = kit_result_f32(kit, out, dtype);
    if (dtype == KVL_F32) {
        check_close("out", got, expected, n * n_embd, 1e-7, 2e-6);
    } else {
        float *plain = kit_host(kit, n * n_embd * 4);
        naive(x, weight, n, n_embd, eps, plain);
        check_twice("out", got, plain, expected, n * n_embd, 1e-7);
    }
    kit_clear(kit);
}

static void check_sizes(struct kit *kit)
{
    static const int64_t SIZES[] = {1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 97, 127, 128, 129, 576, 1021};
    for (int64_t i = 0; i < COUNT_OF(SIZES); i++)
        for (int dtype = KVL_F32; dtype <= KVL_BF16; dtype++)
            check_case(kit, 1 + i % 5, SIZES[i], (enum kvl_dtype)dtype, 1.0f, 1e-5f);
    check_case(kit, 67, 96, KVL_F32, 1.0f, 1e-5f);
    check_case(kit, 67, 96, KVL_BF16, 1.0f, 1e-5f);
}

/* Small rows, where eps decides, and large ones. */
static void check_scales(struct kit *kit)
{
    for (int dtype = KVL_F32; dtype <= KVL_BF16; dtype++) {
        check_case(kit, 3, 65, (enum kvl_dtype)dtype, 1e-3f, 1e-5f);
        check_case(kit, 3, 65, (enum kvl_dtype)dtype, 1e-6f, 1e-5f);
        check_case(kit, 3, 65, (enum kvl_dtype)dtype, 1e8f, 1e-5f);
    }
}

enum { ROWS = 37, ROW = 97 };

static void run_rows(struct kit *kit, const float *x, const float *weight, int64_t n, float *out)
{
    void *device = kit_output(kit, n * ROW * 4);
    assert_ok(kit->ctx->be->norm(kit->ctx, &(struct kvl_norm){kit_input(kit, x, n * ROW * 4), kit_input(kit, weight, ROW * 4),
                                                              device, KVL_F32, n, ROW, 1e-5f}));
    memcpy(out, kit_result(kit, device), (size_t)(n * ROW) * sizeof *out);
    kit_clear(kit);
}

/* A row's bits do not depend on n, its place or the thread count. */
static void check_rows(struct kit *kit)
{
    static float x[ROWS * ROW], weight[ROW], alone[ROWS * ROW], got[ROWS * ROW];
    memcpy(x, kit_random(kit, ROWS * ROW, KVL_F32, 1.0f), sizeof x);
    memcpy(weight, kit_random(kit, ROW, KVL_F32, 1.0f), sizeof weight);
    kit_reopen(kit, 1);
    for (int64_t i = 0; i < ROWS; i++)
        run_rows(kit, x + i * ROW, weight, 1, alone + i * ROW);
    for (int threads = 1; threads <= 3; threads++) {
        kit_reopen(kit, threads);
        for (int64_t n = 1; n <= ROWS; n += 12)
            for (int64_t at = 0; at + n <= ROWS; at += 5) {
                case_name("%lld rows from %lld, %d threads", (long long)n, (long long)at, threads);
                run_rows(kit, x + at * ROW, weight, n, got);
                check_bits("rows", got, alone + at * ROW, n * ROW * 4);
            }
    }
}

int main(void)
{
    const struct kernel_test tests[] = {
        {"norm by hand", check_by_hand}, {"norm sizes", check_sizes}, {"norm scales", check_scales}, {"norm rows", check_rows}};
    return run_kernel_tests(tests, (int)COUNT_OF(tests));
}
