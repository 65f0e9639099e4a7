/* The engine: what results may not depend on, what memory goes where, what is refused. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/golden.h"
#include "tests/support/outcome.h"

static const char *const SOURCES[] = {"models/llama-tiny", "models/mistral-tiny", "models/ministral-tiny", "random:tiny-llama"};
enum { N_SOURCES = sizeof SOURCES / sizeof *SOURCES };

static const char *source_path(int i)
{
    return strncmp(SOURCES[i], "random:", 7) == 0 ? SOURCES[i] : golden_path(SOURCES[i]);
}

/* One row per kind of path through the engine: all kept, one cut, a cut in the middle of the layers, compounding cuts, a second
 * pass, eviction with and without scores and with positions inside the cache. */
static const struct job KINDS[] = {
    {.method = "full"},
    {.method = "streamingllm", .profile = KVL_PROFILE_PAPER},
    {.method = "h2o", .profile = KVL_PROFILE_PAPER},
    {.method = "h2o", .profile = KVL_PROFILE_FASTKV},
    {.method = "snapkv", .profile = KVL_PROFILE_FASTKV},
    {.method = "gemfilter", .profile = KVL_PROFILE_FASTKV},
    {.method = "pyramidinfer", .profile = KVL_PROFILE_FASTKV},
    {.method = "fastkv", .profile = KVL_PROFILE_FASTKV},
};
enum { N_KINDS = sizeof KINDS / sizeof *KINDS };

struct bench {
    struct kvl_ctx *ctx;
    struct kvl_model *model;
    struct kvl_engine *engine;
    int64_t loaded; /* bytes held before there was an engine */
};

static void bench_open(struct bench *b, int source, int n_threads, int64_t chunk, enum kvl_dtype dtype)
{
    b->ctx = open_tested(n_threads);
    b->model = load_model(b->ctx, source_path(source), dtype);
    b->loaded = b->ctx->memory.current;
    assert_ok(kvl_engine_init(&b->engine, b->model, chunk));
}

static void bench_close(struct bench *b)
{
    kvl_engine_free(b->engine);
    assert_int_equal(b->ctx->memory.current, b->loaded);
    kvl_model_free(b->model);
    b->ctx->be->close(b->ctx);
}

static struct job job_of(int kind, const int32_t *ids, int64_t n, int64_t n_tokens)
{
    struct job job = KINDS[kind];
    job.ids = ids;
    job.n = n;
    job.n_tokens = n_tokens;
    return job;
}

static void same(const char *what, const struct outcome *a, const struct outcome *b)
{
    outcome_same_prefill(what, a, b);
    outcome_same_decode(what, a, b);
}

/* ---- what results do not depend on ----------------------------------------------------------------------------------- */

/* n = 193 leaves one row behind chunks of 64, 96 and 192, which must not go another way than it would in company. */
static void check_chunks(int source, enum kvl_dtype dtype)
{
    static const int64_t CHUNKS[] = {1, 64, 96, 100, 192};
    enum { N = 193, N_TOKENS = 3 };
    struct bench b;
    bench_open(&b, source, 2, 4096, dtype);
    int32_t *ids = random_ids(N, b.model->shape.n_vocab, 11);
    for (int kind = 0; kind < N_KINDS; kind++) {
        struct job job = job_of(kind, ids, N, N_TOKENS);
        struct outcome whole;
        outcome_run(&whole, b.engine, &job);
        for (size_t i = 0; i < sizeof CHUNKS / sizeof *CHUNKS; i++) {
            char what[96];
            struct kvl_engine *engine;
            struct outcome other;
            snprintf(what, sizeof what, "%s, %s, chunk %lld", SOURCES[source], job.method, (long long)CHUNKS[i]);
            assert_ok(kvl_engine_init(&engine, b.model, CHUNKS[i]));
            outcome_run(&other, engine, &job);
            same(what, &whole, &other);
            outcome_free(&other);
            kvl_engine_free(engine);
        }
        outcome_free(&whole);
    }
    free(ids);
    bench_close(&b);
}

static void test_chunk_size(void **state)
{
    (void)state;
    for (int source = 0; source < N_SOURCES; source++)
        check_chunks(source, KVL_F32);
    check_chunks(0, KVL_BF16);
}

static void check_threads(int source, enum kvl_dtype dtype)
{
    enum { N = 161, N_TOKENS = 4 };
    static struct outcome one[N_KINDS];
    int32_t *ids = NULL;
    for (int n_threads = 1; n_threads <= 3; n_threads++) {
        struct bench b;
        bench_open(&b, source, n_threads, 100, dtype);
        if (ids == NULL)
            ids = random_ids(N, b.model->shape.n_vocab, 12);
        for (int kind = 0; kind < N_KINDS; kind++) {
            char what[96];
            struct job job = job_of(kind, ids, N, N_TOKENS);
            struct outcome many;
            snprintf(what, sizeof what, "%s, %s, %d threads", SOURCES[source], job.method, n_threads);
            outcome_run(n_threads == 1 ? &one[kind] : &many, b.engine, &job);
            if (n_threads == 1)
                continue;
            same(what, &one[kind], &many);
            outcome_free(&many);
        }
        bench_close(&b);
    }
    for (int kind = 0; kind < N_KINDS; kind++)
        outcome_free(&one[kind]);
    free(ids);
}

static void test_thread_count(void **state)
{
    (void)state;
    for (int source = 0; source < N_SOURCES; source++)
        check_threads(source, KVL_F32);
    check_threads(0, KVL_BF16);
}

/* Sessions that leave the prefill as it is may share one; each then equals its own run. */
static void test_shared_prefill(void **state)
{
    (void)state;
    enum { N = 200, N_TOKENS = 9, N_SHARED = 5 };
    static const int SHARED[N_SHARED] = {0, 1, 2, 3, 4};
    for (int source = 0; source < N_SOURCES; source++) {
        struct bench b;
        bench_open(&b, source, 0, 64, KVL_F32);
        int32_t *ids = random_ids(N, b.model->shape.n_vocab, 13);
        struct kvl_method_run *runs[N_SHARED];
        struct kvl_session sessions[N_SHARED], *list[N_SHARED];
        struct outcome alone[N_SHARED];
        for (int i = 0; i < N_SHARED; i++) {
            struct job job = job_of(SHARED[i], ids, N, N_TOKENS);
            outcome_run(&alone[i], b.engine, &job);
            runs[i] = job_method(&job, &b.model->shape);
            list[i] = &sessions[i];
            assert_ok(kvl_session_init(list[i], b.engine, &runs[i]->policy, N, N_TOKENS - 1));
        }
        assert_ok(kvl_engine_prefill(b.engine, &(struct kvl_prefill){.ids = ids, .n = N, .time_selection = true}, list, N_SHARED));
        for (int i = 0; i < N_SHARED; i++) {
            struct outcome shared;
            assert_true(sessions[i].selection_ns > 0);
            outcome_read(&shared, b.engine, list[i], N_TOKENS);
            same(KINDS[SHARED[i]].method, &alone[i], &shared);
            outcome_free(&shared);
            outcome_free(&alone[i]);
            kvl_session_free(list[i]);
            free(runs[i]);
        }
        free(ids);
        bench_close(&b);
    }
}

/* A method that changes the prefill is refused company. */
static void test_shared_prefill_refused(void **state)
{
    (void)state;
    enum { N = 100 };
    struct bench b;
    bench_open(&b, 0, 0, 0, KVL_F32);
    int32_t *ids = random_ids(N, b.model->shape.n_vocab, 14);
    for (int kind = 0; kind < N_KINDS; kind++) {
        struct job job = job_of(kind, ids, N, 1), full = job_of(0, ids, N, 1);
        struct kvl_method_run *run = job_method(&job, &b.model->shape), *other = job_method(&full, &b.model->shape);
        struct kvl_session first, second, *list[] = {&first, &second};
        assert_ok(kvl_session_init(&first, b.engine, &run->policy, N, 0));
        assert_ok(kvl_session_init(&second, b.engine, &other->policy, N, 0));
        bool leaves = kvl_plan_leaves_prefill(&first.plan, &b.model->shape);
        assert_int_equal(leaves, kind <= 4);
        enum kvl_status status = kvl_engine_prefill(b.engine, &(struct kvl_prefill){.ids = ids, .n = N}, list, 2);
        assert_int_equal(status, leaves ? KVL_OK : KVL_E_ARG);
        if (!leaves)
            assert_non_null(strstr(kvl_last_error(), job.method));
        kvl_session_free(&first);
        kvl_session_free(&second);
        free(run);
        free(other);
    }
    free(ids);
    bench_close(&b);
}

/* Prefilled again, also after decoding, a session gives the same. */
static void test_prefill_twice(void **state)
{
    (void)state;
    enum { N = 180, N_TOKENS = 20 };
    for (int source = 0; source < N_SOURCES; source++) {
        struct bench b;
        bench_open(&b, source, 0, 0, KVL_F32);
        int32_t *ids = random_ids(N, b.model->shape.n_vocab, 15), *others = random_ids(N, b.model->shape.n_vocab, 16);
        for (int kind = 0; kind < N_KINDS; kind++) {
            struct job job = job_of(kind, ids, N, N_TOKENS);
            struct kvl_method_run *run = job_method(&job, &b.model->shape);
            struct kvl_session session, *list[] = {&session};
            struct outcome first, again;
            assert_ok(kvl_session_init(&session, b.engine, &run->policy, N, N_TOKENS - 1));
            assert_ok(kvl_engine_prefill(b.engine, &(struct kvl_prefill){.ids = ids, .n = N}, list, 1));
            outcome_read(&first, b.engine, &session, N_TOKENS);
            assert_ok(kvl_engine_prefill(b.engine, &(struct kvl_prefill){.ids = others, .n = N}, list, 1));
            outcome_read(&again, b.engine, &session, N_TOKENS / 2);
            assert_memory_not_equal(first.logits, again.logits, (size_t)first.n_vocab * sizeof *first.logits);
            outcome_free(&again);
            assert_ok(kvl_engine_prefill(b.engine, &(struct kvl_prefill){.ids = ids, .n = N}, list, 1));
            outcome_read(&again, b.engine, &session, N_TOKENS);
            same(job.method, &first, &again);
            outcome_free(&first);
            outcome_free(&again);
            kvl_session_free(&session);
            free(run);
        }
        free(ids);
        free(others);
        bench_close(&b);
    }
}

/* A prompt that is loaded once serves any number of prefills, also of a method that begins again on some of its tokens. */
static void test_loaded_prompt(void **state)
{
    (void)state;
    enum { N = 180, N_TOKENS = 8 };
    struct bench b;
    bench_open(&b, 3, 0, 0, KVL_F32);
    int32_t *ids = random_ids(N, b.model->shape.n_vocab, 23), *others = random_ids(N, b.model->shape.n_vocab, 24);
    for (int kind = 0; kind < N_KINDS; kind++) {
        struct job job = job_of(kind, ids, N, N_TOKENS);
        struct kvl_method_run *run = job_method(&job, &b.model->shape);
        struct kvl_session session, *list[] = {&session};
        struct outcome given, loaded;
        outcome_run(&given, b.engine, &job);
        assert_ok(kvl_session_init(&session, b.engine, &run->policy, N, N_TOKENS - 1));
        assert_ok(kvl_engine_prefill(b.engine, &(struct kvl_prefill){.ids = others, .n = N}, list, 1));
        assert_ok(kvl_engine_load_prompt(b.engine, ids, N));
        for (int i = 0; i < 3; i++) {
            assert_ok(kvl_engine_prefill(b.engine, &(struct kvl_prefill){.n = N}, list, 1));
            outcome_read(&loaded, b.engine, &session, N_TOKENS);
            same(job.method, &given, &loaded);
            outcome_free(&loaded);
        }
        outcome_free(&given);
        kvl_session_free(&session);
        free(run);
    }
    free(ids);
    free(others);
    bench_close(&b);
}

/* Two sessions of different lengths take turns on one engine. */
static void test_sessions_take_turns(void **state)
{
    (void)state;
    enum { N_TOKENS = 12 };
    static const int64_t LENGTHS[2] = {90, 210};
    struct bench b;
    bench_open(&b, 3, 0, 0, KVL_F32);
    int32_t *ids = random_ids(LENGTHS[1], b.model->shape.n_vocab, 17);
    for (int kind = 0; kind < N_KINDS; kind++) {
        struct kvl_method_run *runs[2];
        struct kvl_session sessions[2];
        struct outcome alone[2];
        for (int i = 0; i < 2; i++) {
            struct kvl_session *list[] = {&sessions[i]};
            struct job job = job_of(kind, ids, LENGTHS[i], N_TOKENS);
            outcome_run(&alone[i], b.engine, &job);
            runs[i] = job_method(&job, &b.model->shape);
            assert_ok(kvl_session_init(&sessions[i], b.engine, &runs[i]->policy, LENGTHS[i], N_TOKENS - 1));
            assert_ok(kvl_engine_prefill(b.engine, &(struct kvl_prefill){.ids = ids, .n = LENGTHS[i]}, list, 1));
        }
        for (int step = 0; step < N_TOKENS; step++)
            for (int i = 0; i < 2; i++) {
                int32_t id;
                assert_ok(kvl_session_argmax(&sessions[i], &id));
                assert_int_equal(id, alone[i].tokens[step]);
                if (step + 1 < N_TOKENS)
                    assert_ok(kvl_engine_step(b.engine, &sessions[i], id));
            }
        for (int i = 0; i < 2; i++) {
            outcome_free(&alone[i]);
            kvl_session_free(&sessions[i]);
            free(runs[i]);
        }
    }
    free(ids);
    bench_close(&b);
}

/* ---- memory ---------------------------------------------------------------------------------------------------------- */

static void test_memory_returns(void **state)
{
    (void)state;
    enum { N = 150, N_TOKENS = 20 };
    struct kvl_ctx *ctx = open_tested(0);
    struct kvl_model *model = load_model(ctx, source_path(3), KVL_F32);
    int32_t *ids = random_ids(N, model->shape.n_vocab, 18);
    int64_t with_model = ctx->memory.current;
    for (int kind = 0; kind < N_KINDS; kind++) {
        struct kvl_engine *engine;
        struct outcome outcome;
        struct job job = job_of(kind, ids, N, N_TOKENS);
        ctx->memory.peak = ctx->memory.current;
        assert_ok(kvl_engine_init(&engine, model, 0));
        outcome_run(&outcome, engine, &job);
        int64_t workspace = kvl_engine_workspace(engine, &outcome.plan);
        assert_true(ctx->memory.peak >= with_model + workspace + outcome.bytes);
        kvl_engine_free(engine);
        assert_int_equal(ctx->memory.current, with_model);
        outcome_free(&outcome);
    }
    free(ids);
    kvl_model_free(model);
    ctx->be->close(ctx);
}

/* Peak bytes of a prefill, counted from behind the reservation; and how many it allocated by itself. */
static int64_t prefill_peak(struct bench *b, int kind, const int32_t *ids, int64_t n, int64_t *allocated)
{
    struct job job = job_of(kind, ids, n, 1);
    struct kvl_method_run *run = job_method(&job, &b->model->shape);
    struct kvl_session session, *sessions[] = {&session};
    assert_ok(kvl_session_init(&session, b->engine, &run->policy, n, 1));
    assert_ok(kvl_engine_reserve(b->engine, sessions, 1));
    int64_t reserved = b->ctx->memory.peak = b->ctx->memory.current;
    assert_ok(kvl_engine_prefill(b->engine, &(struct kvl_prefill){.ids = ids, .n = n}, sessions, 1));
    int64_t peak = b->ctx->memory.peak;
    *allocated = peak - reserved;
    kvl_session_free(&session);
    free(run);
    return peak;
}

/* The peak of a kind is its own, whatever ran on the engine before; and a prefill that is reserved for allocates nothing. */
static void test_peak_is_ones_own(void **state)
{
    (void)state;
    enum { N = 150 };
    struct bench b;
    bench_open(&b, 3, 0, 0, KVL_BF16);
    int32_t *ids = random_ids(N, b.model->shape.n_vocab, 21);
    int64_t alone[N_KINDS], allocated;
    for (int kind = 0; kind < N_KINDS; kind++) {
        kvl_engine_free(b.engine);
        assert_ok(kvl_engine_init(&b.engine, b.model, 0));
        alone[kind] = prefill_peak(&b, kind, ids, N, &allocated);
        assert_int_equal(allocated, 0);
    }
    for (int before = 0; before < N_KINDS; before++)
        for (int kind = 0; kind < N_KINDS; kind++) {
            prefill_peak(&b, before, ids, N, &allocated);
            if (prefill_peak(&b, kind, ids, N, &allocated) != alone[kind])
                fail_msg("%s after %s: another peak than alone", KINDS[kind].method, KINDS[before].method);
            assert_int_equal(allocated, 0);
        }
    free(ids);
    bench_close(&b);
}

/* What a session's prefill and steps leave in an engine that held nothing, and the peak of both over what was there behind its
 * making. */
static int64_t taken_by(struct bench *b, const struct job *job, int64_t *beyond)
{
    struct kvl_method_run *run = job_method(job, &b->model->shape);
    struct kvl_session session, *list[] = {&session};
    struct outcome outcome;
    int64_t bare = b->ctx->memory.current;
    assert_ok(kvl_session_init(&session, b->engine, &run->policy, job->n, job->n_tokens - 1));
    int64_t made = b->ctx->memory.peak = b->ctx->memory.current;
    assert_ok(kvl_engine_prefill(b->engine, &(struct kvl_prefill){.ids = job->ids, .n = job->n}, list, 1));
    outcome_read(&outcome, b->engine, &session, job->n_tokens);
    *beyond = b->ctx->memory.peak - made;
    outcome_free(&outcome);
    kvl_session_free(&session);
    free(run);
    return b->ctx->memory.current - bare;
}

/* The same to the byte for every method and profile, on an engine that has seen no other; and nothing is taken later. */
static void test_workspace_of_every_method(void **state)
{
    (void)state;
    enum { N = 200, N_TOKENS = 20 };
    struct bench b;
    bench_open(&b, 3, 2, 64, KVL_BF16);
    int32_t *ids = random_ids(N, b.model->shape.n_vocab, 26);
    const struct kvl_method *method;
    int n_raw = 0;
    for (int i = 0; (method = kvl_method_at(i)) != NULL; i++)
        for (int profile = 0; profile < KVL_N_PROFILES; profile++) {
            struct job job = {.method = method->name, .profile = (enum kvl_profile)profile, .ids = ids, .n = N, .n_tokens = N_TOKENS};
            struct kvl_method_run *run = job_method(&job, &b.model->shape);
            struct kvl_plan *plan = malloc(sizeof *plan);
            int64_t beyond;
            assert_ok(kvl_plan_make(plan, &run->policy, &b.model->shape, N, N_TOKENS - 1));
            kvl_engine_free(b.engine);
            assert_ok(kvl_engine_init(&b.engine, b.model, 64));
            int64_t planned = kvl_engine_workspace(b.engine, plan), taken = taken_by(&b, &job, &beyond);
            if (planned != taken || beyond != 0)
                fail_msg("%s, profile %s takes %lld bytes, planned %lld, and %lld more while it runs", method->name,
                         kvl_profile_name(job.profile), (long long)taken, (long long)planned, (long long)beyond);
            n_raw += plan->cache_positions;
            free(plan);
            free(run);
        }
    assert_true(n_raw > 0);
    free(ids);
    bench_close(&b);
}

/* What kvl_engine_workspace says is what a prefill takes, to the byte. */
static void test_workspace(void **state)
{
    (void)state;
    static const int64_t LENGTHS[] = {1, 2, 63, 64, 65, 300}, CHUNKS[] = {1, 64, 1024};
    for (int source = 0; source < N_SOURCES; source++)
        for (size_t c = 0; c < sizeof CHUNKS / sizeof *CHUNKS; c++) {
            struct bench b;
            bench_open(&b, source, 2, CHUNKS[c], source % 2 == 0 ? KVL_F32 : KVL_BF16);
            int32_t *ids = random_ids(300, b.model->shape.n_vocab, 19);
            int64_t bare = b.ctx->memory.current;
            for (size_t i = 0; i < sizeof LENGTHS / sizeof *LENGTHS; i++) {
                struct job job = job_of(0, ids, LENGTHS[i], 1);
                struct outcome outcome;
                outcome_run(&outcome, b.engine, &job);
                outcome_free(&outcome);
                struct kvl_plan plan = {.n_prompt = LENGTHS[i]};
                assert_int_equal(b.ctx->memory.current - bare, kvl_engine_workspace(b.engine, &plan));
            }
            free(ids);
            bench_close(&b);
        }
}

/* Steps take no memory, and are one graph where the backend has graphs and the method does not evict. */
static void test_steps_allocate_nothing(void **state)
{
    (void)state;
    enum { N = 96, N_NEW = 6 };
    struct bench b;
    bench_open(&b, 3, 2, 0, KVL_F32);
    int32_t *ids = random_ids(N, b.model->shape.n_vocab, 22);
    for (int kind = 0; kind < N_KINDS; kind++) {
        struct job job = job_of(kind, ids, N, 1 + N_NEW);
        struct kvl_method_run *run = job_method(&job, &b.model->shape);
        struct kvl_session session, *list[] = {&session};
        assert_ok(kvl_session_init(&session, b.engine, &run->policy, N, N_NEW));
        bool evicts = run->policy.before_decode != NULL || run->policy.after_decode != NULL;
        assert_int_equal(session.graph != NULL, b.ctx->be->graph_begin != NULL && !evicts);
        assert_ok(kvl_engine_prefill(b.engine, &(struct kvl_prefill){.ids = ids, .n = N}, list, 1));
        int64_t held = 0;
        for (int step = 0; step < N_NEW; step++) {
            int32_t id;
            assert_ok(kvl_session_argmax(&session, &id));
            assert_ok(kvl_engine_step(b.engine, &session, id));
            if (step == 0) /* the first may make what the context keeps */
                held = b.ctx->memory.peak = b.ctx->memory.current;
            assert_int_equal(b.ctx->memory.current, held);
            assert_int_equal(b.ctx->memory.peak, held);
        }
        kvl_session_free(&session);
        free(run);
    }
    free(ids);
    bench_close(&b);
}

/* A cache that is shorter than the prompt may be split into more parts than one of the prompt's length: the workspace has room. */
static void test_steps_fit_the_workspace(void **state)
{
    (void)state;
    enum { N = 4200, N_NEW = 2 };
    struct bench b;
    bench_open(&b, 3, 2, 0, KVL_F32);
    struct job job = {.method = "snapkv", .profile = KVL_PROFILE_FASTKV, .budget = {.rate = 0.9}, .n = N, .n_tokens = 1 + N_NEW};
    struct kvl_method_run *run = job_method(&job, &b.model->shape);
    struct kvl_session session;
    assert_ok(kvl_session_init(&session, b.engine, &run->policy, N, N_NEW)); /* records a step where there are graphs */
    assert_true(session.cache.layers[0].n_max < 4096);
    kvl_session_free(&session);
    free(run);
    bench_close(&b);
}

/* Under every limit a run either succeeds or says that memory is short, and gives back what it took. */
static void test_out_of_memory(void **state)
{
    (void)state;
    enum { N = 120, N_NEW = 2, STEPS = 24 };
    struct kvl_ctx *ctx = open_tested(2);
    struct kvl_model *model = load_model(ctx, source_path(3), KVL_F32);
    int32_t *ids = random_ids(N, model->shape.n_vocab, 20);
    int64_t before = ctx->memory.current;
    for (int kind = 0; kind < N_KINDS; kind++) {
        struct job job = job_of(kind, ids, N, 1 + N_NEW);
        struct kvl_engine *engine;
        struct outcome outcome;
        ctx->memory.peak = before;
        assert_ok(kvl_engine_init(&engine, model, 0));
        outcome_run(&outcome, engine, &job);
        outcome_free(&outcome);
        kvl_engine_free(engine);
        int64_t needed = ctx->memory.peak - before;
        int n_failed = 0;
        for (int i = 0; i <= STEPS; i++) {
            struct kvl_method_run *run = job_method(&job, &model->shape);
            struct kvl_session session = {0}, *list[] = {&session};
            ctx->memory.limit = before + 1 + needed * i / STEPS;
            enum kvl_status status = kvl_engine_init(&engine, model, 0);
            if (status == KVL_OK)
                status = kvl_session_init(&session, engine, &run->policy, N, N_NEW);
            if (status == KVL_OK)
                status = kvl_engine_prefill(engine, &(struct kvl_prefill){.ids = ids, .n = N}, list, 1);
            for (int step = 0; step < N_NEW && status == KVL_OK; step++)
                status = kvl_engine_step(engine, &session, 5);
            assert_true(status == KVL_OK || status == KVL_E_OOM);
            if (i < STEPS - 1)
                assert_int_equal(status, KVL_E_OOM);
            if (status == KVL_E_OOM) {
                n_failed++;
                assert_non_null(strstr(kvl_last_error(), "bytes"));
            }
            kvl_session_free(&session);
            kvl_engine_free(engine);
            free(run);
            assert_int_equal(ctx->memory.current, before);
        }
        ctx->memory.limit = 0;
        assert_true(n_failed >= STEPS - 1);
    }
    free(ids);
    kvl_model_free(model);
    ctx->be->close(ctx);
}

/* The engine is as before a run that found no memory. */
static void test_goes_on_after_out_of_memory(void **state)
{
    (void)state;
    enum { N = 200 };
    struct bench b;
    bench_open(&b, 3, 2, 0, KVL_F32);
    int32_t *ids = random_ids(N, b.model->shape.n_vocab, 21);
    for (int kind = 0; kind < N_KINDS; kind++) {
        struct job job = job_of(kind, ids, N, 5);
        struct outcome first, again;
        outcome_run(&first, b.engine, &job);
        struct kvl_method_run *run = job_method(&job, &b.model->shape);
        struct kvl_session session, *list[] = {&session};
        assert_ok(kvl_session_init(&session, b.engine, &run->policy, N, 4));
        job.n = 150; /* the workspace is that of another length again */
        outcome_run(&again, b.engine, &job);
        outcome_free(&again);
        b.ctx->memory.limit = b.ctx->memory.current + 1;
        assert_int_equal(kvl_engine_prefill(b.engine, &(struct kvl_prefill){.ids = ids, .n = N}, list, 1), KVL_E_OOM);
        b.ctx->memory.limit = 0;
        assert_ok(kvl_engine_prefill(b.engine, &(struct kvl_prefill){.ids = ids, .n = N}, list, 1));
        outcome_read(&again, b.engine, &session, 5);
        same(job.method, &first, &again);
        outcome_free(&first);
        outcome_free(&again);
        kvl_session_free(&session);
        free(run);
    }
    free(ids);
    bench_close(&b);
}

/* ---- what a timed run asks of the backend ---------------------------------------------------------------------------- */

/* Calls that wait, allocate or copy from or to the host. */
struct calls {
    int alloc, free, upload, download, sync, mark, elapsed;
};
static struct calls calls;
static const struct kvl_backend *counted; /* what the counting table passes on to */

static enum kvl_status count_alloc(struct kvl_ctx *ctx, int64_t bytes, void **out)
{
    calls.alloc++;
    return counted->alloc(ctx, bytes, out);
}

static void count_free(struct kvl_ctx *ctx, void *memory)
{
    calls.free += memory != NULL;
    counted->free(ctx, memory);
}

static enum kvl_status count_upload(struct kvl_ctx *ctx, void *to, const void *from_host, int64_t bytes)
{
    calls.upload++;
    return counted->upload(ctx, to, from_host, bytes);
}

static enum kvl_status count_download(struct kvl_ctx *ctx, void *to_host, const void *from, int64_t bytes)
{
    calls.download++;
    return counted->download(ctx, to_host, from, bytes);
}

static enum kvl_status count_sync(struct kvl_ctx *ctx)
{
    calls.sync++;
    return counted->sync(ctx);
}

static enum kvl_status count_mark(struct kvl_ctx *ctx, int slot)
{
    calls.mark++;
    return counted->mark(ctx, slot);
}

static enum kvl_status count_elapsed(struct kvl_ctx *ctx, int from, int to, int64_t *ns)
{
    calls.elapsed++;
    return counted->elapsed(ctx, from, to, ns);
}

static void count_calls(struct kvl_ctx *ctx, struct kvl_backend *table)
{
    counted = ctx->be;
    *table = *counted;
    table->alloc = count_alloc;
    table->free = count_free;
    table->upload = count_upload;
    table->download = count_download;
    table->sync = count_sync;
    table->mark = count_mark;
    table->elapsed = count_elapsed;
    ctx->be = table;
}

static void expect_calls(const char *what, struct calls expected)
{
    if (memcmp(&calls, &expected, sizeof calls) != 0)
        fail_msg("%s: %d allocations, %d frees, %d uploads, %d downloads, %d waits, %d marks, %d looks at the clock", what,
                 calls.alloc, calls.free, calls.upload, calls.download, calls.sync, calls.mark, calls.elapsed);
    calls = (struct calls){0};
}

/* Prefill and steps as a benchmark times them. */
static void check_calls(struct bench *b, const struct job *job, int64_t n_new)
{
    struct kvl_method_run *run = job_method(job, &b->model->shape);
    struct kvl_session session, *list[] = {&session};
    assert_ok(kvl_session_init(&session, b->engine, &run->policy, job->n, n_new));
    assert_ok(kvl_engine_reserve(b->engine, list, 1));
    assert_ok(kvl_engine_load_prompt(b->engine, job->ids, job->n));
    assert_true(calls.alloc > 0 && calls.upload > 0); /* they are counted */
    calls = (struct calls){0};
    assert_ok(kvl_engine_prefill(b->engine, &(struct kvl_prefill){.n = job->n}, list, 1));
    expect_calls(job->method, (struct calls){.sync = 1}); /* the end of the timed region */
    for (int64_t step = 0; step < n_new; step++) {
        int32_t id;
        assert_ok(kvl_session_argmax(&session, &id));
        assert_ok(kvl_engine_step(b->engine, &session, id));
        expect_calls(job->method, (struct calls){.download = 1}); /* the sampled token */
    }
    kvl_session_free(&session);
    free(run);
}

/* A timed prefill and its steps neither allocate nor copy from or to the host nor wait, but for the end and the sampled token: of
 * every method, in every profile. */
static void test_steps_and_prefill_only_queue(void **state)
{
    (void)state;
    enum { N = 200, N_NEW = 20 }; /* PyramidInfer cuts every 16 steps */
    struct bench b;
    struct kvl_backend table;
    bench_open(&b, 3, 2, 0, KVL_F32);
    count_calls(b.ctx, &table);
    int32_t *ids = random_ids(N, b.model->shape.n_vocab, 25);
    const struct kvl_method *method;
    for (int i = 0; (method = kvl_method_at(i)) != NULL; i++)
        for (int profile = 0; profile < KVL_N_PROFILES; profile++)
            check_calls(&b, &(struct job){.method = method->name, .profile = (enum kvl_profile)profile, .ids = ids, .n = N}, N_NEW);
    free(ids);
    b.ctx->be = counted;
    bench_close(&b);
}

/* ---- steps that copy the cache --------------------------------------------------------------------------------------- */

/* What the last layer's copy holds is what its cache held when the last step read it. */
static void expect_copied(const struct kvl_session *session)
{
    const struct kvl_kv_cache *cache = &session->cache;
    const struct kvl_cache_layer *layer = &cache->layers[cache->n_layer - 1];
    const struct kvl_backend *be = cache->ctx->be;
    int64_t bytes = layer->n * cache->head_size * (int64_t)kvl_dtype_size(cache->dtype);
    char *held = malloc((size_t)bytes), *copied = malloc((size_t)bytes);
    assert_ok(be->download(cache->ctx, held, layer->v, bytes));
    assert_ok(be->download(cache->ctx, copied, cache->copied_v, bytes));
    assert_memory_equal(held, copied, (size_t)bytes);
    free(held);
    free(copied);
}

/* Copying changes no bit, whether a step is a graph or not, and says what it takes. */
static void test_steps_that_copy_the_cache(void **state)
{
    (void)state;
    enum { N = 120, N_TOKENS = 8 };
    struct bench b;
    bench_open(&b, 3, 2, 0, KVL_BF16);
    int32_t *ids = random_ids(N, b.model->shape.n_vocab, 27);
    for (int kind = 0; kind < N_KINDS; kind++) {
        struct job job = job_of(kind, ids, N, N_TOKENS);
        struct kvl_method_run *run = job_method(&job, &b.model->shape);
        struct kvl_session session, *list[] = {&session};
        struct outcome plain, copying;
        outcome_run(&plain, b.engine, &job);
        assert_ok(kvl_session_init(&session, b.engine, &run->policy, N, N_TOKENS - 1));
        int64_t before = b.ctx->memory.current;
        bool recorded = session.graph != NULL;
        assert_ok(kvl_session_copy_cache(&session, b.engine));
        assert_true(b.ctx->memory.current > before);
        assert_int_equal(session.graph != NULL, recorded);
        assert_ok(kvl_engine_prefill(b.engine, &(struct kvl_prefill){.ids = ids, .n = N}, list, 1));
        outcome_read(&copying, b.engine, &session, N_TOKENS);
        same(job.method, &plain, &copying);
        if (run->policy.after_decode == NULL) /* nothing was evicted since */
            expect_copied(&session);
        outcome_free(&plain);
        outcome_free(&copying);
        kvl_session_free(&session);
        free(run);
    }
    free(ids);
    bench_close(&b);
}

/* ---- refusals -------------------------------------------------------------------------------------------------------- */

static void expect_sentence(enum kvl_status status, const char *a, const char *b)
{
    assert_int_equal(status, KVL_E_ARG);
    if (strstr(kvl_last_error(), a) == NULL || strstr(kvl_last_error(), b) == NULL)
        fail_msg("'%s' names neither '%s' nor '%s'", kvl_last_error(), a, b);
}

static void test_refusals(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, 3, 0, 0, KVL_F32);
    struct kvl_engine *engine;
    expect_sentence(kvl_engine_init(&engine, b.model, -1), "-1", "chunk");
    assert_null(engine);
    int32_t ids[10] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    struct job job = job_of(0, ids, 10, 3);
    struct kvl_method_run *run = job_method(&job, &b.model->shape);
    struct kvl_session session, *list[] = {&session};
    int64_t before = b.ctx->memory.current;

    expect_sentence(kvl_session_init(&session, b.engine, &run->policy, 0, 0), "empty", "prompt");
    kvl_session_free(&session);
    expect_sentence(kvl_session_init(&session, b.engine, &run->policy, 8192, 1), "8192", "context");
    kvl_session_free(&session);
    expect_sentence(kvl_session_init(&session, b.engine, &run->policy, 9000, 0), "9000", "8192");
    kvl_session_free(&session);
    assert_int_equal(b.ctx->memory.current, before);

    assert_ok(kvl_session_init(&session, b.engine, &run->policy, 10, 2));
    expect_sentence(kvl_engine_prefill(b.engine, &(struct kvl_prefill){.ids = ids, .n = 9}, list, 1), "9", "10");
    ids[7] = 320;
    expect_sentence(kvl_engine_prefill(b.engine, &(struct kvl_prefill){.ids = ids, .n = 10}, list, 1), "320", "vocabulary");
    ids[7] = -1;
    expect_sentence(kvl_engine_prefill(b.engine, &(struct kvl_prefill){.ids = ids, .n = 10}, list, 1), "-1", "vocabulary");
    expect_sentence(kvl_engine_prefill(b.engine, &(struct kvl_prefill){.n = 10}, list, 1), "10", "load");
    expect_sentence(kvl_engine_load_prompt(b.engine, ids, 10), "-1", "vocabulary");
    expect_sentence(kvl_engine_load_prompt(b.engine, ids, 0), "0", "12");
    expect_sentence(kvl_engine_load_prompt(b.engine, ids, 13), "13", "12");
    ids[7] = 319;
    assert_ok(kvl_engine_load_prompt(b.engine, ids, 9));
    expect_sentence(kvl_engine_prefill(b.engine, &(struct kvl_prefill){.n = 10}, list, 1), "9", "load");
    assert_ok(kvl_engine_prefill(b.engine, &(struct kvl_prefill){.ids = ids, .n = 10}, list, 1));
    expect_sentence(kvl_engine_step(b.engine, &session, 320), "320", "vocabulary");
    expect_sentence(kvl_engine_step(b.engine, &session, -7), "-7", "vocabulary");
    assert_ok(kvl_engine_step(b.engine, &session, 0));
    assert_ok(kvl_engine_step(b.engine, &session, 319));
    expect_sentence(kvl_engine_step(b.engine, &session, 1), "3", "2");
    kvl_session_free(&session);
    kvl_session_free(&session); /* nothing left to free */
    free(run);
    bench_close(&b);
}

/* A cap below what is always kept is a usage error that names the option. */
static void test_caps_refused(void **state)
{
    (void)state;
    static const struct {
        const char *method;
        enum kvl_profile profile;
        struct kvl_budget budget;
        const char *settings, *names;
    } CASES[] = {
        {"snapkv", KVL_PROFILE_PAPER, {.rate = 0.1}, NULL, "--kv-rate"},
        {"snapkv", KVL_PROFILE_PAPER, {.budget = 31}, NULL, "--kv-budget"},
        {"fastkv", KVL_PROFILE_FASTKV, {.rate = 0.03}, NULL, "--kv-rate"},
        {"fastkv", KVL_PROFILE_FASTKV, {.rate = 0.1}, "tsp_rate=0.02", "tsp_rate"},
        {"fastkv", KVL_PROFILE_FASTKV, {.budget = 20}, "tsp_len=7", "tsp_len"},
        {"fastkv", KVL_PROFILE_FASTKV, {.rate = 0.2}, "tsp_layer=6", "tsp_layer"},
        {"streamingllm", KVL_PROFILE_FASTKV, {.budget = 4}, NULL, "--kv-budget"},
        {"streamingllm", KVL_PROFILE_PAPER, {.rate = 0.02}, NULL, "--kv-rate"},
        {"h2o", KVL_PROFILE_FASTKV, {.budget = 7}, NULL, "--kv-budget"},
        {"h2o", KVL_PROFILE_PAPER, {.rate = 0.001}, NULL, "--kv-rate"},
        {"gemfilter", KVL_PROFILE_FASTKV, {.rate = 0.001}, NULL, "--kv-rate"},
        {"gemfilter", KVL_PROFILE_FASTKV, {.rate = 0.5}, "layer=6", "layer"},
    };
    struct bench b;
    bench_open(&b, 3, 0, 0, KVL_F32);
    int64_t before = b.ctx->memory.current;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct job job = {.method = CASES[i].method, .profile = CASES[i].profile, .budget = CASES[i].budget,
                          .settings = CASES[i].settings};
        struct kvl_method_run *run = job_method(&job, &b.model->shape);
        struct kvl_session session;
        expect_sentence(kvl_session_init(&session, b.engine, &run->policy, 200, 4), CASES[i].method, CASES[i].names);
        kvl_session_free(&session);
        assert_int_equal(b.ctx->memory.current, before);
        free(run);
    }
    bench_close(&b);
}

/* Prompts of one and a few tokens, which every method that is given room for them keeps whole. */
static void test_short_prompts(void **state)
{
    (void)state;
    struct bench b;
    bench_open(&b, 3, 0, 0, KVL_F32);
    int32_t *ids = random_ids(8, b.model->shape.n_vocab, 22);
    for (int64_t n = 1; n <= 8; n += n > 2 ? 5 : 1) { /* 1, 2, 3, 8 */
        struct job full = job_of(0, ids, n, 6);
        struct outcome whole;
        outcome_run(&whole, b.engine, &full);
        for (int kind = 1; kind < N_KINDS; kind++) {
            struct job job = job_of(kind, ids, n, 6);
            struct outcome outcome;
            job.budget.budget = 64;
            outcome_run(&outcome, b.engine, &job);
            for (int64_t l = 0; l < outcome.n_layer; l++)
                assert_int_equal(outcome.prefill.n[l], n);
            outcome_same_logits(job.method, &whole, &outcome);
            outcome_free(&outcome);
        }
        outcome_free(&whole);
    }
    free(ids);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunk_size),      cmocka_unit_test(test_thread_count),
        cmocka_unit_test(test_shared_prefill),  cmocka_unit_test(test_shared_prefill_refused),
        cmocka_unit_test(test_prefill_twice),   cmocka_unit_test(test_loaded_prompt), cmocka_unit_test(test_sessions_take_turns),
        cmocka_unit_test(test_memory_returns),  cmocka_unit_test(test_workspace),
        cmocka_unit_test(test_workspace_of_every_method),
        cmocka_unit_test(test_peak_is_ones_own),
        cmocka_unit_test(test_out_of_memory),   cmocka_unit_test(test_goes_on_after_out_of_memory),
        cmocka_unit_test(test_steps_and_prefill_only_queue), cmocka_unit_test(test_steps_that_copy_the_cache),
        cmocka_unit_test(test_steps_allocate_nothing), cmocka_unit_test(test_steps_fit_the_workspace),
        cmocka_unit_test(test_refusals),        cmocka_unit_test(test_caps_refused),
        cmocka_unit_test(test_short_prompts),
    };
    const char *backend = getenv("KVLAB_TEST_BACKEND");
    if (backend != NULL && strcmp(backend, "cuda_host") == 0)
        cmocka_set_test_filter("test_steps_*"); /* the emulator is slow; the rest is the engine's own */
    return test_result(cmocka_run_group_tests(tests, NULL, NULL));
}
