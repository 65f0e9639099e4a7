/* The small real model: greedy continuations equal Hugging Face transformers in float32, token by token, through the engine and
 * through the program. KVLAB_SMALL_MODEL names the file; without it the tests are skipped. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "methods/method.h"
#include "tests/support/golden.h"
#include "tests/support/process.h"
#include "tests/support/skipping.h"

static const char *small_model(void)
{
    const char *path = getenv("KVLAB_SMALL_MODEL");
    if (path == NULL || *path == '\0')
        skip_because("KVLAB_SMALL_MODEL does not name the small model's file");
    if (access(path, R_OK) != 0)
        skip_because("%s, which KVLAB_SMALL_MODEL names, is not there", path);
    return path;
}

static void check_case(struct kvl_engine *engine, const struct kvl_method_run *run, const json_t *item)
{
    int64_t n, n_new;
    int32_t *prompt = golden_ids(json_object_get(item, "prompt_ids"), &n);
    int32_t *expected = golden_ids(json_object_get(item, "ids"), &n_new);
    assert_int_equal(n_new, 64);
    struct kvl_session session, *sessions[] = {&session};
    assert_ok(kvl_session_init(&session, engine, &run->policy, n, n_new));
    assert_ok(kvl_engine_prefill(engine, &(struct kvl_prefill){.ids = prompt, .n = n}, sessions, 1));
    for (int64_t i = 0; i < n_new; i++) {
        int32_t id;
        assert_ok(kvl_session_argmax(&session, &id));
        if (id != expected[i])
            fail_msg("token %lld is %d, expected %d", (long long)i, (int)id, (int)expected[i]);
        assert_ok(kvl_engine_step(engine, &session, id));
    }
    kvl_session_free(&session);
    free(prompt);
    free(expected);
}

/* All 64 tokens, also those behind an end of sequence. */
static void test_engine(void **state)
{
    (void)state;
    const char *path = small_model();
    json_t *root = golden_load("smollm2_greedy.json");
    struct kvl_ctx *ctx = open_cpu(0);
    struct kvl_model *model = load_model(ctx, path, KVL_F32);
    struct kvl_engine *engine;
    const struct kvl_method *method;
    struct kvl_method_run *run = malloc(sizeof *run);
    assert_ok(kvl_engine_init(&engine, model, 0));
    assert_ok(kvl_method_find("full", &method));
    assert_ok(kvl_method_init(run, method, KVL_PROFILE_FASTKV, (struct kvl_budget){0}, &model->shape, NULL, 0));
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(root, "cases"), i, item) {
        printf("%s\n", json_string_value(json_object_get(item, "prompt")));
        check_case(engine, run, item);
    }
    assert_true(i >= 5);
    free(run);
    kvl_engine_free(engine);
    kvl_model_free(model);
    ctx->be->close(ctx);
    json_decref(root);
}

/* What a script sees: `ids` stops before the end of sequence. */
static void check_program(const char *model, const json_t *item)
{
    struct process process = {.program = KVLAB_PROGRAM, .closed = -1};
    const char *const words[] = {"generate", model, "--raw", "--dtype", "f32", "--new-tokens", "64", "--json", "--prompt",
                                 json_string_value(json_object_get(item, "prompt")), NULL};
    process_run(&process, words);
    if (process.code != 0)
        fail_msg("%s", process.err);
    json_t *answer = json_loads(process.out, 0, NULL);
    assert_true(json_equal(json_object_get(answer, "prompt_ids"), json_object_get(item, "prompt_ids")));
    const json_t *ids = json_object_get(answer, "ids"), *expected = json_object_get(item, "ids");
    size_t n = json_array_size(ids);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(json_integer_value(json_array_get(ids, i)), json_integer_value(json_array_get(expected, i)));
    enum { IM_END = 2 };
    assert_int_equal(json_integer_value(json_array_get(expected, n)), IM_END);
    const char *text = json_string_value(json_object_get(answer, "text"));
    assert_int_equal(strncmp(text, json_string_value(json_object_get(item, "text")), strlen(text)), 0);
    json_decref(answer);
    process_free(&process);
}

static void test_program(void **state)
{
    (void)state;
    const char *path = small_model();
    json_t *root = golden_load("smollm2_greedy.json");
    const json_t *cases = json_object_get(root, "cases");
    check_program(path, json_array_get(cases, 2)); /* ends early */
    check_program(path, json_array_get(cases, 4)); /* ends at once */
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_engine), cmocka_unit_test(test_program)};
    return test_result(cmocka_run_group_tests(tests, NULL, NULL));
}
