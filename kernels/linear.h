/* Linear layer: out = x . W^T, or out += x . W^T.
 *
 * A weight is prepared once (kvl_backend.weight_init packs it as the backend likes best) and then used by every call.
 *   x       in      dtype of the weight [n, n_in], row-major, dense; n >= 1
 *   weight  in      W, [n_out, n_in]
 *   out     out     out_dtype [n, n_out], row-major, dense; f32 where `accumulate` is set; must not overlap x
 * Sums are float32. Each row of `out` depends on its own row of x alone, bit for bit: not on n, not on its place in the
 * batch, not on the thread count. One exception: n == 1 may take another kernel than n > 1. */
#ifndef KVL_LINEAR_H
#define KVL_LINEAR_H

#include <stdbool.h>

#include "kernels/tensor.h"

struct kvl_weight; /* opaque, one definition per backend */

/* What a weight is prepared from: parts [n_out[i], n_in] are stacked along the output, so that q, k and v (or gate and
 * up) become one product. `rows(context, part, first, n, out)` writes rows first..first+n-1 of a part as f32;
 * it is called from several threads at once. Where `random` is set, element i of a part is that of kvl_fill_random with the
 * part's seed and `bound`, so that a backend may make the values itself; `rows` gives the same. */
enum { KVL_WEIGHT_PARTS = 3 };
struct kvl_weight_source {
    int n_parts;
    int64_t n_out[KVL_WEIGHT_PARTS];
    int64_t n_in;
    enum kvl_dtype dtype;
    bool one_row; /* used with one row at a time only (the output head): nothing is set up for more */
    bool random;
    uint64_t seed[KVL_WEIGHT_PARTS];
    float bound;
    void (*rows)(const void *context, int part, int64_t first, int64_t n, float *out);
    const void *context;
};

struct kvl_linear {
    const void *x;
    const struct kvl_weight *weight;
    void *out;
    enum kvl_dtype out_dtype;
    int64_t n;
    bool accumulate;
};

#endif
