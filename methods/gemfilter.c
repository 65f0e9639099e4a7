/* GemFilter: an early layer picks the tokens, and the whole model runs again on those alone (Shi et al., arXiv:2409.17422).
 *
 *   score_j = sum over heads of the average pool of q_last . k_j at layer f,   kept = top-min(cap, n), ascending
 * The second pass takes the kept ids as a new prompt, positions 0..m-1; its KV is the cache, and decoding goes on at m. The
 * cost of the prefill is both passes. `paper` keeps 1,024 tokens, `fastkv` a share of the prompt. Departs: none. */
#include "methods/method.h"
#include "methods/model_defaults.h"
#include "methods/select.h"
#include "methods/vocabulary.h"

static const struct kvl_param params[] = {
    {.name = "layer", .type = KVL_PARAM_INT, .derive = kvl_default_filter_layer,
     .derived = "13, 17, 19 for LLaMA-3.1-8B, Ministral-8B, Mistral-Nemo-12B; else L/2 - 1", .min = 0,
     .max = KVL_MAX_LAYERS - 1, .cuts = true, .help = "filter layer: the last one of the first pass"},
    {.name = "pool", .type = KVL_PARAM_CHOICE, .defaults = {{.i = KVL_POOL_AVG}, {.i = KVL_POOL_AVG}},
     .choices = kvl_pool_names, .help = "pooling of the scores along the tokens"},
    {.name = "kernel", .type = KVL_PARAM_INT, .defaults = {{.i = 5}, {.i = 5}}, .min = 1, .max = 255, .odd = true,
     .help = "width of the pooling, odd"},
};

struct state {
    struct kvl_selection selection;
};

static enum kvl_status plan(const struct kvl_method_run *run, const struct kvl_shape *shape, struct kvl_plan *out)
{
    int64_t n = out->n_prompt, cap = kvl_run_cap(run, n), layer = kvl_run_value(run, "layer").i;
    KVL_REQUIRE(layer < shape->n_layer, "gemfilter.layer=%lld: the model has layers 0 to %lld", (long long)layer,
                (long long)shape->n_layer - 1);
    if (cap < 1)
        return kvl_run_refuse_cap(run, cap, n, "one token");
    int64_t m = n < cap ? n : cap;
    out->restart_layer = layer;
    out->n_restart = m;
    for (int64_t l = 0; l < shape->n_layer; l++)
        out->layers[l] = (struct kvl_layer_plan){m, m, m, m + out->n_new};
    return KVL_OK;
}

static enum kvl_status begin(struct kvl_method_run *run, const struct kvl_shape *shape, const struct kvl_plan *planned)
{
    return kvl_selection_init(&((struct state *)(void *)run->state)->selection, run, shape, planned->n_prompt);
}

static enum kvl_status after_attention(struct kvl_method_run *run, const struct kvl_view *view, struct kvl_verdict *verdict)
{
    struct kvl_selection *selection = &((struct state *)(void *)run->state)->selection;
    const struct kvl_backend *be = view->ctx->be;
    int64_t n = view->n;
    if (view->pass > 0 || view->layer != view->plan->restart_layer)
        return KVL_OK;
    KVL_TRY(be->logits(view->ctx, &(struct kvl_logits){view->q, view->k, n - 1, selection->scores}));
    KVL_TRY(be->pool(view->ctx, &(struct kvl_pool){selection->scores, selection->pooled, view->shape->n_head, n,
                                                   kvl_run_value(run, "kernel").i,
                                                   (enum kvl_pool_kind)kvl_run_value(run, "pool").i}));
    KVL_TRY(be->reduce_heads(view->ctx,
                             &(struct kvl_reduce_heads){selection->pooled, selection->summed, 1, view->shape->n_head, n}));
    verdict->restart = selection->idx;
    return kvl_select_top(view, selection->summed, 1, n, view->plan->n_restart, 0, selection->idx);
}

const struct kvl_method kvl_method_gemfilter = {
    .name = "gemfilter",
    .title = "GemFilter",
    .source = "arXiv:2409.17422",
    .default_budget = {[KVL_PROFILE_PAPER] = {.budget = 1024}, [KVL_PROFILE_FASTKV] = {.rate = 0.2}},
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .state_size = sizeof(struct state),
    .plan = plan,
    .begin = begin,
    .after_attention = after_attention,
};
