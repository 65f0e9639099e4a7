/* One new token at the end of a layer's cache: its key, value and position and, where scores run, a zero; then it counts.
 *
 *   k, v     in     [1, hk, e]; stored head s takes head s * hk / hs
 *   pos      in     i32 [1]: its original position
 *   cache_k, cache_v  inout  dtype of k [hs, n_max, e]: entry n[s] of head s is written
 *   cache_pos         inout  i32 [hs, n_max]
 *   scores            inout  f32 [hs, n_max] or NULL
 *   n        inout  i32 [hs]: entries held, one more afterwards; n[s] < n_max is the caller's promise
 * Place and position are read from the backend's memory, so that the same call serves every decode step (kvl_backend.graph_begin). */
#ifndef KVL_APPEND_H
#define KVL_APPEND_H

#include "kernels/tensor.h"

struct kvl_append {
    struct kvl_heads k, v;
    const int32_t *pos;
    void *cache_k, *cache_v;
    int32_t *cache_pos;
    float *scores;
    int32_t *n;
    int64_t n_stored, n_max;
};

#endif
