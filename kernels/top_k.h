/* Indices of the k largest scores of each row.
 *   scores  in   f32 [n_rows, ld_scores], the first n_cols of a row count, finite; higher = keep
 *   idx     out  i32 [n_rows, ld_idx]: columns at .. at+k-1 of a row receive base + index, ascending
 * Ties: the lower index wins, so that every backend agrees exactly; -0 and +0 tie. 1 <= k <= n_cols, else KVL_E_ARG.
 * Source: arXiv:2404.14469, sec. 4. Departs: none. */
#ifndef KVL_TOP_K_H
#define KVL_TOP_K_H

#include <stdint.h>

struct kvl_top_k {
    const float *scores;
    int64_t n_rows, n_cols, ld_scores;
    int64_t k;
    int32_t *idx;
    int64_t ld_idx, at;
    int32_t base;
};

#endif
