/* H2O: heavy hitters by accumulated attention, and recent tokens (Zhang et al., arXiv:2306.14048).
 *
 *   score_j = sum over all query rows of softmax(j);   keep = top-(cap - recent) of [0, n - recent) + [n - recent, n)
 * from the log-sum-exp of the attention pass, in O(n) memory. per_kv_head sums over the group before top-k.
 * paper: recent = floor(cap / 2); while decoding the new row's probabilities are added, and when more than cap entries are held
 * the lightest outside the last `recent` leaves.
 * fastkv: recent = 8, one cut; its softmax masks only the last recent x recent block (causal = false), so that earlier rows
 * see the future too. Departs: `paper` defaults to per_kv_head. */
#include "methods/method.h"
#include "methods/select.h"
#include "methods/vocabulary.h"

static const struct kvl_param params[] = {
    {.name = "recent", .type = KVL_PARAM_INT, .defaults = {{.i = -1}, {.i = 8}}, .min = -1, .max = 1 << 30,
     .help = "last tokens that always stay; -1: half of the entries kept"},
    {.name = "causal", .type = KVL_PARAM_BOOL, .defaults = {{.b = true}, {.b = false}},
     .help = "scores from causal attention; false: only the last recent x recent block is masked, earlier rows see the future"},
    {.name = "layout", .type = KVL_PARAM_CHOICE, .defaults = {{.i = KVL_LAYOUT_KV_HEAD}, {.i = KVL_LAYOUT_QUERY_HEAD}},
     .choices = kvl_layout_names, .help = "heads that select and are stored"},
};

struct state {
    struct kvl_selection selection;
    float *lse;    /* f32 [n_head, n]: of the uncausal softmax; NULL where causal */
    void *scratch; /* of attend, likewise */
};

static int64_t recent_of(const struct kvl_method_run *run, int64_t n)
{
    int64_t recent = kvl_run_value(run, "recent").i;
    return recent >= 0 ? recent : kvl_run_cap(run, n) / 2;
}

static enum kvl_status plan(const struct kvl_method_run *run, const struct kvl_shape *shape, struct kvl_plan *out)
{
    int64_t n = out->n_prompt, cap = kvl_run_cap(run, n), recent = recent_of(run, n);
    bool evicts = run->method->evicts[run->profile];
    if ((n > cap || evicts) && (cap < recent || cap < 1))
        return kvl_run_refuse_cap(run, cap, n, "the recent tokens");
    out->n_stored = kvl_run_value(run, "layout").i == KVL_LAYOUT_QUERY_HEAD ? shape->n_head : shape->n_kv;
    out->n_lists = out->n_stored;
    out->running_scores = evicts;
    int64_t n_keep = n < cap ? n : cap, n_max = n_keep + out->n_new;
    for (int64_t l = 0; l < shape->n_layer; l++) {
        out->layers[l].n_keep = n_keep;
        out->layers[l].n_max = evicts && n_max > cap + 1 ? cap + 1 : n_max;
    }
    return KVL_OK;
}

static enum kvl_status begin(struct kvl_method_run *run, const struct kvl_shape *shape, const struct kvl_plan *planned)
{
    struct state *state = (struct state *)(void *)run->state;
    int64_t n = planned->n_prompt, room = planned->layers[0].n_max > n ? planned->layers[0].n_max : n;
    KVL_TRY(kvl_selection_init(&state->selection, run, shape, room));
    if (kvl_run_value(run, "causal").b)
        return KVL_OK;
    struct kvl_heads heads = {NULL, KVL_F32, n, shape->n_head, shape->head_size, 0, 0};
    struct kvl_attend op = {.q = heads, .k = heads, .v = heads};
    op.k.n_heads = op.v.n_heads = shape->n_kv;
    void *lse;
    KVL_TRY(kvl_run_alloc(run, shape->n_head * n * (int64_t)sizeof(float), &lse));
    KVL_TRY(kvl_run_alloc(run, run->ctx->be->attend_scratch(run->ctx, &op), &state->scratch));
    state->lse = lse;
    return KVL_OK;
}

/* Scores of all n keys, f32 [n_lists, n]. */
static enum kvl_status accumulate(struct kvl_method_run *run, const struct kvl_view *view, int64_t recent, const float **scores)
{
    struct state *state = (struct state *)(void *)run->state;
    const struct kvl_backend *be = view->ctx->be;
    struct kvl_mass mass = {.q = view->q, .k = view->k, .pos = view->pos, .lse = view->lse, .window = view->window,
                            .row_end = view->n, .n_keys = view->n, .scale = view->scale, .scores = state->selection.scores};
    if (state->lse != NULL) {
        mass.causal_from = view->n - recent;
        mass.lse = state->lse;
        KVL_TRY(be->attend(view->ctx, &(struct kvl_attend){.q = view->q, .k = view->k, .pos = view->pos,
                                                           .window = view->window, .causal_from = mass.causal_from,
                                                           .scale = view->scale, .lse = state->lse, .scratch = state->scratch}));
    }
    KVL_TRY(be->mass(view->ctx, &mass));
    int64_t n_lists = view->plan->n_lists;
    *scores = state->selection.scores;
    if (n_lists == view->shape->n_head)
        return KVL_OK;
    *scores = state->selection.summed;
    return be->reduce_heads(view->ctx, &(struct kvl_reduce_heads){state->selection.scores, state->selection.summed, n_lists,
                                                                  view->shape->n_head / n_lists, view->n});
}

/* The n_keep - recent heaviest of the first n - recent entries and the rest; scores f32 [n_lists, ld]. */
static enum kvl_status keep(struct kvl_method_run *run, const struct kvl_view *view, const float *scores, int64_t ld,
                            int64_t n_keep, int64_t recent, struct kvl_verdict *verdict)
{
    int32_t *idx = ((struct state *)(void *)run->state)->selection.idx;
    const struct kvl_backend *be = view->ctx->be;
    int64_t n_lists = view->plan->n_lists, heavy = n_keep - recent, n_old = view->n - recent;
    verdict->keep = idx;
    verdict->n_keep = n_keep;
    if (heavy > 0)
        KVL_TRY(be->top_k(view->ctx, &(struct kvl_top_k){scores, n_lists, n_old, ld, heavy, idx, n_keep, 0, 0}));
    return be->range(view->ctx, &(struct kvl_range){idx, n_lists, n_keep, heavy, recent, (int32_t)n_old});
}

static enum kvl_status after_attention(struct kvl_method_run *run, const struct kvl_view *view, struct kvl_verdict *verdict)
{
    int64_t n_keep = view->plan->layers[view->layer].n_keep, recent = recent_of(run, view->plan->n_prompt);
    if (n_keep == view->n && !view->plan->running_scores)
        return KVL_OK;
    const float *scores;
    KVL_TRY(accumulate(run, view, recent, &scores));
    verdict->scores = scores;
    return n_keep < view->n ? keep(run, view, scores, view->n, n_keep, recent, verdict) : KVL_OK;
}

static enum kvl_status after_decode(struct kvl_method_run *run, const struct kvl_view *view, struct kvl_verdict *verdict)
{
    int64_t n_prompt = view->plan->n_prompt, cap = kvl_run_cap(run, n_prompt);
    if (view->n <= cap)
        return KVL_OK;
    return keep(run, view, view->scores, view->plan->layers[view->layer].n_max, cap, recent_of(run, n_prompt), verdict);
}

const struct kvl_method kvl_method_h2o = {
    .name = "h2o",
    .title = "H2O",
    .source = "arXiv:2306.14048",
    .default_budget = {{.rate = 0.2}, {.rate = 0.2}},
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .state_size = sizeof(struct state),
    .plan = plan,
    .begin = begin,
    .after_attention = after_attention,
    .after_decode = after_decode,
    .evicts = {[KVL_PROFILE_PAPER] = true},
};
