/* Attention: of a prompt over itself, of one token over the cache, and what methods ask of it afterwards (mass, logits).
 *
 * Random vectors give flat softmaxes, whose outputs vanish as n grows, so that any result would be near enough. Hence scores are
 * scaled up: attention rests on a few keys then, as a model's does; less so for mass, which is compared key by key. */
#include <math.h>
#include <stdio.h>

#include "harness/kernel_check.h"

KVL_KERNEL_RUN(attend)
KVL_KERNEL_RUN(append)
KVL_KERNEL_RUN(attend_cache)
KVL_KERNEL_RUN(mass)
KVL_KERNEL_RUN(logits)

enum {
    SHARPNESS = 16, MASS_SHARPNESS = 4,
    N_CHECKED_HEADS = 2, N_CHECKED_ROWS = 8, N_CHECKED_KEYS = 32,
    OBSERVED_ROWS = 8,   /* that methods look at; fastkv's window */
    MAX_APPENDED = 4096,
};

static float scale_of(const struct kvl_shape *s, int sharpness)
{
    return (float)sharpness / sqrtf((float)s->head_size);
}

static double size_of(const struct kvl_kernel_setting *s)
{
    return (double)kvl_dtype_size(s->dtype);
}

/* Bytes of the queries of m rows, and of the keys (or values) of as many tokens. */
static double query_bytes(const struct kvl_kernel_setting *s, int64_t m)
{
    return (double)(m * s->shape->n_head * s->shape->head_size) * size_of(s);
}

static double key_bytes(const struct kvl_kernel_setting *s, int64_t m)
{
    return (double)(m * s->shape->n_kv * s->shape->head_size) * size_of(s);
}

static double dot(const float *a, const float *b, int64_t n)
{
    double sum = 0.0;
    for (int64_t c = 0; c < n; c++)
        sum += (double)a[c] * (double)b[c];
    return sum;
}

static double magnitude_of(const float *a, const float *b, int64_t n)
{
    double sum = 0.0;
    for (int64_t c = 0; c < n; c++)
        sum += fabs((double)a[c] * (double)b[c]);
    return sum;
}

/* Softmax of one query over m keys and its sum over their values: `out` and `magnitude`, [e]. Returns the log-sum-exp. */
static double plain_attention(const float *q, const float *keys, const float *values, int64_t m, int64_t e, double scale,
                              double *out, double *magnitude)
{
    double max = -INFINITY, sum = 0.0;
    for (int64_t j = 0; j < m; j++)
        max = fmax(max, scale * dot(q, keys + j * e, e));
    for (int64_t c = 0; c < e; c++)
        out[c] = magnitude[c] = 0.0;
    for (int64_t j = 0; j < m; j++) {
        double p = exp(scale * dot(q, keys + j * e, e) - max);
        sum += p;
        for (int64_t c = 0; c < e; c++) {
            out[c] += p * (double)values[j * e + c];
            magnitude[c] += p * fabs((double)values[j * e + c]);
        }
    }
    for (int64_t c = 0; c < e; c++) {
        out[c] /= sum;
        magnitude[c] /= sum;
    }
    return max + log(sum);
}

/* One row's output. bf16 rounds the probabilities, above and below the fraction, and then the result. */
static void compare_row(struct kvl_kernel_check *check, enum kvl_dtype dtype, const float *got, const double *expected,
                        const double *magnitude, int64_t e)
{
    double share = kvl_check_share(dtype);
    for (int64_t c = 0; c < e; c++)
        kvl_check_close(check, "out", c, (double)got[c], expected[c], share * (magnitude[c] + 0.5 * fabs(expected[c])));
}

/* The log-sum-exp: an error of it is a relative one of the sum of exponentials. */
static void compare_lse(struct kvl_kernel_check *check, enum kvl_dtype dtype, int64_t i, float got, double expected)
{
    double allowed = kvl_check_share(dtype) + kvl_check_share(KVL_F32) * fabs(expected);
    kvl_check_close(check, "log-sum-exp", i, (double)got, expected, allowed);
}

/* ---- attend ------------------------------------------------------------------------------------------------------------- */

static bool has_window(const struct kvl_kernel_setting *s)
{
    return s->window > 0;
}

static int64_t window_of(const struct kvl_kernel_setting *s, const struct kvl_kernel_case *row)
{
    return row->variant != 0 ? s->window : 0;
}

static enum kvl_status make_attend(struct kvl_kernel_inputs *in, const struct kvl_kernel_case *row, union kvl_kernel_op *op)
{
    const struct kvl_kernel_setting *s = in->setting;
    const struct kvl_shape *shape = s->shape;
    struct kvl_kernel_heads heads = kvl_kernel_fused(s, kvl_kernel_values(in, s->n * kvl_kernel_fused_width(shape)), s->n);
    op->attend = (struct kvl_attend){.q = heads.q, .k = heads.k, .v = heads.v, .window = window_of(s, row),
                                     .scale = scale_of(shape, SHARPNESS)};
    op->attend.out = kvl_kernel_output(in, (int64_t)query_bytes(s, s->n));
    op->attend.lse = kvl_kernel_output(in, shape->n_head * s->n * 4);
    op->attend.scratch = kvl_kernel_scratch(in, s->ctx->be->attend_scratch(s->ctx, &op->attend));
    return kvl_kernel_count(in, s->n, 0, &op->attend.pos);
}

static void work_attend(const struct kvl_kernel_setting *s, const struct kvl_kernel_case *row, struct kvl_kernel_work *work)
{
    const struct kvl_shape *shape = s->shape;
    work->flops = 4.0 * (double)(shape->n_head * shape->head_size) * kvl_kernel_pairs(0, s->n, window_of(s, row));
    work->bytes = 2.0 * query_bytes(s, s->n) + 2.0 * key_bytes(s, s->n) + 4.0 * (double)(shape->n_head * s->n)
                  + (row->variant != 0 ? 4.0 * (double)s->n : 0.0);
    snprintf(work->shape, sizeof work->shape, "n=%lld h=%lld/%lld e=%lld window=%lld", (long long)s->n, (long long)shape->n_head,
             (long long)shape->n_kv, (long long)shape->head_size, (long long)window_of(s, row));
}

/* A head's keys and values are copied once for all its rows. */
static enum kvl_status check_attend_head(struct kvl_kernel_check *check, const struct kvl_attend *op, int64_t head)
{
    int64_t n = op->q.n_tokens, e = op->q.head_size, h = op->q.n_heads, kv = head / (h / op->k.n_heads);
    float *keys, *values, *q, *got, *lse;
    double *expected, *magnitude;
    KVL_TRY(kvl_check_head(check, &op->k, kv, 0, n, &keys));
    KVL_TRY(kvl_check_head(check, &op->v, kv, 0, n, &values));
    KVL_TRY(kvl_check_doubles(check, e, &expected));
    KVL_TRY(kvl_check_doubles(check, e, &magnitude));
    for (int r = 0; r < N_CHECKED_ROWS; r++) {
        int64_t i = r == 0 ? n - 1 : kvl_check_pick(check, n);
        int64_t first = op->window > 0 && i >= op->window ? i - op->window + 1 : 0;
        KVL_TRY(kvl_check_head(check, &op->q, head, i, 1, &q));
        KVL_TRY(kvl_check_values(check, op->out, op->q.dtype, (i * h + head) * e, e, &got));
        KVL_TRY(kvl_check_values(check, op->lse, KVL_F32, head * n + i, 1, &lse));
        double log_sum = plain_attention(q, keys + first * e, values + first * e, i + 1 - first, e, (double)op->scale, expected,
                                         magnitude);
        compare_row(check, op->q.dtype, got, expected, magnitude, e);
        compare_lse(check, op->q.dtype, head * n + i, *lse, log_sum);
    }
    return KVL_OK;
}

static enum kvl_status check_attend(struct kvl_kernel_check *check, const union kvl_kernel_op *all)
{
    KVL_TRY(kvl_check_call(check, all));
    for (int a = 0; a < N_CHECKED_HEADS; a++)
        KVL_TRY(check_attend_head(check, &all->attend, kvl_check_pick(check, all->attend.q.n_heads)));
    return KVL_OK;
}

/* ---- append ------------------------------------------------------------------------------------------------------------- */

static enum kvl_status make_append(struct kvl_kernel_inputs *in, const struct kvl_kernel_case *row, union kvl_kernel_op *op)
{
    (void)row;
    const struct kvl_kernel_setting *s = in->setting;
    int64_t hs = s->shape->n_kv, n_max = s->n + MAX_APPENDED, bytes = (int64_t)key_bytes(s, n_max);
    struct kvl_kernel_heads heads = kvl_kernel_fused(s, kvl_kernel_values(in, kvl_kernel_fused_width(s->shape)), 1);
    op->append = (struct kvl_append){.k = heads.k, .v = heads.v, .n_stored = hs, .n_max = n_max};
    op->append.cache_k = kvl_kernel_output(in, bytes);
    op->append.cache_v = kvl_kernel_output(in, bytes);
    op->append.cache_pos = kvl_kernel_output(in, hs * n_max * 4);
    op->append.scores = kvl_kernel_output(in, hs * n_max * 4);
    KVL_TRY(kvl_kernel_count(in, 1, (int32_t)s->n, &op->append.pos));
    return kvl_kernel_constant(in, hs, (int32_t)s->n, &op->append.n);
}

/* Every call holds one entry more. */
static enum kvl_status reset_append(struct kvl_ctx *ctx, const union kvl_kernel_op *op)
{
    int64_t n = op->append.n_max - MAX_APPENDED;
    return ctx->be->range(ctx, &(struct kvl_range){op->append.n, op->append.n_stored, 1, 0, 1, (int32_t)n});
}

static void work_append(const struct kvl_kernel_setting *s, const struct kvl_kernel_case *row, struct kvl_kernel_work *work)
{
    (void)row;
    double hs = (double)s->shape->n_kv;
    work->bytes = 4.0 * key_bytes(s, 1) + 4.0 + hs * (4.0 + 4.0 + 8.0); /* position, score, count there and back */
    snprintf(work->shape, sizeof work->shape, "hs=%.0f e=%lld n=%lld", hs, (long long)s->shape->head_size, (long long)s->n);
}

static enum kvl_status check_append(struct kvl_kernel_check *check, const union kvl_kernel_op *all)
{
    const struct kvl_append *op = &all->append;
    int64_t e = op->k.head_size, n = op->n_max - MAX_APPENDED;
    KVL_TRY(kvl_check_call(check, all));
    for (int64_t head = 0; head < op->n_stored; head++) {
        int64_t place = head * op->n_max + n;
        float *k, *v, *new_k, *new_v, *score, zero = 0.0f;
        void *pos, *count;
        KVL_TRY(kvl_check_head(check, &op->k, head, 0, 1, &k));
        KVL_TRY(kvl_check_head(check, &op->v, head, 0, 1, &v));
        KVL_TRY(kvl_check_values(check, op->cache_k, op->k.dtype, place * e, e, &new_k));
        KVL_TRY(kvl_check_values(check, op->cache_v, op->v.dtype, place * e, e, &new_v));
        KVL_TRY(kvl_check_values(check, op->scores, KVL_F32, place, 1, &score));
        KVL_TRY(kvl_check_bytes(check, op->cache_pos + place, 4, &pos));
        KVL_TRY(kvl_check_bytes(check, op->n + head, 4, &count));
        kvl_check_same(check, "key", head, new_k, k, e * 4);
        kvl_check_same(check, "value", head, new_v, v, e * 4);
        kvl_check_same(check, "score", head, score, &zero, 4);
        kvl_check_equal(check, "position", head, *(int32_t *)pos, n);
        kvl_check_equal(check, "count", head, *(int32_t *)count, n + 1);
    }
    return KVL_OK;
}

/* ---- attend_cache ------------------------------------------------------------------------------------------------------- */

/* `variant`: the part of the prompt that the cache holds, as a divisor. */
static enum kvl_status make_attend_cache(struct kvl_kernel_inputs *in, const struct kvl_kernel_case *row, union kvl_kernel_op *op)
{
    const struct kvl_kernel_setting *s = in->setting;
    const struct kvl_shape *shape = s->shape;
    int64_t m = kvl_kernel_share(s->n, row->variant), n_values = shape->n_kv * m * shape->head_size;
    int32_t *n;
    struct kvl_attend_cache *cache = &op->attend_cache;
    *cache = (struct kvl_attend_cache){.dtype = s->dtype, .n_stored = shape->n_kv, .n_max = m, .n_bound = m,
                                       .scale = scale_of(shape, SHARPNESS)};
    cache->k = kvl_kernel_values(in, n_values);
    cache->v = kvl_kernel_values(in, n_values);
    cache->q = kvl_kernel_fused(s, kvl_kernel_values(in, kvl_kernel_fused_width(shape)), 1).q;
    cache->out = kvl_kernel_output(in, (int64_t)query_bytes(s, 1));
    cache->scratch = kvl_kernel_scratch(in, s->ctx->be->attend_cache_scratch(s->ctx, cache));
    KVL_TRY(kvl_kernel_lists(in, shape->n_kv, m, s->n, &cache->pos));
    KVL_TRY(kvl_kernel_count(in, 1, (int32_t)s->n, &cache->query_pos));
    KVL_TRY(kvl_kernel_constant(in, shape->n_kv, (int32_t)m, &n));
    cache->n = n;
    return KVL_OK;
}

static void work_attend_cache(const struct kvl_kernel_setting *s, const struct kvl_kernel_case *row, struct kvl_kernel_work *work)
{
    const struct kvl_shape *shape = s->shape;
    int64_t m = kvl_kernel_share(s->n, row->variant);
    work->flops = 4.0 * (double)(shape->n_head * shape->head_size * m);
    work->bytes = 2.0 * key_bytes(s, m) + 2.0 * query_bytes(s, 1) + 4.0 * (double)shape->n_kv;
    snprintf(work->shape, sizeof work->shape, "entries=%lld h=%lld/%lld e=%lld", (long long)m, (long long)shape->n_head,
             (long long)shape->n_kv, (long long)shape->head_size);
}

static enum kvl_status check_attend_cache(struct kvl_kernel_check *check, const union kvl_kernel_op *all)
{
    const struct kvl_attend_cache *op = &all->attend_cache;
    int64_t m = op->n_max, e = op->q.head_size, h = op->q.n_heads;
    double *expected, *magnitude;
    KVL_TRY(kvl_check_doubles(check, e, &expected));
    KVL_TRY(kvl_check_doubles(check, e, &magnitude));
    KVL_TRY(kvl_check_call(check, all));
    for (int a = 0; a < N_CHECKED_HEADS; a++) {
        int64_t head = kvl_check_pick(check, h), stored = head / (h / op->n_stored);
        float *q, *keys, *values, *got;
        KVL_TRY(kvl_check_head(check, &op->q, head, 0, 1, &q));
        KVL_TRY(kvl_check_values(check, op->k, op->dtype, stored * m * e, m * e, &keys));
        KVL_TRY(kvl_check_values(check, op->v, op->dtype, stored * m * e, m * e, &values));
        KVL_TRY(kvl_check_values(check, op->out, op->q.dtype, head * e, e, &got));
        plain_attention(q, keys, values, m, e, (double)op->scale, expected, magnitude);
        compare_row(check, op->q.dtype, got, expected, magnitude, e);
    }
    return KVL_OK;
}

/* ---- mass --------------------------------------------------------------------------------------------------------------- */

/* `variant`: the rows that are summed, 0: all. Those that observe do not count as keys, as in the methods. */
static int64_t first_row(const struct kvl_kernel_setting *s, const struct kvl_kernel_case *row)
{
    return row->variant > 0 && s->n > row->variant ? s->n - row->variant : 0;
}

static int64_t n_keys_of(const struct kvl_kernel_setting *s, const struct kvl_kernel_case *row)
{
    int64_t first = first_row(s, row);
    return first > 0 ? first : s->n;
}

/* The log-sum-exp of the first set serves all: the others' vectors are alike, and time does not depend on it. */
static enum kvl_status own_lse(struct kvl_kernel_inputs *in, const struct kvl_mass *mass, const float **out)
{
    const struct kvl_kernel_setting *s = in->setting;
    struct kvl_attend op = {.q = mass->q, .k = mass->k, .pos = mass->pos, .scale = mass->scale};
    void *lse;
    bool fresh;
    op.scratch = kvl_kernel_scratch(in, s->ctx->be->attend_scratch(s->ctx, &op));
    KVL_TRY(kvl_kernel_own(in, mass->q.n_heads * s->n * 4, &lse, &fresh));
    *out = op.lse = lse;
    return fresh ? s->ctx->be->attend(s->ctx, &op) : KVL_OK;
}

static enum kvl_status make_mass(struct kvl_kernel_inputs *in, const struct kvl_kernel_case *row, union kvl_kernel_op *op)
{
    const struct kvl_kernel_setting *s = in->setting;
    struct kvl_kernel_heads heads = kvl_kernel_fused(s, kvl_kernel_values(in, s->n * kvl_kernel_fused_width(s->shape)), s->n);
    op->mass = (struct kvl_mass){.q = heads.q, .k = heads.k, .row_begin = first_row(s, row), .row_end = s->n,
                                 .n_keys = n_keys_of(s, row), .scale = scale_of(s->shape, MASS_SHARPNESS)};
    op->mass.scores = kvl_kernel_output(in, s->shape->n_head * op->mass.n_keys * 4);
    KVL_TRY(kvl_kernel_count(in, s->n, 0, &op->mass.pos));
    return own_lse(in, &op->mass, &op->mass.lse);
}

/* Pairs of the rows with keys below n_keys only. */
static void work_mass(const struct kvl_kernel_setting *s, const struct kvl_kernel_case *row, struct kvl_kernel_work *work)
{
    const struct kvl_shape *shape = s->shape;
    int64_t begin = first_row(s, row), n_keys = n_keys_of(s, row);
    double pairs = begin > 0 ? (double)(s->n - begin) * (double)n_keys : kvl_kernel_pairs(0, s->n, 0);
    work->flops = 2.0 * (double)(shape->n_head * shape->head_size) * pairs;
    work->bytes = query_bytes(s, s->n - begin) + key_bytes(s, n_keys) + 4.0 * (double)(shape->n_head * (s->n - begin + n_keys));
    snprintf(work->shape, sizeof work->shape, "rows=%lld keys=%lld h=%lld/%lld e=%lld", (long long)(s->n - begin),
             (long long)n_keys, (long long)shape->n_head, (long long)shape->n_kv, (long long)shape->head_size);
}

/* All rows of one head, some of its keys: from the log-sum-exp that the operation was given. All terms are positive, so that the
 * error is a share of the result: of the exponentials, and of a float32 sum of as many rows. */
static enum kvl_status check_mass_head(struct kvl_kernel_check *check, const struct kvl_mass *op, int64_t head)
{
    int64_t n = op->q.n_tokens, e = op->q.head_size, n_rows = op->row_end - op->row_begin;
    double share = 3.0 * kvl_check_share(KVL_F32) + 0x1p-22 * sqrt((double)n_rows);
    float *q, *lse, *key, *got;
    KVL_TRY(kvl_check_head(check, &op->q, head, op->row_begin, n_rows, &q));
    KVL_TRY(kvl_check_values(check, op->lse, KVL_F32, head * n + op->row_begin, n_rows, &lse));
    for (int r = 0; r < N_CHECKED_KEYS; r++) {
        int64_t j = r == 0 ? 0 : kvl_check_pick(check, op->n_keys);
        double expected = 0.0;
        KVL_TRY(kvl_check_head(check, &op->k, head / (op->q.n_heads / op->k.n_heads), j, 1, &key));
        KVL_TRY(kvl_check_values(check, op->scores, KVL_F32, head * op->n_keys + j, 1, &got));
        for (int64_t i = j > op->row_begin ? j - op->row_begin : 0; i < n_rows; i++)
            expected += exp((double)op->scale * dot(q + i * e, key, e) - (double)lse[i]);
        kvl_check_close(check, "mass", head * op->n_keys + j, (double)*got, expected, share * expected);
    }
    return KVL_OK;
}

static enum kvl_status check_mass(struct kvl_kernel_check *check, const union kvl_kernel_op *all)
{
    KVL_TRY(kvl_check_call(check, all));
    for (int a = 0; a < N_CHECKED_HEADS; a++)
        KVL_TRY(check_mass_head(check, &all->mass, kvl_check_pick(check, all->mass.q.n_heads)));
    return KVL_OK;
}

/* ---- logits ------------------------------------------------------------------------------------------------------------- */

static enum kvl_status make_logits(struct kvl_kernel_inputs *in, const struct kvl_kernel_case *row, union kvl_kernel_op *op)
{
    (void)row;
    const struct kvl_kernel_setting *s = in->setting;
    struct kvl_kernel_heads heads = kvl_kernel_fused(s, kvl_kernel_values(in, s->n * kvl_kernel_fused_width(s->shape)), s->n);
    op->logits = (struct kvl_logits){.q = heads.q, .k = heads.k, .row = s->n - 1,
                                     .scores = kvl_kernel_output(in, s->shape->n_head * s->n * 4)};
    return KVL_OK;
}

static void work_logits(const struct kvl_kernel_setting *s, const struct kvl_kernel_case *row, struct kvl_kernel_work *work)
{
    (void)row;
    const struct kvl_shape *shape = s->shape;
    work->flops = 2.0 * (double)(shape->n_head * shape->head_size * s->n);
    work->bytes = query_bytes(s, 1) + key_bytes(s, s->n) + 4.0 * (double)(shape->n_head * s->n);
    snprintf(work->shape, sizeof work->shape, "n=%lld h=%lld/%lld e=%lld", (long long)s->n, (long long)shape->n_head,
             (long long)shape->n_kv, (long long)shape->head_size);
}

static enum kvl_status check_logits(struct kvl_kernel_check *check, const union kvl_kernel_op *all)
{
    const struct kvl_logits *op = &all->logits;
    int64_t n = op->q.n_tokens, e = op->q.head_size;
    KVL_TRY(kvl_check_call(check, all));
    for (int r = 0; r < KVL_CHECK_SAMPLES; r++) {
        int64_t head = kvl_check_pick(check, op->q.n_heads), j = r == 0 ? n - 1 : kvl_check_pick(check, n);
        float *q, *key, *got;
        KVL_TRY(kvl_check_head(check, &op->q, head, op->row, 1, &q));
        KVL_TRY(kvl_check_head(check, &op->k, head / (op->q.n_heads / op->k.n_heads), j, 1, &key));
        KVL_TRY(kvl_check_values(check, op->scores, KVL_F32, head * n + j, 1, &got));
        double expected = dot(q, key, e), allowed = kvl_check_sum(KVL_F32, expected, magnitude_of(q, key, e));
        kvl_check_close(check, "logit", head * n + j, (double)*got, expected, allowed);
    }
    return KVL_OK;
}

/* ---- the table ---------------------------------------------------------------------------------------------------------- */

#define CASE(of, called, ...)                                                                                             \
    {.operation = #of, .name = called, .make = make_##of, .work = work_##of, .run = run_##of, .check = check_##of, __VA_ARGS__}

static const struct kvl_kernel_case cases[] = {
    CASE(attend, "causal", .variant = 0),
    CASE(attend, "window", .variant = 1, .applies = has_window),
    CASE(mass, "last rows", .variant = OBSERVED_ROWS),
    CASE(mass, "all rows", .variant = 0),
    CASE(logits, "last row", .variant = 0),
    CASE(append, "token", .decode = true, .max_calls = MAX_APPENDED, .reset = reset_append),
    CASE(attend_cache, "all", .decode = true, .variant = 1),
    CASE(attend_cache, "tenth", .decode = true, .variant = 10),
};

const struct kvl_kernel_group kvl_kernel_attention = {cases, sizeof cases / sizeof *cases};
