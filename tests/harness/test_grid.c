/* The product of what the command line lists: order, size, equal configurations once, what is refused. */
#include <stdio.h>
#include <stdlib.h>

#include "harness/grid.h"
#include "harness/option_parse.h"
#include "tests/support/golden.h"
#include "tests/support/process.h"

static const struct kvl_shape shape = {.architecture = "llama", .n_layer = 8, .n_embd = 64, .n_head = 8, .n_kv = 2, .head_size = 8,
                                       .n_ff = 128, .n_vocab = 100, .n_context = 4096};

/* Parses "--method .." behind `eval MODEL` and makes the grid; `words` keeps the strings that both refer to. */
static enum kvl_status make(const char *line, struct kvl_options *options, struct kvl_grid *grid, const char *const **words)
{
    char text[512], *argv[PROCESS_MAX_WORDS + 1];
    snprintf(text, sizeof text, "eval M %s", line);
    *words = process_split(text, "", "");
    int n = 0;
    for (; (*words)[n] != NULL; n++)
        argv[n] = (char *)(uintptr_t)(*words)[n];
    argv[n] = NULL;
    *grid = (struct kvl_grid){0};
    KVL_TRY(kvl_options_parse(options, &kvl_command_eval, n, argv));
    return kvl_grid_init(grid, options, &shape);
}

static void release(struct kvl_options *options, struct kvl_grid *grid, const char *const *words)
{
    kvl_grid_free(grid);
    kvl_options_free(options);
    free((void *)(uintptr_t)words);
}

static const struct {
    const char *line;
    int n;
} sizes[] = {
    {"--method full", 1},
    {"--method full,full", 1},
    {"--method full --kv-rate 0.1,0.2,0.3", 1}, /* has no budget */
    {"--method snapkv --kv-rate 0.1,0.2,0.3", 3},
    {"--method snapkv --kv-rate 0.1 --kv-budget 64", 2},
    {"--method full,snapkv --kv-rate 0.1:0.5:0.1 --kv-budget 64,128", 8},
    {"--method full,snapkv,fastkv --kv-rate 0.1,0.2", 5},
    {"--method snapkv --profile paper,fastkv --kv-rate 0.1", 2},
    {"--method snapkv --set snapkv.window=8,16,32", 3},
    {"--method snapkv --set snapkv.window=8,16 --set snapkv.pool=max,average", 4},
    {"--method snapkv --set snapkv.window=8,8.0", 1}, /* the same number in two forms */
    {"--method snapkv --kv-rate 0.2,0.20", 1},
    {"--method snapkv,fastkv --set fastkv.tsp_rate=0.1,0.2 --kv-rate 0.1,0.3", 6},
    {"--method snapkv --method fastkv", 2},
};

static void test_sizes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct kvl_options options;
        struct kvl_grid grid;
        const char *const *words;
        assert_ok(make(sizes[i].line, &options, &grid, &words));
        if (grid.n != sizes[i].n)
            fail_msg("%s: %d configurations, expected %d", sizes[i].line, grid.n, sizes[i].n);
        release(&options, &grid, words);
    }
}

/* Methods outermost, as they are listed, then budgets, then settings. */
static void test_order(void **state)
{
    (void)state;
    static const char *const expected[] = {"snapkv r=0.2", "snapkv r=0.1", "snapkv c=64", "full"};
    struct kvl_options options;
    struct kvl_grid grid;
    const char *const *words;
    assert_ok(make("--method snapkv,full --kv-rate 0.2,0.1 --kv-budget 64", &options, &grid, &words));
    assert_int_equal(grid.n, 4);
    for (int i = 0; i < grid.n; i++) {
        char label[64];
        kvl_config_label(&grid.configs[i], label, sizeof label);
        assert_string_equal(label, expected[i]);
    }
    release(&options, &grid, words);
}

static const struct {
    const char *line, *part;
} refused[] = {
    {"--method full --set snapkv.window=8", "not among the methods"},
    {"--method snapkv --set snapkv.windw=8", "'window'"},
    {"--method snapkv --set snapkv.window=0", "out of range"},
    {"--method snapkv --set snapkv.window=8,x", "snapkv.window=x"},
    {"--method snapkv --set snapkv.kernel=4", "odd"},
    {"--method snapkv --kv-rate 0.0001:1:0.0001", "more than 4096 configurations"},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct kvl_options options;
        struct kvl_grid grid;
        const char *const *words;
        assert_int_equal(make(refused[i].line, &options, &grid, &words), KVL_E_ARG);
        if (strstr(kvl_last_error(), refused[i].part) == NULL)
            fail_msg("%s: \"%s\" lacks \"%s\"", refused[i].line, kvl_last_error(), refused[i].part);
        assert_int_equal(grid.n, 0);
        release(&options, &grid, words);
    }
}

static void test_check(void **state)
{
    (void)state;
    struct kvl_options options;
    struct kvl_grid grid;
    const char *const *words;
    assert_ok(make("--method snapkv --kv-budget 16", &options, &grid, &words));
    assert_ok(kvl_config_check(&grid.configs[0], &shape, 1024, 16));
    assert_ok(kvl_config_check(&grid.configs[0], &shape, 4080, 16));
    assert_int_equal(kvl_config_check(&grid.configs[0], &shape, 4081, 16), KVL_E_ARG);
    release(&options, &grid, words);
    assert_ok(make("--method snapkv --kv-budget 4", &options, &grid, &words)); /* below the window of 8 */
    assert_int_equal(kvl_config_check(&grid.configs[0], &shape, 1024, 16), KVL_E_ARG);
    assert_non_null(strstr(kvl_last_error(), "4"));
    release(&options, &grid, words);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
