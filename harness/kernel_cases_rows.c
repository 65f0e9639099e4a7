/* Operations on the rows of a prompt, one token at a time: embed, norm, rotate, swiglu, and what begins and ends a pass. */
#include <math.h>
#include <stdio.h>

#include "harness/kernel_check.h"

KVL_KERNEL_RUN(embed)
KVL_KERNEL_RUN(norm)
KVL_KERNEL_RUN(rotate_table)
KVL_KERNEL_RUN(rotate)
KVL_KERNEL_RUN(swiglu)
KVL_KERNEL_RUN(argmax)
KVL_KERNEL_RUN(fill_random)

enum { N_CHECKED_ROWS = 8 };

static int64_t n_rows(const struct kvl_kernel_setting *s, const struct kvl_kernel_case *row)
{
    return row->decode ? 1 : s->n;
}

static double size_of(const struct kvl_kernel_setting *s)
{
    return (double)kvl_dtype_size(s->dtype);
}

/* ---- embed -------------------------------------------------------------------------------------------------------------- */

static enum kvl_status make_embed(struct kvl_kernel_inputs *in, const struct kvl_kernel_case *row, union kvl_kernel_op *op)
{
    const struct kvl_kernel_setting *s = in->setting;
    int64_t n = n_rows(s, row), n_embd = s->shape->n_embd;
    op->embed = (struct kvl_embed){.table = kvl_kernel_values(in, s->shape->n_vocab * n_embd), .dtype = s->dtype,
                                   .out = kvl_kernel_output(in, n * n_embd * 4), .n = n, .n_embd = n_embd};
    return kvl_kernel_ids(in, n, s->shape->n_vocab, &op->embed.ids);
}

static void work_embed(const struct kvl_kernel_setting *s, const struct kvl_kernel_case *row, struct kvl_kernel_work *work)
{
    double n = (double)n_rows(s, row), n_embd = (double)s->shape->n_embd;
    work->bytes = n * (4.0 + n_embd * (size_of(s) + 4.0));
    snprintf(work->shape, sizeof work->shape, "n=%.0f embd=%.0f vocab=%lld", n, n_embd, (long long)s->shape->n_vocab);
}

static enum kvl_status check_embed(struct kvl_kernel_check *check, const union kvl_kernel_op *all)
{
    const struct kvl_embed *op = &all->embed;
    KVL_TRY(kvl_check_call(check, all));
    for (int r = 0; r < N_CHECKED_ROWS; r++) {
        int64_t i = kvl_check_pick(check, op->n);
        void *id;
        float *expected, *got;
        KVL_TRY(kvl_check_bytes(check, op->ids + i, 4, &id));
        KVL_TRY(kvl_check_values(check, op->table, op->dtype, *(int32_t *)id * op->n_embd, op->n_embd, &expected));
        KVL_TRY(kvl_check_values(check, op->out, KVL_F32, i * op->n_embd, op->n_embd, &got));
        kvl_check_same(check, "row", i, got, expected, op->n_embd * 4);
    }
    return KVL_OK;
}

/* ---- norm --------------------------------------------------------------------------------------------------------------- */

static enum kvl_status make_norm(struct kvl_kernel_inputs *in, const struct kvl_kernel_case *row, union kvl_kernel_op *op)
{
    const struct kvl_kernel_setting *s = in->setting;
    int64_t n = n_rows(s, row), n_embd = s->shape->n_embd;
    const float *x = kvl_kernel_floats(in, n * n_embd), *weight = kvl_kernel_floats(in, n_embd);
    void *out = kvl_kernel_output(in, n * n_embd * (int64_t)kvl_dtype_size(s->dtype));
    op->norm = (struct kvl_norm){x, weight, out, s->dtype, n, n_embd, s->shape->norm_eps};
    return KVL_OK;
}

static void work_norm(const struct kvl_kernel_setting *s, const struct kvl_kernel_case *row, struct kvl_kernel_work *work)
{
    double n = (double)n_rows(s, row), n_embd = (double)s->shape->n_embd;
    work->flops = 4.0 * n * n_embd; /* square, add, two factors */
    work->bytes = n * n_embd * (4.0 + size_of(s)) + 4.0 * n_embd;
    snprintf(work->shape, sizeof work->shape, "n=%.0f embd=%.0f", n, n_embd);
}

static enum kvl_status check_norm(struct kvl_kernel_check *check, const union kvl_kernel_op *all)
{
    const struct kvl_norm *op = &all->norm;
    float *weight;
    KVL_TRY(kvl_check_call(check, all));
    KVL_TRY(kvl_check_values(check, op->weight, KVL_F32, 0, op->n_embd, &weight));
    for (int r = 0; r < N_CHECKED_ROWS; r++) {
        int64_t i = kvl_check_pick(check, op->n);
        float *x, *got;
        double squares = 0.0;
        KVL_TRY(kvl_check_values(check, op->x, KVL_F32, i * op->n_embd, op->n_embd, &x));
        KVL_TRY(kvl_check_values(check, op->out, op->dtype, i * op->n_embd, op->n_embd, &got));
        for (int64_t c = 0; c < op->n_embd; c++)
            squares += (double)x[c] * (double)x[c];
        double scale = 1.0 / sqrt(squares / (double)op->n_embd + (double)op->eps);
        for (int64_t c = 0; c < op->n_embd; c++) {
            double expected = (double)x[c] * scale * (double)weight[c];
            kvl_check_close(check, "out", i * op->n_embd + c, (double)got[c], expected, kvl_check_sum(op->dtype, expected, 0.0));
        }
    }
    return KVL_OK;
}

/* ---- rotate_table, rotate ----------------------------------------------------------------------------------------------- */

/* As the model's: theta^(-2 c / e), scaled. */
static enum kvl_status own_frequencies(struct kvl_kernel_inputs *in, const float **out)
{
    struct kvl_ctx *ctx = in->setting->ctx;
    float inv_freq[KVL_MAX_HEAD_SIZE / 2];
    int64_t bytes = in->setting->shape->head_size / 2 * 4;
    void *memory;
    bool fresh;
    KVL_TRY(kvl_kernel_own(in, bytes, &memory, &fresh));
    *out = memory;
    if (!fresh)
        return KVL_OK;
    kvl_rope_inv_freq(in->setting->shape, inv_freq);
    KVL_TRY(ctx->be->upload(ctx, memory, inv_freq, bytes));
    return ctx->be->sync(ctx);
}

static enum kvl_status make_rotate_table(struct kvl_kernel_inputs *in, const struct kvl_kernel_case *row, union kvl_kernel_op *op)
{
    const struct kvl_kernel_setting *s = in->setting;
    int64_t n = n_rows(s, row), e = s->shape->head_size;
    op->rotate_table = (struct kvl_rotate_table){.table = kvl_kernel_output(in, n * e * 4), .n = n, .n_half = e / 2};
    KVL_TRY(kvl_kernel_count(in, n, 0, &op->rotate_table.pos));
    return own_frequencies(in, &op->rotate_table.inv_freq);
}

static void work_rotate_table(const struct kvl_kernel_setting *s, const struct kvl_kernel_case *row, struct kvl_kernel_work *work)
{
    double n = (double)n_rows(s, row), e = (double)s->shape->head_size;
    work->flops = 1.5 * n * e; /* angle, cosine, sine */
    work->bytes = 4.0 * (n + 0.5 * e + n * e);
    snprintf(work->shape, sizeof work->shape, "n=%.0f e=%.0f", n, e);
}

static enum kvl_status check_rotate_table(struct kvl_kernel_check *check, const union kvl_kernel_op *all)
{
    const struct kvl_rotate_table *op = &all->rotate_table;
    float *inv_freq;
    KVL_TRY(kvl_check_call(check, all));
    KVL_TRY(kvl_check_values(check, op->inv_freq, KVL_F32, 0, op->n_half, &inv_freq));
    for (int r = 0; r < N_CHECKED_ROWS; r++) {
        int64_t i = r == 0 ? op->n - 1 : kvl_check_pick(check, op->n);
        float *got;
        KVL_TRY(kvl_check_values(check, op->table, KVL_F32, i * op->n_half * 2, op->n_half * 2, &got));
        for (int64_t c = 0; c < op->n_half; c++) {
            float angle = (float)i * inv_freq[c]; /* float32 by contract */
            int64_t place = i * op->n_half + c;
            kvl_check_close(check, "cosine", place, (double)got[2 * c], cos((double)angle), kvl_check_share(KVL_F32));
            kvl_check_close(check, "sine", place, (double)got[2 * c + 1], sin((double)angle), kvl_check_share(KVL_F32));
        }
    }
    return KVL_OK;
}

/* The table of positions 0..n-1, in memory that all sets share. */
static enum kvl_status own_table(struct kvl_kernel_inputs *in, int64_t n, const float **out)
{
    const struct kvl_kernel_setting *s = in->setting;
    struct kvl_rotate_table op = {.n = n, .n_half = s->shape->head_size / 2};
    void *table;
    bool fresh;
    KVL_TRY(kvl_kernel_count(in, n, 0, &op.pos));
    KVL_TRY(own_frequencies(in, &op.inv_freq));
    KVL_TRY(kvl_kernel_own(in, n * s->shape->head_size * 4, &table, &fresh));
    *out = op.table = table;
    return fresh ? s->ctx->be->rotate_table(s->ctx, &op) : KVL_OK;
}

/* Queries and keys in one call, where they lie side by side, as the engine does it. */
static enum kvl_status make_rotate(struct kvl_kernel_inputs *in, const struct kvl_kernel_case *row, union kvl_kernel_op *op)
{
    const struct kvl_kernel_setting *s = in->setting;
    int64_t n = n_rows(s, row);
    void *data;
    KVL_TRY(kvl_kernel_changed(in, n * kvl_kernel_fused_width(s->shape), &data));
    op->rotate = (struct kvl_rotate){.x = kvl_kernel_fused(s, data, n).q};
    op->rotate.x.n_heads += s->shape->n_kv;
    return own_table(in, n, &op->rotate.table);
}

static void work_rotate(const struct kvl_kernel_setting *s, const struct kvl_kernel_case *row, struct kvl_kernel_work *work)
{
    double n = (double)n_rows(s, row), e = (double)s->shape->head_size, heads = (double)(s->shape->n_head + s->shape->n_kv);
    work->flops = 3.0 * n * heads * e;
    work->bytes = n * heads * e * 2.0 * size_of(s) + 4.0 * n * e;
    snprintf(work->shape, sizeof work->shape, "n=%.0f heads=%.0f e=%.0f", n, heads, e);
}

static void compare_turned(struct kvl_kernel_check *check, const struct kvl_rotate *op, const float *before, const float *got,
                           const float *table)
{
    int64_t half = op->x.head_size / 2;
    for (int64_t c = 0; c < half; c++) {
        double low = (double)before[c], high = (double)before[half + c], magnitude = fabs(low) + fabs(high);
        double cosine = (double)table[2 * c], sine = (double)table[2 * c + 1], first = low * cosine - high * sine, second = high * cosine + low * sine;
        kvl_check_close(check, "feature", c, (double)got[c], first, kvl_check_sum(op->x.dtype, first, magnitude));
        kvl_check_close(check, "feature", half + c, (double)got[half + c], second, kvl_check_sum(op->x.dtype, second, magnitude));
    }
}

static enum kvl_status check_rotate(struct kvl_kernel_check *check, const union kvl_kernel_op *all)
{
    const struct kvl_rotate *op = &all->rotate;
    int64_t token[N_CHECKED_ROWS], head[N_CHECKED_ROWS], e = op->x.head_size;
    float *before[N_CHECKED_ROWS], *got, *table;
    for (int r = 0; r < N_CHECKED_ROWS; r++) {
        token[r] = r == 0 ? op->x.n_tokens - 1 : kvl_check_pick(check, op->x.n_tokens);
        head[r] = kvl_check_pick(check, op->x.n_heads);
        KVL_TRY(kvl_check_head(check, &op->x, head[r], token[r], 1, &before[r]));
    }
    KVL_TRY(kvl_check_call(check, all));
    for (int r = 0; r < N_CHECKED_ROWS; r++) {
        KVL_TRY(kvl_check_head(check, &op->x, head[r], token[r], 1, &got));
        KVL_TRY(kvl_check_values(check, op->table, KVL_F32, token[r] * e, e, &table));
        compare_turned(check, op, before[r], got, table);
    }
    return KVL_OK;
}

/* ---- swiglu ------------------------------------------------------------------------------------------------------------- */

static enum kvl_status make_swiglu(struct kvl_kernel_inputs *in, const struct kvl_kernel_case *row, union kvl_kernel_op *op)
{
    const struct kvl_kernel_setting *s = in->setting;
    int64_t n = n_rows(s, row), n_ff = s->shape->n_ff;
    const void *gate_up = kvl_kernel_values(in, n * 2 * n_ff);
    void *out = kvl_kernel_output(in, n * n_ff * (int64_t)kvl_dtype_size(s->dtype));
    op->swiglu = (struct kvl_swiglu){gate_up, out, s->dtype, n, n_ff};
    return KVL_OK;
}

static void work_swiglu(const struct kvl_kernel_setting *s, const struct kvl_kernel_case *row, struct kvl_kernel_work *work)
{
    double n = (double)n_rows(s, row), n_ff = (double)s->shape->n_ff;
    work->flops = 4.0 * n * n_ff; /* exponential, sum, quotient, product */
    work->bytes = 3.0 * n * n_ff * size_of(s);
    snprintf(work->shape, sizeof work->shape, "n=%.0f ff=%.0f", n, n_ff);
}

static enum kvl_status check_swiglu(struct kvl_kernel_check *check, const union kvl_kernel_op *all)
{
    const struct kvl_swiglu *op = &all->swiglu;
    KVL_TRY(kvl_check_call(check, all));
    for (int r = 0; r < N_CHECKED_ROWS; r++) {
        int64_t i = kvl_check_pick(check, op->n);
        float *in, *got;
        KVL_TRY(kvl_check_values(check, op->in, op->dtype, i * 2 * op->n_ff, 2 * op->n_ff, &in));
        KVL_TRY(kvl_check_values(check, op->out, op->dtype, i * op->n_ff, op->n_ff, &got));
        for (int64_t c = 0; c < op->n_ff; c++) {
            double gate = (double)in[c], expected = gate / (1.0 + exp(-gate)) * (double)in[op->n_ff + c];
            kvl_check_close(check, "out", i * op->n_ff + c, (double)got[c], expected, kvl_check_sum(op->dtype, expected, 0.0));
        }
    }
    return KVL_OK;
}

/* ---- argmax, fill_random ------------------------------------------------------------------------------------------------ */

static enum kvl_status make_argmax(struct kvl_kernel_inputs *in, const struct kvl_kernel_case *row, union kvl_kernel_op *op)
{
    (void)row;
    int64_t n = in->setting->shape->n_vocab;
    op->argmax = (struct kvl_argmax){.in = kvl_kernel_floats(in, n), .n = n, .out = kvl_kernel_output(in, 4)};
    return KVL_OK;
}

static void work_argmax(const struct kvl_kernel_setting *s, const struct kvl_kernel_case *row, struct kvl_kernel_work *work)
{
    (void)row;
    double n = (double)s->shape->n_vocab;
    work->flops = n - 1.0; /* comparisons */
    work->bytes = 4.0 * n + 4.0;
    snprintf(work->shape, sizeof work->shape, "vocab=%.0f", n);
}

static enum kvl_status check_argmax(struct kvl_kernel_check *check, const union kvl_kernel_op *all)
{
    const struct kvl_argmax *op = &all->argmax;
    float *in;
    void *got;
    int64_t best = 0;
    KVL_TRY(kvl_check_call(check, all));
    KVL_TRY(kvl_check_values(check, op->in, KVL_F32, 0, op->n, &in));
    KVL_TRY(kvl_check_bytes(check, op->out, 4, &got));
    for (int64_t i = 1; i < op->n; i++)
        best = in[i] > in[best] ? i : best;
    kvl_check_equal(check, "index", 0, *(int32_t *)got, best);
    return KVL_OK;
}

static enum kvl_status make_fill_random(struct kvl_kernel_inputs *in, const struct kvl_kernel_case *row, union kvl_kernel_op *op)
{
    const struct kvl_kernel_setting *s = in->setting;
    int64_t n = n_rows(s, row) * s->shape->n_embd;
    void *out = kvl_kernel_output(in, n * (int64_t)kvl_dtype_size(s->dtype));
    op->fill_random = (struct kvl_fill_random){out, s->dtype, n, s->seed, (uint64_t)in->set, 0.5f};
    return KVL_OK;
}

static void work_fill_random(const struct kvl_kernel_setting *s, const struct kvl_kernel_case *row, struct kvl_kernel_work *work)
{
    double n = (double)n_rows(s, row) * (double)s->shape->n_embd;
    work->flops = 5.0 * n; /* from an integer to a value in (-bound, bound) */
    work->bytes = n * size_of(s);
    snprintf(work->shape, sizeof work->shape, "values=%.0f", n);
}

static enum kvl_status check_fill_random(struct kvl_kernel_check *check, const union kvl_kernel_op *all)
{
    const struct kvl_fill_random *op = &all->fill_random;
    KVL_TRY(kvl_check_call(check, all));
    for (int r = 0; r < KVL_CHECK_SAMPLES; r++) {
        int64_t i = r == 0 ? op->n - 1 : kvl_check_pick(check, op->n);
        float *got, expected = kvl_random_uniform(op->seed, op->first + (uint64_t)i, op->bound);
        if (op->dtype == KVL_BF16)
            expected = kvl_bf16_to_f32(kvl_f32_to_bf16(expected));
        KVL_TRY(kvl_check_values(check, op->out, op->dtype, i, 1, &got));
        kvl_check_same(check, "value", i, got, &expected, 4);
    }
    return KVL_OK;
}

/* ---- the table ---------------------------------------------------------------------------------------------------------- */

#define CASE(of, called, is_decode)                                                                                       \
    {.operation = #of, .name = called, .decode = is_decode, .make = make_##of, .work = work_##of, .run = run_##of,        \
     .check = check_##of}

static const struct kvl_kernel_case cases[] = {
    CASE(embed, "prompt", false),        CASE(norm, "rows", false),     CASE(norm, "rows", true),
    CASE(rotate_table, "prompt", false), CASE(rotate, "q, k", false),   CASE(swiglu, "rows", false),
    CASE(argmax, "logits", true),        CASE(fill_random, "rows", false),
};

const struct kvl_kernel_group kvl_kernel_rows = {cases, sizeof cases / sizeof *cases};
