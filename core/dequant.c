#include "core/dequant.h"

#include "kernels/tensor.h"

enum { BLOCK = 32 };

/* Blocks of every type; `values` 0: not read. */
static const struct {
    int64_t values, bytes;
} BLOCKS[] = {
    [KVL_TENSOR_F32] = {1, 4},      [KVL_TENSOR_F16] = {1, 2},      [KVL_TENSOR_BF16] = {1, 2},  [KVL_TENSOR_Q8_0] = {BLOCK, 34},
    [KVL_TENSOR_Q4_0] = {BLOCK, 18}, [KVL_TENSOR_Q4_1] = {BLOCK, 20}, [KVL_TENSOR_OTHER] = {0, 0},
};

int64_t kvl_block_values(enum kvl_tensor_type type)
{
    return BLOCKS[type].values;
}

int64_t kvl_block_bytes(enum kvl_tensor_type type)
{
    return BLOCKS[type].bytes;
}

static uint16_t load_u16(const uint8_t *data)
{
    return (uint16_t)(data[0] | data[1] << 8);
}

static void q8_0(const uint8_t *data, int64_t n, float *out)
{
    for (; n > 0; n -= BLOCK, data += 34, out += BLOCK) {
        float d = kvl_f16_to_f32(load_u16(data));
        for (int i = 0; i < BLOCK; i++)
            out[i] = d * (float)(int8_t)data[2 + i];
    }
}

static void q4_0(const uint8_t *data, int64_t n, float *out)
{
    for (; n > 0; n -= BLOCK, data += 18, out += BLOCK) {
        float d = kvl_f16_to_f32(load_u16(data));
        for (int i = 0; i < BLOCK / 2; i++) {
            out[i] = d * (float)((data[2 + i] & 15) - 8);
            out[i + BLOCK / 2] = d * (float)((data[2 + i] >> 4) - 8);
        }
    }
}

/* The product is rounded before the sum, as in gguf-py (no fused multiply-add). */
static void q4_1(const uint8_t *data, int64_t n, float *out)
{
    for (; n > 0; n -= BLOCK, data += 20, out += BLOCK) {
        float d = kvl_f16_to_f32(load_u16(data)), m = kvl_f16_to_f32(load_u16(data + 2));
        float scaled[16];
        for (int q = 0; q < 16; q++)
            scaled[q] = d * (float)q + m;
        for (int i = 0; i < BLOCK / 2; i++) {
            out[i] = scaled[data[4 + i] & 15];
            out[i + BLOCK / 2] = scaled[data[4 + i] >> 4];
        }
    }
}

void kvl_dequant(enum kvl_tensor_type type, const uint8_t *data, int64_t n, float *out)
{
    switch (type) {
    case KVL_TENSOR_F32:
        memcpy(out, data, (size_t)n * sizeof *out);
        break;
    case KVL_TENSOR_F16:
        for (int64_t i = 0; i < n; i++)
            out[i] = kvl_f16_to_f32(load_u16(data + 2 * i));
        break;
    case KVL_TENSOR_BF16:
        for (int64_t i = 0; i < n; i++)
            out[i] = kvl_bf16_to_f32(load_u16(data + 2 * i));
        break;
    case KVL_TENSOR_Q8_0: q8_0(data, n, out); break;
    case KVL_TENSOR_Q4_0: q4_0(data, n, out); break;
    case KVL_TENSOR_Q4_1: q4_1(data, n, out); break;
    case KVL_TENSOR_OTHER: break;
    }
}
