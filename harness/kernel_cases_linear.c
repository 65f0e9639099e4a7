/* Linear layers: every weight of a layer on all rows of a prompt and on one, and the head on one. */
#include <math.h>
#include <stdio.h>

#include "harness/kernel_check.h"

KVL_KERNEL_RUN(linear)

enum { N_CHECKED_ROWS = 8, N_CHECKED_COLUMNS = 32 };

/* The two that end a half of the layer are added to the residual stream, in float32. */
static bool is_added(const struct kvl_kernel_case *row)
{
    return row->variant == KVL_WEIGHT_OUT || row->variant == KVL_WEIGHT_DOWN;
}

static enum kvl_dtype out_dtype(const struct kvl_kernel_setting *s, const struct kvl_kernel_case *row)
{
    return is_added(row) || row->variant == KVL_WEIGHT_HEAD ? KVL_F32 : s->dtype;
}

static int64_t n_rows(const struct kvl_kernel_setting *s, const struct kvl_kernel_case *row)
{
    return row->decode ? 1 : s->n;
}

static enum kvl_status make(struct kvl_kernel_inputs *in, const struct kvl_kernel_case *row, union kvl_kernel_op *op)
{
    const struct kvl_kernel_setting *s = in->setting;
    int64_t n = n_rows(s, row), n_in, n_out;
    kvl_kernel_weight_size(s->shape, (enum kvl_kernel_weight)row->variant, &n_in, &n_out);
    op->linear = (struct kvl_linear){.x = kvl_kernel_values(in, n * n_in), .out_dtype = out_dtype(s, row), .n = n,
                                     .accumulate = is_added(row)};
    op->linear.out = kvl_kernel_output(in, n * n_out * (int64_t)kvl_dtype_size(op->linear.out_dtype));
    return kvl_kernel_weight(in, (enum kvl_kernel_weight)row->variant, &op->linear.weight);
}

static void work(const struct kvl_kernel_setting *s, const struct kvl_kernel_case *row, struct kvl_kernel_work *work)
{
    int64_t n_in, n_out;
    kvl_kernel_weight_size(s->shape, (enum kvl_kernel_weight)row->variant, &n_in, &n_out);
    double n = (double)n_rows(s, row), in = (double)n_in, out = (double)n_out, size = (double)kvl_dtype_size(s->dtype);
    double touched = (double)kvl_dtype_size(out_dtype(s, row)) * (is_added(row) ? 2.0 : 1.0);
    work->flops = 2.0 * n * in * out;
    work->bytes = size * (in * out + n * in) + touched * n * out;
    snprintf(work->shape, sizeof work->shape, "n=%.0f in=%.0f out=%.0f", n, in, out);
}

/* What is there before the sum. */
static enum kvl_status fill_before(struct kvl_ctx *ctx, const struct kvl_linear *op, int64_t n_out, uint64_t seed)
{
    if (!op->accumulate)
        return KVL_OK;
    return ctx->be->fill_random(ctx, &(struct kvl_fill_random){op->out, KVL_F32, op->n * n_out, seed, 0, 1.0f});
}

static void compare(struct kvl_kernel_check *check, const struct kvl_linear *op, int64_t place, int64_t column, int64_t n_in,
                    const float *x, float got)
{
    const struct kvl_kernel_setting *s = check->inputs->setting;
    double sum = op->accumulate ? (double)kvl_random_uniform(s->seed, (uint64_t)place, 1.0f) : 0.0, magnitude = fabs(sum);
    for (int64_t c = 0; c < n_in; c++) {
        float w = kvl_kernel_weight_value(s, (enum kvl_kernel_weight)check->row->variant, check->inputs->set, column, c);
        w = s->dtype == KVL_BF16 ? kvl_bf16_to_f32(kvl_f32_to_bf16(w)) : w;
        sum += (double)x[c] * (double)w;
        magnitude += fabs((double)x[c] * (double)w);
    }
    kvl_check_close(check, "out", place, (double)got, sum, kvl_check_sum(op->out_dtype, sum, magnitude));
}

static enum kvl_status check_row(struct kvl_kernel_check *check, const struct kvl_linear *op, int64_t i, int64_t n_in,
                                 int64_t n_out)
{
    float *x, *got;
    KVL_TRY(kvl_check_values(check, op->x, check->inputs->setting->dtype, i * n_in, n_in, &x));
    KVL_TRY(kvl_check_values(check, op->out, op->out_dtype, i * n_out, n_out, &got));
    for (int c = 0; c < N_CHECKED_COLUMNS; c++) {
        int64_t column = c == 0 ? n_out - 1 : kvl_check_pick(check, n_out);
        compare(check, op, i * n_out + column, column, n_in, x, got[column]);
    }
    return KVL_OK;
}

static enum kvl_status check(struct kvl_kernel_check *check, const union kvl_kernel_op *all)
{
    const struct kvl_linear *op = &all->linear;
    const struct kvl_kernel_setting *s = check->inputs->setting;
    int64_t n_in, n_out;
    kvl_kernel_weight_size(s->shape, (enum kvl_kernel_weight)check->row->variant, &n_in, &n_out);
    KVL_TRY(fill_before(s->ctx, op, n_out, s->seed));
    KVL_TRY(kvl_check_call(check, all));
    for (int r = 0; r < N_CHECKED_ROWS && r < op->n; r++)
        KVL_TRY(check_row(check, op, r == 0 ? op->n - 1 : kvl_check_pick(check, op->n), n_in, n_out));
    return KVL_OK;
}

#define CASE(called, which, is_decode)                                                                                    \
    {.operation = "linear", .name = called, .decode = is_decode, .variant = which, .make = make, .work = work,            \
     .run = run_linear, .check = check}

static const struct kvl_kernel_case cases[] = {
    CASE("qkv", KVL_WEIGHT_QKV, false),   CASE("out", KVL_WEIGHT_OUT, false),     CASE("gate_up", KVL_WEIGHT_GATE_UP, false),
    CASE("down", KVL_WEIGHT_DOWN, false), CASE("qkv", KVL_WEIGHT_QKV, true),      CASE("out", KVL_WEIGHT_OUT, true),
    CASE("gate_up", KVL_WEIGHT_GATE_UP, true), CASE("down", KVL_WEIGHT_DOWN, true), CASE("head", KVL_WEIGHT_HEAD, true),
};

const struct kvl_kernel_group kvl_kernel_linear = {cases, sizeof cases / sizeof *cases};
