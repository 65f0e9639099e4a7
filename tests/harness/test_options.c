/* Lists, ranges and numbers of the command line, and how words become options. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness/option_parse.h"
#include "tests/support/golden.h"

/* ---- lists ------------------------------------------------------------------------------------------------------------- */

struct reals_case {
    const char *text;
    int n;
    double items[6];
};

static const struct reals_case good_reals[] = {
    {"1k,2k,4k", 3, {1024, 2048, 4096}},
    {"1K", 1, {1024}},
    {"2m", 1, {2097152}},
    {"0.5k", 1, {512}},
    {"0.1:0.5:0.1", 5, {0.1, 0.2, 0.3, 0.4, 0.5}}, /* 0.3, not 0.30000000000000004 */
    {"1024:4096:1024", 4, {1024, 2048, 3072, 4096}},
    {"1k:4k:1k", 4, {1024, 2048, 3072, 4096}},
    {"0.1:0.35:0.1", 3, {0.1, 0.2, 0.3}}, /* the end need not be met */
    {"3:3:1", 1, {3}},
    {"1,2:4:1,9", 5, {1, 2, 3, 4, 9}},
    {"1,1,2,1", 2, {1, 2}}, /* once each */
    {"0.1,0.1:0.3:0.1", 3, {0.1, 0.2, 0.3}},
    {"1e-3", 1, {0.001}},
    {"-2.5", 1, {-2.5}},
    {"+7", 1, {7}},
};

static const struct {
    const char *text, *part;
} bad_reals[] = {
    {"", "empty item"}, {",", "empty item"}, {"1,", "empty item"}, {",1", "empty item"}, {"1,,2", "empty item"},
    {"nan", "'nan'"}, {"inf", "'inf'"}, {"-inf", "'-inf'"}, {"-nan", "'-nan'"}, {"1e999", "'1e999'"}, {"1e308m", "'1e308m'"},
    {"abc", "'abc'"}, {"1x", "'1x'"}, {"1kk", "'1kk'"}, {"1 ", "'1 '"}, {" 1", "' 1'"}, {"1;2", "'1;2'"}, {"--1", "'--1'"},
    {".", "'.'"}, {"-", "'-'"}, {"1:2", "not a range"}, {"1:2:", "not a range"}, {"1::1", "not a range"},
    {"1:2:1:1", "not a range"}, {":", "not a number"}, {"1:2:0", "must ascend"}, {"2:1:1", "must ascend"},
    {"1:2:-1", "must ascend"}, {"0:1:1e-9", "must ascend"}, {"0:1e308:1e-300", "must ascend"}, {"1:2:nan", "not a range"},
};

static void test_reals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good_reals / sizeof *good_reals; i++) {
        const struct reals_case *c = &good_reals[i];
        struct kvl_reals reals = {0};
        assert_ok(kvl_reals_parse("--x", c->text, &reals));
        if (reals.n != c->n)
            fail_msg("'%s' gives %d numbers, expected %d", c->text, reals.n, c->n);
        for (int j = 0; j < c->n; j++)
            if (!(reals.items[j] == c->items[j]))
                fail_msg("'%s'[%d] = %.17g, expected %.17g", c->text, j, reals.items[j], c->items[j]);
        free(reals.items);
    }
}

static void test_bad_reals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_reals / sizeof *bad_reals; i++) {
        struct kvl_reals reals = {0};
        if (kvl_reals_parse("--x", bad_reals[i].text, &reals) != KVL_E_ARG)
            fail_msg("'%s' is taken", bad_reals[i].text);
        if (strstr(kvl_last_error(), bad_reals[i].part) == NULL || strstr(kvl_last_error(), "--x") == NULL)
            fail_msg("'%s': \"%s\" lacks \"%s\"", bad_reals[i].text, kvl_last_error(), bad_reals[i].part);
        free(reals.items);
    }
}

static void test_words(void **state)
{
    (void)state;
    struct kvl_words words = {0};
    assert_ok(kvl_words_parse("--x", "b,a,b", &words));
    assert_ok(kvl_words_parse("--x", "c,a", &words)); /* given twice: appended */
    assert_int_equal(words.n, 3);
    const char *const expected[] = {"b", "a", "c"};
    for (int i = 0; i < 3; i++)
        assert_string_equal(words.items[i], expected[i]);
    kvl_words_free(&words);
    assert_int_equal(words.n, 0);
}

/* ---- one number -------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *text;
    bool whole;
    double min, max, value; /* NaN: refused */
} numbers[] = {
    {"1", true, 1, 10, 1},        {"10", true, 1, 10, 10},   {"11", true, 1, 10, NAN},    {"0", true, 1, 10, NAN},
    {"-1", true, 0, 10, NAN},     {"2.5", true, 1, 10, NAN}, {"2.5", false, 1, 10, 2.5},  {"1k", true, 1, 1024, 1024},
    {"1k", false, 1, 9999, NAN},  {"", true, 1, 10, NAN},    {"x", true, 1, 10, NAN},     {"1,2", true, 1, 10, NAN},
    {"nan", false, 0, 1, NAN},    {"1e3", true, 1, 1e4, 1e3}, {"1e999", false, 0, 1, NAN}, {"1:2:1", true, 1, 10, NAN},
    {"0.001", false, 0.001, 1e9, 0.001},
};

static void test_numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        double value;
        enum kvl_status status = kvl_number_parse("--x", numbers[i].text, numbers[i].whole, numbers[i].min, numbers[i].max, &value);
        if (isnan(numbers[i].value) ? status != KVL_E_ARG : status != KVL_OK || value != numbers[i].value)
            fail_msg("'%s' (case %zu) is wrong: status %d, %g", numbers[i].text, i, (int)status, value);
    }
}

/* ---- words ------------------------------------------------------------------------------------------------------------- */

enum { MAX_WORDS = 8 };

static enum kvl_status parse(struct kvl_options *options, const char *const *words)
{
    static char copies[MAX_WORDS + 1][64];
    char *argv[MAX_WORDS + 2] = {copies[0]};
    int n = 1;
    snprintf(copies[0], sizeof copies[0], "eval");
    for (; words[n - 1] != NULL; n++) {
        snprintf(copies[n], sizeof copies[n], "%s", words[n - 1]);
        argv[n] = copies[n];
    }
    return kvl_options_parse(options, &kvl_command_eval, n, argv);
}

static void test_forms(void **state)
{
    (void)state;
    static const char *const forms[][MAX_WORDS] = {
        {"M", "--method", "full", "--seed", "7", "--json"}, {"--method=full", "--seed=7", "--json", "M"},
        {"-m", "full", "M", "-s", "7", "-J"},               {"-mfull", "-s7", "-J", "--", "M"},
        {"-Js7", "M", "-mfull"},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct kvl_options options;
        assert_ok(parse(&options, forms[i]));
        assert_int_equal(options.methods.n, 1);
        assert_string_equal(options.methods.items[0], "full");
        assert_int_equal(options.seed, 7);
        assert_true(options.json);
        assert_int_equal(options.positional.n, 1);
        assert_string_equal(options.positional.items[0], "M");
        kvl_options_free(&options);
    }
}

/* Options behind the model are options also where POSIXLY_CORRECT is set. */
static void test_posixly_correct(void **state)
{
    (void)state;
    struct kvl_options options;
    setenv("POSIXLY_CORRECT", "1", 1);
    assert_ok(parse(&options, (const char *const[]){"M", "--seed", "9", NULL}));
    unsetenv("POSIXLY_CORRECT");
    assert_int_equal(options.seed, 9);
    kvl_options_free(&options);
}

static void test_settings(void **state)
{
    (void)state;
    struct kvl_options options;
    assert_ok(parse(&options, (const char *const[]){"M", "--set", "snapkv.window=8:32:8", "--set", "snapkv.pool=max,average",
                                                    NULL}));
    assert_int_equal(options.n_settings, 2);
    assert_string_equal(options.settings[0].method, "snapkv");
    assert_string_equal(options.settings[0].param, "window");
    assert_int_equal(options.settings[0].values.n, 4);
    assert_string_equal(options.settings[0].values.items[3], "32");
    assert_int_equal(options.settings[1].values.n, 2);
    kvl_options_free(&options);
    assert_int_equal(parse(&options, (const char *const[]){"M", "--set", "snapkv.window=8", "--set", "snapkv.window=9", NULL}),
                     KVL_E_ARG);
    assert_non_null(strstr(kvl_last_error(), "twice"));
    kvl_options_free(&options);
}

/* A value may look like an option; --help needs nothing else. */
static void test_odd_words(void **state)
{
    (void)state;
    struct kvl_options options;
    assert_ok(parse(&options, (const char *const[]){"M", "-o", "--seed", NULL}));
    assert_string_equal(options.output, "--seed");
    kvl_options_free(&options);
    assert_ok(parse(&options, (const char *const[]){"--help", NULL}));
    assert_true(options.help);
    kvl_options_free(&options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reals),   cmocka_unit_test(test_bad_reals),       cmocka_unit_test(test_words),
        cmocka_unit_test(test_numbers), cmocka_unit_test(test_forms),           cmocka_unit_test(test_posixly_correct),
        cmocka_unit_test(test_settings), cmocka_unit_test(test_odd_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
