/* The KV cache of one session: per layer and stored head, the entries that a policy kept, dense and in ascending position. */
#ifndef KVL_KV_CACHE_H
#define KVL_KV_CACHE_H

#include "core/policy.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kvl_cache_layer {
    void *k, *v;      /* dtype [n_stored, n_max, e] */
    void *k_turned;   /* with cache_positions: the keys rotated to their places; else NULL */
    int32_t *pos;     /* i32 [n_stored, n_max]: original positions */
    int32_t *n_held;  /* i32 [n_stored], on the device */
    float *scores;    /* with running_scores: f32 [n_stored, n_max]; else NULL */
    int64_t n, n_max; /* entries held by every head, and room */
};

struct kvl_kv_cache {
    struct kvl_ctx *ctx;
    enum kvl_dtype dtype;
    int64_t n_layer, n_kv, n_stored, head_size;
    struct kvl_cache_layer *layers; /* [n_layer] */
    void *copied_k, *copied_v; /* dtype [n_stored, the largest n_max, e]: a layer's entries as a step copied them; NULL: it does not */
};

/* Allocates by the plan; empty. On failure everything is freed. */
enum kvl_status kvl_kv_cache_init(struct kvl_kv_cache *cache, struct kvl_ctx *ctx, enum kvl_dtype dtype,
                                  const struct kvl_shape *shape, const struct kvl_plan *plan);
void kvl_kv_cache_free(struct kvl_kv_cache *cache);

/* Fills a layer from a prefill's keys and values ([n, n_kv, e] views) and positions (i32 [n]), as the verdict says. */
enum kvl_status kvl_kv_cache_store(struct kvl_kv_cache *cache, int64_t layer, const struct kvl_heads *k,
                                   const struct kvl_heads *v, const int32_t *pos, int64_t n_lists,
                                   const struct kvl_verdict *verdict);

/* From here on kvl_kv_cache_read copies. */
enum kvl_status kvl_kv_cache_copy_at_steps(struct kvl_kv_cache *cache);

/* Where a step reads a layer's keys and values, dtype [n_stored, n_max, e]: in the cache, or in a copy that is made now. */
enum kvl_status kvl_kv_cache_read(struct kvl_kv_cache *cache, int64_t layer, const void **k, const void **v);

/* Adds one token's key and value ([1, n_kv, e] views) at original position *pos (i32 [1], in the backend's memory). KVL_E_ARG
 * where the layer is full. */
enum kvl_status kvl_kv_cache_append(struct kvl_kv_cache *cache, int64_t layer, const struct kvl_heads *k,
                                    const struct kvl_heads *v, const int32_t *pos);

/* Keeps the verdict's entries (i32 [n_lists, n_keep], ascending) and closes the gaps. */
enum kvl_status kvl_kv_cache_evict(struct kvl_kv_cache *cache, int64_t layer, int64_t n_lists,
                                   const struct kvl_verdict *verdict);

/* Bytes of keys and values held now (2 * n_stored * e * size * entries). */
int64_t kvl_kv_cache_bytes(const struct kvl_kv_cache *cache);

/* Positions held by one stored head of a layer, into host memory i32 [n]. */
enum kvl_status kvl_kv_cache_positions(const struct kvl_kv_cache *cache, int64_t layer, int64_t head, int32_t *pos);

#ifdef __cplusplus
}
#endif
#endif
