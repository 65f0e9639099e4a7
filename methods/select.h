/* The vocabulary that methods share: observe, pool, group, top-k, union with what is always kept. */
#ifndef KVL_SELECT_H
#define KVL_SELECT_H

#include "methods/method.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Working memory for one layer of at most n tokens. */
struct kvl_selection {
    float *scores; /* f32 [n_head, n] */
    float *pooled; /* f32 [n_head, n] */
    float *summed; /* f32 [n_kv, n] */
    int32_t *idx;  /* i32 [n_head, n] */
};

/* Allocates it within the run. */
enum kvl_status kvl_selection_init(struct kvl_selection *selection, struct kvl_method_run *run, const struct kvl_shape *shape,
                                   int64_t n);

/* Attention mass of the last `window` rows over keys [0, n - window), pooled per query head, then summed over each KV group
 * (n_lists == n_kv) or left per query head (n_lists == n_head).
 * *scores: f32 [n_lists, n - window], inside the selection's memory. n > window. */
enum kvl_status kvl_select_observe(struct kvl_selection *selection, const struct kvl_view *view, int64_t window,
                                   enum kvl_pool_kind kind, int64_t kernel, int64_t n_lists, const float **scores);

/* Lists of the k best of the n_cols columns, followed by the n_tail indices from n_cols on (the window).
 * scores: f32 [n_rows, n_cols]; idx: i32 [n_rows, k + n_tail]; k may be 0. */
enum kvl_status kvl_select_top(const struct kvl_view *view, const float *scores, int64_t n_rows, int64_t n_cols, int64_t k,
                               int64_t n_tail, int32_t *idx);

#ifdef __cplusplus
}
#endif
#endif
