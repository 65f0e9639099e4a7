/* Linear layers against double precision; a row's bits depend on that row alone. */
#include <stdlib.h>

#include "tests/support/kernel_kit.h"
#include "tests/support/reference.h"

/* Host rows that a weight is made from. */
struct source {
    const float *rows[KVL_WEIGHT_PARTS];
    int64_t n_in;
};

static void give_rows(const void *context, int part, int64_t first, int64_t n, float *out)
{
    const struct source *source = context;
    memcpy(out, source->rows[part] + first * source->n_in, (size_t)(n * source->n_in) * sizeof *out);
}

/* Stacks parts of w [sum of n_out, n_in]. */
static struct kvl_weight *make_weight(struct kit *kit, const float *w, int64_t n_in, const int64_t *n_out, int n_parts,
                                      enum kvl_dtype dtype, bool one_row)
{
    struct source rows = {.n_in = n_in};
    struct kvl_weight_source source = {.n_parts = n_parts, .n_in = n_in, .dtype = dtype, .one_row = one_row, .rows = give_rows,
                                       .context = &rows};
    for (int i = 0; i < n_parts; i++) {
        source.n_out[i] = n_out[i];
        rows.rows[i] = w;
        w += n_out[i] * n_in;
    }
    struct kvl_weight *weight;
    assert_ok(kit->ctx->be->weight_init(kit->ctx, &source, &weight));
    return weight;
}

static void check_by_hand(struct kit *kit)
{
    const float x[] = {1, 2, -3, 0.5f}, w[] = {1, 0, 2, 1, -1, 4}, before[] = {10, 20, 30, 40, 50, 60};
    /* rows (1, 2) and (-3, 0.5) with (1, 0), (2, 1), (-1, 4) */
    const double expected[] = {1, 4, 7, -3, -5.5, 5}, added[] = {11, 24, 37, 37, 44.5, 65};
    double out[6];
    ref_linear(x, w, NULL, 2, 2, 3, out);
    for (int i = 0; i < 6; i++)
        assert_true(out[i] == expected[i]);
    ref_linear(x, w, before, 2, 2, 3, out);
    for (int i = 0; i < 6; i++)
        assert_true(out[i] == added[i]);
    struct kvl_weight *weight = make_weight(kit, w, 2, (const int64_t[]){1, 2}, 2, KVL_F32, false);
    float *device = kit_input(kit, before, sizeof before);
    assert_ok(kit->ctx->be->linear(kit->ctx,
                                   &(struct kvl_linear){kit_input(kit, x, sizeof x), weight, device, KVL_F32, 2, true}));
    check_close("out", kit_result(kit, device), added, 6, 0.0, 0.0);
    kit->ctx->be->weight_free(kit->ctx, weight);
}

/* f32 sums from left to right, rounded to bf16. */
static void naive_bf16(const float *x, const float *w, int64_t n, int64_t n_in, int64_t n_out, float *out)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t o = 0; o < n_out; o++) {
            float sum = 0.0f;
            for (int64_t c = 0; c < n_in; c++)
                sum += x[i * n_in + c] * w[o * n_in + c];
            out[i * n_out + o] = kvl_bf16_to_f32(kvl_f32_to_bf16(sum));
        }
}

struct shape {
    int64_t n_in;
    int64_t n_out[KVL_WEIGHT_PARTS];
    int n_parts;
};

static int64_t outputs(const struct shape *s)
{
    return s->n_out[0] + (s->n_parts > 1 ? s->n_out[1] : 0) + (s->n_parts > 2 ? s->n_out[2] : 0);
}

static void check_case(struct kit *kit, const struct shape *s, const struct kvl_weight *weight, const float *w, int64_t n,
                       enum kvl_dtype dtype, enum kvl_dtype out_dtype, bool accumulate)
{
    int64_t n_in = s->n_in, n_out = outputs(s);
    case_name("n=%lld n_in=%lld n_out=%lld %s to %s%s", (long long)n, (long long)n_in, (long long)n_out, kvl_dtype_name(dtype),
              kvl_dtype_name(out_dtype), accumulate ? ", added" : "");
    float *x = kit_random(kit, n * n_in, dtype, 1.0f), *before = kit_random(kit, n * n_out, KVL_F32, 1.0f);
    double *expected = kit_host(kit, n * n_out * 8);
    ref_linear(x, w, accumulate ? before : NULL, n, n_in, n_out, expected);
    void *out = accumulate ? kit_values(kit, before, n * n_out, KVL_F32)
                           : kit_output(kit, n * n_out * (int64_t)kvl_dtype_size(out_dtype));
    assert_ok(kit->ctx->be->linear(
        kit->ctx, &(struct kvl_linear){kit_values(kit, x, n * n_in, dtype), weight, out, out_dtype, n, accumulate}));
    const float *got = kit_result_f32(kit, out, out_dtype);
    /* Products of values in (-1, 1) with float32 sums: an error grows as a random walk of n_in steps of half a unit in the
     * last place of sums of size sqrt(n_in) / 3. */
    double atol = 6e-8 * (4.0 + (double)n_in);
    if (out_dtype == KVL_F32) {
        check_close("out", got, expected, n * n_out, atol, 1e-6);
    } else {
        float *plain = kit_host(kit, n * n_out * 4);
        naive_bf16(x, w, n, n_in, n_out, plain);
        check_twice("out", got, plain, expected, n * n_out, atol);
    }
    kit_clear(kit);
}

static void check_shape(struct kit *kit, const struct shape *s, const int64_t *counts, int64_t n_counts)
{
    for (int dtype = KVL_F32; dtype <= KVL_BF16; dtype++) {
        int64_t n_values = outputs(s) * s->n_in;
        float *w = malloc((size_t)n_values * sizeof *w);
        memcpy(w, kit_random(kit, n_values, (enum kvl_dtype)dtype, 1.0f), (size_t)n_values * sizeof *w);
        kit_clear(kit);
        int64_t before = kit->ctx->memory.current;
        struct kvl_weight *weight = make_weight(kit, w, s->n_in, s->n_out, s->n_parts, (enum kvl_dtype)dtype, false);
        assert_true(kit->ctx->be->weight_bytes(weight) >= n_values * (int64_t)kvl_dtype_size((enum kvl_dtype)dtype));
        for (int64_t i = 0; i < n_counts; i++) {
            check_case(kit, s, weight, w, counts[i], (enum kvl_dtype)dtype, (enum kvl_dtype)dtype, false);
            check_case(kit, s, weight, w, counts[i], (enum kvl_dtype)dtype, KVL_F32, true);
            if (dtype == KVL_BF16)
                check_case(kit, s, weight, w, counts[i], KVL_BF16, KVL_F32, false);
        }
        int64_t held = kit->ctx->be->weight_bytes(weight);
        int64_t with = kit->ctx->memory.current;
        kit->ctx->be->weight_free(kit->ctx, weight);
        assert_int_equal(with - kit->ctx->memory.current, held);
        assert_true(kit->ctx->memory.current >= before); /* what lanes need stays */
        free(w);
    }
}

static void check_sizes(struct kit *kit)
{
    static const int64_t COUNTS[] = {1, 2, 3, 63, 64, 65, 129};
    static const struct shape SHAPES[] = {{1, {1}, 1},        {2, {3}, 1},          {7, {5, 1}, 2},      {31, {33}, 1},
                                          {64, {64}, 1},      {97, {127}, 1},       {96, {96, 32, 32}, 3}, {128, {129}, 1},
                                          {257, {31, 17}, 2}, {160, {96}, 1}};
    for (int64_t i = 0; i < COUNT_OF(SHAPES); i++)
        check_shape(kit, &SHAPES[i], SHAPES[i].n_in == 1 ? COUNTS + 1 : COUNTS, COUNT_OF(COUNTS) - (SHAPES[i].n_in == 1));
}

static void check_large(struct kit *kit)
{
    static const int64_t COUNTS[] = {1, 67};
    check_shape(kit, &(struct shape){576, {576, 192, 192}, 3}, COUNTS, COUNT_OF(COUNTS));
    check_shape(kit, &(struct shape){1536, {191}, 1}, COUNTS, COUNT_OF(COUNTS));
    static const int64_t BLOCKS[] = {1, 24, 193};
    if (kit->device->isa != NULL)
        check_shape(kit, &(struct shape){1601, {290}, 1}, BLOCKS, COUNT_OF(BLOCKS));
}

/* The output head: a weight for one row at a time, also given several. */
static void check_one_row(struct kit *kit)
{
    const struct shape s = {96, {320}, 1};
    for (int dtype = KVL_F32; dtype <= KVL_BF16; dtype++) {
        float w[96 * 320];
        memcpy(w, kit_random(kit, 96 * 320, (enum kvl_dtype)dtype, 1.0f), sizeof w);
        kit_clear(kit);
        struct kvl_weight *weight = make_weight(kit, w, 96, s.n_out, 1, (enum kvl_dtype)dtype, true);
        check_case(kit, &s, weight, w, 1, (enum kvl_dtype)dtype, KVL_F32, false);
        check_case(kit, &s, weight, w, 3, (enum kvl_dtype)dtype, KVL_F32, false);
        kit->ctx->be->weight_free(kit->ctx, weight);
    }
}

enum { ROWS = 150 };

/* One product's rows behind each other, as f32; `accumulate` adds to ones. */
static void run_rows(struct kit *kit, const struct kvl_weight *weight, const struct shape *s, const float *x, int64_t n,
                     enum kvl_dtype dtype, bool accumulate, float *out)
{
    int64_t n_out = outputs(s);
    float *ones = kit_host(kit, n * n_out * 4);
    for (int64_t i = 0; i < n * n_out; i++)
        ones[i] = 1.0f;
    enum kvl_dtype out_dtype = accumulate ? KVL_F32 : dtype;
    void *device = accumulate ? kit_values(kit, ones, n * n_out, KVL_F32)
                              : kit_output(kit, n * n_out * (int64_t)kvl_dtype_size(dtype));
    assert_ok(kit->ctx->be->linear(
        kit->ctx, &(struct kvl_linear){kit_values(kit, x, n * s->n_in, dtype), weight, device, out_dtype, n, accumulate}));
    memcpy(out, kit_result_f32(kit, device, out_dtype), (size_t)(n * n_out) * sizeof *out);
    kit_clear(kit);
}

/* Rows from any place, in any company, on any number of threads. One row alone may take another way, but the same one on every
 * number of threads. */
static void check_rows_of(struct kit *kit, const struct shape *s, enum kvl_dtype dtype, bool accumulate)
{
    static const int64_t COUNTS[] = {2, 3, 63, 64, 65, 128, 150}, FIRSTS[] = {0, 1, 13, 70};
    int64_t n_in = s->n_in, n_out = outputs(s);
    float *x = malloc((size_t)(ROWS * n_in) * sizeof *x), *w = malloc((size_t)(n_out * n_in) * sizeof *w);
    float *all = malloc((size_t)(ROWS * n_out) * sizeof *all), *got = malloc((size_t)(ROWS * n_out) * sizeof *got);
    float *one = malloc((size_t)n_out * sizeof *one);
    memcpy(x, kit_random(kit, ROWS * n_in, dtype, 1.0f), (size_t)(ROWS * n_in) * sizeof *x);
    memcpy(w, kit_random(kit, n_out * n_in, dtype, 1.0f), (size_t)(n_out * n_in) * sizeof *w);
    kit_clear(kit);
    for (int threads = 1; threads <= 3; threads++) {
        kit_reopen(kit, threads);
        struct kvl_weight *weight = make_weight(kit, w, n_in, s->n_out, s->n_parts, dtype, false);
        if (threads == 1) {
            run_rows(kit, weight, s, x, ROWS, dtype, accumulate, all);
            run_rows(kit, weight, s, x, 1, dtype, accumulate, one);
        }
        for (int64_t i = 0; i < COUNT_OF(COUNTS); i++)
            for (int64_t j = 0; j < COUNT_OF(FIRSTS) && FIRSTS[j] + COUNTS[i] <= ROWS; j++) {
                case_name("%lld rows from %lld, %d threads, %s%s", (long long)COUNTS[i], (long long)FIRSTS[j], threads,
                          kvl_dtype_name(dtype), accumulate ? ", added" : "");
                run_rows(kit, weight, s, x + FIRSTS[j] * n_in, COUNTS[i], dtype, accumulate, got);
                check_bits("rows", got, all + FIRSTS[j] * n_out, COUNTS[i] * n_out * 4);
            }
        case_name("one row, %d threads, %s", threads, kvl_dtype_name(dtype));
        run_rows(kit, weight, s, x, 1, dtype, accumulate, got);
        check_bits("one row", got, one, n_out * 4);
        kit->ctx->be->weight_free(kit->ctx, weight);
    }
    free(x), free(w), free(all), free(got), free(one);
}

/* The second shape has several blocks of features and outputs, with parts of one left over (on the CPU: too much for the
 * emulator). */
static void check_rows(struct kit *kit)
{
    static const struct shape SHAPES[] = {{97, {130}, 1}, {1601, {290}, 1}};
    for (int64_t i = 0; i < (kit->device->isa != NULL ? 2 : 1); i++)
        for (int dtype = KVL_F32; dtype <= KVL_BF16; dtype++)
            for (int accumulate = 0; accumulate < 2; accumulate++)
                check_rows_of(kit, &SHAPES[i], (enum kvl_dtype)dtype, accumulate != 0);
}

static void check_refusals(struct kit *kit)
{
    const float w[] = {1, 2, 3, 4};
    struct kvl_weight *weight = make_weight(kit, w, 2, (const int64_t[]){2}, 1, KVL_BF16, false);
    void *out = kit_output(kit, 8), *x = kit_values(kit, w, 2, KVL_BF16);
    assert_int_equal(kit->ctx->be->linear(kit->ctx, &(struct kvl_linear){x, weight, out, KVL_BF16, 1, true}), KVL_E_ARG);
    kit->ctx->be->weight_free(kit->ctx, weight);
    kit->ctx->be->weight_free(kit->ctx, NULL);

    /* no memory: a status, and nothing stays behind */
    const float *many = kit_random(kit, 64 * 64, KVL_F32, 1.0f);
    struct source rows = {{many}, 64};
    struct kvl_weight_source source = {.n_parts = 1, .n_out = {64}, .n_in = 64, .rows = give_rows, .context = &rows};
    int64_t before = 0;
    for (int round = 0; round < 2; round++) { /* the first may also make what the context keeps */
        before = kit->ctx->memory.peak = kit->ctx->memory.current;
        assert_ok(kit->ctx->be->weight_init(kit->ctx, &source, &weight));
        kit->ctx->be->weight_free(kit->ctx, weight);
    }
    int64_t needed = kit->ctx->memory.peak - before;
    assert_true(needed >= 64 * 64 * 4);
    for (int64_t room = 1; room < needed; room += 4096) {
        kit->ctx->memory.limit = before + room;
        assert_int_equal(kit->ctx->be->weight_init(kit->ctx, &source, &weight), KVL_E_OOM);
        assert_null(weight);
        assert_int_equal(kit->ctx->memory.current, before);
    }
    kit->ctx->memory.limit = 0;
}

/* Nor where the first weight of a context finds no memory for what the context keeps; the next one then works. */
static void check_first_refusal(struct kit *kit)
{
    kit_reopen(kit, 3);
    struct source rows = {{kit_random(kit, 64 * 64, KVL_F32, 1.0f)}, 64};
    struct kvl_weight_source source = {.n_parts = 1, .n_out = {64}, .n_in = 64, .rows = give_rows, .context = &rows};
    struct kvl_weight *weight;
    int64_t before = kit->ctx->memory.current;
    assert_ok(kit->ctx->be->weight_init(kit->ctx, &source, &weight));
    int64_t needed = kit->ctx->memory.peak - before;
    kit->ctx->be->weight_free(kit->ctx, weight);
    for (int64_t i = 0; i < 8; i++) {
        kit_clear(kit);
        kit_reopen(kit, 3);
        rows.rows[0] = kit_random(kit, 64 * 64, KVL_F32, 1.0f);
        kit->ctx->memory.limit = kit->ctx->memory.current + needed * i / 8 + 1;
        assert_int_equal(kit->ctx->be->weight_init(kit->ctx, &source, &weight), KVL_E_OOM);
        assert_null(weight);
        kit->ctx->memory.limit = 0;
        assert_ok(kit->ctx->be->weight_init(kit->ctx, &source, &weight));
        kit->ctx->be->weight_free(kit->ctx, weight);
    }
}

int main(void)
{
    const struct kernel_test tests[] = {{"linear by hand", check_by_hand}, {"linear sizes", check_sizes},
                                        {"linear large", check_large},     {"linear one row", check_one_row},
                                        {"linear rows", check_rows},       {"linear refusals", check_refusals},
                                        {"linear first refusal", check_first_refusal}};
    return run_kernel_tests(tests, (int)COUNT_OF(tests));
}
