/* The inner loops of the CPU backend, compiled once per instruction set (kernels/cpu/simd.c) and chosen at run time.
 *
 * All sums run in a fixed order for a given instruction set: no result depends on how work is cut into calls of these
 * functions by row. Every path computes in float32. */
#ifndef KVL_CPU_SIMD_H
#define KVL_CPU_SIMD_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/tensor.h"

enum {
    KVL_TILE_ROWS = 12, /* rows of a register tile: a multiple of the group sizes 1, 2, 3, 4 */
    KVL_TILE_COLS = 32, /* columns of a register tile, and the width that keys and features are packed by */
};

/* Memory that will be wanted soon: a tile asks for what lies c * step bytes behind `at` at feature c (in bfloat16 at each even
 * one). Any address will do; with step 0, one that is in the cache costs nothing. */
struct kvl_ahead {
    const char *at;
    int64_t step;
};

struct kvl_simd {
    const char *name;
    bool (*available)(void);

    /* C[12][32] = A . B, or += : A f32 rows at stride lda, B f32 packed [depth][32], C rows at stride ldc. */
    void (*tile)(int64_t depth, const float *a, int64_t lda, const float *b, float *c, int64_t ldc, bool accumulate,
                 struct kvl_ahead ahead);

    /* As `tile` for bfloat16 inputs with float32 sums; depth is even. A bf16 rows at stride lda; B packed
     * [depth / 2][32][2]. NULL where the instruction set has no such product. */
    void (*tile_bf16)(int64_t depth, const uint16_t *a, int64_t lda, const uint16_t *b, float *c, int64_t ldc,
                      bool accumulate, struct kvl_ahead ahead);

    /* out[depth][32] = B of `tile_bf16`, widened to what `tile` takes. */
    void (*widen)(int64_t depth, const uint16_t *b, float *out);

    /* out[n][32] = 32 rows of n elements of 32 bits each, `stride` elements apart: keys, or pairs of features of keys, into the
     * order of B. */
    void (*transpose)(const uint32_t *in, int64_t stride, int64_t n, uint32_t *out);

    /* out[n][2] = even[i], odd[i]: the values of two tokens into the order of B of `tile_bf16`. */
    void (*join_pairs)(const uint16_t *even, const uint16_t *odd, int64_t n, uint16_t *out);

    /* c[32] = a . B for one row a [depth], B packed as `tile` takes it (f32) or as `tile_bf16` (bf16; depth is even then).
     * The sum is that of a row in `tile`. */
    void (*row)(int64_t depth, const float *a, const void *b, enum kvl_dtype dtype, float *c);

    /* As `row` with the products of tile_bf16; NULL where that is. */
    void (*row_bf16)(int64_t depth, const uint16_t *a, const uint16_t *b, float *c);

    /* Largest of x[0..n); n a multiple of 32. */
    float (*max)(const float *x, int64_t n);

    /* x[i] = 2^(factor x[i] - shift), and their sum; n a multiple of 32. -inf gives 0. */
    float (*exp2_sum)(float *x, int64_t n, float factor, float shift);

    /* A step of a running softmax: *max, the largest of factor * score so far, takes in x; then x[i] = 2^(factor x[i] - *max), and
     * their sum; n a multiple of 32. With `out` the values go there instead, rounded to bfloat16, and the sum is of those. */
    float (*softmax)(float *x, int64_t n, float factor, float *max, uint16_t *out);

    void (*scale)(float *x, int64_t n, float factor);

    /* out[i] = sum over c < e of q[c] * rows[i][c]. */
    void (*dots)(const void *rows, enum kvl_dtype dtype, int64_t stride, int64_t n, int64_t e, const float *q, float *out);

    /* out[c] += sum over i < n of p[i] * rows[i][c], in ascending i. */
    void (*weighted_sum)(const void *rows, enum kvl_dtype dtype, int64_t stride, int64_t n, int64_t e, const float *p,
                         float *out);

    /* out[i] = x[i] * weight[i] / sqrt(mean(x^2) + eps). */
    void (*norm)(const float *x, const float *weight, void *out, enum kvl_dtype dtype, int64_t n, float eps);

    /* out[i] = silu(gate[i]) * up[i]. */
    void (*swiglu)(const void *gate, const void *up, void *out, enum kvl_dtype dtype, int64_t n);

    /* Turns the pairs (c, c + half) of n_heads vectors, `stride` elements apart, by table [half][cosine, sine]; backwards where
     * sign is -1. */
    void (*rotate)(void *x, enum kvl_dtype dtype, int64_t n_heads, int64_t stride, int64_t half, const float *table, float sign);

    /* Widening and narrowing copies. */
    void (*to_f32)(const void *in, enum kvl_dtype dtype, float *out, int64_t n);
    void (*from_f32)(const float *in, void *out, enum kvl_dtype dtype, int64_t n);
};

/* Whether operands of a type are multiplied in pairs of bfloat16 on this path: by tile_bf16 and row_bf16. */
static inline bool kvl_simd_has_pairs(const struct kvl_simd *simd, enum kvl_dtype dtype)
{
    return dtype == KVL_BF16 && simd->tile_bf16 != NULL;
}

/* `tile_bf16` where the operands are pairs, else `tile`. */
static inline void kvl_simd_tile(const struct kvl_simd *simd, bool pairs, int64_t depth, const void *a, int64_t lda, const void *b,
                                 float *c, int64_t ldc, bool accumulate, struct kvl_ahead ahead)
{
    if (pairs)
        simd->tile_bf16(depth, (const uint16_t *)a, lda, (const uint16_t *)b, c, ldc, accumulate, ahead);
    else
        simd->tile(depth, (const float *)a, lda, (const float *)b, c, ldc, accumulate, ahead);
}

/* The table for `isa`: a name, or NULL / "auto" for the fastest on this processor, which is found once, in about a millisecond.
 * NULL if there is none of that name or the processor lacks it. */
const struct kvl_simd *kvl_simd_find(const char *isa);

/* Name of the i-th path of this build, slowest first; NULL past the end. */
const char *kvl_simd_name(int i);

#endif
