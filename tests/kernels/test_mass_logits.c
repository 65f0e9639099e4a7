/* Attention mass and raw products against double precision. */
#include <math.h>

#include "tests/support/attention_case.h"

static void check_by_hand(struct kit *kit)
{
    (void)kit;
    /* as in test_attend: rows (1) and (3/4, 1/4) for head 0, (1) and (1/2, 1/2) for head 1; weights 2 and 4 */
    const float q[] = {7, 7, 1.0986123f, 0}, k[] = {1, 0}, weights[] = {2, 4};
    const struct ref_attention a = {q, k, NULL, NULL, NULL, 2, 2, 2, 1, 1, 0, 0, 1.0};
    const double expected[] = {5, 1, 4, 2}, last[] = {0.75, 0.5}, products[] = {1.0986123, 0, 0, 0};
    double scores[4];
    ref_mass(&a, weights, 0, 2, 2, scores);
    for (int i = 0; i < 4; i++)
        assert_true(fabs(scores[i] - expected[i]) < 1e-6);
    ref_mass(&a, NULL, 1, 2, 1, scores);
    assert_true(fabs(scores[0] - last[0]) < 1e-6 && fabs(scores[1] - last[1]) < 1e-6);
    ref_logits(&a, 1, scores);
    for (int i = 0; i < 4; i++)
        assert_true(fabs(scores[i] - products[i]) < 1e-7);
}

struct mass_case {
    struct attention_shape shape;
    int64_t begin, end, n_keys; /* rows and keys; 0 keys: all */
    bool weighted;
};

/* The reference's log-sum-exps, rounded, are the operation's input. */
static float *rounded_lse(struct kit *kit, const struct attention_case *c)
{
    int64_t n = c->ref.h * c->ref.n;
    double *exact = kit_host(kit, n * 8);
    float *lse = kit_host(kit, n * 4);
    ref_attend(&c->ref, NULL, exact);
    for (int64_t i = 0; i < n; i++)
        lse[i] = (float)exact[i];
    return kit_input(kit, lse, n * 4);
}

static void check_mass_case(struct kit *kit, const struct mass_case *m, enum kvl_dtype dtype)
{
    struct attention_case c;
    attention_case_init(&c, kit, &m->shape, dtype);
    int64_t n_keys = m->n_keys > 0 ? m->n_keys : m->shape.n, n_rows = m->end - m->begin, n = m->shape.h * n_keys;
    float *weights = m->weighted ? kit_random(kit, n_rows, KVL_F32, 1.5f) : NULL;
    double *expected = kit_host(kit, n * 8);
    ref_mass(&c.ref, weights, m->begin, m->end, n_keys, expected);
    float *scores = kit_output(kit, n * 4);
    struct kvl_mass op = {.q = c.q, .k = c.k, .pos = c.pos, .lse = rounded_lse(kit, &c),
                          .weights = m->weighted ? kit_input(kit, weights, n_rows * 4) : NULL, .window = m->shape.window,
                          .causal_from = m->shape.causal_from, .row_begin = m->begin, .row_end = m->end, .n_keys = n_keys,
                          .scale = c.scale, .scores = scores};
    assert_ok(kit->ctx->be->mass(kit->ctx, &op));
    /* A probability's relative error is the score's absolute one, here below 2e-5; sums of rows add 2^-24 each. */
    check_close("mass", kit_result(kit, scores), expected, n, 1e-6 + 2e-6 * sqrt((double)n_rows), 3e-5);
    kit_clear(kit);
}

static void check_mass(struct kit *kit)
{
    static const struct mass_case CASES[] = {
        {{1, 1, 1, 16, 0, 0, 0}, 0, 1, 0, true},        {{2, 1, 1, 16, 0, 0, 0}, 0, 2, 0, false},
        {{13, 3, 1, 24, 0, 0, 0}, 5, 13, 5, false},     {{31, 8, 1, 64, 0, 0, 0}, 23, 31, 23, false},
        {{33, 7, 1, 80, 0, 0, 0}, 1, 33, 31, true},     {{64, 4, 4, 96, 0, 0, 0}, 56, 64, 56, false},
        {{97, 8, 2, 128, 0, 0, 0}, 89, 97, 89, true},   {{127, 6, 2, 16, 0, 0, 0}, 0, 127, 0, false},
        {{129, 3, 1, 24, 0, 0, 0}, 0, 129, 0, true},    {{255, 4, 1, 16, 0, 0, 0}, 223, 255, 223, false},
        {{256, 2, 1, 16, 0, 0, 0}, 248, 256, 256, false}, {{257, 7, 1, 16, 0, 0, 0}, 200, 257, 199, true},
        {{300, 3, 1, 16, 0, 0, 0}, 7, 260, 0, false},   {{521, 3, 1, 16, 0, 0, 0}, 513, 521, 513, false},
        {{300, 3, 1, 16, 48, 0, 0}, 292, 300, 292, false}, {{300, 4, 1, 24, 600, 0, 0}, 0, 300, 0, false},
        {{97, 4, 1, 16, 1, 0, 0}, 0, 97, 0, true},      {{129, 3, 1, 16, 0, 121, 0}, 0, 129, 0, false},
        {{300, 3, 1, 16, 0, 292, 0}, 0, 300, 0, false}, {{97, 3, 1, 16, 30, 60, 0}, 10, 97, 97, true},
        {{67, 4, 2, 20, 0, 0, 0}, 3, 67, 66, true},     {{65, 2, 1, 256, 0, 0, 0}, 0, 65, 0, false},
        {{65, 4, 1, 16, 0, 65, 0}, 0, 65, 64, false},   {{300, 2, 1, 16, 0, 0, 60.0f}, 292, 300, 292, false},
    };
    for (int64_t i = 0; i < COUNT_OF(CASES); i++)
        for (int dtype = KVL_F32; dtype <= KVL_BF16; dtype++)
            check_mass_case(kit, &CASES[i], (enum kvl_dtype)dtype);
}

/* Rows against keys of another list, with positions of their own: remembered rows and a block of the cache. */
static void check_mass_of_other_keys(struct kit *kit)
{
    static const struct attention_shape SHAPES[] = {
        {5, 4, 1, 16, 0, 5, 0}, {31, 6, 2, 24, 70, 31, 0}, {17, 3, 1, 16, 12, 17, 0}};
    static const int64_t KEYS[] = {16, 15, 33};
    for (int64_t i = 0; i < COUNT_OF(SHAPES); i++)
        for (int dtype = KVL_F32; dtype <= KVL_BF16; dtype++) {
            struct attention_case c, other;
            struct attention_shape keys = SHAPES[i];
            keys.n = KEYS[i];
            keys.window = 1; /* positions with gaps */
            attention_case_init(&other, kit, &keys, (enum kvl_dtype)dtype);
            attention_case_init(&c, kit, &SHAPES[i], (enum kvl_dtype)dtype);
            int64_t n = c.ref.h * KEYS[i];
            float *lse = kit_random(kit, c.ref.h * c.ref.n, KVL_F32, 0.5f), *scores = kit_output(kit, n * 4);
            double *expected = kit_host(kit, n * 8), *row = kit_host(kit, KEYS[i] * 8);
            struct ref_attention a = c.ref;
            a.k = other.ref.k;
            a.m = KEYS[i];
            a.key_pos = other.ref.pos;
            /* the log-sum-exp is of other keys: exp(s - lse) = softmax * exp(own lse - lse) */
            for (int64_t head = 0; head < a.h; head++)
                for (int64_t r = 0; r < a.n; r++) {
                    bool any = false;
                    for (int64_t j = 0; j < a.m; j++)
                        any = any || ref_visible(&a, r, j);
                    if (!any)
                        continue;
                    double own = ref_row(&a, head, r, row);
                    for (int64_t j = 0; j < a.m; j++)
                        expected[head * a.m + j] += row[j] * exp(own - (double)lse[head * a.n + r]);
                }
            assert_ok(kit->ctx->be->mass(
                kit->ctx, &(struct kvl_mass){.q = c.q, .k = other.k, .pos = c.pos, .key_pos = other.pos,
                                             .lse = kit_input(kit, lse, c.ref.h * c.ref.n * 4), .window = SHAPES[i].window,
                                             .causal_from = c.ref.n, .row_end = c.ref.n, .n_keys = KEYS[i], .scale = c.scale,
                                             .scores = scores}));
            check_close("mass", kit_result(kit, scores), expected, n, 1e-5, 3e-5);
            kit_clear(kit);
        }
}

/* What `attend` returned goes straight in: all rows' mass of a key set sums to the number of rows. */
static void check_mass_adds_up(struct kit *kit)
{
    static const struct attention_shape SHAPES[] = {
        {131, 4, 1, 24, 0, 0, 0}, {131, 3, 1, 16, 40, 0, 0}, {131, 3, 3, 16, 0, 123, 0}};
    for (int64_t i = 0; i < COUNT_OF(SHAPES); i++)
        for (int dtype = KVL_F32; dtype <= KVL_BF16; dtype++) {
            struct attention_case c;
            attention_case_init(&c, kit, &SHAPES[i], (enum kvl_dtype)dtype);
            int64_t n = c.ref.n, h = c.ref.h;
            struct kvl_attend attend = attention_op(kit, &c, n, false);
            float *scores = kit_output(kit, h * n * 4);
            assert_ok(kit->ctx->be->attend(kit->ctx, &attend));
            assert_ok(kit->ctx->be->mass(kit->ctx, &(struct kvl_mass){.q = c.q, .k = c.k, .pos = c.pos, .lse = attend.lse,
                                                                      .window = c.ref.window, .causal_from = c.ref.causal_from,
                                                                      .row_end = n, .n_keys = n, .scale = c.scale,
                                                                      .scores = scores}));
            const float *got = kit_result(kit, scores);
            for (int64_t head = 0; head < h; head++) {
                double sum = 0.0;
                for (int64_t j = 0; j < n; j++)
                    sum += (double)got[head * n + j];
                /* bf16: the normalizer may be of probabilities rounded to 8 bits */
                if (!(fabs(sum - (double)n) <= (dtype == KVL_F32 ? 1e-3 : 0.004 * (double)n)))
                    fail_msg("the mass of head %lld is %g of %lld rows", (long long)head, sum, (long long)n);
            }
            kit_clear(kit);
        }
}

static void check_mass_threads(struct kit *kit)
{
    static const struct mass_case CASES[] = {{{300, 3, 1, 24, 0, 0, 0}, 0, 300, 0, false},
                                             {{530, 8, 2, 16, 100, 0, 0}, 498, 530, 498, true},
                                             {{300, 7, 1, 16, 0, 290, 0}, 0, 300, 0, false}};
    static float first[8 * 530];
    for (int64_t i = 0; i < COUNT_OF(CASES); i++)
        for (int dtype = KVL_F32; dtype <= KVL_BF16; dtype++)
            for (int threads = 1; threads <= 3; threads++) {
                const struct mass_case *m = &CASES[i];
                struct attention_case c;
                kit_reopen(kit, threads);
                random_seed(99 + (uint64_t)i);
                attention_case_init(&c, kit, &m->shape, (enum kvl_dtype)dtype);
                int64_t n_keys = m->n_keys > 0 ? m->n_keys : m->shape.n;
                float *scores = kit_output(kit, m->shape.h * n_keys * 4);
                struct kvl_attend attend = attention_op(kit, &c, m->shape.n, false);
                assert_ok(kit->ctx->be->attend(kit->ctx, &attend));
                assert_ok(kit->ctx->be->mass(
                    kit->ctx, &(struct kvl_mass){.q = c.q, .k = c.k, .pos = c.pos, .lse = attend.lse, .window = m->shape.window,
                                                 .causal_from = m->shape.causal_from, .row_begin = m->begin, .row_end = m->end,
                                                 .n_keys = n_keys, .scale = c.scale, .scores = scores}));
                const float *got = kit_result(kit, scores);
                if (threads == 1)
                    memcpy(first, got, (size_t)(m->shape.h * n_keys) * sizeof *first);
                check_bits("mass", got, first, m->shape.h * n_keys * 4);
                kit_clear(kit);
            }
}

static void check_logits(struct kit *kit)
{
    static const struct attention_shape SHAPES[] = {
        {1, 1, 1, 16, 0, 0, 0},    {2, 3, 1, 24, 0, 0, 0},   {31, 4, 1, 64, 0, 0, 0},  {32, 7, 1, 80, 0, 0, 0},
        {33, 8, 1, 96, 0, 0, 0},   {127, 4, 4, 128, 0, 0, 0}, {129, 8, 2, 16, 0, 0, 0}, {257, 6, 2, 24, 0, 0, 0},
        {521, 3, 1, 64, 0, 0, 0},  {13, 2, 1, 256, 0, 0, 0}};
    for (int64_t i = 0; i < COUNT_OF(SHAPES); i++)
        for (int dtype = KVL_F32; dtype <= KVL_BF16; dtype++) {
            struct attention_case c;
            attention_case_init(&c, kit, &SHAPES[i], (enum kvl_dtype)dtype);
            int64_t n = c.ref.h * c.ref.n, rows[] = {0, c.ref.n / 2, c.ref.n - 1};
            for (int64_t j = 0; j < COUNT_OF(rows); j++) {
                double *expected = kit_host(kit, n * 8);
                float *scores = kit_output(kit, n * 4);
                ref_logits(&c.ref, rows[j], expected);
                assert_ok(kit->ctx->be->logits(kit->ctx, &(struct kvl_logits){c.q, c.k, rows[j], scores}));
                check_close("logits", kit_result(kit, scores), expected, n, 5e-7 * (double)c.ref.e, 1e-6);
            }
            kit_clear(kit);
        }
}

static void check_refusals(struct kit *kit)
{
    struct attention_case c;
    attention_case_init(&c, kit, &(struct attention_shape){4, 1, 1, 16, 0, 0, 0}, KVL_F32);
    struct kvl_mass op = {.q = c.q, .k = c.k, .pos = c.pos, .lse = kit_output(kit, 16), .row_end = 4, .scale = 1.0f,
                          .scores = kit_output(kit, 64)};
    assert_int_equal(kit->ctx->be->mass(kit->ctx, &op), KVL_E_ARG);
    op.n_keys = 5;
    assert_int_equal(kit->ctx->be->mass(kit->ctx, &op), KVL_E_ARG);
}

int main(void)
{
    const struct kernel_test tests[] = {{"mass and logits by hand", check_by_hand},
                                        {"mass", check_mass},
                                        {"mass of other keys", check_mass_of_other_keys},
                                        {"mass adds up", check_mass_adds_up},
                                        {"mass and threads", check_mass_threads},
                                        {"logits", check_logits},
                                        {"mass refusals", check_refusals}};
    return run_kernel_tests(tests, (int)COUNT_OF(tests));
}
