/* SnapKV: the prompt's last rows vote for the entries that stay (Li et al., arXiv:2404.14469).
 *
 *   score_j = pool(sum over the last w rows of softmax(j)),   keep = top-(cap - w) of [0, n - w) + the window
 * per query head (layout per_query_head: h heads stored) or summed over the KV group first (per_kv_head, n_kv stored).
 * Departs: `paper` here defaults to per_kv_head, so that the cache is as small as its rate says; the paper selects per query
 * head. */
#include "methods/select.h"
#include "methods/method.h"
#include "methods/vocabulary.h"

static const struct kvl_param params[] = {
    {.name = "window", .type = KVL_PARAM_INT, .defaults = {{.i = 32}, {.i = 8}}, .min = 1, .max = 4096,
     .help = "last rows that observe, always kept"},
    {.name = "pool", .type = KVL_PARAM_CHOICE, .defaults = {{.i = KVL_POOL_MAX}, {.i = KVL_POOL_MAX}},
     .choices = kvl_pool_names, .help = "pooling of the scores along the tokens"},
    {.name = "kernel", .type = KVL_PARAM_INT, .defaults = {{.i = 7}, {.i = 7}}, .min = 1, .max = 255, .odd = true,
     .help = "width of the pooling, odd"},
    {.name = "layout", .type = KVL_PARAM_CHOICE, .defaults = {{.i = KVL_LAYOUT_KV_HEAD}, {.i = KVL_LAYOUT_QUERY_HEAD}},
     .choices = kvl_layout_names, .help = "heads that select and are stored"},
};

struct state {
    struct kvl_selection selection;
};

static enum kvl_status plan(const struct kvl_method_run *run, const struct kvl_shape *shape, struct kvl_plan *out)
{
    int64_t n = out->n_prompt, cap = kvl_run_cap(run, n), window = kvl_run_value(run, "window").i;
    if (n > cap && cap < window)
        return kvl_run_refuse_cap(run, cap, n, "the observation window");
    out->n_stored = kvl_run_value(run, "layout").i == KVL_LAYOUT_QUERY_HEAD ? shape->n_head : shape->n_kv;
    out->n_lists = out->n_stored;
    for (int64_t l = 0; l < shape->n_layer; l++) {
        out->layers[l].n_keep = n < cap ? n : cap;
        out->layers[l].n_max = out->layers[l].n_keep + out->n_new;
    }
    return KVL_OK;
}

static enum kvl_status begin(struct kvl_method_run *run, const struct kvl_shape *shape, const struct kvl_plan *planned)
{
    struct state *state = (struct state *)(void *)run->state;
    return kvl_selection_init(&state->selection, run, shape, planned->n_prompt);
}

static enum kvl_status after_attention(struct kvl_method_run *run, const struct kvl_view *view, struct kvl_verdict *verdict)
{
    struct kvl_selection *selection = &((struct state *)(void *)run->state)->selection;
    int64_t n_keep = view->plan->layers[view->layer].n_keep, window = kvl_run_value(run, "window").i;
    if (n_keep == view->n)
        return KVL_OK;
    const float *scores;
    KVL_TRY(kvl_select_observe(selection, view, window, (enum kvl_pool_kind)kvl_run_value(run, "pool").i,
                               kvl_run_value(run, "kernel").i, view->plan->n_lists, &scores));
    verdict->keep = selection->idx;
    verdict->n_keep = n_keep;
    return kvl_select_top(view, scores, view->plan->n_lists, view->n - window, n_keep - window, window, selection->idx);
}

const struct kvl_method kvl_method_snapkv = {
    .name = "snapkv",
    .title = "SnapKV",
    .source = "arXiv:2404.14469",
    .default_budget = {{.rate = 0.2}, {.rate = 0.2}},
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .state_size = sizeof(struct state),
    .plan = plan,
    .begin = begin,
    .after_attention = after_attention,
};
