/* Profiler ranges, without a profiler and without a GPU: a tool of our own (tests/nvtx/recorder.c) listens, and the list of ranges
 * that a run leaves is compared, one by one, with what the plan says. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/nvtx/recorder.h"
#include "tests/support/golden.h"
#include "tests/support/outcome.h"

enum { N = 80, N_NEW = 3 };

static recorder_list_function *list_ranges;
static recorder_reset_function *forget_ranges;

/* Walks the list: the next range must have this name, payload and depth. */
struct walk {
    const struct recorded *at;
    int n, next;
};

static void expect(struct walk *walk, int depth, const char *name, int64_t payload)
{
    if (walk->next == walk->n)
        fail_msg("the ranges end before '%s' %lld", name, (long long)payload);
    const struct recorded *range = &walk->at[walk->next];
    if (strcmp(range->name, name) != 0 || range->payload != payload || range->depth != depth)
        fail_msg("range %d is '%s' %lld at depth %d, expected '%s' %lld at %d", walk->next, range->name,
                 (long long)range->payload, range->depth, name, (long long)payload, depth);
    walk->next++;
}

static void expect_layer(struct walk *walk, int64_t layer)
{
    char name[32];
    snprintf(name, sizeof name, "layer %lld", (long long)layer);
    expect(walk, 1, name, layer);
}

static void expect_prefill(struct walk *walk, const struct kvl_plan *plan, int64_t n_layer)
{
    expect(walk, 0, "prefill", plan->n_prompt);
    for (int64_t l = 0; l <= plan->restart_layer; l++) { /* a first pass on the whole prompt ends behind its selection */
        expect_layer(walk, l);
        expect(walk, 2, "attention", plan->n_prompt);
        expect(walk, 2, "select", plan->n_prompt);
        if (l < plan->restart_layer)
            expect(walk, 2, "mlp", plan->n_prompt);
    }
    for (int64_t l = 0; l < n_layer; l++) {
        expect_layer(walk, l);
        expect(walk, 2, "attention", plan->layers[l].n_in);
        expect(walk, 2, "select", plan->layers[l].n_in);
        expect(walk, 2, "mlp", plan->layers[l].n_in);
    }
}

static void expect_steps(struct walk *walk, const struct kvl_session *session, int64_t n_layer, int64_t first)
{
    for (int64_t i = 0; i < N_NEW; i++) {
        expect(walk, 0, "decode step", first + i);
        for (int64_t l = 0; l < n_layer && session->graph == NULL; l++) { /* a graph's step is one launch */
            expect_layer(walk, l);
            expect(walk, 2, "attention", session->plan.layers[l].n_keep + i);
            expect(walk, 2, "mlp", 1);
        }
    }
}

static void check_method(struct kvl_engine *engine, const char *method)
{
    const struct kvl_model *model = kvl_engine_model(engine);
    int64_t n_layer = model->shape.n_layer;
    int32_t *ids = random_ids(N, model->shape.n_vocab, 30);
    struct job job = {.method = method, .profile = KVL_PROFILE_FASTKV, .ids = ids, .n = N, .n_tokens = 1 + N_NEW};
    struct kvl_method_run *run = job_method(&job, &model->shape);
    struct kvl_session session, *list[] = {&session};
    assert_ok(kvl_session_init(&session, engine, &run->policy, N, N_NEW));
    forget_ranges();
    assert_ok(kvl_engine_prefill(engine, &(struct kvl_prefill){.ids = ids, .n = N}, list, 1));
    int64_t first = session.position;
    for (int i = 0; i < N_NEW; i++)
        assert_ok(kvl_engine_step(engine, &session, 5));
    int n_open;
    struct walk walk = {0};
    walk.at = list_ranges(&walk.n, &n_open);
    expect_prefill(&walk, &session.plan, n_layer);
    expect_steps(&walk, &session, n_layer, first);
    assert_int_equal(walk.next, walk.n);
    assert_int_equal(n_open, 0);
    kvl_session_free(&session);
    free(run);
    free(ids);
}

static enum kvl_status refuse(void *self, const struct kvl_view *view, struct kvl_verdict *verdict)
{
    (void)self, (void)verdict;
    return view->layer == 1 ? kvl_fail(KVL_E_INTERNAL, "as the test wants it") : KVL_OK;
}

/* Ranges end where a layer fails in the middle of them. */
static void check_failure(struct kvl_engine *engine)
{
    const struct kvl_model *model = kvl_engine_model(engine);
    int32_t *ids = random_ids(N, model->shape.n_vocab, 31);
    struct job job = {.method = "full", .profile = KVL_PROFILE_FASTKV, .ids = ids, .n = N, .n_tokens = 1};
    struct kvl_method_run *run = job_method(&job, &model->shape);
    struct kvl_policy policy = run->policy;
    policy.after_attention = refuse;
    struct kvl_session session, *list[] = {&session};
    assert_ok(kvl_session_init(&session, engine, &policy, N, 0));
    forget_ranges();
    assert_int_equal(kvl_engine_prefill(engine, &(struct kvl_prefill){.ids = ids, .n = N}, list, 1), KVL_E_INTERNAL);
    int n, n_open;
    list_ranges(&n, &n_open);
    assert_int_equal(n, 1 + 4 + 3); /* prefill; a whole layer; the one that stops in its selection */
    assert_int_equal(n_open, 0);
    kvl_session_free(&session);
    free(run);
    free(ids);
}

static void test_ranges(void **state)
{
    (void)state;
#ifndef KVLAB_NVTX_RECORDER
    skip_because("this build has no NVTX headers");
#else
    static const char *const METHODS[] = {"full", "fastkv", "gemfilter", "pyramidinfer"};
    void *library = dlopen(KVLAB_NVTX_RECORDER, RTLD_NOW);
    if (library == NULL)
        fail_msg("%s", dlerror());
    list_ranges = (recorder_list_function *)(uintptr_t)dlsym(library, "recorder_list");
    forget_ranges = (recorder_reset_function *)(uintptr_t)dlsym(library, "recorder_reset");
    assert_true(list_ranges != NULL && forget_ranges != NULL);
    setenv("NVTX_INJECTION64_PATH", KVLAB_NVTX_RECORDER, 1); /* before the process's first range */
    struct kvl_ctx *ctx = open_tested(2);
    struct kvl_model *model = load_model(ctx, "random:tiny-llama", KVL_F32);
    struct kvl_engine *engine;
    assert_ok(kvl_engine_init(&engine, model, 0));
    for (size_t i = 0; i < sizeof METHODS / sizeof *METHODS; i++)
        check_method(engine, METHODS[i]);
    check_failure(engine);
    kvl_engine_free(engine);
    kvl_model_free(model);
    ctx->be->close(ctx);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ranges)};
    return test_result(cmocka_run_group_tests(tests, NULL, NULL));
}
