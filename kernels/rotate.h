/* Rotary position embedding, "half" pairing as in Hugging Face: feature c turns with feature c + e/2.
 *
 * rotate_table: cosines and sines for a run of positions.
 *   pos       in   i32 [n]
 *   inv_freq  in   f32 [e/2], scaling of the model already applied
 *   table     out  f32 [n, e/2, 2]: cos, sin of the float32 product pos * inv_freq
 * rotate: turns vectors in place.
 *   x         inout  heads view of n tokens; its head size is e
 *   table     in     f32 [n, e/2, 2]
 *   inverse   turns back */
#ifndef KVL_ROTATE_H
#define KVL_ROTATE_H

#include <stdbool.h>

#include "kernels/tensor.h"

struct kvl_rotate_table {
    const int32_t *pos;
    const float *inv_freq;
    float *table;
    int64_t n, n_half;
};

struct kvl_rotate {
    struct kvl_heads x;
    const float *table;
    bool inverse;
};

#endif
