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

struct kvl_simd {
    const char *name;
    bool (*available)(void);

    /* C[12][32] = A . B, or += : A f32 rows at stride lda, B f32 packed [depth][32], C rows at stride ldc. */
    void (*tile)(int64_t depth, const float *a, int64_t lda, const float *b, float *c, int64_t ldc, bool accumulate);

    /* As `tile` for bfloat16 inputs with float32 sums; depth is even. A bf16 rows at stride lda; B packed
     * [depth / 2][32][2]. NULL where the instruction set has no such product. */
    void (*tile_bf16)(int64_t depth, const uint16_t *a, int64_t lda, const uint16_t *b, float *c, int64_t ldc,
                      bool accumulate);

    /* Largest of x[0..n); n a multiple of 32. */
    float (*max)(const float *x, int64_t n);

    /* x[i] = 2^(factor x[i] - shift), and their sum; n a multiple of 32. -inf gives 0. */
    float (*exp2_sum)(float *x, int64_t n, float factor, float shift);

    /* As exp2_sum, but the values go to `out` rounded to bfloat16, and the sum is of the rounded values. */
    float (*exp2_sum_bf16)(const float *x, int64_t n, float factor, float shift, uint16_t *out);

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

    /* Widening and narrowing copies. */
    void (*to_f32)(const void *in, enum kvl_dtype dtype, float *out, int64_t n);
    void (*from_f32)(const float *in, void *out, enum kvl_dtype dtype, int64_t n);
};

/* The table for `isa`: a name, or NULL / "auto" for the best that this processor runs. NULL if there is none of that name
 * or the processor lacks it. */
const struct kvl_simd *kvl_simd_find(const char *isa);

/* Name of the i-th path of this build, slowest first; NULL past the end. */
const char *kvl_simd_name(int i);

#endif
