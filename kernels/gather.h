/* Rows picked by index.
 *
 * gather: out[i] = in[idx[i]] for rows of row_bytes bytes (a multiple of 4); out must not overlap in, unless they are the
 * same array and idx is ascending with idx[i] >= i (a compaction in place).
 *   in   in   [any number of rows], dense;  idx  in  i32 [n];  out  out  [n]
 *   n_batch   > 1: that many such arrays, batch_bytes apart in `in` and in `out`; their lists are ld_idx apart (0: one for all)
 * gather_heads: the entries of each stored head.
 *   in   in   heads view [n_tokens, n_in, e]; stored head s reads head s * n_in / n_stored
 *   idx  in   i32 [n_lists, n], list 0 for all heads where n_lists is 1; NULL: token i itself
 *   out  out  dtype of in [n_stored, n_max, e]: the first n entries of each head are written */
#ifndef KVL_GATHER_H
#define KVL_GATHER_H

#include "kernels/tensor.h"

struct kvl_gather {
    const void *in;
    const int32_t *idx;
    void *out;
    int64_t n;
    int64_t row_bytes;
    int64_t n_batch, batch_bytes, ld_idx;
};

struct kvl_gather_heads {
    struct kvl_heads in;
    const int32_t *idx;
    int64_t n_lists, n;
    void *out;
    int64_t n_stored, n_max;
};

#endif
