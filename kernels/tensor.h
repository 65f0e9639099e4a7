/* Element types and strided views: the vocabulary that all operations share. */
#ifndef KVL_TENSOR_H
#define KVL_TENSOR_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Small functions that CUDA kernels use, too. */
#ifdef __CUDACC__
#define KVL_HOST_AND_DEVICE __host__ __device__
#else
#define KVL_HOST_AND_DEVICE
#endif

#ifdef __cplusplus
extern "C" {
#endif

enum kvl_dtype { KVL_F32, KVL_BF16 };

static inline size_t kvl_dtype_size(enum kvl_dtype dtype)
{
    return dtype == KVL_F32 ? 4 : 2;
}

static inline const char *kvl_dtype_name(enum kvl_dtype dtype)
{
    return dtype == KVL_F32 ? "f32" : "bf16";
}

/* The per-head vectors of a run of tokens: element (token i, head a, feature c) lies at
 * data + ((i * token_stride) + (a * head_stride) + c) * element size. Strides count elements. */
struct kvl_heads {
    void *data;
    enum kvl_dtype dtype;
    int64_t n_tokens;
    int64_t n_heads;
    int64_t head_size;
    int64_t token_stride;
    int64_t head_stride;
};

/* Address of a token's vector of one head. */
static inline const void *kvl_heads_at(const struct kvl_heads *x, int64_t token, int64_t head)
{
    return (const char *)x->data + (size_t)(token * x->token_stride + head * x->head_stride) * kvl_dtype_size(x->dtype);
}

static inline float kvl_bf16_to_f32(uint16_t x)
{
    uint32_t bits = (uint32_t)x << 16;
    float y;
    memcpy(&y, &bits, sizeof y);
    return y;
}

/* Round to nearest, ties to even; NaN stays NaN. */
static inline uint16_t kvl_f32_to_bf16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)((bits >> 16) | 0x40u);
    return (uint16_t)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

#ifdef __cplusplus
}
#endif
#endif
