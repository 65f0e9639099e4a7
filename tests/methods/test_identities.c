/* What must hold between methods and in the arithmetic, whatever the model: the identities of METHODS.md (1, 2, 3, 5; the fourth
 * is tests/core/test_engine.c), its tables, memory in O(n), and every row of the method table in one run. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/presets.h"
#include "harness/work.h"
#include "tests/support/golden.h"
#include "tests/support/outcome.h"

static const char *const SOURCES[] = {"random:tiny-llama", "random:tiny-mistral"};
enum { N_SOURCES = sizeof SOURCES / sizeof *SOURCES };

struct bench {
    struct kvl_ctx *ctx;
    struct kvl_model *model;
    struct kvl_engine *engine;
    int64_t loaded; /* bytes held before there was an engine */
};

static void bench_open(struct bench *b, const char *source, enum kvl_dtype dtype)
{
    b->ctx = open_cpu(0);
    b->model = load_model(b->ctx, source, dtype);
    b->loaded = b->ctx->memory.current;
    assert_ok(kvl_engine_init(&b->engine, b->model, 0));
}

static void bench_close(struct bench *b)
{
    kvl_engine_free(b->engine);
    assert_int_equal(b->ctx->memory.current, b->loaded);
    kvl_model_free(b->model);
    b->ctx->be->close(b->ctx);
}

/* ---- 1: nothing dropped is the full cache ---------------------------------------------------------------------------- */

/* Every stored head holds 0..n-1, and the logits are those of `full`. */
static void check_keeps_all(const char *what, const struct outcome *full, const struct outcome *got, int64_t n)
{
    for (int64_t l = 0; l < got->n_layer; l++)
        for (int64_t head = 0; head < got->plan.n_stored; head++) {
            assert_int_equal(got->prefill.n[l], n);
            for (int64_t i = 0; i < n; i++)
                assert_int_equal(got->prefill.pos[l * got->plan.n_stored + head][i], i);
        }
    outcome_same_logits(what, full, got);
}

static void test_fastkv_at_one_is_full(void **state)
{
    (void)state;
    static const int64_t LENGTHS[] = {1, 9, 64, 257};
    for (int source = 0; source < N_SOURCES; source++)
        for (int dtype = KVL_F32; dtype <= KVL_BF16; dtype++) {
            struct bench b;
            bench_open(&b, SOURCES[source], (enum kvl_dtype)dtype);
            for (size_t i = 0; i < sizeof LENGTHS / sizeof *LENGTHS; i++) {
                int32_t *ids = random_ids(LENGTHS[i], b.model->shape.n_vocab, 31 + i);
                struct job job = {.method = "full", .ids = ids, .n = LENGTHS[i], .n_tokens = 20};
                struct outcome full, fastkv;
                outcome_run(&full, b.engine, &job);
                job.method = "fastkv";
                job.profile = (enum kvl_profile)(i % 2);
                job.budget.rate = 1.0;
                job.settings = "tsp_rate=1";
                outcome_run(&fastkv, b.engine, &job);
                outcome_same_prefill("fastkv", &full, &fastkv);
                outcome_same_decode("fastkv", &full, &fastkv);
                outcome_free(&full);
                outcome_free(&fastkv);
                free(ids);
            }
            bench_close(&b);
        }
}

/* Every method with room for the whole prompt: entries and logits behind the prefill, and tokens where it does not evict. */
static void test_room_for_all_is_full(void **state)
{
    (void)state;
    enum { N = 130, N_TOKENS = 12 };
    for (int source = 0; source < N_SOURCES; source++) {
        struct bench b;
        bench_open(&b, SOURCES[source], KVL_F32);
        int32_t *ids = random_ids(N, b.model->shape.n_vocab, 41);
        struct job job = {.method = "full", .ids = ids, .n = N, .n_tokens = N_TOKENS};
        struct outcome full;
        outcome_run(&full, b.engine, &job);
        int n_checked = 0;
        const struct kvl_method *method;
        for (int i = 0; (method = kvl_method_at(i)) != NULL; i++)
            for (int profile = 0; profile < KVL_N_PROFILES; profile++)
                for (int kind = 0; kind < 3; kind++) { /* rate 1, a budget of n, a larger one */
                    static const struct kvl_budget BUDGETS[] = {{.rate = 1.0}, {.budget = N}, {.budget = 5 * N}};
                    bool has_budget = method->default_budget[0].rate > 0.0 || method->default_budget[0].budget > 0;
                    struct outcome got;
                    job.method = method->name;
                    job.profile = (enum kvl_profile)profile;
                    job.budget = BUDGETS[kind];
                    /* FastKV by rate still sends only some on; a method without a budget keeps all by its own parameter */
                    job.settings = strcmp(method->name, "fastkv") == 0 ? "tsp_rate=1"
                                   : !has_budget && method->n_params > 0 ? "p=1 decode=off"
                                                                         : NULL;
                    struct kvl_method_run *run = job_method(&job, &b.model->shape);
                    bool evicts = run->policy.before_decode != NULL || run->policy.after_decode != NULL;
                    free(run);
                    outcome_run(&got, b.engine, &job);
                    check_keeps_all(method->name, &full, &got, N);
                    if (!evicts || job.settings != NULL)
                        for (int t = 0; t < N_TOKENS; t++)
                            assert_int_equal(got.tokens[t], full.tokens[t]);
                    outcome_free(&got);
                    n_checked++;
                }
        printf("%d runs that keep all\n", n_checked);
        assert_true(n_checked >= 7 * 2 * 3);
        outcome_free(&full);
        free(ids);
        bench_close(&b);
    }
}

/* ---- 2: FastKV without propagation is SnapKV per KV head -------------------------------------------------------------- */

static void test_fastkv_without_tsp_is_snapkv(void **state)
{
    (void)state;
    static const struct {
        const char *common;
        double rate;
        int64_t n;
    } CASES[] = {
        {"window=8 pool=max kernel=7", 0.2, 300},     {"window=8 pool=max kernel=7", 0.1, 257},
        {"window=32 pool=average kernel=5", 0.3, 211}, {"window=1 pool=max kernel=1", 0.5, 64},
        {"window=17 pool=max kernel=13", 0.17, 301},   {"window=8 pool=average kernel=255", 0.25, 127},
    };
    for (int source = 0; source < N_SOURCES; source++)
        for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
            struct bench b;
            char settings[96];
            bench_open(&b, SOURCES[source], i % 2 == 0 ? KVL_F32 : KVL_BF16);
            int32_t *ids = random_ids(CASES[i].n, b.model->shape.n_vocab, 51 + i);
            struct job job = {.method = "fastkv", .profile = KVL_PROFILE_FASTKV, .budget = {.rate = CASES[i].rate},
                              .settings = settings, .ids = ids, .n = CASES[i].n, .n_tokens = 10};
            struct outcome fastkv, snapkv;
            snprintf(settings, sizeof settings, "%s tsp_rate=1", CASES[i].common);
            outcome_run(&fastkv, b.engine, &job);
            snprintf(settings, sizeof settings, "%s layout=per_kv_head", CASES[i].common);
            job.method = "snapkv";
            outcome_run(&snapkv, b.engine, &job);
            assert_int_equal(fastkv.prefill.n[0], (int64_t)floor((double)CASES[i].n * CASES[i].rate));
            outcome_same_prefill("fastkv and snapkv", &fastkv, &snapkv);
            outcome_same_decode("fastkv and snapkv", &fastkv, &snapkv);
            outcome_free(&fastkv);
            outcome_free(&snapkv);
            free(ids);
            bench_close(&b);
        }
}

/* ---- 5: the two masks of H2O ------------------------------------------------------------------------------------------ */

static void test_h2o_masks_differ(void **state)
{
    (void)state;
    enum { N = 400 };
    for (int source = 0; source < N_SOURCES; source++)
        for (int profile = 0; profile < KVL_N_PROFILES; profile++) {
            struct bench b;
            bench_open(&b, SOURCES[source], KVL_F32);
            int32_t *ids = random_ids(N, b.model->shape.n_vocab, 61);
            struct job job = {.method = "h2o", .profile = (enum kvl_profile)profile, .budget = {.rate = 0.2},
                              .settings = "causal=true recent=8", .ids = ids, .n = N, .n_tokens = 1};
            struct outcome causal, not_causal;
            outcome_run(&causal, b.engine, &job);
            job.settings = "causal=false recent=8";
            outcome_run(&not_causal, b.engine, &job);
            int64_t n_lists = causal.n_layer * causal.plan.n_stored, differ = 0;
            for (int64_t i = 0; i < n_lists; i++)
                differ += memcmp(causal.prefill.pos[i], not_causal.prefill.pos[i],
                                 (size_t)causal.prefill.n[0] * sizeof(int32_t)) != 0;
            printf("%lld of %lld lists differ\n", (long long)differ, (long long)n_lists);
            assert_true(differ > 0);
            outcome_same_logits("a cut behind the prefill", &causal, &not_causal);
            /* a window as long as the prompt masks everything: then they are one */
            job.settings = "causal=false recent=400";
            job.budget = (struct kvl_budget){.budget = N};
            outcome_free(&not_causal);
            outcome_free(&causal);
            outcome_run(&not_causal, b.engine, &job);
            job.settings = "causal=true recent=400";
            outcome_run(&causal, b.engine, &job);
            held_same("a window as long as the prompt", &causal, &not_causal);
            outcome_free(&not_causal);
            outcome_free(&causal);
            free(ids);
            bench_close(&b);
        }
}

/* ---- 3 and the tables: plans alone ------------------------------------------------------------------------------------ */

static void make_plan(struct kvl_plan *plan, const struct job *job, const struct kvl_shape *shape)
{
    struct kvl_method_run *run = job_method(job, shape);
    assert_ok(kvl_plan_make(plan, &run->policy, shape, job->n, 0));
    free(run);
}

static void load_shape(const char *preset, struct kvl_shape *shape)
{
    assert_ok(kvl_preset_shape(preset, shape));
    shape->n_context = 1 << 20;
}

static void test_fastkv_token_layers(void **state)
{
    (void)state;
    static const int64_t LENGTHS[] = {100, 1001, 7950, 8192, 131072};
    static struct kvl_shape shape;
    static struct kvl_plan plan;
    load_shape("llama-3.1-8b", &shape);
    for (size_t i = 0; i < sizeof LENGTHS / sizeof *LENGTHS; i++) {
        int64_t n = LENGTHS[i];
        make_plan(&plan, &(struct job){.method = "fastkv", .budget = {.rate = 0.1}, .n = n}, &shape);
        int64_t expected = 16 * n + 16 * (int64_t)floor(0.2 * (double)n);
        assert_int_equal(kvl_plan_token_layers(&plan, &shape), expected);
        assert_true(fabs((double)expected / (32.0 * (double)n) - 0.6) < 0.005);
        /* every layer holds the same up to truncation */
        for (int64_t l = 0; l < shape.n_layer; l++)
            assert_true(llabs(plan.layers[l].n_keep - n / 10) <= 1);
    }
}

static void test_pyramidinfer_table(void **state)
{
    (void)state;
    static const struct {
        const char *preset, *settings;
        enum kvl_profile profile;
        double percent;
    } ROWS[] = {
        {"llama-3.1-8b", NULL, KVL_PROFILE_PAPER, 76.6},
        {"llama-3.1-8b", NULL, KVL_PROFILE_FASTKV, 59.6},
        {"llama-3.1-8b", "p=0.3", KVL_PROFILE_FASTKV, 49.9},
        {"llama-3.1-8b", "p=0.01 recent_ratio=0.01", KVL_PROFILE_FASTKV, 34.0},
        {"ministral-8b", NULL, KVL_PROFILE_FASTKV, 60.2},
    };
    static struct kvl_shape shape;
    static struct kvl_plan plan;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        load_shape(ROWS[i].preset, &shape);
        make_plan(&plan, &(struct job){.method = "pyramidinfer", .profile = ROWS[i].profile, .settings = ROWS[i].settings,
                                       .n = 7950}, &shape);
        double sum = 0.0;
        for (int64_t l = 0; l < shape.n_layer; l++)
            sum += (double)plan.layers[l].n_keep;
        double percent = 100.0 * sum / (7950.0 * (double)shape.n_layer);
        printf("%s %s: %.2f %%\n", ROWS[i].preset, ROWS[i].settings != NULL ? ROWS[i].settings : "", percent);
        if (!(fabs(percent - ROWS[i].percent) <= 0.0501))
            fail_msg("mean KV kept %.3f %%, expected %.1f %%", percent, ROWS[i].percent);
    }
}

static void check_ratio(const char *what, double got, double expected)
{
    printf("%s: %.3f, expected %.2f\n", what, got, expected);
    if (!(fabs(got - expected) <= 0.00501))
        fail_msg("%s: %.4f, expected %.2f", what, got, expected);
}

static void test_flop_table(void **state)
{
    (void)state;
    static const int64_t LENGTHS[] = {8192, 32768, 65536, 131072};
    static const double FASTKV[] = {1.70, 1.76, 1.80, 1.84}, GEMFILTER[] = {1.90, 1.99, 2.05, 2.11};
    static struct kvl_shape shape;
    static struct kvl_plan plan;
    load_shape("llama-3.1-8b", &shape);
    for (int i = 0; i < 4; i++) {
        struct job job = {.method = "full", .n = LENGTHS[i]};
        make_plan(&plan, &job, &shape);
        double full = kvl_work_prefill_flops(&shape, &plan);
        job = (struct job){.method = "fastkv", .budget = {.rate = 0.1}, .n = LENGTHS[i]};
        make_plan(&plan, &job, &shape);
        check_ratio("full / FastKV", full / kvl_work_prefill_flops(&shape, &plan), FASTKV[i]);
        job = (struct job){.method = "gemfilter", .budget = {.rate = 0.1}, .settings = "layer=13", .n = LENGTHS[i]};
        make_plan(&plan, &job, &shape);
        check_ratio("full / GemFilter", full / kvl_work_prefill_flops(&shape, &plan), GEMFILTER[i]);
    }
}

/* Weights of LLaMA-3.1-8B in bf16, read once per token: its linear layers and the head. */
static void test_decode_bytes_table(void **state)
{
    (void)state;
    static struct kvl_model model;
    static struct kvl_plan plan;
    model = (struct kvl_model){.dtype = KVL_BF16};
    load_shape("llama-3.1-8b", &model.shape);
    model.weight_bytes = 2 * (kvl_shape_n_linear(&model.shape) + model.shape.n_vocab * model.shape.n_embd);
    struct job job = {.method = "full", .n = 131072};
    make_plan(&plan, &job, &model.shape);
    double full = kvl_work_decode_bytes(&model, &plan, 0);
    job = (struct job){.method = "snapkv", .budget = {.rate = 0.1}, .settings = "layout=per_kv_head", .n = 131072};
    make_plan(&plan, &job, &model.shape);
    check_ratio("full / 10 % per KV head", full / kvl_work_decode_bytes(&model, &plan, 0), 1.92);
    job.settings = "layout=per_query_head";
    make_plan(&plan, &job, &model.shape);
    check_ratio("full / 10 % per query head", full / kvl_work_decode_bytes(&model, &plan, 0), 1.47);
}

/* ---- memory in O(n) -------------------------------------------------------------------------------------------------- */

/* Bytes beyond the weights that a run takes: what its session holds, the engine's workspace included. They are allocated, not used, so
 * this is quick at any length; `measured`, with a prefill and a step, shows that it is what a run really takes. */
static double planned(struct kvl_ctx *ctx, const struct kvl_model *model, const struct job *job, int64_t n_new, double *measured)
{
    struct kvl_engine *engine;
    struct kvl_method_run *run = job_method(job, &model->shape);
    struct kvl_session session, *list[] = {&session};
    int64_t before = ctx->memory.peak = ctx->memory.current;
    assert_ok(kvl_engine_init(&engine, model, 0));
    assert_ok(kvl_session_init(&session, engine, &run->policy, job->n, n_new));
    int64_t bytes = ctx->memory.current - before;
    assert_true(bytes > kvl_engine_workspace(engine, &session.plan));
    if (measured != NULL) {
        int32_t id;
        assert_ok(kvl_engine_prefill(engine, &(struct kvl_prefill){.ids = job->ids, .n = job->n}, list, 1));
        assert_ok(kvl_session_argmax(&session, &id));
        assert_ok(kvl_engine_step(engine, &session, id));
        *measured = (double)(ctx->memory.peak - before);
    }
    kvl_session_free(&session);
    kvl_engine_free(engine);
    free(run);
    assert_int_equal(ctx->memory.current, before);
    return (double)bytes;
}

/* The bound is of 32K tokens of SmolLM2-135M's shape, where an n x n matrix of one head alone would be 4 GiB, four times what full
 * takes. That the plan is the truth is measured at 256 tokens. */
static void test_memory_is_linear(void **state)
{
    (void)state;
    enum { N = 32768, N_SHORT = 256, N_NEW = 64 };
    struct kvl_ctx *ctx = open_cpu(0);
    struct kvl_model *model;
    assert_ok(kvl_model_load(ctx, "random:smollm2-135m", &(struct kvl_model_options){.dtype = KVL_BF16, .n_context = 65536},
                             &model));
    int32_t *ids = random_ids(N_SHORT, model->shape.n_vocab, 71);
    double full = planned(ctx, model, &(struct job){.method = "full", .n = N}, N_NEW, NULL);
    printf("n=%d full: %.1f MB beyond the weights\n", (int)N, full / 1e6);
    const struct kvl_method *method;
    for (int i = 0; (method = kvl_method_at(i)) != NULL; i++)
        for (int profile = 0; profile < KVL_N_PROFILES; profile++) {
            struct job job = {.method = method->name, .profile = (enum kvl_profile)profile, .n = N};
            double ratio = planned(ctx, model, &job, N_NEW, NULL) / full, measured;
            printf("n=%d %s, profile %s: %.3f of full's\n", (int)N, job.method, kvl_profile_name(job.profile), ratio);
            if (!(ratio <= 1.3))
                fail_msg("%s, profile %s takes %.3f of full's memory", job.method, kvl_profile_name(job.profile), ratio);
            if (profile == KVL_PROFILE_FASTKV && strcmp(job.method, "h2o") != 0 && strcmp(job.method, "full") != 0)
                continue;
            job.ids = ids;
            job.n = N_SHORT;
            double expected = planned(ctx, model, &job, N_NEW, &measured);
            if (measured != expected)
                fail_msg("%s, profile %s takes %.0f bytes, planned %.0f", job.method, kvl_profile_name(job.profile), measured,
                         expected);
        }
    free(ids);
    kvl_model_free(model);
    ctx->be->close(ctx);
}

/* ---- every row of the table ------------------------------------------------------------------------------------------ */

static void check_lists(const struct outcome *o, const struct held *held, int64_t end, const char *what)
{
    for (int64_t l = 0; l < o->n_layer; l++)
        for (int64_t head = 0; head < o->plan.n_stored; head++) {
            const int32_t *pos = held->pos[l * o->plan.n_stored + head];
            for (int64_t i = 0; i < held->n[l]; i++)
                if (pos[i] < (i > 0 ? pos[i - 1] + 1 : 0) || pos[i] >= end)
                    fail_msg("%s: layer %lld head %lld entry %lld is %d", what, (long long)l, (long long)head, (long long)i,
                             (int)pos[i]);
        }
}

/* Defaults on both shapes: what is held is ascending, as many as planned, within room, and the last token always is there. */
static void test_every_method(void **state)
{
    (void)state;
    enum { N = 500, N_TOKENS = 30 };
    int n_runs = 0;
    for (int source = 0; source < N_SOURCES; source++)
        for (int dtype = KVL_F32; dtype <= KVL_BF16; dtype++) {
            struct bench b;
            bench_open(&b, SOURCES[source], (enum kvl_dtype)dtype);
            int32_t *ids = random_ids(N, b.model->shape.n_vocab, 81);
            const struct kvl_method *method;
            for (int i = 0; (method = kvl_method_at(i)) != NULL; i++)
                for (int profile = 0; profile < KVL_N_PROFILES; profile++, n_runs++) {
                    struct job job = {.method = method->name, .profile = (enum kvl_profile)profile, .ids = ids, .n = N,
                                      .n_tokens = N_TOKENS};
                    struct outcome o;
                    outcome_run(&o, b.engine, &job);
                    int64_t n_end = (o.plan.restart_layer >= 0 ? o.plan.n_restart : N) + N_TOKENS - 1;
                    check_lists(&o, &o.prefill, n_end - N_TOKENS + 1, method->name);
                    check_lists(&o, &o.end, n_end, method->name);
                    int64_t entries = 0;
                    for (int64_t l = 0; l < o.n_layer; l++) {
                        const struct kvl_layer_plan *layer = &o.plan.layers[l];
                        assert_int_equal(o.prefill.n[l], layer->n_keep);
                        assert_true(layer->n_keep >= 1 && layer->n_keep <= layer->n_in && layer->n_forward <= layer->n_in);
                        assert_true(o.end.n[l] <= layer->n_max);
                        for (int64_t head = 0; head < o.plan.n_stored; head++)
                            assert_int_equal(o.end.pos[l * o.plan.n_stored + head][o.end.n[l] - 1], n_end - 1);
                        entries += o.prefill.n[l] * o.plan.n_stored;
                    }
                    int64_t size = (int64_t)kvl_dtype_size((enum kvl_dtype)dtype);
                    assert_int_equal(o.bytes, 2 * entries * b.model->shape.head_size * size);
                    outcome_free(&o);
                }
            free(ids);
            bench_close(&b);
        }
    printf("%d runs\n", n_runs);
    assert_true(n_runs >= 7 * 2 * 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fastkv_at_one_is_full), cmocka_unit_test(test_room_for_all_is_full),
        cmocka_unit_test(test_fastkv_without_tsp_is_snapkv), cmocka_unit_test(test_h2o_masks_differ),
        cmocka_unit_test(test_fastkv_token_layers), cmocka_unit_test(test_pyramidinfer_table),
        cmocka_unit_test(test_flop_table), cmocka_unit_test(test_decode_bytes_table),
        cmocka_unit_test(test_memory_is_linear), cmocka_unit_test(test_every_method),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
