/* out = silu(gate) * up, silu(x) = x / (1 + exp(-x)).
 *   in   in   dtype [n, 2 * n_ff]: gate in the first half of a row, up in the second
 *   out  out  dtype [n, n_ff]; must not overlap in */
#ifndef KVL_SWIGLU_H
#define KVL_SWIGLU_H

#include "kernels/tensor.h"

struct kvl_swiglu {
    const void *in;
    void *out;
    enum kvl_dtype dtype;
    int64_t n, n_ff;
};

#endif
