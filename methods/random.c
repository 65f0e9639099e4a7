/* random: a seeded random set of the prompt's tokens, another one in every layer. No published method: it is the floor that every
 * method must beat.
 *
 *   score_j = kvl_random_uniform(seed * 4096 + layer, j),   keep = top-cap of [0, n), the same for all heads */
#include "methods/method.h"

static const struct kvl_param params[] = {
    {.name = "seed", .type = KVL_PARAM_INT, .defaults = {{.i = 0}, {.i = 0}}, .min = 0, .max = 1 << 30,
     .help = "of the random set"},
};

struct state {
    float *scores; /* f32 [n_prompt] */
    int32_t *idx;  /* i32 [n_prompt] */
};

static enum kvl_status plan(const struct kvl_method_run *run, const struct kvl_shape *shape, struct kvl_plan *out)
{
    int64_t n = out->n_prompt, cap = kvl_run_cap(run, n);
    if (cap < 1)
        return kvl_run_refuse_cap(run, cap, n, "one token");
    for (int64_t l = 0; l < shape->n_layer; l++) {
        out->layers[l].n_keep = n < cap ? n : cap;
        out->layers[l].n_max = out->layers[l].n_keep + out->n_new;
    }
    return KVL_OK;
}

static enum kvl_status begin(struct kvl_method_run *run, const struct kvl_shape *shape, const struct kvl_plan *planned)
{
    (void)shape;
    struct state *state = (struct state *)(void *)run->state;
    void *scores, *idx;
    KVL_TRY(kvl_run_alloc(run, planned->n_prompt * (int64_t)sizeof(float), &scores));
    KVL_TRY(kvl_run_alloc(run, planned->n_prompt * (int64_t)sizeof(int32_t), &idx));
    *state = (struct state){scores, idx};
    return KVL_OK;
}

static enum kvl_status after_attention(struct kvl_method_run *run, const struct kvl_view *view, struct kvl_verdict *verdict)
{
    const struct state *state = (const struct state *)(const void *)run->state;
    const struct kvl_backend *be = view->ctx->be;
    int64_t n = view->n, n_keep = view->plan->layers[view->layer].n_keep;
    if (n_keep == n)
        return KVL_OK;
    uint64_t seed = (uint64_t)kvl_run_value(run, "seed").i * 4096 + (uint64_t)view->layer;
    verdict->keep = state->idx;
    verdict->n_keep = n_keep;
    KVL_TRY(be->fill_random(view->ctx, &(struct kvl_fill_random){state->scores, KVL_F32, n, seed, 0, 1.0f}));
    return be->top_k(view->ctx, &(struct kvl_top_k){state->scores, 1, n, n, n_keep, state->idx, n_keep, 0, 0});
}

const struct kvl_method kvl_method_random = {
    .name = "random",
    .title = "Random set",
    .source = "kvlab: the floor that every method must beat",
    .default_budget = {{.rate = 0.2}, {.rate = 0.2}},
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .state_size = sizeof(struct state),
    .plan = plan,
    .begin = begin,
    .after_attention = after_attention,
};
