/* Sums of consecutive rows: out[r][j] = sum over i < group of in[r * group + i][j], in ascending i.
 *   in   in   f32 [n_rows * group, n_cols], dense
 *   out  out  f32 [n_rows, n_cols], dense; must not overlap in */
#ifndef KVL_REDUCE_HEADS_H
#define KVL_REDUCE_HEADS_H

#include <stdint.h>

struct kvl_reduce_heads {
    const float *in;
    float *out;
    int64_t n_rows, group, n_cols;
};

#endif
