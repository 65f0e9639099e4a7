/* Rotary tables and rotations against double precision. */
#include <math.h>

#include "tests/support/kernel_kit.h"
#include "tests/support/reference.h"

static void check_by_hand(struct kit *kit)
{
    (void)kit;
    /* a quarter turn of the pair (1, 3) and none of the pair (2, 4): (-3, 2, 1, 4) */
    const float x[] = {1, 2, 3, 4}, inv_freq[] = {1.57079633f, 0};
    const int32_t pos[] = {1};
    const double expected[] = {-3, 2, 1, 4};
    double out[4];
    ref_rotate(x, pos, inv_freq, 1, 1, 4, false, out);
    for (int i = 0; i < 4; i++)
        assert_true(fabs(out[i] - expected[i]) < 1e-6);
}

static float *frequencies(struct kit *kit, int64_t half)
{
    float *inv_freq = kit_host(kit, half * 4);
    for (int64_t c = 0; c < half; c++)
        inv_freq[c] = (float)pow(500000.0, -(double)c / (double)half);
    return inv_freq;
}

static float *make_table(struct kit *kit, const int32_t *pos, const float *inv_freq, int64_t n, int64_t half)
{
    float *table = kit_output(kit, n * half * 8);
    assert_ok(kit->ctx->be->rotate_table(kit->ctx, &(struct kvl_rotate_table){kit_input(kit, pos, n * 4),
                                                                              kit_input(kit, inv_freq, half * 4), table, n,
                                                                              half}));
    return table;
}

static void check_table(struct kit *kit)
{
    static const int64_t SIZES[] = {1, 2, 3, 31, 32, 33, 127}, HALVES[] = {1, 8, 12, 32, 40, 48, 64};
    for (int64_t i = 0; i < COUNT_OF(SIZES); i++) {
        int64_t n = SIZES[i], half = HALVES[i];
        case_name("n=%lld half=%lld", (long long)n, (long long)half);
        /* from 0, from near the end of a 128K context */
        int32_t *pos = kit_positions(kit, n, i % 2 == 0 ? 0 : 130000, 9);
        float *inv_freq = frequencies(kit, half);
        double *expected = kit_host(kit, n * half * 16);
        for (int64_t j = 0; j < n * half; j++) {
            float angle = (float)pos[j / half] * inv_freq[j % half];
            expected[2 * j] = cos((double)angle);
            expected[2 * j + 1] = sin((double)angle);
        }
        const float *got = kit_result(kit, make_table(kit, pos, inv_freq, n, half));
        check_close("table", got, expected, 2 * n * half, 2e-7, 0.0);
        kit_clear(kit);
    }
}

static void naive_bf16(const float *x, const int32_t *pos, const float *inv_freq, int64_t n, int64_t heads, int64_t e,
                       bool inverse, float *out)
{
    for (int64_t v = 0; v < n * heads; v++)
        for (int64_t c = 0; c < e / 2; c++) {
            float angle = (float)pos[v / heads] * inv_freq[c], cosine = cosf(angle), sine = inverse ? -sinf(angle) : sinf(angle);
            float low = x[v * e + c], high = x[v * e + c + e / 2];
            out[v * e + c] = kvl_bf16_to_f32(kvl_f32_to_bf16(low * cosine - high * sine));
            out[v * e + c + e / 2] = kvl_bf16_to_f32(kvl_f32_to_bf16(high * cosine + low * sine));
        }
}

/* Heads lie in wider rows; what belongs to others must stay. */
static void check_case(struct kit *kit, int64_t n, int64_t heads, int64_t e, enum kvl_dtype dtype, bool inverse)
{
    case_name("n=%lld heads=%lld e=%lld %s%s", (long long)n, (long long)heads, (long long)e, kvl_dtype_name(dtype),
              inverse ? " inverse" : "");
    int64_t width = heads * e + 6, n_wide = n * width, n_values = n * heads * e;
    float *wide = kit_random(kit, n_wide, dtype, 2.0f), *x = kit_host(kit, n_values * 4), *turned = kit_host(kit, n_values * 4);
    float *plain = kit_host(kit, n_values * 4), *inv_freq = frequencies(kit, e / 2);
    double *expected = kit_host(kit, n_values * 8);
    int32_t *pos = kit_positions(kit, n, 3, 5000);
    for (int64_t i = 0; i < n; i++)
        memcpy(x + i * heads * e, wide + i * width + 2, (size_t)(heads * e) * sizeof *x);
    ref_rotate(x, pos, inv_freq, n, heads, e, inverse, expected);
    char *data = kit_values(kit, wide, n_wide, dtype);
    struct kvl_heads view = {data + 2 * kvl_dtype_size(dtype), dtype, n, heads, e, width, e};
    float *table = make_table(kit, pos, inv_freq, n, e / 2);
    assert_ok(kit->ctx->be->rotate(kit->ctx, &(struct kvl_rotate){view, table, inverse}));
    const float *got = kit_result_f32(kit, data, dtype);
    for (int64_t i = 0; i < n_wide; i++) {
        int64_t column = i % width - 2;
        if (column >= 0 && column < heads * e)
            turned[i / width * heads * e + column] = got[i];
        else if (got[i] != wide[i])
            fail_msg("column %lld of row %lld was written", (long long)(i % width), (long long)(i / width));
    }
    if (dtype == KVL_F32) {
        check_close("turned", turned, expected, n_values, 1e-6, 1e-6);
        assert_ok(kit->ctx->be->rotate(kit->ctx, &(struct kvl_rotate){view, table, !inverse}));
        const float *back = kit_result(kit, data);
        for (int64_t i = 0; i < n_wide; i++)
            assert_true(fabsf(back[i] - wide[i]) <= 2e-6f);
    } else {
        naive_bf16(x, pos, inv_freq, n, heads, e, inverse, plain);
        check_twice("turned", turned, plain, expected, n_values, 1e-7);
    }
    kit_clear(kit);
}

static void check_rotate(struct kit *kit)
{
    static const int64_t SIZES[] = {1, 2, 3, 31, 32, 33, 97}, HEAD_SIZES[] = {2, 16, 24, 64, 80, 96, 128};
    for (int64_t i = 0; i < COUNT_OF(SIZES); i++)
        for (int64_t j = 0; j < COUNT_OF(HEAD_SIZES); j++)
            for (int dtype = KVL_F32; dtype <= KVL_BF16; dtype++)
                check_case(kit, SIZES[i], 1 + (i + j) % 5, HEAD_SIZES[j], (enum kvl_dtype)dtype, (i + j) % 3 == 0);
}

/* Head-major, as the cache lies: token stride e, head stride n_max e. */
static void check_head_major(struct kit *kit)
{
    enum { N = 9, N_MAX = 12, HEADS = 3, E = 16 };
    float *all = kit_random(kit, HEADS * N_MAX * E, KVL_F32, 1.0f), *x = kit_host(kit, N * HEADS * E * 4);
    float *turned = kit_host(kit, N * HEADS * E * 4), *inv_freq = frequencies(kit, E / 2);
    double *expected = kit_host(kit, N * HEADS * E * 8);
    int32_t *pos = kit_positions(kit, N, 0, 1);
    for (int v = 0; v < N * HEADS; v++)
        memcpy(x + v * E, all + (v % HEADS * N_MAX + v / HEADS) * E, E * sizeof *x);
    ref_rotate(x, pos, inv_freq, N, HEADS, E, false, expected);
    float *data = kit_values(kit, all, HEADS * N_MAX * E, KVL_F32);
    assert_ok(kit->ctx->be->rotate(kit->ctx, &(struct kvl_rotate){{data, KVL_F32, N, HEADS, E, E, N_MAX * E},
                                                                  make_table(kit, pos, inv_freq, N, E / 2), false}));
    const float *got = kit_result(kit, data);
    for (int v = 0; v < N * HEADS; v++)
        memcpy(turned + v * E, got + (v % HEADS * N_MAX + v / HEADS) * E, E * sizeof *turned);
    check_close("turned", turned, expected, N * HEADS * E, 1e-6, 1e-6);
    for (int head = 0; head < HEADS; head++)
        check_bits("room behind the entries", got + (head * N_MAX + N) * E, all + (head * N_MAX + N) * E, (N_MAX - N) * E * 4);
}

int main(void)
{
    const struct kernel_test tests[] = {{"rotate by hand", check_by_hand},
                                        {"rotate_table", check_table},
                                        {"rotate", check_rotate},
                                        {"rotate head-major", check_head_major}};
    return run_kernel_tests(tests, (int)COUNT_OF(tests));
}
