/* Raw products of one query row with all keys, without scaling, mask or softmax.
 *   q       in   [n, h, e];  k  in  [n, hk, e];  row in [0, n)
 *   scores  out  f32 [h, n]: scores[a][j] = q[row][a] . k[j][a / (h / hk)], summed in feature order per vector lane
 * Source: arXiv:2409.17422, alg. 1. */
#ifndef KVL_LOGITS_H
#define KVL_LOGITS_H

#include "kernels/tensor.h"

struct kvl_logits {
    struct kvl_heads q, k;
    int64_t row;
    float *scores;
};

#endif
