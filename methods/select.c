#include "methods/select.h"

enum kvl_status kvl_selection_init(struct kvl_selection *selection, struct kvl_method_run *run, const struct kvl_shape *shape,
                                   int64_t n)
{
    void *scores, *pooled, *summed, *idx;
    KVL_TRY(kvl_run_alloc(run, shape->n_head * n * (int64_t)sizeof(float), &scores));
    KVL_TRY(kvl_run_alloc(run, shape->n_head * n * (int64_t)sizeof(float), &pooled));
    KVL_TRY(kvl_run_alloc(run, shape->n_kv * n * (int64_t)sizeof(float), &summed));
    KVL_TRY(kvl_run_alloc(run, shape->n_head * n * (int64_t)sizeof(int32_t), &idx));
    *selection = (struct kvl_selection){scores, pooled, summed, idx};
    return KVL_OK;
}

enum kvl_status kvl_select_observe(struct kvl_selection *selection, const struct kvl_view *view, int64_t window,
                                   enum kvl_pool_kind kind, int64_t kernel, int64_t n_lists, const float **scores)
{
    const struct kvl_backend *be = view->ctx->be;
    const struct kvl_shape *shape = view->shape;
    int64_t n_keys = view->n - window;
    KVL_TRY(be->mass(view->ctx, &(struct kvl_mass){.q = view->q, .k = view->k, .pos = view->pos, .lse = view->lse,
                                                   .window = view->window, .row_begin = n_keys, .row_end = view->n,
                                                   .n_keys = n_keys, .scale = view->scale, .scores = selection->scores}));
    KVL_TRY(be->pool(view->ctx,
                     &(struct kvl_pool){selection->scores, selection->pooled, shape->n_head, n_keys, kernel, kind}));
    *scores = selection->pooled;
    if (n_lists == shape->n_head)
        return KVL_OK;
    *scores = selection->summed;
    return be->reduce_heads(view->ctx, &(struct kvl_reduce_heads){selection->pooled, selection->summed, shape->n_kv,
                                                                  shape->n_head / shape->n_kv, n_keys});
}

enum kvl_status kvl_select_top(const struct kvl_view *view, const float *scores, int64_t n_rows, int64_t n_cols, int64_t k,
                               int64_t n_tail, int32_t *idx)
{
    const struct kvl_backend *be = view->ctx->be;
    int64_t ld = k + n_tail;
    if (k > 0)
        KVL_TRY(be->top_k(view->ctx, &(struct kvl_top_k){scores, n_rows, n_cols, n_cols, k, idx, ld, 0, 0}));
    return be->range(view->ctx, &(struct kvl_range){idx, n_rows, ld, k, n_tail, (int32_t)n_cols});
}
