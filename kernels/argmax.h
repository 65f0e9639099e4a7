/* Index of the largest value; ties: the lower index. NaN never wins.
 *   in   in   f32 [n];  out  out  i32 [1], in the backend's memory */
#ifndef KVL_ARGMAX_H
#define KVL_ARGMAX_H

#include <stdint.h>

struct kvl_argmax {
    const float *in;
    int64_t n;
    int32_t *out;
};

#endif
