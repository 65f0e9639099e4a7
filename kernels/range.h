/* Consecutive integers: idx[r][at + i] = first + i for i < n. The ranges that a method always keeps.
 *   idx  out  i32 [n_rows, ld_idx] */
#ifndef KVL_RANGE_H
#define KVL_RANGE_H

#include <stdint.h>

struct kvl_range {
    int32_t *idx;
    int64_t n_rows, ld_idx, at, n;
    int32_t first;
};

#endif
