/* Attention of a prompt over itself, in O(n) memory, with the log-sum-exp of every row.
 *
 * For query head a, query row i, key j visible to i:  s = scale * q_i . k_j;  out_i = sum_j softmax(s)_j v_j.
 *   q         in   [n, h, e];  k, v  in  [n, hk, e], h a multiple of hk; query head a reads KV head a / (h / hk)
 *   pos       in   i32 [n], ascending: original positions; read only where window > 0
 *   out       out  dtype of q, [n, h * e], dense; NULL with v.data NULL: only the log-sum-exp is computed
 *   lse       out  f32 [h, n]: natural log of the sum of exp(s) over the visible keys
 *   scratch   caller's memory of kvl_backend.attend_scratch bytes, 64-byte aligned
 * Visible: j <= i, and pos_i - pos_j < window where window > 0. Rows before `causal_from` see every key (0: all causal):
 * there is a published method whose softmax masks its last rows only.
 * A row's result does not depend on the other rows, the thread count or n beyond its own visible keys. */
#ifndef KVL_ATTEND_H
#define KVL_ATTEND_H

#include "kernels/tensor.h"

struct kvl_attend {
    struct kvl_heads q, k, v;
    const int32_t *pos;
    int64_t window;
    int64_t causal_from;
    float scale;
    void *out;
    float *lse;
    void *scratch;
};

#endif
