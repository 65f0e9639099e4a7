#include "tests/support/outcome.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/golden.h"

struct kvl_method_run *job_method(const struct job *job, const struct kvl_shape *shape)
{
    enum { MAX = 8 };
    struct kvl_setting settings[MAX];
    char text[256];
    int n = 0;
    snprintf(text, sizeof text, "%s", job->settings != NULL ? job->settings : "");
    for (char *rest = text, *word; (word = strtok_r(rest, " ", &rest)) != NULL;) {
        assert_true(n < MAX);
        char *value = strchr(word, '=');
        assert_non_null(value);
        *value = '\0';
        settings[n++] = (struct kvl_setting){job->method, word, value + 1};
    }
    const struct kvl_method *method;
    struct kvl_method_run *run = malloc(sizeof *run);
    assert_non_null(run);
    assert_ok(kvl_method_find(job->method, &method));
    assert_ok(kvl_method_init(run, method, job->profile, job->budget, shape, settings, n));
    return run;
}

static void read_held(struct held *held, const struct kvl_session *session)
{
    const struct kvl_kv_cache *cache = &session->cache;
    held->pos = calloc((size_t)(cache->n_layer * cache->n_stored), sizeof *held->pos);
    for (int64_t l = 0; l < cache->n_layer; l++)
        for (int64_t head = 0; head < cache->n_stored; head++) {
            int32_t *pos = calloc((size_t)cache->layers[l].n + 1, sizeof *pos);
            assert_ok(kvl_kv_cache_positions(cache, l, head, pos));
            held->n[l] = cache->layers[l].n;
            held->pos[l * cache->n_stored + head] = pos;
        }
}

static float *read_logits(const struct kvl_session *session, int64_t n_vocab)
{
    float *logits = malloc((size_t)n_vocab * sizeof *logits);
    assert_ok(kvl_session_logits(session, logits));
    bool alike = true;
    for (int64_t i = 0; i < n_vocab; i++) {
        assert_true(isfinite(logits[i]));
        alike = alike && logits[i] == logits[0];
    }
    assert_false(alike);
    return logits;
}

void outcome_read(struct outcome *out, struct kvl_engine *engine, struct kvl_session *session, int64_t n_tokens)
{
    const struct kvl_shape *shape = &kvl_engine_model(engine)->shape;
    *out = (struct outcome){.plan = session->plan, .n_layer = shape->n_layer, .n_vocab = shape->n_vocab, .n_tokens = n_tokens};
    out->tokens = calloc((size_t)n_tokens + 1, sizeof *out->tokens);
    read_held(&out->prefill, session);
    out->bytes = kvl_kv_cache_bytes(&session->cache);
    out->logits = read_logits(session, out->n_vocab);
    for (int64_t i = 0; i < n_tokens; i++) {
        assert_ok(kvl_session_argmax(session, &out->tokens[i]));
        if (i + 1 < n_tokens)
            assert_ok(kvl_engine_step(engine, session, out->tokens[i]));
    }
    read_held(&out->end, session);
    out->bytes_end = kvl_kv_cache_bytes(&session->cache);
    out->logits_end = read_logits(session, out->n_vocab);
}

void outcome_run(struct outcome *out, struct kvl_engine *engine, const struct job *job)
{
    struct kvl_method_run *run = job_method(job, &kvl_engine_model(engine)->shape);
    struct kvl_session session, *sessions[] = {&session};
    assert_ok(kvl_session_init(&session, engine, &run->policy, job->n, job->n_tokens > 0 ? job->n_tokens - 1 : 0));
    assert_ok(kvl_engine_prefill(engine, &(struct kvl_prefill){.ids = job->ids, .n = job->n}, sessions, 1));
    outcome_read(out, engine, &session, job->n_tokens);
    kvl_session_free(&session);
    free(run);
}

void outcome_free(struct outcome *out)
{
    for (int64_t i = 0; i < out->n_layer * out->plan.n_stored; i++) {
        free(out->prefill.pos[i]);
        free(out->end.pos[i]);
    }
    free(out->prefill.pos);
    free(out->end.pos);
    free(out->logits);
    free(out->logits_end);
    free(out->tokens);
    *out = (struct outcome){0};
}

static void same_held(const char *what, const struct held *a, const struct held *b, int64_t n_layer, int64_t n_stored)
{
    for (int64_t l = 0; l < n_layer; l++) {
        if (a->n[l] != b->n[l])
            fail_msg("%s: layer %lld holds %lld and %lld entries", what, (long long)l, (long long)a->n[l], (long long)b->n[l]);
        for (int64_t head = 0; head < n_stored; head++) {
            const int32_t *x = a->pos[l * n_stored + head], *y = b->pos[l * n_stored + head];
            for (int64_t i = 0; i < a->n[l]; i++)
                if (x[i] != y[i])
                    fail_msg("%s: layer %lld head %lld entry %lld is %d and %d", what, (long long)l, (long long)head,
                             (long long)i, (int)x[i], (int)y[i]);
        }
    }
}

void held_same(const char *what, const struct outcome *a, const struct outcome *b)
{
    assert_int_equal(a->n_layer, b->n_layer);
    assert_int_equal(a->plan.n_stored, b->plan.n_stored);
    assert_int_equal(a->bytes, b->bytes);
    same_held(what, &a->prefill, &b->prefill, a->n_layer, a->plan.n_stored);
}

static void same_logits(const char *what, const float *a, const float *b, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (memcmp(a + i, b + i, sizeof *a) != 0)
            fail_msg("%s: logit %lld is %.9g and %.9g", what, (long long)i, (double)a[i], (double)b[i]);
}

void outcome_same_logits(const char *what, const struct outcome *a, const struct outcome *b)
{
    assert_int_equal(a->n_vocab, b->n_vocab);
    same_logits(what, a->logits, b->logits, a->n_vocab);
}

void outcome_same_prefill(const char *what, const struct outcome *a, const struct outcome *b)
{
    held_same(what, a, b);
    outcome_same_logits(what, a, b);
}

void outcome_same_decode(const char *what, const struct outcome *a, const struct outcome *b)
{
    assert_int_equal(a->n_tokens, b->n_tokens);
    for (int64_t i = 0; i < a->n_tokens; i++)
        if (a->tokens[i] != b->tokens[i])
            fail_msg("%s: token %lld is %d and %d", what, (long long)i, (int)a->tokens[i], (int)b->tokens[i]);
    same_held(what, &a->end, &b->end, a->n_layer, a->plan.n_stored);
    same_logits(what, a->logits_end, b->logits_end, a->n_vocab);
    assert_int_equal(a->bytes_end, b->bytes_end);
}

int32_t *random_ids(int64_t n, int64_t n_vocab, uint64_t seed)
{
    int32_t *ids = malloc((size_t)n * sizeof *ids);
    printf("prompt of %lld tokens, seed %llu\n", (long long)n, (unsigned long long)seed);
    for (int64_t i = 0; i < n; i++) {
        double u = 0.5 + 0.5 * (double)kvl_random_uniform(seed, (uint64_t)i, 1.0f);
        int64_t id = 3 + (int64_t)(u * (double)(n_vocab - 3));
        ids[i] = (int32_t)(id < n_vocab ? id : n_vocab - 1);
    }
    return ids;
}
