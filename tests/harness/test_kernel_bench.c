/* Single operations: every case is right and is timed on every backend, its work is what the contract asks for, and a result that
 * is wrong is seen. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness/command.h"
#include "harness/kernel_bench.h"
#include "harness/kernel_check.h"
#include "harness/record_set.h"
#include "tests/support/kernel_kit.h"

/* Longer than the window of tiny-mistral, 48. */
enum { N = 70, N_SAMPLES = 2 };

static const double PEAK = 1e9; /* made up, of both kinds: a flop and a byte take a nanosecond */

/* ---- one run ------------------------------------------------------------------------------------------------------------- */

struct bench_run {
    struct kvl_options options;
    struct kvl_model *model;
    struct kvl_sink sink;
    struct kvl_bench_warnings warnings;
};

static void set_word(struct kvl_words *words, const char *word)
{
    words->items = calloc(1, sizeof *words->items);
    assert_non_null(words->items);
    words->items[0] = strdup(word);
    words->n = 1;
}

/* All cases of an operation (NULL: of all) at `n` tokens on the context. */
static void run_bench(struct bench_run *run, struct kvl_ctx *ctx, enum kvl_dtype dtype, const char *operation, int64_t n)
{
    static char *argv[] = {"bench"};
    *run = (struct bench_run){0};
    kvl_options_init(&run->options, &kvl_command_bench, 1, argv);
    set_word(&run->options.positional, "random:tiny-mistral");
    if (operation != NULL)
        set_word(&run->options.operations, operation);
    run->options.n_samples = N_SAMPLES;
    run->options.n_warmups = 1;
    run->options.dtype = dtype;
    const struct kvl_model_options how = {.dtype = dtype, .no_weights = true};
    assert_ok(kvl_model_load(ctx, "random:tiny-mistral", &how, &run->model));
    assert_ok(kvl_sink_init(&run->sink, &run->options));
    struct kvl_workbench bench = {.options = &run->options, .ctx = ctx, .model = run->model};
    struct kvl_progress progress = {.started = kvl_seconds()};
    const struct kvl_kernel_bench kernels = {.bench = &bench, .ceilings = {PEAK, PEAK}, .sink = &run->sink, .progress = &progress,
                                             .warnings = &run->warnings, .rotated_bytes = 1 << 16, .sample_ns = 1};
    assert_ok(kvl_kernel_bench_run(&kernels, n));
}

static void free_run(struct bench_run *run)
{
    kvl_sink_free(&run->sink);
    kvl_model_free(run->model);
    kvl_options_free(&run->options);
}

static const json_t *find(const struct bench_run *run, const char *operation, const char *name, const char *phase)
{
    size_t i;
    json_t *record;
    json_array_foreach (run->sink.records, i, record)
        if (strcmp(kvl_record_text(record, "operation"), operation) == 0 && strcmp(kvl_record_text(record, "case"), name) == 0
            && strcmp(kvl_record_text(record, "phase"), phase) == 0)
            return record;
    fail_msg("no record of %s %s %s", operation, name, phase);
    return NULL;
}

/* ---- all operations ------------------------------------------------------------------------------------------------------ */

#define OPERATION(name) {#name, offsetof(struct kvl_backend, name)}
static const struct {
    const char *name;
    size_t offset;
} operations[] = {
    OPERATION(embed),        OPERATION(norm), OPERATION(linear), OPERATION(rotate_table), OPERATION(rotate), OPERATION(attend),
    OPERATION(append),       OPERATION(attend_cache), OPERATION(mass), OPERATION(logits), OPERATION(pool),
    OPERATION(reduce_heads), OPERATION(top_k), OPERATION(range), OPERATION(gather), OPERATION(gather_heads), OPERATION(swiglu),
    OPERATION(argmax),       OPERATION(fill_random),
};

/* The operations are the last members of struct kvl_backend: a new one must be in the list above, and so in the table of cases. */
_Static_assert(sizeof operations / sizeof *operations
                   == (sizeof(struct kvl_backend) - offsetof(struct kvl_backend, embed)) / sizeof(void (*)(void)),
               "every operation of the backend is benchmarked");

static int count_cases(const char *operation)
{
    const struct kvl_kernel_case *row;
    int n = 0;
    for (int i = 0; (row = kvl_kernel_case_at(i)) != NULL; i++)
        n += operation == NULL || strcmp(row->operation, operation) == 0;
    return n;
}

static void check_record(const json_t *record)
{
    const char *name = kvl_record_text(record, "operation"), *reason = kvl_record_text(record, "reason");
    if (!kvl_record_is_ok(record))
        fail_msg("%s %s: %s", name, kvl_record_text(record, "case"), reason);
    double median = kvl_record_number(record, "kernel_median_ns"), bound = kvl_record_number(record, "bound_ns");
    double flops = kvl_record_number(record, "flops"), bytes = kvl_record_number(record, "bytes");
    double error = kvl_record_number(record, "check_error");
    if (!(median > 0.0) || !(error >= 0.0 && error <= 1.0) || !(kvl_record_number(record, "check_values") >= 1.0) || !(bytes > 0.0))
        fail_msg("%s: median %g, check error %g, bytes %g", name, median, error, bytes);
    assert_int_equal(json_array_size(json_object_get(record, "kernel_samples_ns")), N_SAMPLES);
    assert_true(bound == fmax(flops, bytes));
    assert_string_equal(kvl_record_text(record, "bound_by"), flops > bytes ? "flops" : "bytes");
    assert_true(fabs(kvl_record_number(record, "bound_share") - bound / median) < 1e-12 * bound / median);
    assert_true(fabs(kvl_record_number(record, "bytes_per_s") - bytes / median * 1e9) < 1e-12 * bytes / median * 1e9);
    assert_true(kvl_record_number(record, "batch") >= 1.0 && kvl_record_number(record, "input_sets") >= 1.0);
    assert_non_null(kvl_record_text(record, "config_key"));
}

/* Calls of a decode step are one graph where there are graphs. */
static void check_graph(const json_t *record, const struct kvl_backend *be)
{
    bool decode = strcmp(kvl_record_text(record, "phase"), "decode") == 0;
    assert_true(json_is_true(json_object_get(record, "graph")) == (decode && be->graph_begin != NULL));
}

static void check_every_case(struct kit *kit, enum kvl_dtype dtype, int64_t n)
{
    struct bench_run run;
    size_t i;
    json_t *record;
    run_bench(&run, kit->ctx, dtype, NULL, n);
    assert_int_equal(json_array_size(run.sink.records), count_cases(NULL));
    json_array_foreach (run.sink.records, i, record) {
        check_record(record);
        check_graph(record, kit->ctx->be);
    }
    for (i = 0; i < sizeof operations / sizeof *operations; i++)
        assert_true(count_cases(operations[i].name) > 0);
    free_run(&run);
}

static void every_case(struct kit *kit)
{
    check_every_case(kit, KVL_F32, N);
    check_every_case(kit, KVL_BF16, N);
}

/* What a backend keeps for itself it has after the first run. */
static void gives_memory_back(struct kit *kit)
{
    struct bench_run run;
    run_bench(&run, kit->ctx, KVL_BF16, NULL, 9);
    free_run(&run);
    int64_t before = kit->ctx->memory.current;
    run_bench(&run, kit->ctx, KVL_BF16, NULL, 9);
    free_run(&run);
    assert_int_equal(kit->ctx->memory.current, before);
}

/* Fewer tokens than rows that observe, than the kernel of the pool, than a tenth. */
static void few_tokens(struct kit *kit)
{
    check_every_case(kit, KVL_BF16, 1);
    check_every_case(kit, KVL_F32, 9);
}

/* ---- work ---------------------------------------------------------------------------------------------------------------- */

/* tiny-mistral: embd 64, 8 heads and 2 KV heads of 16, ff 48, vocabulary 320, window 48. By hand, in bf16, at 70 tokens. */
static const struct {
    const char *operation, *name, *phase;
    double flops, bytes;
} works[] = {
    {"embed", "prompt", "prefill", 0, 70 * (4 + 64 * 2 + 64 * 4)},
    {"norm", "rows", "decode", 4 * 64, 64 * (4 + 2) + 64 * 4},
    {"linear", "qkv", "prefill", 2.0 * 70 * 64 * 192, 2 * (64 * 192 + 70 * 64 + 70 * 192)},
    {"linear", "down", "decode", 2 * 48 * 64, 2 * (48 * 64 + 48) + 2 * 4 * 64},
    {"linear", "head", "decode", 2 * 64 * 320, 2 * (64 * 320 + 64) + 4 * 320},
    {"attend", "causal", "prefill", 4 * 8 * 16 * 2485, 70 * (2 * 256 + 2 * 64 + 8 * 4)},
    {"attend", "window", "prefill", 4 * 8 * 16 * (48 * 49 / 2 + 22 * 48), 70 * (2 * 256 + 2 * 64 + 8 * 4 + 4)},
    {"attend_cache", "tenth", "decode", 4 * 8 * 16 * 7, 7 * 2 * 64 + 2 * 256 + 2 * 4},
    {"mass", "last rows", "prefill", 2 * 8 * 16 * 8 * 62, 8 * 256 + 62 * 64 + 8 * 8 * 4 + 8 * 62 * 4},
    {"mass", "all rows", "prefill", 2 * 8 * 16 * 2485, 70 * (256 + 64 + 8 * 4 + 8 * 4)},
    {"gather", "fifth", "prefill", 0, 14 * (4 + 2 * 64 * 4)},
    {"gather_heads", "tenth", "prefill", 0, 2 * 7 * (4 + 2 * 16 * 2)},
    {"reduce_heads", "KV groups", "prefill", 6 * 70, 4 * (8 + 2) * 70},
    {"swiglu", "rows", "prefill", 4 * 70 * 48, 3 * 70 * 48 * 2},
};

static void work_by_hand(struct kit *kit)
{
    struct bench_run run;
    run_bench(&run, kit->ctx, KVL_BF16, NULL, N);
    for (size_t i = 0; i < sizeof works / sizeof *works; i++) {
        const json_t *record = find(&run, works[i].operation, works[i].name, works[i].phase);
        if (kvl_record_number(record, "flops") != works[i].flops || kvl_record_number(record, "bytes") != works[i].bytes)
            fail_msg("%s %s: %g flops, %g bytes, expected %g and %g", works[i].operation, works[i].name,
                     kvl_record_number(record, "flops"), kvl_record_number(record, "bytes"), works[i].flops, works[i].bytes);
    }
    free_run(&run);
}

static void pairs_by_counting(void)
{
    const int64_t windows[] = {0, 1, 3, 9, 20};
    for (size_t w = 0; w < sizeof windows / sizeof *windows; w++)
        for (int64_t end = 1; end < 12; end++)
            for (int64_t begin = 0; begin < end; begin++) {
                int64_t n = 0;
                for (int64_t i = begin; i < end; i++)
                    for (int64_t j = 0; j <= i; j++)
                        n += windows[w] == 0 || i - j < windows[w];
                assert_true(kvl_kernel_pairs(begin, end, windows[w]) == (double)n);
            }
}

/* ---- what is wrong is seen ------------------------------------------------------------------------------------------------ */

static const struct kvl_backend *real;

static enum kvl_status do_nothing(struct kvl_ctx *ctx, const void *op)
{
    (void)ctx, (void)op;
    return KVL_OK;
}

/* Every case of the operation fails its check and is not timed. */
static void assert_fails(struct kit *kit, const char *operation)
{
    struct bench_run run;
    size_t i;
    json_t *record;
    run_bench(&run, kit->ctx, KVL_BF16, operation, N);
    assert_int_equal(json_array_size(run.sink.records), count_cases(operation));
    assert_int_equal(run.sink.n_failed, count_cases(operation));
    json_array_foreach (run.sink.records, i, record) {
        const char *status = kvl_record_text(record, "status"), *reason = kvl_record_text(record, "reason");
        if (strcmp(status, "failed") != 0 || strstr(reason, "wrong result") == NULL)
            fail_msg("%s %s is %s", operation, kvl_record_text(record, "case"), status);
        assert_true(json_is_null(json_object_get(record, "kernel_median_ns")) && json_is_null(json_object_get(record, "batch")));
        assert_false(kvl_record_number(record, "check_error") <= 1.0);
    }
    free_run(&run);
}

static void no_result(struct kit *kit)
{
    enum kvl_status (*const nothing)(struct kvl_ctx *, const void *) = do_nothing;
    const struct kvl_backend *be = kit->ctx->be;
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        struct kvl_backend silent = *be;
        memcpy((char *)&silent + operations[i].offset, &nothing, sizeof nothing);
        kit->ctx->be = &silent;
        assert_fails(kit, operations[i].name);
        kit->ctx->be = be;
    }
}

/* One operation that is a little wrong, by running the right one on changed arguments. */
#define NEARLY(name, change)                                                                     \
    static enum kvl_status nearly_##name(struct kvl_ctx *ctx, const struct kvl_##name *op)       \
    {                                                                                            \
        struct kvl_##name wrong = *op;                                                           \
        change;                                                                                  \
        return real->name(ctx, &wrong);                                                          \
    }
NEARLY(norm, wrong.eps += 0.02f)
NEARLY(attend, wrong.scale *= 1.03f)
NEARLY(attend_cache, wrong.scale *= 1.03f)
NEARLY(mass, wrong.row_end -= 1)
NEARLY(logits, wrong.row = 0)
NEARLY(top_k, wrong.base = 1)
NEARLY(pool, wrong.kernel = 9)
NEARLY(linear, wrong.x = (const char *)wrong.x + 4)
NEARLY(fill_random, wrong.first += 1)

static void nearly_right(struct kit *kit)
{
    real = kit->ctx->be;
    struct kvl_backend wrong = *real;
    wrong.norm = nearly_norm;
    wrong.attend_cache = nearly_attend_cache;
    wrong.mass = nearly_mass;
    wrong.logits = nearly_logits;
    wrong.top_k = nearly_top_k;
    wrong.pool = nearly_pool;
    wrong.linear = nearly_linear;
    kit->ctx->be = &wrong;
    const char *const spoilt[] = {"norm", "attend_cache", "mass", "logits", "top_k", "pool", "linear"};
    for (size_t i = 0; i < sizeof spoilt / sizeof *spoilt; i++)
        assert_fails(kit, spoilt[i]);
    wrong = *real; /* what the inputs of others are made with */
    wrong.attend = nearly_attend;
    assert_fails(kit, "attend");
    wrong = *real;
    wrong.fill_random = nearly_fill_random;
    assert_fails(kit, "fill_random");
    kit->ctx->be = real;
}

static void comparisons(void)
{
    struct kvl_kernel_check check = {0};
    kvl_check_close(&check, "x", 0, 1.5, 1.0, 0.5);
    assert_string_equal(check.reason, "");
    assert_true(check.error == 1.0 && check.n_values == 1);
    kvl_check_close(&check, "x", 1, 1.0, 1.0, 0.0);
    assert_string_equal(check.reason, "");
    kvl_check_close(&check, "x", 2, 2.0, 1.0, 0.5);
    assert_non_null(strstr(check.reason, "x[2] is 2, expected 1"));
    assert_true(check.error == 2.0 && check.n_values == 3);
    const struct {
        double got, expected, allowed;
    } bad[] = {{NAN, 1.0, 1.0}, {1.0, NAN, 1.0}, {1.0, 1.5, NAN}, {INFINITY, 1.0, 1.0}, {1.0, 1.0000001, 0.0}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct kvl_kernel_check other = {0};
        kvl_check_close(&other, "x", 0, bad[i].got, bad[i].expected, bad[i].allowed);
        assert_string_not_equal(other.reason, "");
        kvl_check_close(&other, "x", 1, 1.0, 1.0, 1.0); /* does not heal it */
        assert_false(other.error <= 1.0);
    }
    struct kvl_kernel_check exact = {0};
    kvl_check_equal(&exact, "i", 0, 3, 3);
    kvl_check_same(&exact, "b", 0, "abc", "abc", 3);
    assert_string_equal(exact.reason, "");
    assert_true(exact.error == 0.0 && exact.n_values == 2);
    kvl_check_same(&exact, "b", 7, "abc", "abd", 3);
    assert_non_null(strstr(exact.reason, "b[7] differs at byte 2 of 3"));
    assert_true(isinf(exact.error));
}

static void without_device(struct kit *kit)
{
    (void)kit;
    comparisons();
    pairs_by_counting();
}

/* ---- memory -------------------------------------------------------------------------------------------------------------- */

/* What does not fit is a record; the others run. The cache of `append` is the largest. */
static void too_little_memory(struct kit *kit)
{
    struct bench_run run;
    kit->ctx->memory.limit = kit->ctx->memory.current + 500000;
    run_bench(&run, kit->ctx, KVL_BF16, NULL, 8);
    kit->ctx->memory.limit = 0;
    assert_int_equal(json_array_size(run.sink.records), count_cases(NULL));
    const json_t *append = find(&run, "append", "token", "decode");
    assert_string_equal(kvl_record_text(append, "status"), "oom");
    check_record(find(&run, "norm", "rows", "prefill"));
    assert_int_equal(run.sink.n_failed, 0);
    free_run(&run);
}

static const struct kernel_test tests[] = {
    {"every_case", every_case},         {"few_tokens", few_tokens},     {"work_by_hand", work_by_hand},
    {"no_result", no_result},           {"nearly_right", nearly_right}, {"without_device", without_device},
    {"too_little_memory", too_little_memory}, {"gives_memory_back", gives_memory_back},
};

int main(void)
{
    return run_kernel_tests(tests, (int)COUNT_OF(tests));
}
