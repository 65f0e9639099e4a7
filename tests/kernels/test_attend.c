/* Attention of a prompt against double precision: outputs and log-sum-exps, windows over gaps, rows that see the future. */
#include <math.h>
#include <stdio.h>

#include "tests/support/attention_case.h"

static void check_by_hand(struct kit *kit)
{
    (void)kit;
    /* one feature, scale 1: row 1 scores (ln 3, 0), so weights 3/4 and 1/4; the second head reads the same keys */
    const float q[] = {7, 7, 1.0986123f, 0}, k[] = {1, 0}, v[] = {8, 4};
    const struct ref_attention a = {q, k, v, NULL, NULL, 2, 2, 2, 1, 1, 0, 0, 1.0};
    double out[4], lse[4];
    ref_attend(&a, out, lse);
    assert_true(out[0] == 8.0 && out[1] == 8.0 && fabs(out[2] - 7.0) < 1e-7 && fabs(out[3] - 6.0) < 1e-15);
    assert_true(lse[0] == 7.0 && lse[2] == 7.0 && fabs(lse[1] - log(4.0)) < 1e-7 && fabs(lse[3] - log(2.0)) < 1e-15);
    /* positions 0, 2, 3: a window of 2 lets row 2 see keys 1 and 2, row 1 itself; rows before causal_from see the future */
    const int32_t pos[] = {0, 2, 3};
    const struct ref_attention w = {.pos = pos, .n = 3, .m = 3, .window = 2, .causal_from = 1};
    static const bool VISIBLE[3][3] = {{true, true, true}, {false, true, false}, {false, true, true}};
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            assert_int_equal(ref_visible(&w, i, j), VISIBLE[i][j]);
}

/* Double precision loops take longest: one reference serves both kinds of call. */
static void check_case(struct kit *kit, const struct attention_shape *s, enum kvl_dtype dtype)
{
    struct attention_case c;
    attention_case_init(&c, kit, s, dtype);
    int64_t n_out = s->n * s->h * s->e, n_lse = s->h * s->n;
    double *out = kit_host(kit, n_out * 8), *lse = kit_host(kit, n_lse * 8);
    ref_attend(&c.ref, out, lse);
    struct kvl_attend op = attention_op(kit, &c, s->n, true), lse_only = attention_op(kit, &c, s->n, false);
    assert_ok(kit->ctx->be->attend(kit->ctx, &op));
    assert_ok(kit->ctx->be->attend(kit->ctx, &lse_only));
    /* Scores of size up to `bound` sqrt(e) are exact to some units of 2^-24 of it. In bf16 the normalizer may sum
     * probabilities rounded to 8 bits: log(1 + 2^-8). */
    double score_error = 1e-6 * (double)(s->bound > 4.0f ? s->bound : 4.0f);
    double lse_error = 2.0 * score_error + (dtype == KVL_BF16 ? 0.0039 : 0.0);
    check_close("lse", kit_result(kit, op.lse), lse, n_lse, lse_error, 1e-6);
    check_close("lse alone", kit_result(kit, lse_only.lse), lse, n_lse, lse_error, 1e-6);
    const float *got = kit_result_f32(kit, op.out, dtype);
    if (dtype == KVL_F32) {
        check_close("out", got, out, n_out, 2.0 * score_error, 1e-6);
    } else {
        float *plain = kit_host(kit, n_out * 4);
        naive_attend_bf16(&c.ref, plain);
        check_twice("out", got, plain, out, n_out, 2.0 * score_error);
    }
    kit_clear(kit);
}

static void check_all(struct kit *kit, const struct attention_shape *shapes, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        for (int dtype = KVL_F32; dtype <= KVL_BF16; dtype++)
            check_case(kit, &shapes[i], (enum kvl_dtype)dtype);
}

static void check_sizes(struct kit *kit)
{
    static const struct attention_shape SHAPES[] = {
        {1, 2, 1, 16, 0, 0, 0},   {2, 1, 1, 16, 0, 0, 0},   {3, 3, 1, 24, 0, 0, 0},   {7, 4, 1, 64, 0, 0, 0},
        {8, 7, 1, 80, 0, 0, 0},   {13, 8, 1, 96, 0, 0, 0},  {31, 4, 4, 128, 0, 0, 0}, {32, 6, 2, 24, 0, 0, 0},
        {33, 8, 2, 80, 0, 0, 0},  {63, 7, 1, 16, 0, 0, 0},  {64, 3, 3, 64, 0, 0, 0},  {65, 8, 1, 128, 0, 0, 0},
        {97, 6, 2, 96, 0, 0, 0},  {127, 4, 1, 80, 0, 0, 0}, {128, 3, 1, 64, 0, 0, 0}, {129, 14, 2, 24, 0, 0, 0},
        {255, 4, 1, 16, 0, 0, 0}, {256, 2, 2, 24, 0, 0, 0}, {257, 3, 1, 16, 0, 0, 0}, {521, 3, 1, 16, 0, 0, 0},
        {67, 2, 1, 20, 0, 0, 0},  {65, 2, 1, 256, 0, 0, 0},
    };
    check_all(kit, SHAPES, COUNT_OF(SHAPES));
}

static void check_windows(struct kit *kit)
{
    static const struct attention_shape SHAPES[] = {
        {1, 2, 1, 16, 1, 0, 0},     {17, 3, 1, 16, 1, 0, 0},   {65, 4, 1, 24, 2, 0, 0},      {97, 7, 1, 16, 31, 0, 0},
        {129, 8, 1, 64, 48, 0, 0},  {257, 3, 1, 16, 100, 0, 0}, {300, 4, 4, 16, 400, 0, 0},   {521, 3, 1, 16, 48, 0, 0},
        {521, 4, 1, 16, 600, 0, 0}, {129, 4, 2, 24, 5000, 0, 0}, {300, 1, 1, 16, 1, 0, 0},
    };
    check_all(kit, SHAPES, COUNT_OF(SHAPES));
}

static void check_future(struct kit *kit)
{
    static const struct attention_shape SHAPES[] = {
        {2, 2, 1, 16, 0, 1, 0},   {33, 3, 1, 16, 0, 25, 0},  {97, 4, 1, 24, 0, 96, 0},     {129, 8, 1, 16, 0, 129, 0},
        {65, 7, 1, 64, 0, 64, 0}, {257, 3, 1, 16, 0, 249, 0}, {300, 4, 1, 16, 50, 292, 0}, {97, 3, 3, 16, 7, 50, 0},
    };
    check_all(kit, SHAPES, COUNT_OF(SHAPES));
}

/* Scores of +-40 to +-100 and more: sums relative to a running maximum must neither overflow nor vanish. */
static void check_sharp(struct kit *kit)
{
    static const struct attention_shape SHAPES[] = {
        {129, 3, 1, 16, 0, 0, 100.0f}, {300, 2, 1, 64, 0, 0, 100.0f}, {300, 2, 1, 16, 60, 0, 300.0f}, {97, 4, 1, 24, 0, 0, 1e-3f},
    };
    check_all(kit, SHAPES, COUNT_OF(SHAPES));
}

/* A key that is not a number spoils the rows that see it, and no other. */
static void check_not_a_number(struct kit *kit)
{
    enum { N = 70, E = 16, BAD = 33 };
    for (int dtype = KVL_F32; dtype <= KVL_BF16; dtype++) {
        struct attention_case c;
        attention_case_init(&c, kit, &(struct attention_shape){N, 2, 1, E, 0, 0, 0}, (enum kvl_dtype)dtype);
        struct kvl_attend op = attention_op(kit, &c, N, true);
        uint16_t half = 0x7fc0;
        float whole = NAN;
        size_t at = (size_t)(BAD * c.k.token_stride) * kvl_dtype_size((enum kvl_dtype)dtype);
        assert_ok(kit->ctx->be->upload(kit->ctx, (char *)c.k.data + at, dtype == KVL_F32 ? (void *)&whole : (void *)&half,
                                       (int64_t)kvl_dtype_size((enum kvl_dtype)dtype)));
        assert_ok(kit->ctx->be->attend(kit->ctx, &op));
        const float *out = kit_result_f32(kit, op.out, (enum kvl_dtype)dtype), *lse = kit_result(kit, op.lse);
        for (int64_t i = 0; i < N; i++) {
            assert_int_equal(isnan(lse[i]) != 0, i >= BAD);
            assert_int_equal(isnan(out[i * 2 * E]) != 0, i >= BAD);
        }
        kit_clear(kit);
    }
}

/* The first n rows do not notice what follows, whatever n and the number of threads. */
static void check_rows(struct kit *kit)
{
    static const struct attention_shape SHAPES[] = {
        {300, 3, 1, 24, 0, 0, 0}, {300, 4, 1, 16, 48, 0, 0}, {270, 8, 2, 16, 0, 0, 0}, {140, 7, 1, 64, 20, 0, 0}};
    static const int64_t COUNTS[] = {1, 2, 31, 32, 33, 97, 128, 255, 256, 257};
    static float rows[300 * 8 * 64], lse[8 * 300];
    for (int64_t i = 0; i < COUNT_OF(SHAPES); i++)
        for (int dtype = KVL_F32; dtype <= KVL_BF16; dtype++)
            for (int threads = 1; threads <= 3; threads++) {
                const struct attention_shape *s = &SHAPES[i];
                struct attention_case c;
                kit_reopen(kit, threads);
                random_seed(77 + (uint64_t)i);
                for (int64_t j = -1; j < COUNT_OF(COUNTS); j++) {
                    int64_t n = j < 0 ? s->n : COUNTS[j];
                    if (n > s->n)
                        continue;
                    random_seed(77 + (uint64_t)i);
                    attention_case_init(&c, kit, s, (enum kvl_dtype)dtype);
                    struct kvl_attend op = attention_op(kit, &c, n, true);
                    assert_ok(kit->ctx->be->attend(kit->ctx, &op));
                    const float *got = kit_result_f32(kit, op.out, (enum kvl_dtype)dtype), *got_lse = kit_result(kit, op.lse);
                    if (threads == 1 && j < 0) {
                        memcpy(rows, got, (size_t)(n * s->h * s->e) * sizeof *rows);
                        memcpy(lse, got_lse, (size_t)(n * s->h) * sizeof *lse);
                    }
                    check_bits("rows", got, rows, n * s->h * s->e * 4);
                    for (int64_t head = 0; head < s->h; head++)
                        check_bits("lse", got_lse + head * n, lse + head * s->n, n * 4);
                    kit_clear(kit);
                }
            }
}

static void check_refusals(struct kit *kit)
{
    static const struct attention_shape SHAPES[] = {{2, 1, 1, 258, 0, 0, 0}, {2, 1, 1, 17, 0, 0, 0}, {2, 97, 1, 16, 0, 0, 0}};
    static const char *const NAMES[] = {"258", "17", "97"};
    for (int64_t i = 0; i < COUNT_OF(SHAPES); i++) {
        struct attention_case c;
        attention_case_init(&c, kit, &SHAPES[i], KVL_F32);
        struct kvl_attend op = attention_op(kit, &c, 2, true);
        assert_int_equal(kit->ctx->be->attend(kit->ctx, &op), KVL_E_ARG);
        assert_non_null(strstr(kvl_last_error(), NAMES[i]));
        kit_clear(kit);
    }
}

int main(void)
{
    const struct kernel_test tests[] = {{"attend by hand", check_by_hand}, {"attend sizes", check_sizes},
                                        {"attend windows", check_windows}, {"attend future", check_future},
                                        {"attend sharp", check_sharp},     {"attend rows", check_rows},
                                        {"attend not a number", check_not_a_number},
                                        {"attend refusals", check_refusals}};
    return run_kernel_tests(tests, (int)COUNT_OF(tests));
}
