#include "harness/token_mass.h"

struct observer {
    int64_t window;
    float *mass; /* host f32 [n_layer, n] */
    struct kvl_ctx *ctx;
    float *per_head, *total; /* f32 [n_head, n], [n] in the backend's memory */
};

static enum kvl_status plan(const void *self, const struct kvl_shape *shape, struct kvl_plan *out)
{
    (void)self, (void)shape, (void)out;
    return KVL_OK;
}

static enum kvl_status begin(void *self, struct kvl_ctx *ctx, const struct kvl_shape *shape, const struct kvl_plan *planned)
{
    struct observer *observer = self;
    void *per_head, *total;
    observer->ctx = ctx;
    KVL_TRY(ctx->be->alloc(ctx, shape->n_head * planned->n_prompt * (int64_t)sizeof(float), &per_head));
    observer->per_head = per_head;
    KVL_TRY(ctx->be->alloc(ctx, planned->n_prompt * (int64_t)sizeof(float), &total));
    observer->total = total;
    return KVL_OK;
}

static void end(void *self)
{
    struct observer *observer = self;
    if (observer->ctx == NULL)
        return;
    observer->ctx->be->free(observer->ctx, observer->per_head);
    observer->ctx->be->free(observer->ctx, observer->total);
    observer->ctx = NULL;
    observer->per_head = observer->total = NULL;
}

static enum kvl_status after_attention(void *self, const struct kvl_view *view, struct kvl_verdict *verdict)
{
    (void)verdict;
    struct observer *observer = self;
    const struct kvl_backend *be = view->ctx->be;
    int64_t n = view->n, n_head = view->shape->n_head;
    float *mass = observer->mass + view->layer * n;
    KVL_TRY(be->mass(view->ctx,
                     &(struct kvl_mass){.q = view->q, .k = view->k, .pos = view->pos, .lse = view->lse, .window = view->window,
                                        .row_begin = observer->window > 0 ? n - observer->window : 0, .row_end = n, .n_keys = n,
                                        .scale = view->scale, .scores = observer->per_head}));
    KVL_TRY(be->reduce_heads(view->ctx, &(struct kvl_reduce_heads){observer->per_head, observer->total, 1, n_head, n}));
    KVL_TRY(be->download(view->ctx, mass, observer->total, n * (int64_t)sizeof *mass));
    for (int64_t i = 0; i < n; i++)
        mass[i] /= (float)n_head;
    return KVL_OK;
}

enum kvl_status kvl_token_mass(struct kvl_engine *engine, const int32_t *ids, int64_t n, int64_t window, float *mass)
{
    KVL_REQUIRE(window >= 0 && window < n, "an observation window of %lld rows for a prompt of %lld tokens: give a smaller --window",
                (long long)window, (long long)n);
    struct observer observer = {.window = window, .mass = mass};
    const struct kvl_policy policy = {.name = "the observer", .self = &observer, .plan = plan, .begin = begin, .end = end,
                                      .after_attention = after_attention};
    struct kvl_session session, *sessions[] = {&session};
    KVL_TRY(kvl_session_init(&session, engine, &policy, n, 0));
    enum kvl_status status = kvl_engine_prefill(engine, &(struct kvl_prefill){.ids = ids, .n = n}, sessions, 1);
    kvl_session_free(&session);
    return status;
}
