/* StreamingLLM: attention sinks and the most recent tokens (Xiao et al., arXiv:2309.17453).
 *
 *   keep = [0, sinks) + [n - (cap - sinks), n)
 * paper: positions are those inside the cache; before each decode step the oldest entries behind the sinks leave until
 * cap - 1 remain. fastkv: one cut after the prefill, original positions, no eviction.
 * Departs: the prompt attends to itself in full, as in the FastKV repository; the paper streams it through the cache. */
#include "methods/method.h"

static const struct kvl_param params[] = {
    {.name = "sinks", .type = KVL_PARAM_INT, .defaults = {{.i = 4}, {.i = 4}}, .min = 0, .max = 1024,
     .help = "first tokens that always stay"},
};

struct state {
    int32_t *idx; /* i32 [cap] */
};

static enum kvl_status plan(const struct kvl_method_run *run, const struct kvl_shape *shape, struct kvl_plan *out)
{
    int64_t n = out->n_prompt, cap = kvl_run_cap(run, n), sinks = kvl_run_value(run, "sinks").i;
    bool evicts = run->method->evicts[run->profile];
    if ((n > cap || evicts) && cap <= sinks)
        return kvl_run_refuse_cap(run, cap, n, "the sinks and one recent token");
    int64_t n_keep = n < cap ? n : cap;
    int64_t n_max = n_keep + out->n_new;
    if (evicts && n_max > cap)
        n_max = cap;
    out->cache_positions = evicts;
    for (int64_t l = 0; l < shape->n_layer; l++) {
        out->layers[l].n_keep = n_keep;
        out->layers[l].n_max = n_max;
    }
    return KVL_OK;
}

static enum kvl_status begin(struct kvl_method_run *run, const struct kvl_shape *shape, const struct kvl_plan *planned)
{
    (void)shape;
    struct state *state = (struct state *)(void *)run->state;
    void *idx;
    KVL_TRY(kvl_run_alloc(run, planned->layers[0].n_max * (int64_t)sizeof(int32_t), &idx));
    state->idx = idx;
    return KVL_OK;
}

/* The sinks and the last n_keep - sinks of n entries. */
static enum kvl_status keep(struct kvl_method_run *run, const struct kvl_view *view, int64_t n_keep, struct kvl_verdict *verdict)
{
    struct state *state = (struct state *)(void *)run->state;
    const struct kvl_backend *be = view->ctx->be;
    int64_t sinks = kvl_run_value(run, "sinks").i, recent = n_keep - sinks;
    verdict->keep = state->idx;
    verdict->n_keep = n_keep;
    KVL_TRY(be->range(view->ctx, &(struct kvl_range){state->idx, 1, n_keep, 0, sinks, 0}));
    return be->range(view->ctx, &(struct kvl_range){state->idx, 1, n_keep, sinks, recent, (int32_t)(view->n - recent)});
}

static enum kvl_status after_attention(struct kvl_method_run *run, const struct kvl_view *view, struct kvl_verdict *verdict)
{
    int64_t n_keep = view->plan->layers[view->layer].n_keep;
    return n_keep < view->n ? keep(run, view, n_keep, verdict) : KVL_OK;
}

static enum kvl_status before_decode(struct kvl_method_run *run, const struct kvl_view *view, struct kvl_verdict *verdict)
{
    int64_t cap = kvl_run_cap(run, view->plan->n_prompt);
    return view->n > cap - 1 ? keep(run, view, cap - 1, verdict) : KVL_OK;
}

const struct kvl_method kvl_method_streamingllm = {
    .name = "streamingllm",
    .title = "StreamingLLM",
    .source = "arXiv:2309.17453",
    .default_budget = {{.rate = 0.2}, {.rate = 0.2}},
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .state_size = sizeof(struct state),
    .plan = plan,
    .begin = begin,
    .after_attention = after_attention,
    .before_decode = before_decode,
    .evicts = {[KVL_PROFILE_PAPER] = true},
};
