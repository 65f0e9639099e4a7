/* FastKV: token-selective propagation and a KV budget of its own (Jo et al., arXiv:2502.01068 v7).
 *
 *   score_j = pool(sum over the last w rows of softmax(j)) per query head, summed over each KV group
 *   keep    = top-(cap - w) of [0, n_l - w) per KV head + the window,   cap = floor(n_l * rate_l)
 *   rate_l  = r up to and including the TSP layer t, r / tsp_rate after it
 *   forward (layer t only) = top-(floor(n * tsp_rate) - w) of the scores summed over all KV heads + the window
 * With --kv-budget: cap is the budget in every layer and tsp_len tokens go on, tsp_rate is unused.
 * Both profiles are equal. Departs: none. */
#include <math.h>

#include "methods/method.h"
#include "methods/model_defaults.h"
#include "methods/select.h"
#include "methods/vocabulary.h"

static const struct kvl_param params[] = {
    {.name = "window", .type = KVL_PARAM_INT, .defaults = {{.i = 8}, {.i = 8}}, .min = 1, .max = 4096,
     .help = "last rows that observe, always kept"},
    {.name = "pool", .type = KVL_PARAM_CHOICE, .defaults = {{.i = KVL_POOL_MAX}, {.i = KVL_POOL_MAX}},
     .choices = kvl_pool_names, .help = "pooling of the scores along the tokens"},
    {.name = "kernel", .type = KVL_PARAM_INT, .defaults = {{.i = 7}, {.i = 7}}, .min = 1, .max = 255, .odd = true,
     .help = "width of the pooling, odd"},
    {.name = "tsp_layer", .type = KVL_PARAM_INT, .derive = kvl_default_tsp_layer,
     .derived = "15, 17, 19 for LLaMA-3.1-8B, Ministral-8B, Mistral-Nemo-12B; else L/2 - 1", .min = 0,
     .max = KVL_MAX_LAYERS - 1, .cuts = true, .help = "layer after which only the selected tokens go on"},
    {.name = "tsp_rate", .type = KVL_PARAM_REAL, .defaults = {{.r = 0.2}, {.r = 0.2}}, .min = 1e-6, .max = 1,
     .help = "share of the tokens that go on, with --kv-rate"},
    {.name = "tsp_len", .type = KVL_PARAM_INT, .defaults = {{.i = 2048}, {.i = 2048}}, .min = 1, .max = 1 << 30,
     .help = "tokens that go on, with --kv-budget"},
};

struct state {
    struct kvl_selection selection;
    float *total;     /* f32 [n]: scores summed over all KV heads */
    int32_t *forward; /* i32 [n] */
};

static enum kvl_status plan(const struct kvl_method_run *run, const struct kvl_shape *shape, struct kvl_plan *out)
{
    int64_t n = out->n_prompt, window = kvl_run_value(run, "window").i, tsp_layer = kvl_run_value(run, "tsp_layer").i;
    double tsp_rate = kvl_run_value(run, "tsp_rate").r;
    bool constant = run->budget.budget > 0;
    int64_t tsp_len = constant ? kvl_run_value(run, "tsp_len").i : (int64_t)floor((double)n * tsp_rate);
    KVL_REQUIRE(tsp_layer < shape->n_layer, "fastkv.tsp_layer=%lld: the model has layers 0 to %lld", (long long)tsp_layer,
                (long long)shape->n_layer - 1);
    KVL_REQUIRE(tsp_len >= n || tsp_len >= window,
                "fastkv: %lld of %lld tokens going on are fewer than the observation window of %lld: raise fastkv.%s",
                (long long)tsp_len, (long long)n, (long long)window, constant ? "tsp_len" : "tsp_rate");
    out->n_lists = out->n_stored;
    int64_t n_layer_tokens = n;
    for (int64_t l = 0; l < shape->n_layer; l++) {
        int64_t cap = kvl_run_cap(run, n_layer_tokens);
        if (!constant && n_layer_tokens < n)
            cap = run->budget.rate > tsp_rate ? n_layer_tokens
                                              : (int64_t)floor((double)n_layer_tokens * (run->budget.rate / tsp_rate));
        if (n_layer_tokens > cap && cap < window)
            return kvl_run_refuse_cap(run, cap, n_layer_tokens, "the observation window");
        struct kvl_layer_plan *layer = &out->layers[l];
        layer->n_in = n_layer_tokens;
        layer->n_keep = n_layer_tokens < cap ? n_layer_tokens : cap;
        layer->n_max = layer->n_keep + out->n_new;
        if (l == tsp_layer && tsp_len < n)
            n_layer_tokens = tsp_len;
        layer->n_forward = n_layer_tokens;
    }
    return KVL_OK;
}

static enum kvl_status begin(struct kvl_method_run *run, const struct kvl_shape *shape, const struct kvl_plan *planned)
{
    struct state *state = (struct state *)(void *)run->state;
    void *total, *forward;
    KVL_TRY(kvl_selection_init(&state->selection, run, shape, planned->n_prompt));
    KVL_TRY(kvl_run_alloc(run, planned->n_prompt * (int64_t)sizeof(float), &total));
    KVL_TRY(kvl_run_alloc(run, planned->n_prompt * (int64_t)sizeof(int32_t), &forward));
    state->total = total;
    state->forward = forward;
    return KVL_OK;
}

static enum kvl_status after_attention(struct kvl_method_run *run, const struct kvl_view *view, struct kvl_verdict *verdict)
{
    struct state *state = (struct state *)(void *)run->state;
    struct kvl_selection *selection = &state->selection;
    const struct kvl_layer_plan *layer = &view->plan->layers[view->layer];
    int64_t window = kvl_run_value(run, "window").i, n_kv = view->shape->n_kv, n_keys = view->n - window;
    bool cuts = layer->n_keep < view->n, holds_back = layer->n_forward < view->n;
    if (!cuts && !holds_back)
        return KVL_OK;
    const float *scores;
    KVL_TRY(kvl_select_observe(selection, view, window, (enum kvl_pool_kind)kvl_run_value(run, "pool").i,
                               kvl_run_value(run, "kernel").i, n_kv, &scores));
    if (cuts) {
        verdict->keep = selection->idx;
        verdict->n_keep = layer->n_keep;
        KVL_TRY(kvl_select_top(view, scores, n_kv, n_keys, layer->n_keep - window, window, selection->idx));
    }
    if (!holds_back)
        return KVL_OK;
    verdict->forward = state->forward;
    verdict->n_forward = layer->n_forward;
    KVL_TRY(view->ctx->be->reduce_heads(view->ctx, &(struct kvl_reduce_heads){scores, state->total, 1, n_kv, n_keys}));
    return kvl_select_top(view, state->total, 1, n_keys, layer->n_forward - window, window, state->forward);
}

const struct kvl_method kvl_method_fastkv = {
    .name = "fastkv",
    .title = "FastKV",
    .source = "arXiv:2502.01068",
    .default_budget = {{.rate = 0.2}, {.rate = 0.2}},
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .state_size = sizeof(struct state),
    .plan = plan,
    .begin = begin,
    .after_attention = after_attention,
};
