/* What methods choose entries with: pool, sum over a group, the best k, and the rows that indices name. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness/kernel_check.h"

KVL_KERNEL_RUN(pool)
KVL_KERNEL_RUN(reduce_heads)
KVL_KERNEL_RUN(top_k)
KVL_KERNEL_RUN(range)
KVL_KERNEL_RUN(gather)
KVL_KERNEL_RUN(gather_heads)

enum { POOL_KERNEL = 7, KEPT = 10, FORWARDED = 5, N_CHECKED_ROWS = 2 }; /* a tenth of the entries, a fifth of the tokens */

/* ---- pool, reduce_heads ------------------------------------------------------------------------------------------------- */

static enum kvl_status make_pool(struct kvl_kernel_inputs *in, const struct kvl_kernel_case *row, union kvl_kernel_op *op)
{
    (void)row;
    int64_t n_rows = in->setting->shape->n_head, n = in->setting->n;
    op->pool = (struct kvl_pool){kvl_kernel_floats(in, n_rows * n), kvl_kernel_output(in, n_rows * n * 4), n_rows, n, POOL_KERNEL,
                                 KVL_POOL_MAX};
    return KVL_OK;
}

static void work_pool(const struct kvl_kernel_setting *s, const struct kvl_kernel_case *row, struct kvl_kernel_work *work)
{
    (void)row;
    double n = (double)(s->shape->n_head * s->n);
    work->flops = n * (double)(POOL_KERNEL - 1); /* comparisons */
    work->bytes = 8.0 * n;
    snprintf(work->shape, sizeof work->shape, "rows=%lld cols=%lld kernel=%d", (long long)s->shape->n_head, (long long)s->n,
             POOL_KERNEL);
}

static enum kvl_status check_pool(struct kvl_kernel_check *check, const union kvl_kernel_op *all)
{
    const struct kvl_pool *op = &all->pool;
    KVL_TRY(kvl_check_call(check, all));
    for (int s = 0; s < KVL_CHECK_SAMPLES; s++) {
        int64_t r = kvl_check_pick(check, op->n_rows), i = s == 0 ? op->n_cols - 1 : kvl_check_pick(check, op->n_cols);
        int64_t first = i > op->kernel / 2 ? i - op->kernel / 2 : 0, end = i + op->kernel / 2 + 1;
        end = end < op->n_cols ? end : op->n_cols;
        float *in, *got, expected;
        KVL_TRY(kvl_check_values(check, op->in, KVL_F32, r * op->n_cols + first, end - first, &in));
        KVL_TRY(kvl_check_values(check, op->out, KVL_F32, r * op->n_cols + i, 1, &got));
        expected = in[0];
        for (int64_t j = 1; j < end - first; j++)
            expected = fmaxf(expected, in[j]);
        kvl_check_same(check, "maximum", r * op->n_cols + i, got, &expected, 4);
    }
    return KVL_OK;
}

static enum kvl_status make_reduce_heads(struct kvl_kernel_inputs *in, const struct kvl_kernel_case *row, union kvl_kernel_op *op)
{
    (void)row;
    const struct kvl_shape *s = in->setting->shape;
    int64_t n = in->setting->n;
    op->reduce_heads = (struct kvl_reduce_heads){kvl_kernel_floats(in, s->n_head * n), kvl_kernel_output(in, s->n_kv * n * 4),
                                                 s->n_kv, s->n_head / s->n_kv, n};
    return KVL_OK;
}

static void work_reduce_heads(const struct kvl_kernel_setting *s, const struct kvl_kernel_case *row, struct kvl_kernel_work *work)
{
    (void)row;
    work->flops = (double)((s->shape->n_head - s->shape->n_kv) * s->n);
    work->bytes = 4.0 * (double)((s->shape->n_head + s->shape->n_kv) * s->n);
    snprintf(work->shape, sizeof work->shape, "rows=%lld group=%lld cols=%lld", (long long)s->shape->n_kv,
             (long long)(s->shape->n_head / s->shape->n_kv), (long long)s->n);
}

static enum kvl_status check_reduce_heads(struct kvl_kernel_check *check, const union kvl_kernel_op *all)
{
    const struct kvl_reduce_heads *op = &all->reduce_heads;
    KVL_TRY(kvl_check_call(check, all));
    for (int s = 0; s < KVL_CHECK_SAMPLES; s++) {
        int64_t r = kvl_check_pick(check, op->n_rows), i = s == 0 ? op->n_cols - 1 : kvl_check_pick(check, op->n_cols);
        double expected = 0.0, magnitude = 0.0;
        float *in, *got;
        for (int64_t g = 0; g < op->group; g++) {
            KVL_TRY(kvl_check_values(check, op->in, KVL_F32, (r * op->group + g) * op->n_cols + i, 1, &in));
            expected += (double)*in;
            magnitude += fabs((double)*in);
        }
        KVL_TRY(kvl_check_values(check, op->out, KVL_F32, r * op->n_cols + i, 1, &got));
        kvl_check_close(check, "sum", r * op->n_cols + i, (double)*got, expected, kvl_check_sum(KVL_F32, expected, magnitude));
    }
    return KVL_OK;
}

/* ---- top_k -------------------------------------------------------------------------------------------------------------- */

static enum kvl_status make_top_k(struct kvl_kernel_inputs *in, const struct kvl_kernel_case *row, union kvl_kernel_op *op)
{
    (void)row;
    int64_t n_rows = in->setting->shape->n_kv, n = in->setting->n, k = kvl_kernel_share(n, KEPT);
    op->top_k = (struct kvl_top_k){.scores = kvl_kernel_floats(in, n_rows * n), .n_rows = n_rows, .n_cols = n, .ld_scores = n,
                                   .k = k, .idx = kvl_kernel_output(in, n_rows * k * 4), .ld_idx = k};
    return KVL_OK;
}

static void work_top_k(const struct kvl_kernel_setting *s, const struct kvl_kernel_case *row, struct kvl_kernel_work *work)
{
    (void)row;
    int64_t n_rows = s->shape->n_kv, k = kvl_kernel_share(s->n, KEPT);
    work->flops = (double)(n_rows * s->n); /* one comparison a score, at the least */
    work->bytes = 4.0 * (double)(n_rows * (s->n + k));
    snprintf(work->shape, sizeof work->shape, "rows=%lld cols=%lld k=%lld", (long long)n_rows, (long long)s->n, (long long)k);
}

struct ranked {
    float score;
    int32_t index;
};

/* Larger first; of equal scores the lower index. */
static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    return x->score != y->score ? (x->score < y->score) - (x->score > y->score) : (x->index > y->index) - (x->index < y->index);
}

static int compare_index(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    return (x->index > y->index) - (x->index < y->index);
}

static enum kvl_status check_best(struct kvl_kernel_check *check, const struct kvl_top_k *op, int64_t r)
{
    float *scores;
    void *idx;
    KVL_TRY(kvl_check_values(check, op->scores, KVL_F32, r * op->ld_scores, op->n_cols, &scores));
    KVL_TRY(kvl_check_bytes(check, op->idx + r * op->ld_idx, op->k * 4, &idx));
    struct ranked *ranked = malloc((size_t)op->n_cols * sizeof *ranked);
    if (ranked == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for %lld scores of a check", (long long)op->n_cols);
    for (int64_t i = 0; i < op->n_cols; i++)
        ranked[i] = (struct ranked){scores[i], (int32_t)i};
    qsort(ranked, (size_t)op->n_cols, sizeof *ranked, compare_ranked);
    qsort(ranked, (size_t)op->k, sizeof *ranked, compare_index);
    for (int64_t i = 0; i < op->k; i++)
        kvl_check_equal(check, "index", r * op->ld_idx + i, ((const int32_t *)idx)[i], ranked[i].index);
    free(ranked);
    return KVL_OK;
}

static enum kvl_status check_top_k(struct kvl_kernel_check *check, const union kvl_kernel_op *all)
{
    KVL_TRY(kvl_check_call(check, all));
    for (int r = 0; r < N_CHECKED_ROWS; r++)
        KVL_TRY(check_best(check, &all->top_k, r == 0 ? all->top_k.n_rows - 1 : kvl_check_pick(check, all->top_k.n_rows)));
    return KVL_OK;
}

/* ---- range -------------------------------------------------------------------------------------------------------------- */

static enum kvl_status make_range(struct kvl_kernel_inputs *in, const struct kvl_kernel_case *row, union kvl_kernel_op *op)
{
    (void)row;
    int64_t n_rows = in->setting->shape->n_kv, n = in->setting->n;
    op->range = (struct kvl_range){kvl_kernel_output(in, n_rows * n * 4), n_rows, n, 0, n, (int32_t)in->set};
    return KVL_OK;
}

static void work_range(const struct kvl_kernel_setting *s, const struct kvl_kernel_case *row, struct kvl_kernel_work *work)
{
    (void)row;
    work->bytes = 4.0 * (double)(s->shape->n_kv * s->n);
    snprintf(work->shape, sizeof work->shape, "rows=%lld n=%lld", (long long)s->shape->n_kv, (long long)s->n);
}

static enum kvl_status check_range(struct kvl_kernel_check *check, const union kvl_kernel_op *all)
{
    const struct kvl_range *op = &all->range;
    KVL_TRY(kvl_check_call(check, all));
    for (int s = 0; s < KVL_CHECK_SAMPLES; s++) {
        int64_t r = kvl_check_pick(check, op->n_rows), i = s == 0 ? op->n - 1 : kvl_check_pick(check, op->n);
        void *got;
        KVL_TRY(kvl_check_bytes(check, op->idx + r * op->ld_idx + op->at + i, 4, &got));
        kvl_check_equal(check, "index", r * op->ld_idx + i, *(int32_t *)got, op->first + i);
    }
    return KVL_OK;
}

/* ---- gather, gather_heads ----------------------------------------------------------------------------------------------- */

static enum kvl_status make_gather(struct kvl_kernel_inputs *in, const struct kvl_kernel_case *row, union kvl_kernel_op *op)
{
    (void)row;
    int64_t n = in->setting->n, n_embd = in->setting->shape->n_embd, k = kvl_kernel_share(n, FORWARDED);
    op->gather = (struct kvl_gather){.in = kvl_kernel_floats(in, n * n_embd), .out = kvl_kernel_output(in, k * n_embd * 4), .n = k,
                                     .row_bytes = n_embd * 4};
    return kvl_kernel_lists(in, 1, k, n, &op->gather.idx);
}

static void work_gather(const struct kvl_kernel_setting *s, const struct kvl_kernel_case *row, struct kvl_kernel_work *work)
{
    (void)row;
    int64_t k = kvl_kernel_share(s->n, FORWARDED);
    work->bytes = (double)k * (4.0 + 8.0 * (double)s->shape->n_embd);
    snprintf(work->shape, sizeof work->shape, "rows=%lld of %lld embd=%lld", (long long)k, (long long)s->n,
             (long long)s->shape->n_embd);
}

static enum kvl_status check_gather(struct kvl_kernel_check *check, const union kvl_kernel_op *all)
{
    const struct kvl_gather *op = &all->gather;
    KVL_TRY(kvl_check_call(check, all));
    for (int s = 0; s < KVL_CHECK_SAMPLES; s++) {
        int64_t i = s == 0 ? op->n - 1 : kvl_check_pick(check, op->n);
        void *index, *got, *expected;
        KVL_TRY(kvl_check_bytes(check, op->idx + i, 4, &index));
        KVL_TRY(kvl_check_bytes(check, (const char *)op->in + *(int32_t *)index * op->row_bytes, op->row_bytes, &expected));
        KVL_TRY(kvl_check_bytes(check, (const char *)op->out + i * op->row_bytes, op->row_bytes, &got));
        kvl_check_same(check, "row", i, got, expected, op->row_bytes);
    }
    return KVL_OK;
}

static enum kvl_status make_gather_heads(struct kvl_kernel_inputs *in, const struct kvl_kernel_case *row, union kvl_kernel_op *op)
{
    (void)row;
    const struct kvl_kernel_setting *s = in->setting;
    int64_t hs = s->shape->n_kv, k = kvl_kernel_share(s->n, KEPT);
    struct kvl_heads keys = kvl_kernel_fused(s, kvl_kernel_values(in, s->n * kvl_kernel_fused_width(s->shape)), s->n).k;
    op->gather_heads = (struct kvl_gather_heads){.in = keys, .n_lists = hs, .n = k, .n_stored = hs, .n_max = k};
    op->gather_heads.out = kvl_kernel_output(in, hs * k * keys.head_size * (int64_t)kvl_dtype_size(s->dtype));
    return kvl_kernel_lists(in, hs, k, s->n, &op->gather_heads.idx);
}

static void work_gather_heads(const struct kvl_kernel_setting *s, const struct kvl_kernel_case *row, struct kvl_kernel_work *work)
{
    (void)row;
    int64_t hs = s->shape->n_kv, k = kvl_kernel_share(s->n, KEPT), e = s->shape->head_size;
    work->bytes = (double)(hs * k) * (4.0 + 2.0 * (double)e * (double)kvl_dtype_size(s->dtype));
    snprintf(work->shape, sizeof work->shape, "hs=%lld entries=%lld of %lld e=%lld", (long long)hs, (long long)k, (long long)s->n,
             (long long)e);
}

static enum kvl_status check_gather_heads(struct kvl_kernel_check *check, const union kvl_kernel_op *all)
{
    const struct kvl_gather_heads *op = &all->gather_heads;
    int64_t e = op->in.head_size;
    KVL_TRY(kvl_check_call(check, all));
    for (int s = 0; s < KVL_CHECK_SAMPLES; s++) {
        int64_t head = kvl_check_pick(check, op->n_stored), i = s == 0 ? op->n - 1 : kvl_check_pick(check, op->n);
        float *expected, *got;
        void *index;
        KVL_TRY(kvl_check_bytes(check, op->idx + head * op->n + i, 4, &index));
        KVL_TRY(kvl_check_head(check, &op->in, head, *(int32_t *)index, 1, &expected));
        KVL_TRY(kvl_check_values(check, op->out, op->in.dtype, (head * op->n_max + i) * e, e, &got));
        kvl_check_same(check, "entry", head * op->n + i, got, expected, e * 4);
    }
    return KVL_OK;
}

/* ---- the table ---------------------------------------------------------------------------------------------------------- */

#define CASE(of, called)                                                                                                  \
    {.operation = #of, .name = called, .make = make_##of, .work = work_##of, .run = run_##of, .check = check_##of}

static const struct kvl_kernel_case cases[] = {
    CASE(pool, "max 7"),     CASE(reduce_heads, "KV groups"), CASE(top_k, "tenth"),
    CASE(gather, "fifth"),   CASE(gather_heads, "tenth"),     CASE(range, "KV heads"),
};

const struct kvl_kernel_group kvl_kernel_selection = {cases, sizeof cases / sizeof *cases};
