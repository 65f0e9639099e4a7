/* Stored weights to float32. The block formats are ggml's: 32 values share a scale.
 *   Q8_0  34 bytes: f16 d, i8 q[32]           value = d q
 *   Q4_0  18 bytes: f16 d, u8 q[16]           value = d (q - 8); low nibbles are values 0..15, high ones 16..31
 *   Q4_1  20 bytes: f16 d, f16 m, u8 q[16]    value = d q + m, same order */
#ifndef KVL_DEQUANT_H
#define KVL_DEQUANT_H

#include <stdint.h>
#include <string.h>

#include "core/tensor_file.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Values of one block and its bytes; 0 for KVL_TENSOR_OTHER. */
int64_t kvl_block_values(enum kvl_tensor_type type);
int64_t kvl_block_bytes(enum kvl_tensor_type type);

/* n values, a multiple of the block.
 *   data  in   n / block values blocks, any alignment
 *   out   out  f32 [n] */
void kvl_dequant(enum kvl_tensor_type type, const uint8_t *data, int64_t n, float *out);

/* IEEE half to float32, exact; NaN stays NaN. Half's exponent is rebased by a multiplication, which also makes its
 * subnormals normal. */
static inline float kvl_f16_to_f32(uint16_t h)
{
    uint32_t bits = (uint32_t)(h & 0x7fff) << 13, sign = (uint32_t)(h & 0x8000) << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    x *= 0x1p112f;
    memcpy(&bits, &x, sizeof bits);
    if ((h & 0x7c00) == 0x7c00) /* infinity and NaN */
        bits = 0x7f800000u | (uint32_t)(h & 0x3ff) << 13;
    bits |= sign;
    memcpy(&x, &bits, sizeof x);
    return x;
}

#ifdef __cplusplus
}
#endif
#endif
