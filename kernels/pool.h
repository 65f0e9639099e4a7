/* Pooling of each row along its columns: stride 1, padding kernel/2, so the length stays.
 *   in   in   f32 [n_rows, n_cols], dense, finite
 *   out  out  f32 [n_rows, n_cols], dense; must not overlap in
 * Maximum ignores the padding; the average divides by `kernel` always, so the padding counts as zeros (as torch's
 * avg_pool1d does). `kernel` is odd. An average is summed from left to right. */
#ifndef KVL_POOL_H
#define KVL_POOL_H

#include <stdint.h>

enum kvl_pool_kind { KVL_POOL_MAX, KVL_POOL_AVG };

struct kvl_pool {
    const float *in;
    float *out;
    int64_t n_rows, n_cols, kernel;
    enum kvl_pool_kind kind;
};

#endif
