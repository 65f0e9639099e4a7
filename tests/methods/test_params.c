/* Resolving parameters: every row of every method's table, its bounds and defaults, and the sentences for what is wrong. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/presets.h"
#include "methods/method.h"

static struct kvl_shape shape_of(const char *preset)
{
    struct kvl_shape shape;
    assert_int_equal(kvl_preset_shape(preset, &shape), KVL_OK);
    return shape;
}

static enum kvl_status set(struct kvl_method_run *run, const struct kvl_method *method, enum kvl_profile profile,
                           const char *param, const char *value)
{
    static struct kvl_shape shape;
    shape = shape_of("tiny-llama");
    return kvl_method_init(run, method, profile, (struct kvl_budget){0.0, 0}, &shape,
                           &(struct kvl_setting){method->name, param, value}, 1);
}

/* The status, and each of the words in the sentence. */
static void expect(enum kvl_status status, const char *const *words, int n)
{
    assert_int_equal(status, KVL_E_ARG);
    for (int i = 0; i < n; i++)
        if (words[i] != NULL && strstr(kvl_last_error(), words[i]) == NULL)
            fail_msg("'%s' does not name '%s'", kvl_last_error(), words[i]);
}
#define EXPECT(status, ...)                                                                             \
    expect(status, (const char *const[]){__VA_ARGS__}, (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)))

static const struct kvl_method *find(const char *name)
{
    const struct kvl_method *method;
    assert_int_equal(kvl_method_find(name, &method), KVL_OK);
    return method;
}

static const struct kvl_param *find_param(const struct kvl_method *method, const char *name)
{
    for (int i = 0; i < method->n_params; i++)
        if (strcmp(method->params[i].name, name) == 0)
            return &method->params[i];
    fail_msg("%s has no %s", method->name, name);
    return NULL;
}

/* ---- the table itself ------------------------------------------------------------------------------------------------ */

static void check_row(const struct kvl_method *method, const struct kvl_param *param)
{
    if (param->name == NULL || param->help == NULL || *param->help == '\0')
        fail_msg("%s has a parameter without a name or help", method->name);
    assert_int_equal(param->derive != NULL, param->derived != NULL);
    if (param->type == KVL_PARAM_CHOICE)
        assert_true(param->choices != NULL && param->choices[0] != NULL);
    if (param->type == KVL_PARAM_INT || param->type == KVL_PARAM_REAL)
        assert_true(param->min < param->max);
    if (param->odd)
        assert_true(param->type == KVL_PARAM_INT && fmod(param->min, 2.0) == 1.0 && fmod(param->max, 2.0) == 1.0);
}

static void test_table(void **state)
{
    (void)state;
    const struct kvl_method *method, *found;
    int n = 0;
    for (; (method = kvl_method_at(n)) != NULL; n++) {
        assert_true(method->n_params <= KVL_MAX_PARAMS && method->state_size <= KVL_METHOD_STATE);
        assert_true(method->name != NULL && method->title != NULL && method->source != NULL && method->plan != NULL);
        assert_int_equal(kvl_method_find(method->name, &found), KVL_OK);
        assert_ptr_equal(found, method);
        for (int i = 0; i < method->n_params; i++) {
            check_row(method, &method->params[i]);
            for (int j = 0; j < i; j++)
                assert_string_not_equal(method->params[i].name, method->params[j].name);
        }
    }
    assert_true(n >= 7);
    assert_null(kvl_method_at(n));
    assert_null(kvl_method_at(-1));
}

/* Defaults lie within the bounds, for every profile and every published shape. */
static void test_defaults(void **state)
{
    (void)state;
    static struct kvl_method_run run;
    const struct kvl_preset *preset;
    const struct kvl_method *method;
    for (int p = 0; (preset = kvl_preset_at(p)) != NULL; p++)
        for (int m = 0; (method = kvl_method_at(m)) != NULL; m++)
            for (int profile = 0; profile < KVL_N_PROFILES; profile++) {
                assert_int_equal(kvl_method_init(&run, method, (enum kvl_profile)profile, (struct kvl_budget){0.0, 0},
                                                 &preset->shape, NULL, 0), KVL_OK);
                for (int i = 0; i < method->n_params; i++) {
                    const struct kvl_param *param = &method->params[i];
                    double value = param->type == KVL_PARAM_REAL ? run.values[i].r : (double)run.values[i].i;
                    if (param->type == KVL_PARAM_INT || param->type == KVL_PARAM_REAL)
                        assert_true(value >= param->min && value <= param->max);
                    if (param->odd)
                        assert_int_equal(run.values[i].i % 2, 1);
                    char text[64];
                    kvl_value_format(param, run.values[i], text, sizeof text);
                    assert_true(strlen(text) > 0);
                }
                assert_string_equal(run.policy.name, method->name);
                assert_ptr_equal(run.policy.self, &run);
            }
}

/* METHODS.md's defaults that depend on the profile or the model. */
static void test_published_defaults(void **state)
{
    (void)state;
    static const struct {
        const char *preset, *method, *param;
        const char *values[KVL_N_PROFILES]; /* paper, fastkv */
    } ROWS[] = {
        {"llama-3.1-8b", "fastkv", "tsp_layer", {"15", "15"}},
        {"ministral-8b", "fastkv", "tsp_layer", {"17", "17"}},
        {"mistral-nemo-12b", "fastkv", "tsp_layer", {"19", "19"}},
        {"smollm2-135m", "fastkv", "tsp_layer", {"14", "14"}},
        {"tiny-llama", "fastkv", "tsp_layer", {"2", "2"}},
        {"llama-3.1-8b", "fastkv", "window", {"8", "8"}},
        {"llama-3.1-8b", "fastkv", "tsp_rate", {"0.2", "0.2"}},
        {"llama-3.1-8b", "fastkv", "tsp_len", {"2048", "2048"}},
        {"llama-3.1-8b", "fastkv", "kernel", {"7", "7"}},
        {"llama-3.1-8b", "fastkv", "pool", {"max", "max"}},
        {"llama-3.1-8b", "gemfilter", "layer", {"13", "13"}},
        {"ministral-8b", "gemfilter", "layer", {"17", "17"}},
        {"mistral-nemo-12b", "gemfilter", "layer", {"19", "19"}},
        {"llama-3.1-8b", "gemfilter", "pool", {"average", "average"}},
        {"llama-3.1-8b", "gemfilter", "kernel", {"5", "5"}},
        {"llama-3.1-8b", "pyramidinfer", "p", {"0.9", "0.7"}},
        {"ministral-8b", "pyramidinfer", "p", {"0.9", "0.75"}},
        {"mistral-nemo-12b", "pyramidinfer", "p", {"0.9", "0.78"}},
        {"llama-3.1-8b", "pyramidinfer", "recent_ratio", {"0.2", "0.2"}},
        {"llama-3.1-8b", "pyramidinfer", "distance_weight", {"1.2", "1.2"}},
        {"llama-3.1-8b", "pyramidinfer", "min_context", {"64", "64"}},
        {"llama-3.1-8b", "pyramidinfer", "gen_decay", {"0.1", "1"}},
        {"llama-3.1-8b", "pyramidinfer", "decode", {"intended", "intended"}},
        {"llama-3.1-8b", "snapkv", "window", {"32", "8"}},
        {"llama-3.1-8b", "snapkv", "kernel", {"7", "7"}},
        {"llama-3.1-8b", "snapkv", "layout", {"per_kv_head", "per_query_head"}},
        {"llama-3.1-8b", "h2o", "layout", {"per_kv_head", "per_query_head"}},
        {"llama-3.1-8b", "h2o", "causal", {"true", "false"}},
        {"llama-3.1-8b", "h2o", "recent", {"-1", "8"}},
        {"llama-3.1-8b", "streamingllm", "sinks", {"4", "4"}},
    };
    static struct kvl_method_run run;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++)
        for (int profile = 0; profile < KVL_N_PROFILES; profile++) {
            const struct kvl_method *method = find(ROWS[i].method);
            struct kvl_shape shape = shape_of(ROWS[i].preset);
            char text[64];
            assert_int_equal(kvl_method_init(&run, method, (enum kvl_profile)profile, (struct kvl_budget){0.0, 0}, &shape, NULL, 0),
                             KVL_OK);
            const struct kvl_param *param = find_param(method, ROWS[i].param);
            kvl_value_format(param, run.values[param - method->params], text, sizeof text);
            if (strcmp(text, ROWS[i].values[profile]) != 0)
                fail_msg("%s.%s of %s, profile %s is %s, expected %s", ROWS[i].method, ROWS[i].param, ROWS[i].preset,
                         kvl_profile_name((enum kvl_profile)profile), text, ROWS[i].values[profile]);
            assert_memory_equal(&run.values[param - method->params], &(union kvl_value){kvl_run_value(&run, ROWS[i].param).i}, 8);
        }
}

/* ---- values ---------------------------------------------------------------------------------------------------------- */

/* Bounds are inclusive; beyond them the sentence names method, parameter, value and both bounds. */
static void check_bounds(const struct kvl_method *method, const struct kvl_param *param)
{
    static struct kvl_method_run run;
    char name[96], low[64], high[64], below[64], above[64];
    bool whole = param->type == KVL_PARAM_INT;
    snprintf(name, sizeof name, "%s.%s", method->name, param->name);
    snprintf(low, sizeof low, "%.17g", param->min);
    snprintf(high, sizeof high, "%.17g", param->max);
    snprintf(below, sizeof below, "%.17g", param->min - (whole ? 1.0 : 1e-7));
    snprintf(above, sizeof above, "%.17g", param->max + (whole ? 1.0 : 1e-7));
    int64_t at = param - method->params;
    assert_int_equal(set(&run, method, KVL_PROFILE_PAPER, param->name, low), KVL_OK);
    assert_true((whole ? (double)run.values[at].i : run.values[at].r) == param->min);
    assert_int_equal(set(&run, method, KVL_PROFILE_FASTKV, param->name, high), KVL_OK);
    assert_true((whole ? (double)run.values[at].i : run.values[at].r) == param->max);
    EXPECT(set(&run, method, KVL_PROFILE_PAPER, param->name, below), name, below);
    EXPECT(set(&run, method, KVL_PROFILE_PAPER, param->name, above), name, above);
    static const char *const BAD[] = {"", "x", "1x", "0x", "nan", "inf", "-inf", "1e999", "--1", "1 2", "1,5", "true"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        EXPECT(set(&run, method, KVL_PROFILE_PAPER, param->name, BAD[i]), name, BAD[i]);
    if (whole)
        EXPECT(set(&run, method, KVL_PROFILE_PAPER, param->name, "1.5"), name, "1.5", "whole");
    if (param->odd)
        for (int even = 2; even < (int)param->max; even = 2 * even + 2) {
            char text[16];
            snprintf(text, sizeof text, "%d", even);
            EXPECT(set(&run, method, KVL_PROFILE_PAPER, param->name, text), name, text, "odd");
        }
}

static void check_choices(const struct kvl_method *method, const struct kvl_param *param)
{
    static struct kvl_method_run run;
    char name[96], wrong[64], back[64];
    snprintf(name, sizeof name, "%s.%s", method->name, param->name);
    for (int i = 0; param->choices[i] != NULL; i++) {
        assert_int_equal(set(&run, method, KVL_PROFILE_PAPER, param->name, param->choices[i]), KVL_OK);
        assert_int_equal(run.values[param - method->params].i, i);
        kvl_value_format(param, run.values[param - method->params], back, sizeof back);
        assert_string_equal(back, param->choices[i]);
        snprintf(wrong, sizeof wrong, "%sx", param->choices[i]); /* one letter too many: the near name, and all of them */
        EXPECT(set(&run, method, KVL_PROFILE_PAPER, param->name, wrong), name, wrong, "did you mean", param->choices[0]);
    }
    EXPECT(set(&run, method, KVL_PROFILE_PAPER, param->name, "zzzzzzzz"), name, "zzzzzzzz", param->choices[0]);
    assert_null(strstr(kvl_last_error(), "did you mean"));
    EXPECT(set(&run, method, KVL_PROFILE_PAPER, param->name, ""), name);
    EXPECT(set(&run, method, KVL_PROFILE_PAPER, param->name, "0"), name);
}

static void check_boolean(const struct kvl_method *method, const struct kvl_param *param)
{
    static const struct {
        const char *text;
        bool value;
    } GOOD[] = {{"true", true}, {"false", false}, {"1", true}, {"0", false}};
    static const char *const BAD[] = {"", "yes", "no", "True", "2", "-1", "truee", "on"};
    static struct kvl_method_run run;
    char name[96], back[64];
    snprintf(name, sizeof name, "%s.%s", method->name, param->name);
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++) {
        assert_int_equal(set(&run, method, KVL_PROFILE_PAPER, param->name, GOOD[i].text), KVL_OK);
        assert_int_equal(run.values[param - method->params].b, GOOD[i].value);
        kvl_value_format(param, run.values[param - method->params], back, sizeof back);
        assert_string_equal(back, GOOD[i].value ? "true" : "false");
    }
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        EXPECT(set(&run, method, KVL_PROFILE_PAPER, param->name, BAD[i]), name, BAD[i], "true or false");
}

static void test_values(void **state)
{
    (void)state;
    const struct kvl_method *method;
    int n_checked[4] = {0};
    for (int m = 0; (method = kvl_method_at(m)) != NULL; m++)
        for (int i = 0; i < method->n_params; i++) {
            const struct kvl_param *param = &method->params[i];
            n_checked[param->type]++;
            if (param->type == KVL_PARAM_CHOICE)
                check_choices(method, param);
            else if (param->type == KVL_PARAM_BOOL)
                check_boolean(method, param);
            else
                check_bounds(method, param);
        }
    printf("%d whole numbers, %d numbers, %d booleans, %d choices\n", n_checked[KVL_PARAM_INT], n_checked[KVL_PARAM_REAL],
           n_checked[KVL_PARAM_BOOL], n_checked[KVL_PARAM_CHOICE]);
    for (int i = 0; i < 4; i++)
        assert_true(n_checked[i] > 0);
}

/* ---- names ----------------------------------------------------------------------------------------------------------- */

static void test_near_names(void **state)
{
    (void)state;
    static struct kvl_method_run run;
    const struct kvl_method *method;
    static const struct {
        const char *wrong, *near;
    } METHODS[] = {{"fastvk", "fastkv"}, {"FastKV", "fastkv"}, {"snapk", "snapkv"}, {"pyramidinfr", "pyramidinfer"},
                   {"h2", "h2o"}, {"ful", "full"}, {"streamingLM", "streamingllm"}, {"gemfliter", "gemfilter"}};
    for (size_t i = 0; i < sizeof METHODS / sizeof *METHODS; i++) {
        method = NULL;
        EXPECT(kvl_method_find(METHODS[i].wrong, &method), METHODS[i].wrong, "did you mean", METHODS[i].near);
        assert_null(method);
    }
    static const char *const STRANGE[] = {"", "quantize-everything", "%s%n%s", "\xff\xfe"};
    for (size_t i = 0; i < sizeof STRANGE / sizeof *STRANGE; i++) {
        EXPECT(kvl_method_find(STRANGE[i], &method), "kvlab list methods", STRANGE[i]);
        assert_null(strstr(kvl_last_error(), "did you mean"));
    }
    /* a long name is cut, not overrun */
    char *huge = malloc(100001);
    memset(huge, 'f', 100000);
    huge[100000] = '\0';
    assert_int_equal(kvl_method_find(huge, &method), KVL_E_ARG);
    EXPECT(set(&run, find("fastkv"), KVL_PROFILE_PAPER, huge, "1"), "fastkv");
    EXPECT(set(&run, find("fastkv"), KVL_PROFILE_PAPER, "window", huge), "fastkv.window");
    EXPECT(set(&run, find("fastkv"), KVL_PROFILE_PAPER, "pool", huge), "fastkv.pool");
    free(huge);

    EXPECT(set(&run, find("fastkv"), KVL_PROFILE_PAPER, "windwo", "8"), "fastkv", "windwo", "did you mean 'window'");
    EXPECT(set(&run, find("fastkv"), KVL_PROFILE_PAPER, "tsp_lyer", "8"), "tsp_lyer", "did you mean 'tsp_layer'");
    EXPECT(set(&run, find("h2o"), KVL_PROFILE_PAPER, "resent", "8"), "h2o", "resent", "did you mean 'recent'");
    EXPECT(set(&run, find("full"), KVL_PROFILE_PAPER, "window", "8"), "full", "window", "list methods");
    EXPECT(set(&run, find("fastkv"), KVL_PROFILE_PAPER, "", "8"), "fastkv");

    enum kvl_profile profile = KVL_PROFILE_PAPER;
    assert_int_equal(kvl_profile_find("fastkv", &profile), KVL_OK);
    assert_int_equal(profile, KVL_PROFILE_FASTKV);
    assert_int_equal(kvl_profile_find("paper", &profile), KVL_OK);
    assert_int_equal(profile, KVL_PROFILE_PAPER);
    EXPECT(kvl_profile_find("papr", &profile), "papr", "paper", "fastkv");
}

/* Settings of other methods do not count; of two for one parameter the last one does. */
static void test_settings(void **state)
{
    (void)state;
    static struct kvl_method_run run;
    struct kvl_shape shape = shape_of("tiny-llama");
    const struct kvl_setting settings[] = {
        {"snapkv", "window", "16"}, {"fastkv", "window", "4"}, {"h2o", "nonsense", "x"}, {"fastkv", "window", "12"},
        {"fastkv", "tsp_rate", "5e-1"}};
    assert_int_equal(kvl_method_init(&run, find("fastkv"), KVL_PROFILE_PAPER, (struct kvl_budget){0.0, 0}, &shape, settings, 5),
                     KVL_OK);
    assert_int_equal(kvl_run_value(&run, "window").i, 12);
    assert_true(kvl_run_value(&run, "tsp_rate").r == 0.5);
    assert_int_equal(kvl_run_value(&run, "kernel").i, 7);
    assert_int_equal(kvl_method_init(&run, find("snapkv"), KVL_PROFILE_PAPER, (struct kvl_budget){0.0, 0}, &shape, settings, 5),
                     KVL_OK);
    assert_int_equal(kvl_run_value(&run, "window").i, 16);
}

static void test_budgets(void **state)
{
    (void)state;
    static struct kvl_method_run run;
    struct kvl_shape shape = shape_of("tiny-llama");
    static const double BAD_RATES[] = {-0.1, 1.0000001, 2.0, -1e-300, INFINITY, -INFINITY};
    for (size_t i = 0; i < sizeof BAD_RATES / sizeof *BAD_RATES; i++)
        EXPECT(kvl_method_init(&run, find("fastkv"), KVL_PROFILE_PAPER, (struct kvl_budget){BAD_RATES[i], 0}, &shape, NULL, 0),
               "--kv-rate");
    EXPECT(kvl_method_init(&run, find("fastkv"), KVL_PROFILE_PAPER, (struct kvl_budget){(double)NAN, 0}, &shape, NULL, 0),
           "--kv-rate");
    EXPECT(kvl_method_init(&run, find("fastkv"), KVL_PROFILE_PAPER, (struct kvl_budget){0.0, -1}, &shape, NULL, 0), "--kv-budget",
           "-1");
    EXPECT(kvl_method_init(&run, find("fastkv"), KVL_PROFILE_PAPER, (struct kvl_budget){0.1, 100}, &shape, NULL, 0), "--kv-rate",
           "--kv-budget");

    static const struct {
        const char *method;
        enum kvl_profile profile;
        struct kvl_budget given, resolved;
    } ROWS[] = {
        {"fastkv", KVL_PROFILE_PAPER, {0.0, 0}, {0.2, 0}},          {"fastkv", KVL_PROFILE_PAPER, {0.1, 0}, {0.1, 0}},
        {"fastkv", KVL_PROFILE_FASTKV, {0.0, 512}, {0.0, 512}},     {"gemfilter", KVL_PROFILE_PAPER, {0.0, 0}, {0.0, 1024}},
        {"gemfilter", KVL_PROFILE_PAPER, {0.1, 0}, {0.1, 0}},       {"gemfilter", KVL_PROFILE_FASTKV, {0.0, 0}, {0.2, 0}},
        {"full", KVL_PROFILE_PAPER, {0.1, 0}, {0.0, 0}},            {"pyramidinfer", KVL_PROFILE_PAPER, {0.0, 99}, {0.0, 0}},
        {"snapkv", KVL_PROFILE_PAPER, {1.0, 0}, {1.0, 0}},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        assert_int_equal(kvl_method_init(&run, find(ROWS[i].method), ROWS[i].profile, ROWS[i].given, &shape, NULL, 0), KVL_OK);
        assert_true(run.budget.rate == ROWS[i].resolved.rate);
        assert_int_equal(run.budget.budget, ROWS[i].resolved.budget);
    }
    /* floor of the product in double precision, without an epsilon: 0.29 * 100 is 28.999999999999996 */
    run.budget = (struct kvl_budget){0.29, 0};
    assert_int_equal(kvl_run_cap(&run, 100), 28);
    run.budget = (struct kvl_budget){0.2, 0};
    assert_int_equal(kvl_run_cap(&run, 7950), 1590);
    run.budget = (struct kvl_budget){0.0, 33};
    assert_int_equal(kvl_run_cap(&run, 7950), 33);
}

/* Hooks of decoding are there exactly where a profile evicts. */
static void test_evicting_profiles(void **state)
{
    (void)state;
    static struct kvl_method_run run;
    struct kvl_shape shape = shape_of("tiny-llama");
    static const struct {
        const char *method;
        bool evicts[KVL_N_PROFILES];
    } ROWS[] = {{"full", {false, false}},   {"streamingllm", {true, false}}, {"h2o", {true, false}},
                {"snapkv", {false, false}}, {"gemfilter", {false, false}},   {"pyramidinfer", {true, true}},
                {"fastkv", {false, false}}, {"random", {false, false}}};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++)
        for (int profile = 0; profile < KVL_N_PROFILES; profile++) {
            assert_int_equal(kvl_method_init(&run, find(ROWS[i].method), (enum kvl_profile)profile, (struct kvl_budget){0.0, 0},
                                             &shape, NULL, 0), KVL_OK);
            assert_int_equal(run.policy.before_decode != NULL || run.policy.after_decode != NULL, ROWS[i].evicts[profile]);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),      cmocka_unit_test(test_defaults), cmocka_unit_test(test_published_defaults),
        cmocka_unit_test(test_values),     cmocka_unit_test(test_near_names), cmocka_unit_test(test_settings),
        cmocka_unit_test(test_budgets),    cmocka_unit_test(test_evicting_profiles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
