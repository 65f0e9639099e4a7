#include "harness/work.h"

/* (query, key) pairs that a causal layer of n tokens sees. A window counts positions; after a cut the tokens lie apart, so this
 * is exact for contiguous tokens and an upper bound otherwise. */
static double visible_pairs(int64_t n, int64_t window)
{
    double all = 0.5 * (double)n * (double)(n + 1);
    if (window <= 0 || window >= n)
        return all;
    double hidden = (double)(n - window);
    return all - 0.5 * hidden * (hidden + 1.0);
}

static double layer_flops(const struct kvl_shape *s, int64_t layer, int64_t n)
{
    double qkv = (double)((s->n_head + 2 * s->n_kv) * s->head_size * s->n_embd);
    double weights = qkv + (double)(s->n_head * s->head_size * s->n_embd) + 3.0 * (double)s->n_ff * (double)s->n_embd;
    return 2.0 * weights * (double)n + 4.0 * (double)(s->head_size * s->n_head) * visible_pairs(n, s->window[layer]);
}

double kvl_work_prefill_flops(const struct kvl_shape *shape, const struct kvl_plan *plan)
{
    double flops = 2.0 * (double)shape->n_vocab * (double)shape->n_embd;
    for (int64_t l = 0; l <= plan->restart_layer; l++)
        flops += layer_flops(shape, l, plan->n_prompt);
    for (int64_t l = 0; l < shape->n_layer; l++)
        flops += layer_flops(shape, l, plan->layers[l].n_in);
    return flops;
}

double kvl_work_cache_bytes(const struct kvl_model *model, const struct kvl_plan *plan, int64_t n_done)
{
    const struct kvl_shape *s = &model->shape;
    double entries = 0.0;
    for (int64_t l = 0; l < s->n_layer; l++) {
        int64_t n = plan->layers[l].n_keep + n_done;
        entries += (double)(n < plan->layers[l].n_max ? n : plan->layers[l].n_max);
    }
    return 2.0 * entries * (double)(plan->n_stored * s->head_size) * (double)kvl_dtype_size(model->dtype);
}

double kvl_work_decode_bytes(const struct kvl_model *model, const struct kvl_plan *plan, int64_t n_done)
{
    return (double)model->weight_bytes + kvl_work_cache_bytes(model, plan, n_done);
}
