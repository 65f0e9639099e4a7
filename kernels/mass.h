/* Attention mass: how much a range of query rows attends to each key, in O(n) memory.
 *
 *   scores[a][j] = sum over rows i in [row_begin, row_end) of weight_i * softmax_i(j)      for j < n_keys
 * from q, k and the log-sum-exp that `attend` returned; never an n x n matrix.
 *   q        in   [n, h, e];  k  in  [m, hk, e]: the same tokens (m = n) unless key_pos is given
 *   pos      in   i32 [n], ascending: original positions of the rows; read only where window > 0
 *   key_pos  in   i32 [m], ascending: those of the keys; NULL: pos
 *   lse      in   f32 [h, n], row i of head a at a * n + i; made with the same mask
 *   weights  in   f32 [row_end - row_begin] in the backend's memory, or NULL for 1
 *   scores   out  f32 [h, n_keys], dense
 * Mask as in `attend` (pos, window, causal_from): rows before causal_from see all m keys. Rows are added in ascending order: the result does not depend on the
 * thread count. 1 <= n_keys <= m.
 * Source: arXiv:2404.14469, sec. 4 (last rows); arXiv:2306.14048 (all rows). Departs: none. */
#ifndef KVL_MASS_H
#define KVL_MASS_H

#include "kernels/tensor.h"

struct kvl_mass {
    struct kvl_heads q, k;
    const int32_t *pos, *key_pos;
    const float *lse;
    const float *weights;
    int64_t window, causal_from;
    int64_t row_begin, row_end, n_keys;
    float scale;
    float *scores;
};

#endif
