#include "core/engine.h"

#include <math.h>
#include <stdlib.h>

enum { MIN_CHUNK = 3 };

/* Device memory of a run; sized for n_tokens. */
struct buffers {
    int64_t n_tokens;
    int64_t n_loaded;    /* tokens in prompt; 0: none was loaded */
    int32_t *prompt;     /* i32 [n]: a prompt as it was loaded */
    int32_t *ids, *pos;  /* i32 [n]: of a second pass, and of a step; positions */
    float *turns;        /* f32 [n, e/2, 2]: cosines and sines of pos */
    float *x;            /* f32 [n, n_embd]: the residual stream */
    void *qkv;           /* dtype [n, (n_head + 2 n_kv) e] */
    void *attended;      /* dtype [n, n_head e] */
    float *lse;          /* f32 [n_head, n] */
    void *normed;        /* dtype [chunk, n_embd] */
    void *gate_up;       /* dtype [chunk, 2 n_ff] */
    void *hidden;        /* dtype [chunk, n_ff] */
    void *raw_keys;      /* dtype [n, n_kv e]: keys before rotation; only where a session stores them */
    void *scratch;       /* of the attention operations */
    int64_t scratch_bytes;
};

struct kvl_engine {
    const struct kvl_model *model;
    struct kvl_ctx *ctx;
    int64_t chunk;
    struct buffers b;
    int64_t n_reserved; /* times that b was made anew */
    int32_t *token;     /* device i32 [1] */
};

/* ---- memory ---------------------------------------------------------------------------------------------------------- */

static int64_t row_elements(const struct kvl_shape *s)
{
    return (s->n_head + 2 * s->n_kv) * s->head_size;
}

static struct kvl_heads part_of(const struct kvl_engine *engine, const void *qkv, int64_t n, int64_t first_head, int64_t n_heads)
{
    const struct kvl_shape *s = &engine->model->shape;
    size_t offset = (size_t)(first_head * s->head_size) * kvl_dtype_size(engine->model->dtype);
    return (struct kvl_heads){(char *)(uintptr_t)qkv + offset, engine->model->dtype, n, n_heads, s->head_size, row_elements(s),
                              s->head_size};
}

static struct kvl_attend attend_op(const struct kvl_engine *engine, int64_t layer, int64_t n)
{
    const struct kvl_shape *s = &engine->model->shape;
    const struct buffers *b = &engine->b;
    return (struct kvl_attend){
        .q = part_of(engine, b->qkv, n, 0, s->n_head),
        .k = part_of(engine, b->qkv, n, s->n_head, s->n_kv),
        .v = part_of(engine, b->qkv, n, s->n_head + s->n_kv, s->n_kv),
        .pos = b->pos,
        .window = s->window[layer],
        .scale = 1.0f / sqrtf((float)s->head_size),
        .out = b->attended,
        .lse = b->lse,
        .scratch = b->scratch,
    };
}

/* One row per buffer: where its pointer goes and how many bytes it has for n tokens. */
struct buffer_row {
    void **where;
    int64_t bytes;
};
enum { N_BUFFERS = 12 };

static void list_buffers(struct kvl_engine *engine, int64_t n, struct buffer_row rows[N_BUFFERS])
{
    const struct kvl_shape *s = &engine->model->shape;
    struct buffers *b = &engine->b;
    int64_t size = (int64_t)kvl_dtype_size(engine->model->dtype);
    int64_t chunk = n < engine->chunk ? n : engine->chunk;
    struct kvl_attend attend = attend_op(engine, 0, n);
    int64_t scratch = engine->ctx->be->attend_scratch(engine->ctx, &attend);
    const int64_t n_stored[] = {s->n_kv, s->n_head};
    for (int i = 0; i < 2; i++) {
        struct kvl_attend_cache decode = {.q = part_of(engine, NULL, 1, 0, s->n_head), .dtype = engine->model->dtype,
                                          .n_stored = n_stored[i], .n_max = n, .n_bound = n};
        int64_t decode_scratch = engine->ctx->be->attend_cache_scratch(engine->ctx, &decode);
        scratch = decode_scratch > scratch ? decode_scratch : scratch;
    }
    b->scratch_bytes = scratch;
    const struct buffer_row all[N_BUFFERS] = {
        {(void **)&b->prompt, n * 4},
        {(void **)&b->ids, n * 4},
        {(void **)&b->pos, n * 4},
        {(void **)&b->turns, n * s->head_size * 4},
        {(void **)&b->x, n * s->n_embd * 4},
        {&b->qkv, n * row_elements(s) * size},
        {&b->attended, n * s->n_head * s->head_size * size},
        {(void **)&b->lse, n * s->n_head * 4},
        {&b->normed, chunk * s->n_embd * size},
        {&b->gate_up, chunk * 2 * s->n_ff * size},
        {&b->hidden, chunk * s->n_ff * size},
        {&b->scratch, b->scratch_bytes},
    };
    memcpy(rows, all, sizeof all);
}

static void release(struct kvl_engine *engine)
{
    struct buffers *b = &engine->b;
    void *all[] = {b->prompt, b->ids, b->pos, b->turns, b->x, b->qkv, b->attended, b->lse, b->normed, b->gate_up, b->hidden,
                   b->raw_keys, b->scratch};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        engine->ctx->be->free(engine->ctx, all[i]);
    *b = (struct buffers){0};
}

/* Makes room for exactly n tokens, so that peak memory is that of the run at hand. */
static enum kvl_status reserve(struct kvl_engine *engine, int64_t n)
{
    if (engine->b.n_tokens == n)
        return KVL_OK;
    release(engine);
    struct buffer_row rows[N_BUFFERS];
    list_buffers(engine, n, rows);
    for (int i = 0; i < N_BUFFERS; i++) {
        enum kvl_status status = engine->ctx->be->alloc(engine->ctx, rows[i].bytes, rows[i].where);
        if (status != KVL_OK) {
            release(engine);
            return kvl_fail_prefix(status, "workspace for %lld tokens", (long long)n);
        }
    }
    engine->b.n_tokens = n;
    engine->n_reserved++;
    return KVL_OK;
}

static int64_t raw_key_bytes(const struct kvl_engine *engine, int64_t n)
{
    const struct kvl_shape *s = &engine->model->shape;
    return n * s->n_kv * s->head_size * (int64_t)kvl_dtype_size(engine->model->dtype);
}

int64_t kvl_engine_workspace(const struct kvl_engine *engine, const struct kvl_plan *plan)
{
    struct kvl_engine aside = *engine;
    struct buffer_row rows[N_BUFFERS];
    int64_t n = plan->n_prompt + plan->n_new;
    list_buffers(&aside, n, rows);
    int64_t sum = plan->cache_positions ? raw_key_bytes(engine, n) : 0;
    for (int i = 0; i < N_BUFFERS; i++)
        sum += rows[i].bytes;
    return sum;
}

enum kvl_status kvl_engine_init(struct kvl_engine **out, const struct kvl_model *model, int64_t chunk)
{
    *out = NULL;
    KVL_REQUIRE(chunk >= 0, "chunk of %lld tokens: give a positive number, or 0 for the default", (long long)chunk);
    struct kvl_engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for the engine");
    engine->model = model;
    engine->ctx = model->ctx;
    engine->chunk = chunk == 0 ? engine->ctx->be->chunk : chunk < MIN_CHUNK ? MIN_CHUNK : chunk;
    void *token;
    enum kvl_status status = engine->ctx->be->alloc(engine->ctx, sizeof *engine->token, &token);
    if (status != KVL_OK) {
        free(engine);
        return status;
    }
    engine->token = token;
    *out = engine;
    return KVL_OK;
}

void kvl_engine_free(struct kvl_engine *engine)
{
    if (engine == NULL)
        return;
    release(engine);
    engine->ctx->be->free(engine->ctx, engine->token);
    free(engine);
}

const struct kvl_model *kvl_engine_model(const struct kvl_engine *engine)
{
    return engine->model;
}

/* ---- the layers ------------------------------------------------------------------------------------------------------ */

/* Rows of the next piece of the row-wise parts when `left` remain: a chunk, but never so that one row stays behind alone, because
 * a single row may take another kernel than it would in company (kernels/linear.h) and results must not depend on the chunk. */
static int64_t piece(const struct kvl_engine *engine, int64_t left)
{
    int64_t m = left < engine->chunk ? left : engine->chunk;
    return left - m == 1 ? m - 1 : m;
}

/* q, k, v = heads(norm(x)), rotated; keys also unrotated where a session wants them. */
static enum kvl_status project(struct kvl_engine *engine, const struct kvl_layer *layer, int64_t n)
{
    const struct kvl_shape *s = &engine->model->shape;
    const struct kvl_backend *be = engine->ctx->be;
    struct buffers *b = &engine->b;
    enum kvl_dtype dtype = engine->model->dtype;
    for (int64_t i = 0, m; i < n; i += m) {
        m = piece(engine, n - i);
        char *out = (char *)b->qkv + (size_t)(i * row_elements(s)) * kvl_dtype_size(dtype);
        KVL_TRY(be->norm(engine->ctx, &(struct kvl_norm){b->x + i * s->n_embd, layer->attention_norm, b->normed, dtype, m,
                                                         s->n_embd, s->norm_eps}));
        KVL_TRY(be->linear(engine->ctx, &(struct kvl_linear){b->normed, layer->qkv, out, dtype, m, false}));
    }
    struct kvl_heads k = part_of(engine, b->qkv, n, s->n_head, s->n_kv);
    if (b->raw_keys != NULL)
        KVL_TRY(be->gather_heads(engine->ctx, &(struct kvl_gather_heads){k, NULL, 1, n, b->raw_keys, s->n_kv, n}));
    struct kvl_heads q_and_k = part_of(engine, b->qkv, n, 0, s->n_head + s->n_kv);
    return be->rotate(engine->ctx, &(struct kvl_rotate){q_and_k, b->turns, false});
}

/* x += o.Wo;  x += mlp(norm(x)) */
static enum kvl_status finish_layer(struct kvl_engine *engine, const struct kvl_layer *layer, int64_t n)
{
    const struct kvl_shape *s = &engine->model->shape;
    const struct kvl_backend *be = engine->ctx->be;
    struct buffers *b = &engine->b;
    enum kvl_dtype dtype = engine->model->dtype;
    for (int64_t i = 0, m; i < n; i += m) {
        m = piece(engine, n - i);
        float *x = b->x + i * s->n_embd;
        const char *o = (const char *)b->attended + (size_t)(i * s->n_head * s->head_size) * kvl_dtype_size(dtype);
        KVL_TRY(be->linear(engine->ctx, &(struct kvl_linear){o, layer->out, x, KVL_F32, m, true}));
        KVL_TRY(be->norm(engine->ctx,
                         &(struct kvl_norm){x, layer->mlp_norm, b->normed, dtype, m, s->n_embd, s->norm_eps}));
        KVL_TRY(be->linear(engine->ctx, &(struct kvl_linear){b->normed, layer->gate_up, b->gate_up, dtype, m, false}));
        KVL_TRY(be->swiglu(engine->ctx, &(struct kvl_swiglu){b->gate_up, b->hidden, dtype, m, s->n_ff}));
        KVL_TRY(be->linear(engine->ctx, &(struct kvl_linear){b->hidden, layer->down, x, KVL_F32, m, true}));
    }
    return KVL_OK;
}

/* logits = head(norm(row)) */
static enum kvl_status read_out(struct kvl_engine *engine, int64_t row, float *logits)
{
    const struct kvl_model *model = engine->model;
    const struct kvl_backend *be = engine->ctx->be;
    int64_t n_embd = model->shape.n_embd;
    KVL_TRY(be->norm(engine->ctx, &(struct kvl_norm){engine->b.x + row * n_embd, model->norm, engine->b.normed, model->dtype, 1,
                                                     n_embd, model->shape.norm_eps}));
    return be->linear(engine->ctx, &(struct kvl_linear){engine->b.normed, model->head, logits, KVL_F32, 1, false});
}

enum kvl_status kvl_engine_hidden(const struct kvl_engine *engine, float *hidden)
{
    int64_t n = engine->model->shape.n_embd;
    bool narrow = engine->model->dtype == KVL_BF16;
    KVL_REQUIRE(engine->b.normed != NULL, "the engine has run no prompt: there is no hidden state yet");
    KVL_TRY(engine->ctx->be->download(engine->ctx, hidden, engine->b.normed, n * (int64_t)kvl_dtype_size(engine->model->dtype)));
    const uint16_t *halves = (const uint16_t *)(const void *)hidden;
    for (int64_t i = n - 1; i >= 0 && narrow; i--) { /* in place, from the end: a float covers two halves */
        uint16_t half;
        memcpy(&half, &halves[i], sizeof half);
        hidden[i] = kvl_bf16_to_f32(half);
    }
    return KVL_OK;
}

static struct kvl_view view_of(const struct kvl_session *session, int64_t layer)
{
    const struct kvl_shape *s = &session->engine->model->shape;
    return (struct kvl_view){.ctx = session->engine->ctx, .shape = s, .plan = &session->plan, .layer = layer,
                             .window = s->window[layer], .scale = 1.0f / sqrtf((float)s->head_size), .step = -1};
}

/* Copies an index list to the host as prompt positions: idx[i] names a token whose position is pos[idx[i]]. */
static enum kvl_status note(struct kvl_ctx *ctx, const int32_t *idx, int64_t n_idx, const int32_t *pos, int64_t n,
                            int32_t **out)
{
    free(*out);
    *out = NULL;
    if (idx == NULL)
        return KVL_OK;
    enum kvl_status status;
    int32_t *chosen = malloc((size_t)n_idx * sizeof *chosen), *all = malloc((size_t)n * sizeof *all);
    KVL_TRY_OUT(chosen != NULL && all != NULL ? KVL_OK
                                              : kvl_fail(KVL_E_OOM, "no memory for a trace of %lld tokens", (long long)n));
    KVL_TRY_OUT(ctx->be->download(ctx, chosen, idx, n_idx * (int64_t)sizeof *chosen));
    KVL_TRY_OUT(ctx->be->download(ctx, all, pos, n * (int64_t)sizeof *all));
    for (int64_t i = 0; i < n_idx; i++)
        chosen[i] = all[chosen[i]];
    *out = chosen;
    chosen = NULL;
out:
    free(chosen);
    free(all);
    return status;
}

/* Notes what a layer sent on and what a restart begins with. */
static enum kvl_status trace(struct kvl_session *session, int64_t layer, const struct kvl_verdict *verdict, const int32_t *pos,
                             int64_t n)
{
    struct kvl_ctx *ctx = session->engine->ctx;
    if (verdict->restart != NULL)
        KVL_TRY(note(ctx, verdict->restart, session->plan.n_restart, pos, n, &session->restart));
    return note(ctx, verdict->forward, verdict->n_forward, pos, n, &session->forward[layer]);
}

/* Asks every session's policy about one layer and stores what it keeps. */
static enum kvl_status select_entries(struct kvl_engine *engine, const struct kvl_prefill *prefill,
                                      struct kvl_session *const *sessions, int n_sessions, int64_t layer, int64_t pass,
                                      int64_t n, struct kvl_verdict *verdict)
{
    const struct kvl_backend *be = engine->ctx->be;
    struct kvl_attend op = attend_op(engine, layer, n);
    for (int i = 0; i < n_sessions; i++) {
        struct kvl_session *session = sessions[i];
        struct kvl_view view = view_of(session, layer);
        view.pass = pass;
        view.n = n;
        view.pos = engine->b.pos;
        view.q = op.q;
        view.k = op.k;
        view.lse = engine->b.lse;
        *verdict = (struct kvl_verdict){0};
        if (prefill->time_selection)
            KVL_TRY(be->mark(engine->ctx, 0));
        KVL_TRY(session->policy->after_attention(session->policy->self, &view, verdict));
        if (session->trace)
            KVL_TRY(trace(session, layer, verdict, engine->b.pos, n));
        struct kvl_heads raw = {engine->b.raw_keys, op.k.dtype, n, op.k.n_heads, op.k.head_size, op.k.head_size,
                                n * op.k.head_size};
        bool filling = pass == (session->plan.restart_layer >= 0);
        if (filling)
            KVL_TRY(kvl_kv_cache_store(&session->cache, layer, session->plan.cache_positions ? &raw : &op.k, &op.v,
                                       engine->b.pos, session->plan.n_lists, verdict));
        if (prefill->time_selection) {
            int64_t ns;
            KVL_TRY(be->mark(engine->ctx, 1));
            KVL_TRY(be->elapsed(engine->ctx, 0, 1, &ns));
            session->selection_ns += ns;
        }
    }
    return KVL_OK;
}

/* Positions 0..n-1 for n tokens, embedded. */
static enum kvl_status begin_pass(struct kvl_engine *engine, const int32_t *ids, int64_t n)
{
    const struct kvl_model *model = engine->model;
    const struct kvl_backend *be = engine->ctx->be;
    struct buffers *b = &engine->b;
    KVL_TRY(be->range(engine->ctx, &(struct kvl_range){b->pos, 1, n, 0, n, 0}));
    KVL_TRY(be->embed(engine->ctx,
                      &(struct kvl_embed){ids, model->embedding, model->dtype, b->x, n, model->shape.n_embd}));
    return be->rotate_table(engine->ctx,
                            &(struct kvl_rotate_table){b->pos, model->inv_freq, b->turns, n, model->shape.head_size / 2});
}

/* Rows idx (i32 [n], ascending) of an array move to its front. */
static enum kvl_status pull(const struct kvl_engine *engine, void *rows, const int32_t *idx, int64_t n, int64_t row_bytes)
{
    return engine->ctx->be->gather(engine->ctx, &(struct kvl_gather){.in = rows, .idx = idx, .out = rows, .n = n,
                                                                     .row_bytes = row_bytes});
}

/* The tokens that go on: x, pos and what follows from pos. */
static enum kvl_status go_on(struct kvl_engine *engine, const struct kvl_verdict *verdict, int64_t *n)
{
    const struct kvl_shape *s = &engine->model->shape;
    struct buffers *b = &engine->b;
    *n = verdict->n_forward;
    KVL_TRY(pull(engine, b->x, verdict->forward, *n, s->n_embd * 4));
    KVL_TRY(pull(engine, b->pos, verdict->forward, *n, 4));
    return pull(engine, b->turns, verdict->forward, *n, s->head_size * 4);
}

static enum kvl_status attend_layer(struct kvl_engine *engine, int64_t l, int64_t n)
{
    struct kvl_attend attend = attend_op(engine, l, n);
    KVL_TRY(project(engine, &engine->model->layers[l], n));
    return engine->ctx->be->attend(engine->ctx, &attend);
}

/* A layer on n tokens, up to the point where its verdict asks for a restart. */
static enum kvl_status run_layer(struct kvl_engine *engine, const struct kvl_prefill *prefill,
                                 struct kvl_session *const *sessions, int n_sessions, int64_t l, int64_t pass, int64_t n,
                                 struct kvl_verdict *verdict)
{
    KVL_TRY_RANGE(engine->ctx, "attention", n, attend_layer(engine, l, n));
    KVL_TRY_RANGE(engine->ctx, "select", n, select_entries(engine, prefill, sessions, n_sessions, l, pass, n, verdict));
    if (verdict->restart == NULL)
        KVL_TRY_RANGE(engine->ctx, "mlp", n, finish_layer(engine, &engine->model->layers[l], n));
    return KVL_OK;
}

/* The ids of a second pass. The prompt stays as it was loaded. */
static enum kvl_status restart(struct kvl_engine *engine, const int32_t *idx, int64_t n)
{
    return engine->ctx->be->gather(engine->ctx, &(struct kvl_gather){.in = engine->b.prompt, .idx = idx, .out = engine->b.ids,
                                                                     .n = n, .row_bytes = 4});
}

/* One pass over the layers, the first on the prompt. Stops behind the layer whose verdict asks for a restart: *n is then the number
 * of tokens of the next pass, their ids stand in b.ids; else *n becomes 0. */
static enum kvl_status run_pass(struct kvl_engine *engine, const struct kvl_prefill *prefill,
                                struct kvl_session *const *sessions, int n_sessions, int64_t pass, int64_t *n_tokens)
{
    int64_t n = *n_tokens;
    *n_tokens = 0;
    KVL_TRY(begin_pass(engine, pass == 0 ? engine->b.prompt : engine->b.ids, n));
    for (int64_t l = 0; l < engine->model->shape.n_layer; l++) {
        struct kvl_verdict verdict;
        KVL_TRY_RANGE(engine->ctx, "layer %lld", l, run_layer(engine, prefill, sessions, n_sessions, l, pass, n, &verdict));
        if (verdict.restart != NULL) {
            *n_tokens = sessions[0]->plan.n_restart;
            return restart(engine, verdict.restart, *n_tokens);
        }
        if (verdict.forward != NULL)
            KVL_TRY(go_on(engine, &verdict, &n));
    }
    for (int i = 0; i < n_sessions; i++)
        KVL_TRY(read_out(engine, n - 1, sessions[i]->logits));
    return KVL_OK;
}

static enum kvl_status run_passes(struct kvl_engine *engine, const struct kvl_prefill *prefill,
                                  struct kvl_session *const *sessions, int n_sessions)
{
    int64_t n = prefill->n;
    for (int64_t pass = 0; n > 0; pass++)
        KVL_TRY(run_pass(engine, prefill, sessions, n_sessions, pass, &n));
    return KVL_OK;
}

static enum kvl_status check_prefill(const struct kvl_engine *engine, const struct kvl_prefill *prefill,
                                     struct kvl_session *const *sessions, int n_sessions)
{
    const struct kvl_shape *s = &engine->model->shape;
    for (int i = 0; i < n_sessions; i++) {
        KVL_REQUIRE(prefill->n == sessions[i]->plan.n_prompt, "a prompt of %lld tokens for a session planned for %lld",
                    (long long)prefill->n, (long long)sessions[i]->plan.n_prompt);
        KVL_REQUIRE(n_sessions == 1 || kvl_plan_leaves_prefill(&sessions[i]->plan, s),
                    "%s changes the prefill and cannot share it", sessions[i]->policy->name);
    }
    return KVL_OK;
}

/* Unrotated keys are held only while a session stores them: peak memory is that of the sessions at hand. */
static enum kvl_status reserve_raw_keys(struct kvl_engine *engine, struct kvl_session *const *sessions, int n_sessions)
{
    bool wanted = false;
    for (int i = 0; i < n_sessions; i++)
        wanted = wanted || sessions[i]->plan.cache_positions;
    if (wanted == (engine->b.raw_keys != NULL))
        return KVL_OK;
    if (!wanted) {
        engine->ctx->be->free(engine->ctx, engine->b.raw_keys);
        engine->b.raw_keys = NULL;
        return KVL_OK;
    }
    return engine->ctx->be->alloc(engine->ctx, raw_key_bytes(engine, engine->b.n_tokens), &engine->b.raw_keys);
}

enum kvl_status kvl_engine_reserve(struct kvl_engine *engine, struct kvl_session *const *sessions, int n_sessions)
{
    KVL_REQUIRE(n_sessions > 0, "a prefill for %d sessions: give at least one", n_sessions);
    int64_t n = 0;
    for (int i = 0; i < n_sessions; i++) {
        int64_t n_session = sessions[i]->plan.n_prompt + sessions[i]->plan.n_new;
        n = n_session > n ? n_session : n;
    }
    KVL_TRY(reserve(engine, n));
    return reserve_raw_keys(engine, sessions, n_sessions);
}

enum kvl_status kvl_engine_load_prompt(struct kvl_engine *engine, const int32_t *ids, int64_t n)
{
    struct buffers *b = &engine->b;
    int64_t n_vocab = engine->model->shape.n_vocab;
    KVL_REQUIRE(n >= 1 && n <= b->n_tokens, "a prompt of %lld tokens for a workspace of %lld: reserve for its session first",
                (long long)n, (long long)b->n_tokens);
    for (int64_t i = 0; i < n; i++)
        KVL_REQUIRE(ids[i] >= 0 && ids[i] < n_vocab, "token id %d at %lld is outside the vocabulary of %lld", (int)ids[i],
                    (long long)i, (long long)n_vocab);
    b->n_loaded = 0;
    KVL_TRY(engine->ctx->be->upload(engine->ctx, b->prompt, ids, n * (int64_t)sizeof *ids));
    b->n_loaded = n;
    return KVL_OK;
}

enum kvl_status kvl_engine_prefill(struct kvl_engine *engine, const struct kvl_prefill *prefill,
                                   struct kvl_session *const *sessions, int n_sessions)
{
    KVL_TRY(check_prefill(engine, prefill, sessions, n_sessions));
    KVL_TRY(kvl_engine_reserve(engine, sessions, n_sessions));
    if (prefill->ids != NULL)
        KVL_TRY(kvl_engine_load_prompt(engine, prefill->ids, prefill->n));
    KVL_REQUIRE(engine->b.n_loaded == prefill->n, "a prefill of %lld tokens without ids, and %lld are loaded: load the prompt behind "
                "the sessions' reservation", (long long)prefill->n, (long long)engine->b.n_loaded);
    for (int i = 0; i < n_sessions; i++)
        sessions[i]->selection_ns = 0;
    KVL_TRY_RANGE(engine->ctx, "prefill", prefill->n, run_passes(engine, prefill, sessions, n_sessions));
    for (int i = 0; i < n_sessions; i++) {
        sessions[i]->step = 0;
        sessions[i]->position = sessions[i]->plan.restart_layer >= 0 ? sessions[i]->plan.n_restart : prefill->n;
    }
    return engine->ctx->be->sync(engine->ctx);
}

/* ---- decode ---------------------------------------------------------------------------------------------------------- */

/* Keys of a cache that stores them unrotated, turned to their places 0, 1, ... and the query to the last of them. */
static enum kvl_status turn_cache(struct kvl_engine *engine, struct kvl_session *session, int64_t l, const void *keys)
{
    const struct kvl_shape *s = &engine->model->shape;
    const struct kvl_backend *be = engine->ctx->be;
    struct kvl_kv_cache *cache = &session->cache;
    struct kvl_cache_layer *layer = &cache->layers[l];
    int64_t n = layer->n, e = s->head_size;
    KVL_REQUIRE(n <= engine->b.n_tokens, "a cache of %lld entries for a workspace of %lld tokens", (long long)n,
                (long long)engine->b.n_tokens);
    struct kvl_heads stored = {(void *)(uintptr_t)keys, cache->dtype, n, cache->n_stored, e, e, layer->n_max * e};
    KVL_TRY(be->gather_heads(engine->ctx,
                             &(struct kvl_gather_heads){stored, NULL, 1, n, layer->k_turned, cache->n_stored, layer->n_max}));
    KVL_TRY(be->range(engine->ctx, &(struct kvl_range){engine->b.pos, 1, n, 0, n, 0}));
    KVL_TRY(be->rotate_table(engine->ctx,
                             &(struct kvl_rotate_table){engine->b.pos, engine->model->inv_freq, engine->b.turns, n, e / 2}));
    stored.data = layer->k_turned;
    KVL_TRY(be->rotate(engine->ctx, &(struct kvl_rotate){stored, engine->b.turns, false}));
    struct kvl_heads q = part_of(engine, engine->b.qkv, 1, 0, s->n_head);
    return be->rotate(engine->ctx, &(struct kvl_rotate){q, engine->b.turns + (n - 1) * e, false});
}

static enum kvl_status ask(struct kvl_session *session, int64_t l,
                           enum kvl_status (*hook)(void *self, const struct kvl_view *view, struct kvl_verdict *verdict))
{
    if (hook == NULL)
        return KVL_OK;
    const struct kvl_engine *engine = session->engine;
    const struct kvl_cache_layer *layer = &session->cache.layers[l];
    int64_t e = session->cache.head_size;
    struct kvl_view view = view_of(session, l);
    view.n = layer->n;
    view.pos = layer->pos;
    view.q = part_of(engine, engine->b.qkv, 1, 0, engine->model->shape.n_head);
    view.k = (struct kvl_heads){layer->k_turned != NULL ? layer->k_turned : layer->k, session->cache.dtype, layer->n,
                                session->cache.n_stored, e, e, layer->n_max * e};
    view.lse = engine->b.lse;
    view.step = session->step;
    view.scores = layer->scores;
    struct kvl_verdict verdict = {0};
    KVL_TRY(hook(session->policy->self, &view, &verdict));
    return kvl_kv_cache_evict(&session->cache, l, session->plan.n_lists, &verdict);
}

/* The new token's attention over one layer's cache, and what the policy makes of it. Places and positions are read from the
 * backend's memory and the cache's whole room bounds the work, so that these operations are the same in every step. */
static enum kvl_status attend_step(struct kvl_engine *engine, struct kvl_session *session, int64_t l)
{
    const struct kvl_shape *s = &engine->model->shape;
    const struct kvl_backend *be = engine->ctx->be;
    struct buffers *b = &engine->b;
    struct kvl_cache_layer *layer = &session->cache.layers[l];
    bool cache_positions = session->plan.cache_positions;
    KVL_TRY(be->norm(engine->ctx, &(struct kvl_norm){b->x, engine->model->layers[l].attention_norm, b->normed,
                                                     engine->model->dtype, 1, s->n_embd, s->norm_eps}));
    KVL_TRY(be->linear(engine->ctx, &(struct kvl_linear){b->normed, engine->model->layers[l].qkv, b->qkv,
                                                         engine->model->dtype, 1, false}));
    KVL_TRY(ask(session, l, session->policy->before_decode));
    struct kvl_heads q = part_of(engine, b->qkv, 1, 0, s->n_head), k = part_of(engine, b->qkv, 1, s->n_head, s->n_kv);
    struct kvl_heads v = part_of(engine, b->qkv, 1, s->n_head + s->n_kv, s->n_kv);
    if (!cache_positions)
        KVL_TRY(be->rotate(engine->ctx, &(struct kvl_rotate){part_of(engine, b->qkv, 1, 0, s->n_head + s->n_kv), b->turns, false}));
    KVL_TRY(kvl_kv_cache_append(&session->cache, l, &k, &v, session->position_at));
    const void *keys, *values;
    KVL_TRY(kvl_kv_cache_read(&session->cache, l, &keys, &values));
    if (cache_positions)
        KVL_TRY(turn_cache(engine, session, l, keys));
    struct kvl_attend_cache op = {
        .q = q, .k = cache_positions ? layer->k_turned : keys, .v = values, .dtype = session->cache.dtype,
        .pos = layer->pos, .n = layer->n_held, .n_stored = session->cache.n_stored, .n_max = layer->n_max,
        .n_bound = layer->n_max, .window = s->window[l], .query_pos = session->position_at,
        .scale = 1.0f / sqrtf((float)s->head_size), .out = b->attended, .lse = b->lse, .scores = layer->scores,
        .scratch = b->scratch};
    KVL_REQUIRE(be->attend_cache_scratch(engine->ctx, &op) <= b->scratch_bytes, "a cache of %lld entries outgrew the workspace",
                (long long)layer->n_max);
    KVL_TRY(be->attend_cache(engine->ctx, &op));
    return ask(session, l, session->policy->after_decode);
}

static enum kvl_status step_layer(struct kvl_engine *engine, struct kvl_session *session, int64_t l)
{
    KVL_TRY_RANGE(engine->ctx, "attention", session->cache.layers[l].n, attend_step(engine, session, l));
    KVL_TRY_RANGE(engine->ctx, "mlp", 1, finish_layer(engine, &engine->model->layers[l], 1));
    return KVL_OK;
}

/* A step as a sequence of operations, from the id in b.ids and the position in position_at to the logits. */
static enum kvl_status queue_step(struct kvl_engine *engine, struct kvl_session *session)
{
    const struct kvl_model *model = engine->model;
    const struct kvl_backend *be = engine->ctx->be;
    struct buffers *b = &engine->b;
    KVL_TRY(be->embed(engine->ctx,
                      &(struct kvl_embed){b->ids, model->embedding, model->dtype, b->x, 1, model->shape.n_embd}));
    KVL_TRY(be->rotate_table(engine->ctx, &(struct kvl_rotate_table){session->position_at, model->inv_freq, b->turns, 1,
                                                                     model->shape.head_size / 2}));
    for (int64_t l = 0; l < model->shape.n_layer; l++)
        KVL_TRY_RANGE(engine->ctx, "layer %lld", l, step_layer(engine, session, l));
    return read_out(engine, 0, session->logits);
}

/* What queue_step queues becomes session->graph. The host's counts of entries are moved and put back. */
static enum kvl_status capture_step(struct kvl_engine *engine, struct kvl_session *session)
{
    const struct kvl_backend *be = engine->ctx->be;
    struct kvl_cache_layer *layers = session->cache.layers;
    int64_t n_layer = engine->model->shape.n_layer, held[KVL_MAX_LAYERS];
    for (int64_t l = 0; l < n_layer; l++)
        held[l] = layers[l].n;
    KVL_TRY(be->graph_begin(engine->ctx));
    enum kvl_status status = queue_step(engine, session), ended = be->graph_end(engine->ctx, &session->graph);
    for (int64_t l = 0; l < n_layer; l++)
        layers[l].n = held[l];
    session->graph_of = engine->n_reserved;
    if (status == KVL_OK)
        return ended;
    if (session->graph != NULL) /* half a step */
        be->graph_free(engine->ctx, session->graph);
    session->graph = NULL;
    return status;
}

/* Records the step where the backend can and the policy leaves the cache alone: what evicts queues other operations each time. */
static enum kvl_status record_step(struct kvl_engine *engine, struct kvl_session *session)
{
    const struct kvl_policy *policy = session->policy;
    if (engine->ctx->be->graph_begin == NULL || policy->before_decode != NULL || policy->after_decode != NULL ||
        session->plan.n_new == 0)
        return KVL_OK;
    if (session->graph != NULL)
        engine->ctx->be->graph_free(engine->ctx, session->graph);
    session->graph = NULL;
    KVL_TRY_RANGE(engine->ctx, "record", -1, capture_step(engine, session));
    return KVL_OK;
}

static enum kvl_status launch_step(struct kvl_engine *engine, struct kvl_session *session)
{
    if (session->graph == NULL)
        return queue_step(engine, session);
    if (session->graph_of != engine->n_reserved) /* another session's workspace was made since */
        KVL_TRY(record_step(engine, session));
    for (int64_t l = 0; l < engine->model->shape.n_layer; l++)
        session->cache.layers[l].n++;
    return engine->ctx->be->graph_launch(engine->ctx, session->graph);
}

enum kvl_status kvl_engine_step(struct kvl_engine *engine, struct kvl_session *session, int32_t id)
{
    const struct kvl_model *model = engine->model;
    const struct kvl_backend *be = engine->ctx->be;
    KVL_REQUIRE(id >= 0 && id < model->shape.n_vocab, "token id %d is outside the vocabulary of %lld", (int)id,
                (long long)model->shape.n_vocab);
    KVL_REQUIRE(session->step < session->plan.n_new, "step %lld of a session planned for %lld new tokens",
                (long long)session->step + 1, (long long)session->plan.n_new);
    if (engine->b.n_tokens < session->plan.n_prompt + session->plan.n_new)
        KVL_TRY(reserve(engine, session->plan.n_prompt + session->plan.n_new));
    int32_t position = (int32_t)session->position;
    /* Both by value with the launch: no copy from the host, which may wait for the queue. */
    KVL_TRY(be->range(engine->ctx, &(struct kvl_range){engine->b.ids, 1, 1, 0, 1, id}));
    KVL_TRY(be->range(engine->ctx, &(struct kvl_range){session->position_at, 1, 1, 0, 1, position}));
    KVL_TRY_RANGE(engine->ctx, "decode step", position, launch_step(engine, session));
    session->position++;
    session->step++;
    return KVL_OK;
}

/* ---- sessions -------------------------------------------------------------------------------------------------------- */

static enum kvl_status session_allocate(struct kvl_session *session, struct kvl_engine *engine)
{
    const struct kvl_shape *shape = &engine->model->shape;
    const struct kvl_backend *be = engine->ctx->be;
    const struct kvl_policy *policy = session->policy;
    void *logits, *position;
    KVL_TRY(be->alloc(engine->ctx, shape->n_vocab * (int64_t)sizeof(float), &logits));
    session->logits = logits;
    KVL_TRY(be->alloc(engine->ctx, sizeof *session->position_at, &position));
    session->position_at = position;
    KVL_TRY(kvl_kv_cache_init(&session->cache, engine->ctx, engine->model->dtype, shape, &session->plan));
    KVL_TRY(policy->begin(policy->self, engine->ctx, shape, &session->plan));
    KVL_TRY(reserve(engine, session->plan.n_prompt + session->plan.n_new));
    KVL_TRY(reserve_raw_keys(engine, &session, 1));
    return record_step(engine, session);
}

enum kvl_status kvl_session_init(struct kvl_session *session, struct kvl_engine *engine, const struct kvl_policy *policy,
                                 int64_t n_prompt, int64_t n_new)
{
    *session = (struct kvl_session){.engine = engine, .policy = policy};
    KVL_TRY(kvl_plan_make(&session->plan, policy, &engine->model->shape, n_prompt, n_new));
    session->plan.dtype = engine->model->dtype;
    enum kvl_status status = session_allocate(session, engine);
    if (status != KVL_OK)
        kvl_session_free(session);
    return status;
}

void kvl_session_free(struct kvl_session *session)
{
    if (session->engine == NULL)
        return;
    struct kvl_ctx *ctx = session->engine->ctx;
    session->policy->end(session->policy->self);
    if (session->graph != NULL)
        ctx->be->graph_free(ctx, session->graph);
    kvl_kv_cache_free(&session->cache);
    ctx->be->free(ctx, session->logits);
    ctx->be->free(ctx, session->position_at);
    for (int64_t l = 0; session->forward != NULL && l < session->engine->model->shape.n_layer; l++)
        free(session->forward[l]);
    free(session->forward);
    free(session->restart);
    *session = (struct kvl_session){0};
}

enum kvl_status kvl_session_trace(struct kvl_session *session)
{
    session->forward = calloc((size_t)session->engine->model->shape.n_layer, sizeof *session->forward);
    if (session->forward == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for a trace");
    session->trace = true;
    return KVL_OK;
}

enum kvl_status kvl_session_copy_cache(struct kvl_session *session, struct kvl_engine *engine)
{
    KVL_TRY(kvl_kv_cache_copy_at_steps(&session->cache));
    return record_step(engine, session); /* the one that was recorded reads the cache itself */
}

enum kvl_status kvl_session_argmax(struct kvl_session *session, int32_t *id)
{
    const struct kvl_engine *engine = session->engine;
    KVL_TRY(engine->ctx->be->argmax(engine->ctx,
                                    &(struct kvl_argmax){session->logits, engine->model->shape.n_vocab, engine->token}));
    return engine->ctx->be->download(engine->ctx, id, engine->token, sizeof *id);
}

enum kvl_status kvl_session_logits(const struct kvl_session *session, float *logits)
{
    return session->engine->ctx->be->download(session->engine->ctx, logits, session->logits,
                                              session->engine->model->shape.n_vocab * (int64_t)sizeof *logits);
}
