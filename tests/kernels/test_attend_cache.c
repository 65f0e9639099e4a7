/* Attention of one new token over a cache whose heads hold different numbers of entries, against double precision. */
#include <math.h>

#include "tests/support/kernel_kit.h"

struct cache_shape {
    int64_t h, hs, e;     /* query heads, stored heads, head size */
    int64_t n, n_max;     /* entries of the fullest head, room */
    int64_t window;
    bool uneven;          /* head s holds n - s entries, at least 1 */
};

/* Host side of one case; k, v [hs, n_max, e]. */
struct cache_values {
    float *q, *k, *v, *scores;
    int32_t *pos, *n;
    int32_t query_pos;
};

/* out [h * e], lse [h]; scores [hs, n_max] get this step's probabilities added. */
static void ref_attend_cache(const struct cache_shape *s, const struct cache_values *x, double scale, double *out, double *lse,
                             double *scores)
{
    for (int64_t head = 0; head < s->h; head++) {
        int64_t stored = head / (s->h / s->hs), n = x->n[stored];
        double p[16400], max = -INFINITY, sum = 0.0;
        for (int64_t j = 0; j < n; j++) {
            const float *k = x->k + (stored * s->n_max + j) * s->e;
            p[j] = 0.0;
            for (int64_t c = 0; c < s->e; c++)
                p[j] += scale * (double)x->q[head * s->e + c] * (double)k[c];
            if (s->window > 0 && x->query_pos - x->pos[stored * s->n_max + j] >= s->window)
                p[j] = -INFINITY;
            max = p[j] > max ? p[j] : max;
        }
        for (int64_t j = 0; j < n; j++)
            sum += exp(p[j] - max);
        lse[head] = max + log(sum);
        for (int64_t c = 0; c < s->e; c++)
            out[head * s->e + c] = 0.0;
        for (int64_t j = 0; j < n; j++) {
            double share = exp(p[j] - lse[head]);
            scores[stored * s->n_max + j] += share;
            for (int64_t c = 0; c < s->e; c++)
                out[head * s->e + c] += share * (double)x->v[(stored * s->n_max + j) * s->e + c];
        }
    }
}

static void check_by_hand(struct kit *kit)
{
    (void)kit;
    /* two query heads on one stored head of two entries: weights (3/4, 1/4) and (1/2, 1/2) */
    float q[] = {1.0986123f, 0}, k[] = {1, 0, 99}, v[] = {8, 4, 99};
    int32_t pos[] = {0, 1, 99}, n[] = {2};
    const struct cache_values x = {q, k, v, NULL, pos, n, 2};
    double out[2], lse[2], scores[3] = {10, 20, 30};
    ref_attend_cache(&(struct cache_shape){2, 1, 1, 2, 3, 0, false}, &x, 1.0, out, lse, scores);
    assert_true(fabs(out[0] - 7.0) < 1e-7 && fabs(out[1] - 6.0) < 1e-15 && fabs(lse[0] - log(4.0)) < 1e-7);
    assert_true(fabs(scores[0] - 11.25) < 1e-7 && fabs(scores[1] - 20.75) < 1e-7 && scores[2] == 30.0);
}

static struct cache_values make_values(struct kit *kit, const struct cache_shape *s, enum kvl_dtype dtype)
{
    int64_t n_values = s->hs * s->n_max * s->e;
    struct cache_values x = {kit_random(kit, s->h * s->e, dtype, 4.0f), kit_random(kit, n_values, dtype, 1.0f),
                             kit_random(kit, n_values, dtype, 1.0f), kit_random(kit, s->hs * s->n_max, KVL_F32, 1.0f),
                             kit_host(kit, s->hs * s->n_max * 4), kit_host(kit, s->hs * 4), 0};
    for (int64_t stored = 0; stored < s->hs; stored++) {
        int64_t n = s->uneven && s->n - stored * 3 > 1 ? s->n - stored * 3 : s->uneven ? 1 : s->n;
        memcpy(x.pos + stored * s->n_max, kit_positions(kit, s->n_max, 2, 3), (size_t)s->n_max * 4);
        x.n[stored] = (int32_t)n;
        int32_t last = x.pos[stored * s->n_max + n - 1];
        x.query_pos = last > x.query_pos ? last : x.query_pos;
    }
    for (int64_t stored = 0; stored < s->hs; stored++) /* the new token is in every head: a window never hides everything */
        x.pos[stored * s->n_max + x.n[stored] - 1] = x.query_pos;
    return x;
}

static void check_case(struct kit *kit, const struct cache_shape *s, enum kvl_dtype dtype, bool with_lse, bool with_scores)
{
    case_name("h=%lld/%lld e=%lld n=%lld of %lld window=%lld %s", (long long)s->h, (long long)s->hs, (long long)s->e,
              (long long)s->n, (long long)s->n_max, (long long)s->window, kvl_dtype_name(dtype));
    struct cache_values x = make_values(kit, s, dtype);
    int64_t n_values = s->hs * s->n_max * s->e, n_out = s->h * s->e, n_scores = s->hs * s->n_max;
    double *out = kit_host(kit, n_out * 8), *lse = kit_host(kit, s->h * 8), *scores = kit_host(kit, n_scores * 8);
    float scale = 1.0f / sqrtf((float)s->e);
    for (int64_t i = 0; i < n_scores; i++)
        scores[i] = (double)x.scores[i];
    ref_attend_cache(s, &x, (double)scale, out, lse, scores);
    /* entries past n are garbage that must not be looked at */
    for (int64_t stored = 0; stored < s->hs; stored++)
        for (int64_t i = x.n[stored] * s->e; i < s->n_max * s->e; i++)
            x.k[stored * s->n_max * s->e + i] = x.v[stored * s->n_max * s->e + i] = NAN;
    struct kvl_attend_cache op = {
        .q = {kit_values(kit, x.q, n_out, dtype), dtype, 1, s->h, s->e, n_out, s->e},
        .k = kit_values(kit, x.k, n_values, dtype),
        .v = kit_values(kit, x.v, n_values, dtype),
        .dtype = dtype,
        .pos = kit_input(kit, x.pos, n_scores * 4),
        .n = kit_input(kit, x.n, s->hs * 4),
        .n_stored = s->hs,
        .n_max = s->n_max,
        .n_bound = s->n + (s->n < s->n_max),
        .window = s->window,
        .query_pos = kit_input(kit, &x.query_pos, 4),
        .scale = scale,
        .out = kit_output(kit, n_out * (int64_t)kvl_dtype_size(dtype)),
        .lse = with_lse ? kit_output(kit, s->h * 4) : NULL,
        .scores = with_scores ? kit_values(kit, x.scores, n_scores, KVL_F32) : NULL,
    };
    op.scratch = kit_output(kit, kit->ctx->be->attend_cache_scratch(kit->ctx, &op));
    assert_ok(kit->ctx->be->attend_cache(kit->ctx, &op));
    /* bf16 loses only the rounding of the result: half a unit in the last of 8 places */
    check_close("out", kit_result_f32(kit, op.out, dtype), out, n_out, 1e-5, dtype == KVL_F32 ? 1e-5 : 0.00392);
    if (with_lse)
        check_close("lse", kit_result(kit, op.lse), lse, s->h, 1e-5, 1e-6);
    if (with_scores)
        check_close("scores", kit_result(kit, op.scores), scores, n_scores, 1e-5, 1e-5);
    kit_clear(kit);
}

static void check_all(struct kit *kit, const struct cache_shape *shapes, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        for (int dtype = KVL_F32; dtype <= KVL_BF16; dtype++) {
            check_case(kit, &shapes[i], (enum kvl_dtype)dtype, true, true);
            check_case(kit, &shapes[i], (enum kvl_dtype)dtype, i % 2 == 0, false);
        }
}

static void check_sizes(struct kit *kit)
{
    static const struct cache_shape SHAPES[] = {
        {2, 1, 16, 1, 1, 0, false}, {3, 1, 24, 2, 3, 0, false}, {4, 1, 64, 3, 3, 0, false},
        {7, 1, 80, 31, 40, 0, false}, {8, 1, 96, 32, 32, 0, false}, {4, 4, 128, 33, 64, 0, false},
        {6, 2, 16, 97, 100, 0, false}, {8, 2, 24, 127, 128, 0, false}, {3, 3, 64, 128, 129, 0, false},
        {14, 2, 80, 129, 130, 0, false}, {4, 1, 16, 255, 256, 0, false}, {4, 2, 16, 256, 256, 0, false},
        {9, 3, 64, 257, 300, 0, false}, {3, 1, 16, 511, 512, 0, false}, {3, 1, 16, 513, 514, 0, false},
        {8, 1, 24, 1021, 1030, 0, false}, {2, 1, 256, 65, 66, 0, false}, {2, 1, 16, 4097, 4100, 0, false},
        {2, 1, 16, 16390, 16400, 0, false}, /* other splits on a GPU */
        {12, 1, 64, 33, 40, 0, false}, {17, 1, 96, 70, 70, 0, false}, {4, 2, 20, 70, 71, 0, false},
    };
    check_all(kit, SHAPES, COUNT_OF(SHAPES));
}

static void check_windows(struct kit *kit)
{
    static const struct cache_shape SHAPES[] = {
        {2, 1, 16, 1, 1, 1, false}, {3, 1, 16, 17, 20, 1, false}, {4, 1, 24, 97, 97, 48, false},
        {8, 2, 16, 300, 310, 48, false}, {7, 1, 64, 600, 600, 700, false}, {4, 4, 16, 600, 601, 30, false},
        {3, 1, 16, 129, 129, 100000, false},
    };
    check_all(kit, SHAPES, COUNT_OF(SHAPES));
}

static void check_uneven(struct kit *kit)
{
    static const struct cache_shape SHAPES[] = {
        {8, 8, 16, 257, 260, 0, true}, {6, 3, 24, 5, 9, 0, true}, {12, 4, 64, 515, 520, 60, true}};
    check_all(kit, SHAPES, COUNT_OF(SHAPES));
}

static void check_threads(struct kit *kit)
{
    static const struct cache_shape SHAPES[] = {{9, 3, 64, 700, 710, 0, false}, {8, 1, 16, 1021, 1021, 900, false}};
    static float out[9 * 64], lse[9], scores[3 * 1021];
    for (int64_t i = 0; i < COUNT_OF(SHAPES); i++)
        for (int dtype = KVL_F32; dtype <= KVL_BF16; dtype++)
            for (int threads = 1; threads <= 3; threads++) {
                const struct cache_shape *s = &SHAPES[i];
                int64_t n_values = s->hs * s->n_max * s->e, n_out = s->h * s->e, n_scores = s->hs * s->n_max;
                kit_reopen(kit, threads);
                random_seed(5 + (uint64_t)i);
                struct cache_values x = make_values(kit, s, (enum kvl_dtype)dtype);
                enum kvl_dtype type = (enum kvl_dtype)dtype;
                struct kvl_attend_cache op = {
                    .q = {kit_values(kit, x.q, n_out, type), type, 1, s->h, s->e, n_out, s->e},
                    .k = kit_values(kit, x.k, n_values, type), .v = kit_values(kit, x.v, n_values, type), .dtype = type,
                    .pos = kit_input(kit, x.pos, n_scores * 4), .n = kit_input(kit, x.n, s->hs * 4), .n_stored = s->hs,
                    .n_max = s->n_max, .n_bound = s->n, .window = s->window, .query_pos = kit_input(kit, &x.query_pos, 4), .scale = 0.125f,
                    .out = kit_output(kit, n_out * 4), .lse = kit_output(kit, s->h * 4),
                    .scores = kit_values(kit, x.scores, n_scores, KVL_F32)};
                op.scratch = kit_output(kit, kit->ctx->be->attend_cache_scratch(kit->ctx, &op));
                assert_ok(kit->ctx->be->attend_cache(kit->ctx, &op));
                const float *got = kit_result(kit, op.out), *got_lse = kit_result(kit, op.lse);
                const float *got_scores = kit_result(kit, op.scores);
                int64_t bytes = n_out * (int64_t)kvl_dtype_size(type);
                if (threads == 1) {
                    memcpy(out, got, (size_t)bytes);
                    memcpy(lse, got_lse, (size_t)s->h * 4);
                    memcpy(scores, got_scores, (size_t)n_scores * 4);
                }
                check_bits("out", got, out, bytes);
                check_bits("lse", got_lse, lse, s->h * 4);
                check_bits("scores", got_scores, scores, n_scores * 4);
                kit_clear(kit);
            }
}

/* Scratch for a cache serves every smaller one: the engine makes it once, for the longest. */
static void check_scratch(struct kit *kit)
{
    enum { MOST = 40000 };
    struct kvl_attend_cache op = {.q = {.n_heads = 32, .head_size = 128}, .n_stored = 8, .n_max = MOST};
    for (int64_t before = 0; op.n_bound < MOST;) {
        op.n_bound++;
        int64_t bytes = kit->ctx->be->attend_cache_scratch(kit->ctx, &op);
        if (bytes < before)
            fail_msg("%lld entries need %lld bytes, one fewer %lld", (long long)op.n_bound, (long long)bytes, (long long)before);
        before = bytes;
    }
    assert_true(kit->ctx->be->attend_cache_scratch(kit->ctx, &op) > 0);
}

int main(void)
{
    const struct kernel_test tests[] = {{"attend_cache by hand", check_by_hand},
                                        {"attend_cache sizes", check_sizes},
                                        {"attend_cache windows", check_windows},
                                        {"attend_cache uneven heads", check_uneven},
                                        {"attend_cache and threads", check_threads},
                                        {"attend_cache scratch", check_scratch}};
    return run_kernel_tests(tests, (int)COUNT_OF(tests));
}
