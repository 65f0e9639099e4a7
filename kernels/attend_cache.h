/* Attention of one new token over a layer's cache.
 *
 *   q        in     [1, h, e], already rotated
 *   k, v     in     dtype [hs, n_max, e], dense: hs stored heads (hk, or h where a method stores per query head);
 *                   query head a reads stored head a / (h / hs)
 *   pos      in     i32 [hs, n_max]: original positions, ascending within a head; read only where window > 0
 *   n        in     i32 [hs]: entries held by each head, in the backend's memory (the host need not know them)
 *   n_bound  host's upper bound of n; sizes loops and scratch
 *   query_pos  in   i32 [1]: original position of the new token; entries with query_pos - pos >= window are not seen; read only
 *                   where window > 0
 *   out      out    dtype of q, [h * e]
 *   lse      out    f32 [h] or NULL
 *   scores   inout  f32 [hs, n_max] or NULL: this step's probabilities are added, summed over the heads of a group
 *   scratch  kvl_backend.attend_cache_scratch bytes, 64-byte aligned */
#ifndef KVL_ATTEND_CACHE_H
#define KVL_ATTEND_CACHE_H

#include "kernels/tensor.h"

struct kvl_attend_cache {
    struct kvl_heads q;
    const void *k, *v;
    enum kvl_dtype dtype;
    const int32_t *pos;
    const int32_t *n;
    int64_t n_stored, n_max, n_bound;
    int64_t window;
    const int32_t *query_pos;
    float scale;
    void *out;
    float *lse;
    float *scores;
    void *scratch;
};

#endif
