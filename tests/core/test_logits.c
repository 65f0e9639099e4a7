/* Last-token logits against Hugging Face transformers in float32 (tests/reference/hf_logits.py). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "methods/method.h"
#include "tests/support/golden.h"

static void check_case(struct kvl_engine *engine, const struct kvl_model *model, const json_t *item)
{
    int64_t n;
    int32_t *ids = golden_ids(json_object_get(item, "ids"), &n);
    const json_t *expected = json_object_get(item, "logits");
    assert_int_equal((int64_t)json_array_size(expected), model->shape.n_vocab);
    struct kvl_method_run run;
    const struct kvl_method *full;
    assert_ok(kvl_method_find("full", &full));
    assert_ok(kvl_method_init(&run, full, KVL_PROFILE_PAPER, (struct kvl_budget){0}, &model->shape, NULL, 0));
    struct kvl_session session, *sessions[] = {&session};
    assert_ok(kvl_session_init(&session, engine, &run.policy, n, 0));
    assert_ok(kvl_engine_prefill(engine, &(struct kvl_prefill){.ids = ids, .n = n}, sessions, 1));
    float *logits = malloc((size_t)model->shape.n_vocab * sizeof *logits);
    assert_ok(kvl_session_logits(&session, logits));
    double error = relative_l2(logits, expected, model->shape.n_vocab);
    printf("%-24s n=%-4lld relative L2 error %.2e\n", json_string_value(json_object_get(item, "model")), (long long)n, error);
    if (!(error < 1e-5))
        fail_msg("relative L2 error %.3e is not below 1e-5", error);
    free(logits);
    free(ids);
    kvl_session_free(&session);
}

static void test_logits(void **state)
{
    (void)state;
    json_t *root = golden_load("logits.json");
    const json_t *cases = json_object_get(root, "cases");
    assert_true(json_array_size(cases) >= 8);
    struct kvl_ctx *ctx = open_cpu(0);
    size_t i;
    json_t *item;
    json_array_foreach(cases, i, item) {
        char source[256];
        snprintf(source, sizeof source, "models/%s", json_string_value(json_object_get(item, "model")));
        struct kvl_model *model = load_model(ctx, golden_path(source), KVL_F32);
        struct kvl_engine *engine;
        assert_ok(kvl_engine_init(&engine, model, 0));
        check_case(engine, model, item);
        kvl_engine_free(engine);
        kvl_model_free(model);
    }
    ctx->be->close(ctx);
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_logits)};
    return test_result(cmocka_run_group_tests(tests, NULL, NULL));
}
