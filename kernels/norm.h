/* RMS norm of each row: out = x / sqrt(mean(x^2) + eps) * weight.
 *   x       in   f32 [n, n_embd], row-major
 *   weight  in   f32 [n_embd]
 *   out     out  dtype [n, n_embd]; must not overlap x
 * The sum of squares is float32 in a fixed order, so a row's result does not depend on n or the thread count.
 * The residual addition is fused into the linear layer before it (kvl_linear.accumulate), not here. */
#ifndef KVL_NORM_H
#define KVL_NORM_H

#include "kernels/tensor.h"

struct kvl_norm {
    const float *x;
    const float *weight;
    void *out;
    enum kvl_dtype dtype;
    int64_t n, n_embd;
    float eps;
};

#endif
