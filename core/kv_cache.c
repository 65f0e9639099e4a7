#include "core/kv_cache.h"

#include <stdlib.h>

static enum kvl_status layer_init(struct kvl_kv_cache *cache, struct kvl_cache_layer *layer, const struct kvl_plan *plan)
{
    const struct kvl_backend *be = cache->ctx->be;
    int64_t entries = cache->n_stored * layer->n_max;
    int64_t bytes = entries * cache->head_size * (int64_t)kvl_dtype_size(cache->dtype);
    void *pos, *n_held, *scores = NULL;
    KVL_TRY(be->alloc(cache->ctx, bytes, &layer->k));
    KVL_TRY(be->alloc(cache->ctx, bytes, &layer->v));
    if (plan->cache_positions)
        KVL_TRY(be->alloc(cache->ctx, bytes, &layer->k_turned));
    KVL_TRY(be->alloc(cache->ctx, entries * (int64_t)sizeof(int32_t), &pos));
    layer->pos = pos;
    KVL_TRY(be->alloc(cache->ctx, cache->n_stored * (int64_t)sizeof(int32_t), &n_held));
    layer->n_held = n_held;
    if (plan->running_scores)
        KVL_TRY(be->alloc(cache->ctx, entries * (int64_t)sizeof(float), &scores));
    layer->scores = scores;
    return KVL_OK;
}

enum kvl_status kvl_kv_cache_init(struct kvl_kv_cache *cache, struct kvl_ctx *ctx, enum kvl_dtype dtype,
                                  const struct kvl_shape *shape, const struct kvl_plan *plan)
{
    *cache = (struct kvl_kv_cache){.ctx = ctx, .dtype = dtype, .n_layer = shape->n_layer, .n_kv = shape->n_kv,
                                   .n_stored = plan->n_stored, .head_size = shape->head_size};
    cache->layers = calloc((size_t)shape->n_layer, sizeof *cache->layers);
    if (cache->layers == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for the cache of %lld layers", (long long)shape->n_layer);
    for (int64_t l = 0; l < shape->n_layer; l++) {
        cache->layers[l].n_max = plan->layers[l].n_max;
        enum kvl_status status = layer_init(cache, &cache->layers[l], plan);
        if (status != KVL_OK) {
            kvl_kv_cache_free(cache);
            return status;
        }
    }
    return KVL_OK;
}

void kvl_kv_cache_free(struct kvl_kv_cache *cache)
{
    for (int64_t l = 0; cache->layers != NULL && l < cache->n_layer; l++) {
        const struct kvl_cache_layer *layer = &cache->layers[l];
        void *all[] = {layer->k, layer->v, layer->k_turned, layer->pos, layer->n_held, layer->scores};
        for (size_t i = 0; i < sizeof all / sizeof *all; i++)
            cache->ctx->be->free(cache->ctx, all[i]);
    }
    if (cache->copied_k != NULL)
        cache->ctx->be->free(cache->ctx, cache->copied_k);
    if (cache->copied_v != NULL)
        cache->ctx->be->free(cache->ctx, cache->copied_v);
    free(cache->layers);
    *cache = (struct kvl_kv_cache){0};
}

/* Four-byte values of every stored head seen as heads of head size 1, for gather_heads. */
static struct kvl_heads words_view(void *data, int64_t n_tokens, int64_t n_heads, int64_t head_stride)
{
    return (struct kvl_heads){data, KVL_F32, n_tokens, n_heads, 1, 1, head_stride};
}

static enum kvl_status set_count(struct kvl_kv_cache *cache, struct kvl_cache_layer *layer, int64_t n)
{
    layer->n = n;
    return cache->ctx->be->range(cache->ctx, &(struct kvl_range){layer->n_held, cache->n_stored, 1, 0, 1, (int32_t)n});
}

enum kvl_status kvl_kv_cache_store(struct kvl_kv_cache *cache, int64_t index, const struct kvl_heads *k,
                                   const struct kvl_heads *v, const int32_t *pos, int64_t n_lists,
                                   const struct kvl_verdict *verdict)
{
    const struct kvl_backend *be = cache->ctx->be;
    struct kvl_cache_layer *layer = &cache->layers[index];
    int64_t n = verdict->keep != NULL ? verdict->n_keep : k->n_tokens;
    KVL_REQUIRE(n <= layer->n_max, "layer %lld: %lld entries do not fit into a cache of %lld", (long long)index, (long long)n,
                (long long)layer->n_max);
    struct kvl_gather_heads gather = {*k, verdict->keep, n_lists, n, layer->k, cache->n_stored, layer->n_max};
    KVL_TRY(be->gather_heads(cache->ctx, &gather));
    gather.in = *v;
    gather.out = layer->v;
    KVL_TRY(be->gather_heads(cache->ctx, &gather));
    gather.in = words_view((void *)(uintptr_t)pos, k->n_tokens, 1, 0);
    gather.out = layer->pos;
    KVL_TRY(be->gather_heads(cache->ctx, &gather));
    if (layer->scores != NULL) {
        gather.in = words_view((void *)(uintptr_t)verdict->scores, k->n_tokens, cache->n_stored, k->n_tokens);
        gather.out = layer->scores;
        KVL_TRY(be->gather_heads(cache->ctx, &gather));
    }
    return set_count(cache, layer, n);
}

enum kvl_status kvl_kv_cache_append(struct kvl_kv_cache *cache, int64_t index, const struct kvl_heads *k,
                                    const struct kvl_heads *v, const int32_t *pos)
{
    struct kvl_cache_layer *layer = &cache->layers[index];
    KVL_REQUIRE(layer->n < layer->n_max, "layer %lld: the cache is full with %lld entries", (long long)index,
                (long long)layer->n_max);
    layer->n++;
    return cache->ctx->be->append(cache->ctx, &(struct kvl_append){*k, *v, pos, layer->k, layer->v, layer->pos, layer->scores,
                                                                   layer->n_held, cache->n_stored, layer->n_max});
}

enum kvl_status kvl_kv_cache_copy_at_steps(struct kvl_kv_cache *cache)
{
    int64_t n_max = 0;
    for (int64_t l = 0; l < cache->n_layer; l++)
        n_max = cache->layers[l].n_max > n_max ? cache->layers[l].n_max : n_max;
    int64_t bytes = cache->n_stored * n_max * cache->head_size * (int64_t)kvl_dtype_size(cache->dtype);
    KVL_TRY(cache->ctx->be->alloc(cache->ctx, bytes, &cache->copied_k));
    return cache->ctx->be->alloc(cache->ctx, bytes, &cache->copied_v);
}

/* The whole room is copied, so that the operation is the same in every step; what nobody has written yet, nobody reads. */
static enum kvl_status copy(const struct kvl_kv_cache *cache, const struct kvl_cache_layer *layer, void *from, void *to)
{
    struct kvl_heads all = {from, cache->dtype, layer->n_max, cache->n_stored, cache->head_size, cache->head_size,
                            layer->n_max * cache->head_size};
    return cache->ctx->be->gather_heads(cache->ctx, &(struct kvl_gather_heads){all, NULL, 1, layer->n_max, to, cache->n_stored,
                                                                               layer->n_max});
}

enum kvl_status kvl_kv_cache_read(struct kvl_kv_cache *cache, int64_t index, const void **k, const void **v)
{
    struct kvl_cache_layer *layer = &cache->layers[index];
    *k = layer->k;
    *v = layer->v;
    if (cache->copied_v == NULL)
        return KVL_OK;
    KVL_TRY(copy(cache, layer, layer->k, cache->copied_k));
    KVL_TRY(copy(cache, layer, layer->v, cache->copied_v));
    *k = cache->copied_k;
    *v = cache->copied_v;
    return KVL_OK;
}

/* Compacts one array of [n_stored, n_max] rows: the lists ascend, so rows only move towards the front of their head. */
static enum kvl_status compact(const struct kvl_kv_cache *cache, const struct kvl_cache_layer *layer, void *data,
                               int64_t row_bytes, int64_t n_lists, const struct kvl_verdict *verdict)
{
    if (data == NULL)
        return KVL_OK;
    return cache->ctx->be->gather(cache->ctx, &(struct kvl_gather){data, verdict->keep, data, verdict->n_keep, row_bytes,
                                                                   cache->n_stored, layer->n_max * row_bytes,
                                                                   n_lists == 1 ? 0 : verdict->n_keep});
}

enum kvl_status kvl_kv_cache_evict(struct kvl_kv_cache *cache, int64_t index, int64_t n_lists,
                                   const struct kvl_verdict *verdict)
{
    if (verdict->keep == NULL)
        return KVL_OK;
    struct kvl_cache_layer *layer = &cache->layers[index];
    int64_t row_bytes = cache->head_size * (int64_t)kvl_dtype_size(cache->dtype);
    KVL_TRY(compact(cache, layer, layer->k, row_bytes, n_lists, verdict));
    KVL_TRY(compact(cache, layer, layer->v, row_bytes, n_lists, verdict));
    KVL_TRY(compact(cache, layer, layer->pos, sizeof(int32_t), n_lists, verdict));
    KVL_TRY(compact(cache, layer, layer->scores, sizeof(float), n_lists, verdict));
    return set_count(cache, layer, verdict->n_keep);
}

int64_t kvl_kv_cache_bytes(const struct kvl_kv_cache *cache)
{
    int64_t entries = 0;
    for (int64_t l = 0; l < cache->n_layer; l++)
        entries += cache->layers[l].n * cache->n_stored;
    return 2 * entries * cache->head_size * (int64_t)kvl_dtype_size(cache->dtype);
}

enum kvl_status kvl_kv_cache_positions(const struct kvl_kv_cache *cache, int64_t index, int64_t head, int32_t *pos)
{
    const struct kvl_cache_layer *layer = &cache->layers[index];
    return cache->ctx->be->download(cache->ctx, pos, layer->pos + head * layer->n_max, layer->n * (int64_t)sizeof *pos);
}
