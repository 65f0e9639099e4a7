/* PyramidInfer: each layer sends fewer tokens on than it received (Yang et al., arXiv:2405.12532).
 *
 *   R = floor(n * recent_ratio);  context = n_l - 1 - R;  ratio_l = (1 - p) (cos(pi l / L) + 1) / 2 + p
 *   score_j = weighted mean over the last 1 + R rows, and over heads, of softmax(j);   weights linear from 1 to distance_weight
 *   keep floor(context * ratio_l) of the context (the 4 first tokens among them) if that exceeds min_context, else all
 * Hidden states and original positions of the kept tokens go on; layer l caches the tokens that entered it; nothing is cut
 * behind the last layer. While decoding, whenever a layer holds 16 tokens beyond the recent window, the 16 entries before the
 * last 1 + R are cut to max(int(16 * 0.9 * gen_ratio_l), 1) by the last 1 + R rows.
 * decode = intended counts the layer's own extra tokens; as_coded counts all tokens seen, as both repositories do; off.
 * Departs from the repositories: row weights are not multiplied again at each firing, and R stays fixed. */
#include <math.h>
#include <stdlib.h>

#include "methods/method.h"
#include "methods/model_defaults.h"
#include "methods/select.h"

enum { SINKS = 4, BLOCK = 16 };
enum { DECODE_INTENDED, DECODE_AS_CODED, DECODE_OFF };
static const char *const decode_names[] = {"intended", "as_coded", "off", NULL};

static const struct kvl_param params[] = {
    {.name = "p", .type = KVL_PARAM_REAL, .derive = kvl_default_pyramid_p,
     .derived = "paper 0.9; fastkv 0.7, 0.75, 0.78 for LLaMA-3.1-8B, Ministral-8B, Mistral-Nemo-12B; else 0.7", .min = 0,
     .max = 1, .help = "share of the context that the deepest layers keep of what reaches them"},
    {.name = "recent_ratio", .type = KVL_PARAM_REAL, .defaults = {{.r = 0.2}, {.r = 0.2}}, .min = 0, .max = 0.99,
     .help = "share of the prompt that observes and always stays"},
    {.name = "distance_weight", .type = KVL_PARAM_REAL, .defaults = {{.r = 1.2}, {.r = 1.2}}, .min = 0.01, .max = 100,
     .help = "weight of the last row; the first of the recent ones has 1"},
    {.name = "min_context", .type = KVL_PARAM_INT, .defaults = {{.i = 64}, {.i = 64}}, .min = SINKS, .max = 1 << 30,
     .help = "a context is not cut to this many tokens or fewer"},
    {.name = "gen_decay", .type = KVL_PARAM_REAL, .defaults = {{.r = 0.1}, {.r = 1.0}}, .min = 0, .max = 1,
     .help = "as p, for the blocks cut while decoding"},
    {.name = "decode", .type = KVL_PARAM_CHOICE, .defaults = {{.i = DECODE_INTENDED}, {.i = DECODE_INTENDED}},
     .choices = decode_names, .help = "which length the block rule counts: the layer's own, or all tokens seen"},
};

struct state {
    struct kvl_selection selection;
    int64_t n_rows;  /* 1 + R */
    float *weights;  /* f32 [2, n_rows]: the row weights, twice, so that a ring can begin anywhere */
    void *rows;      /* dtype [n_layer, n_rows, n_head * e]: the last query rows, a ring */
    float *lse;      /* f32 [n_layer, n_head, n_rows] */
    int32_t *pos;    /* i32 [n_layer, n_rows] */
    int32_t past[KVL_MAX_LAYERS];
};

static double ratio(int64_t layer, int64_t n_layer, double p)
{
    return (1.0 - p) * (cos(M_PI * (double)layer / (double)n_layer) + 1.0) / 2.0 + p;
}

static int64_t recent_of(const struct kvl_method_run *run, int64_t n_prompt)
{
    return (int64_t)floor((double)n_prompt * kvl_run_value(run, "recent_ratio").r);
}

static enum kvl_status plan(const struct kvl_method_run *run, const struct kvl_shape *shape, struct kvl_plan *out)
{
    int64_t recent = recent_of(run, out->n_prompt), n = out->n_prompt;
    for (int64_t l = 0; l < shape->n_layer; l++) {
        struct kvl_layer_plan *layer = &out->layers[l];
        layer->n_in = layer->n_keep = n;
        layer->n_max = n + out->n_new;
        int64_t context = n - 1 - recent;
        int64_t kept = (int64_t)floor((double)context * ratio(l, shape->n_layer, kvl_run_value(run, "p").r));
        if (l < shape->n_layer - 1 && kept > kvl_run_value(run, "min_context").i && kept < context)
            n = kept + 1 + recent;
        layer->n_forward = n;
    }
    return KVL_OK;
}

static enum kvl_status upload_weights(struct kvl_method_run *run, struct state *state)
{
    int64_t n = state->n_rows;
    double last = kvl_run_value(run, "distance_weight").r;
    float *weights = malloc((size_t)(2 * n) * sizeof *weights);
    if (weights == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for %lld row weights", (long long)n);
    for (int64_t i = 0; i < n; i++)
        weights[i] = weights[n + i] = (float)(n > 1 ? 1.0 + (last - 1.0) * (double)i / (double)(n - 1) : 1.0);
    enum kvl_status status = run->ctx->be->upload(run->ctx, state->weights, weights, 2 * n * (int64_t)sizeof *weights);
    free(weights);
    return status;
}

static enum kvl_status begin(struct kvl_method_run *run, const struct kvl_shape *shape, const struct kvl_plan *planned)
{
    struct state *state = (struct state *)(void *)run->state;
    int64_t n = state->n_rows = 1 + recent_of(run, planned->n_prompt), n_layer = shape->n_layer;
    void *weights, *lse, *pos;
    KVL_TRY(kvl_selection_init(&state->selection, run, shape, planned->n_prompt + planned->n_new));
    KVL_TRY(kvl_run_alloc(run, 2 * n * (int64_t)sizeof(float), &weights));
    state->weights = weights;
    KVL_TRY(upload_weights(run, state));
    if (planned->n_new == 0 || kvl_run_value(run, "decode").i == DECODE_OFF)
        return KVL_OK;
    int64_t row = shape->n_head * shape->head_size * (int64_t)kvl_dtype_size(planned->dtype);
    KVL_TRY(kvl_run_alloc(run, n_layer * n * row, &state->rows));
    KVL_TRY(kvl_run_alloc(run, n_layer * n * shape->n_head * (int64_t)sizeof(float), &lse));
    KVL_TRY(kvl_run_alloc(run, n_layer * n * (int64_t)sizeof(int32_t), &pos));
    state->lse = lse;
    state->pos = pos;
    return KVL_OK;
}

/* Puts `count` query rows (the first at token `first` of the view) with their log-sum-exps into the ring from `slot` on. */
static enum kvl_status remember(const struct state *state, const struct kvl_view *view, int64_t first, int64_t count,
                                int64_t slot, int64_t lse_stride)
{
    const struct kvl_backend *be = view->ctx->be;
    int64_t n = state->n_rows, n_head = view->shape->n_head, width = n_head * view->shape->head_size;
    struct kvl_heads q = {(void *)(uintptr_t)kvl_heads_at(&view->q, first, 0), view->q.dtype, count, 1, width,
                          view->q.token_stride, 0};
    char *rows = (char *)state->rows + (size_t)((view->layer * n + slot) * width) * kvl_dtype_size(view->q.dtype);
    KVL_TRY(be->gather_heads(view->ctx, &(struct kvl_gather_heads){q, NULL, 1, count, rows, 1, n}));
    struct kvl_heads lse = {(void *)(uintptr_t)(view->lse + first), KVL_F32, count, n_head, 1, 1, lse_stride};
    return be->gather_heads(view->ctx, &(struct kvl_gather_heads){lse, NULL, 1, count, state->lse + view->layer * n_head * n + slot,
                                                                  n_head, n});
}

static enum kvl_status after_attention(struct kvl_method_run *run, const struct kvl_view *view, struct kvl_verdict *verdict)
{
    struct state *state = (struct state *)(void *)run->state;
    struct kvl_selection *selection = &state->selection;
    const struct kvl_backend *be = view->ctx->be;
    int64_t first = view->n - state->n_rows, n_forward = view->plan->layers[view->layer].n_forward;
    if (state->rows != NULL) {
        state->past[view->layer] = (int32_t)view->n;
        KVL_TRY(remember(state, view, first, state->n_rows, 0, view->n));
        struct kvl_heads pos = {(void *)(uintptr_t)(view->pos + first), KVL_F32, state->n_rows, 1, 1, 1, 0};
        KVL_TRY(be->gather_heads(view->ctx, &(struct kvl_gather_heads){pos, NULL, 1, state->n_rows,
                                                                       state->pos + view->layer * state->n_rows, 1,
                                                                       state->n_rows}));
    }
    if (n_forward == view->n)
        return KVL_OK;
    KVL_TRY(be->mass(view->ctx, &(struct kvl_mass){.q = view->q, .k = view->k, .pos = view->pos, .lse = view->lse,
                                                   .weights = state->weights, .window = view->window, .row_begin = first,
                                                   .row_end = view->n, .n_keys = first, .scale = view->scale,
                                                   .scores = selection->scores}));
    KVL_TRY(be->reduce_heads(view->ctx, &(struct kvl_reduce_heads){selection->scores, selection->summed, 1,
                                                                   view->shape->n_head, first}));
    int64_t chosen = n_forward - state->n_rows - SINKS;
    int32_t *idx = selection->idx;
    verdict->forward = idx;
    verdict->n_forward = n_forward;
    KVL_TRY(be->range(view->ctx, &(struct kvl_range){idx, 1, n_forward, 0, SINKS, 0}));
    KVL_TRY(be->top_k(view->ctx, &(struct kvl_top_k){selection->summed + SINKS, 1, first - SINKS, first - SINKS, chosen, idx,
                                                     n_forward, SINKS, SINKS}));
    return be->range(view->ctx, &(struct kvl_range){idx, 1, n_forward, SINKS + chosen, state->n_rows, (int32_t)first});
}

/* Scores of the block's entries by the remembered rows, f32 [size] in selection->summed. */
static enum kvl_status score_block(const struct state *state, const struct kvl_view *view, int64_t begin, int64_t size)
{
    const struct kvl_backend *be = view->ctx->be;
    int64_t n = state->n_rows, n_head = view->shape->n_head, e = view->shape->head_size, layer = view->layer;
    int64_t oldest = (view->step + 1) % n;
    char *rows = (char *)state->rows + (size_t)(layer * n * n_head * e) * kvl_dtype_size(view->q.dtype);
    struct kvl_heads q = {rows, view->q.dtype, n, n_head, e, n_head * e, e}, k = view->k;
    k.data = (void *)(uintptr_t)kvl_heads_at(&view->k, begin, 0);
    k.n_tokens = size;
    KVL_TRY(be->mass(view->ctx, &(struct kvl_mass){.q = q, .k = k, .pos = state->pos + layer * n, .key_pos = view->pos + begin,
                                                   .lse = state->lse + layer * n_head * n, .weights = state->weights + n - oldest,
                                                   .window = view->window, .causal_from = n, .row_end = n, .n_keys = size,
                                                   .scale = view->scale, .scores = state->selection.scores}));
    return be->reduce_heads(view->ctx, &(struct kvl_reduce_heads){state->selection.scores, state->selection.summed, 1, n_head,
                                                                  size});
}

static enum kvl_status after_decode(struct kvl_method_run *run, const struct kvl_view *view, struct kvl_verdict *verdict)
{
    struct state *state = (struct state *)(void *)run->state;
    const struct kvl_backend *be = view->ctx->be;
    int64_t mode = kvl_run_value(run, "decode").i, n_rows = state->n_rows, slot = view->step % n_rows;
    if (mode == DECODE_OFF)
        return KVL_OK;
    int64_t seen = view->plan->n_prompt + view->step + 1;
    KVL_TRY(remember(state, view, 0, 1, slot, 1));
    KVL_TRY(be->range(view->ctx, &(struct kvl_range){state->pos + view->layer * n_rows, 1, n_rows, slot, 1, (int32_t)seen - 1}));
    int64_t counted = mode == DECODE_AS_CODED ? seen : view->n;
    if (counted - (n_rows - 1) - state->past[view->layer] < BLOCK)
        return KVL_OK;
    int64_t end = view->n - n_rows, begin = end > BLOCK ? end - BLOCK : 0, size = end - begin, n_keep = view->n;
    if (size > 0) {
        double share = ratio(view->layer, view->shape->n_layer, kvl_run_value(run, "gen_decay").r);
        int64_t stay = (int64_t)((double)size * 0.9 * share);
        stay = stay > 1 ? stay : 1;
        n_keep = view->n - size + stay;
        int32_t *idx = state->selection.idx;
        verdict->keep = idx;
        verdict->n_keep = n_keep;
        KVL_TRY(score_block(state, view, begin, size));
        KVL_TRY(be->range(view->ctx, &(struct kvl_range){idx, 1, n_keep, 0, begin, 0}));
        KVL_TRY(be->top_k(view->ctx, &(struct kvl_top_k){state->selection.summed, 1, size, size, stay, idx, n_keep, begin,
                                                         (int32_t)begin}));
        KVL_TRY(be->range(view->ctx, &(struct kvl_range){idx, 1, n_keep, begin + stay, n_rows, (int32_t)end}));
    }
    state->past[view->layer] = (int32_t)(n_keep - (n_rows - 1));
    return KVL_OK;
}

const struct kvl_method kvl_method_pyramidinfer = {
    .name = "pyramidinfer",
    .title = "PyramidInfer",
    .source = "arXiv:2405.12532",
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .state_size = sizeof(struct state),
    .plan = plan,
    .begin = begin,
    .after_attention = after_attention,
    .after_decode = after_decode,
    .evicts = {true, true},
};
