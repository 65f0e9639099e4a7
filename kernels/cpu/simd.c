/* Inner loops in GCC vector extensions: one source for every instruction set. The build compiles this file once per path
 * with KVL_SIMD_NAME (the symbol and the path's name), KVL_SIMD_LANES (floats in a register) and that path's flags. */
#include "kernels/cpu/simd.h"

#include <math.h>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

#define LANES KVL_SIMD_LANES
/* Rows of a register block: 12 x 2 accumulators fill AVX-512's 32 registers, 6 x 2 the 16 of AVX2 and SSE. */
#define BLOCK_ROWS (LANES == 16 ? 12 : 6)
#define SECOND_LEVEL 2 /* __builtin_prefetch's locality */
#define ROW_VECTORS (KVL_TILE_COLS / LANES)
#define INLINE static inline __attribute__((always_inline))

typedef float vf __attribute__((vector_size(LANES * 4)));
typedef float vf_any __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef int32_t vi __attribute__((vector_size(LANES * 4)));
typedef uint16_t vh __attribute__((vector_size(LANES * 2)));
typedef uint16_t vh_any __attribute__((vector_size(LANES * 2), aligned(2), may_alias));
typedef uint32_t vu __attribute__((vector_size(LANES * 4)));
typedef uint32_t vu_any __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

INLINE vf load(const float *x)
{
    return *(const vf_any *)x;
}

INLINE void store(float *x, vf v)
{
    *(vf_any *)x = v;
}

INLINE vf splat(float x)
{
    return x - (vf){0};
}

INLINE vf load_bf16(const uint16_t *x)
{
    vu wide = __builtin_convertvector(*(const vh_any *)x, vu) << 16;
    return (vf)wide;
}

/* Round to nearest even, as kvl_f32_to_bf16 without its care for NaN: inputs here are finite or infinite. (The instruction makes
 * subnormal numbers zeros.) */
INLINE void store_bf16(uint16_t *x, vf v)
{
#ifdef __AVX512BF16__
    _mm256_storeu_si256((__m256i_u *)x, (__m256i)_mm512_cvtneps_pbh((__m512)v));
#else
    vu bits = (vu)v;
    bits += 0x7fffu + ((bits >> 16) & 1u);
    *(vh_any *)x = __builtin_convertvector(bits >> 16, vh);
#endif
}

INLINE vf load_as(const void *x, enum kvl_dtype dtype, int64_t at)
{
    return dtype == KVL_F32 ? load((const float *)x + at) : load_bf16((const uint16_t *)x + at);
}

INLINE void store_as(void *x, enum kvl_dtype dtype, int64_t at, vf v)
{
    if (dtype == KVL_F32)
        store((float *)x + at, v);
    else
        store_bf16((uint16_t *)x + at, v);
}

INLINE float get(const void *x, enum kvl_dtype dtype, int64_t at)
{
    return dtype == KVL_F32 ? ((const float *)x)[at] : kvl_bf16_to_f32(((const uint16_t *)x)[at]);
}

INLINE void put(void *x, enum kvl_dtype dtype, int64_t at, float v)
{
    if (dtype == KVL_F32)
        ((float *)x)[at] = v;
    else
        ((uint16_t *)x)[at] = kvl_f32_to_bf16(v);
}

INLINE vf vmax(vf a, vf b)
{
#ifdef __AVX512F__
    return (vf)_mm512_max_ps((__m512)a, (__m512)b);
#else
    vi greater = a > b;
    return (vf)(((vi)a & greater) | ((vi)b & ~greater));
#endif
}

typedef float quarter __attribute__((vector_size(16)));
typedef int32_t quarter_mask __attribute__((vector_size(16)));

INLINE quarter sum_quarters(vf v)
{
    quarter parts[LANES / 4];
    memcpy(parts, &v, sizeof v);
    quarter sum = parts[0];
    for (int i = 1; i < LANES / 4; i++)
        sum += parts[i];
    return sum;
}

INLINE float sum_lanes(vf v)
{
    quarter sum = sum_quarters(v);
    return (sum[0] + sum[2]) + (sum[1] + sum[3]);
}

INLINE float max_lanes(vf v)
{
    quarter parts[LANES / 4];
    memcpy(parts, &v, sizeof v);
    quarter best = parts[0];
    for (int i = 1; i < LANES / 4; i++) {
        quarter_mask greater = parts[i] > best;
        best = (quarter)(((quarter_mask)parts[i] & greater) | ((quarter_mask)best & ~greater));
    }
    float low = best[0] > best[2] ? best[0] : best[2], high = best[1] > best[3] ? best[1] : best[3];
    return low > high ? low : high;
}

/* 2^f for 0 <= f <= 1: the polynomial of degree 5 with value 1 at 0 and the smallest relative error (1.5e-7 in float32). */
INLINE vf exp2_fraction(vf f)
{
    vf p = splat(1.86713017e-3f);
    p = p * f + splat(9.01702978e-3f);
    p = p * f + splat(5.57999127e-2f);
    p = p * f + splat(2.40164444e-1f);
    p = p * f + splat(6.93151295e-1f);
    return p * f + splat(1.0f);
}

/* 2^x as 2^i 2^f, i the largest integer up to x, for x < 128; below -126 the result is 0, and NaN stays NaN. */
INLINE vf exp2_lanes(vf x)
{
#ifdef __AVX512F__
    __mmask16 normal = _mm512_cmp_ps_mask((__m512)x, (__m512)splat(-126.0f), _CMP_NLT_UQ);
    vf f = (vf)_mm512_reduce_ps((__m512)x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    return (vf)_mm512_maskz_scalef_ps(normal, (__m512)exp2_fraction(f), (__m512)x);
#else
    const vf magic = splat(12582912.0f); /* 1.5 * 2^23: adding it rounds to an integer */
    vi tiny = x < splat(-126.0f);
    vf clamped = (vf)(((vi)x & ~tiny) | ((vi)splat(-126.0f) & tiny));
    vf shifted = (clamped - splat(0.5f)) + magic;
    vi exponent = ((vi)shifted - (vi)magic) << 23;
    vi result = (vi)exp2_fraction(clamped - (shifted - magic)) + exponent;
    return (vf)(result & ~tiny);
#endif
}

/* A line of a stream, a page ahead: the processor's own prefetch stops at the end of a page. On two cores of a Xeon (Emerald
 * Rapids) a matrix of 442 MB in rows then streams at 27.5 GB/s, 20.5 without; reading alone does 30. */
INLINE void ask_for_line(const void *at)
{
    __builtin_prefetch((const char *)at + 4096, 0, SECOND_LEVEL);
}

/* Two lines: a pair of rows of a panel in bfloat16, one in float32. */
INLINE void ask_for_stream(const void *at)
{
    ask_for_line(at);
    ask_for_line((const char *)at + 64);
}

INLINE void block(int64_t depth, const float *a, int64_t lda, const float *b, float *c, int64_t ldc, bool accumulate,
                  struct kvl_ahead ahead)
{
    vf sum[BLOCK_ROWS][2];
#pragma GCC unroll 12
    for (int r = 0; r < BLOCK_ROWS; r++) {
        sum[r][0] = accumulate ? load(c + r * ldc) : splat(0.0f);
        sum[r][1] = accumulate ? load(c + r * ldc + LANES) : splat(0.0f);
    }
    for (int64_t d = 0; d < depth; d++) {
        vf b0 = load(b + d * KVL_TILE_COLS), b1 = load(b + d * KVL_TILE_COLS + LANES);
        __builtin_prefetch(ahead.at + d * ahead.step, 0, SECOND_LEVEL);
#pragma GCC unroll 12
        for (int r = 0; r < BLOCK_ROWS; r++) {
            vf x = splat(a[r * lda + d]);
            sum[r][0] += x * b0;
            sum[r][1] += x * b1;
        }
    }
#pragma GCC unroll 12
    for (int r = 0; r < BLOCK_ROWS; r++) {
        store(c + r * ldc, sum[r][0]);
        store(c + r * ldc + LANES, sum[r][1]);
    }
}

static void tile(int64_t depth, const float *a, int64_t lda, const float *b, float *c, int64_t ldc, bool accumulate,
                 struct kvl_ahead ahead)
{
    for (int r = 0; r < KVL_TILE_ROWS; r += BLOCK_ROWS)
        for (int j = 0; j < KVL_TILE_COLS; j += 2 * LANES) {
            if (accumulate)
                block(depth, a + r * lda, lda, b + j, c + r * ldc + j, ldc, true, ahead);
            else
                block(depth, a + r * lda, lda, b + j, c + r * ldc + j, ldc, false, ahead);
        }
}

#ifdef __AVX512BF16__
static void tile_bf16(int64_t depth, const uint16_t *a, int64_t lda, const uint16_t *b, float *c, int64_t ldc,
                      bool accumulate, struct kvl_ahead ahead)
{
    __m512 sum[KVL_TILE_ROWS][2];
#pragma GCC unroll 12
    for (int r = 0; r < KVL_TILE_ROWS; r++) {
        sum[r][0] = accumulate ? _mm512_loadu_ps(c + r * ldc) : _mm512_setzero_ps();
        sum[r][1] = accumulate ? _mm512_loadu_ps(c + r * ldc + 16) : _mm512_setzero_ps();
    }
    for (int64_t d = 0; d < depth; d += 2) {
        __builtin_prefetch(ahead.at + d * ahead.step, 0, SECOND_LEVEL);
        __m512bh b0 = (__m512bh)_mm512_loadu_si512(b + d * KVL_TILE_COLS);
        __m512bh b1 = (__m512bh)_mm512_loadu_si512(b + d * KVL_TILE_COLS + 32);
#pragma GCC unroll 12
        for (int r = 0; r < KVL_TILE_ROWS; r++) {
            int32_t pair;
            memcpy(&pair, a + r * lda + d, sizeof pair);
            __m512bh x = (__m512bh)_mm512_set1_epi32(pair);
            sum[r][0] = _mm512_dpbf16_ps(sum[r][0], x, b0);
            sum[r][1] = _mm512_dpbf16_ps(sum[r][1], x, b1);
        }
    }
#pragma GCC unroll 12
    for (int r = 0; r < KVL_TILE_ROWS; r++) {
        _mm512_storeu_ps(c + r * ldc, sum[r][0]);
        _mm512_storeu_ps(c + r * ldc + 16, sum[r][1]);
    }
}

static void row_bf16(int64_t depth, const uint16_t *a, const uint16_t *b, float *c)
{
    __m512 sum[ROW_VECTORS] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
    for (int64_t d = 0; d < depth; d += 2) {
        int32_t pair;
        memcpy(&pair, a + d, sizeof pair);
        ask_for_stream(b + d * KVL_TILE_COLS);
#pragma GCC unroll 2
        for (int j = 0; j < ROW_VECTORS; j++)
            sum[j] = _mm512_dpbf16_ps(sum[j], (__m512bh)_mm512_set1_epi32(pair),
                                      (__m512bh)_mm512_loadu_si512(b + d * KVL_TILE_COLS + 32 * j));
    }
    for (int j = 0; j < ROW_VECTORS; j++)
        _mm512_storeu_ps(c + 16 * j, sum[j]);
}
#define TILE_BF16 tile_bf16
#define ROW_BF16 row_bf16
#else
#define TILE_BF16 NULL
#define ROW_BF16 NULL
#endif

/* Two rows of a panel of pairs: the low halves are the even features, the high halves the odd ones. */
INLINE void load_pair(const uint16_t *pairs, vf *even, vf *odd)
{
    vu both = *(const vu_any *)pairs;
    *even = (vf)(both << 16);
    *odd = (vf)(both & 0xffff0000u);
}

static void widen(int64_t depth, const uint16_t *b, float *out)
{
    for (int64_t d = 0; d < depth; d += 2)
        for (int j = 0; j < KVL_TILE_COLS; j += LANES) {
            vf even, odd;
            load_pair(b + d * KVL_TILE_COLS + 2 * j, &even, &odd);
            store(out + d * KVL_TILE_COLS + j, even);
            store(out + (d + 1) * KVL_TILE_COLS + j, odd);
        }
}

INLINE void row_f32(int64_t depth, const float *a, const float *b, float *c)
{
    vf sum[ROW_VECTORS];
#pragma GCC unroll 8
    for (int j = 0; j < ROW_VECTORS; j++)
        sum[j] = splat(0.0f);
    for (int64_t d = 0; d < depth; d++) {
        ask_for_stream(b + d * KVL_TILE_COLS);
#pragma GCC unroll 8
        for (int j = 0; j < ROW_VECTORS; j++)
            sum[j] += splat(a[d]) * load(b + d * KVL_TILE_COLS + j * LANES);
    }
#pragma GCC unroll 8
    for (int j = 0; j < ROW_VECTORS; j++)
        store(c + j * LANES, sum[j]);
}

INLINE void row_pairs(int64_t depth, const float *a, const uint16_t *b, float *c)
{
    vf sum[ROW_VECTORS];
#pragma GCC unroll 8
    for (int j = 0; j < ROW_VECTORS; j++)
        sum[j] = splat(0.0f);
    for (int64_t d = 0; d < depth; d += 2) {
        ask_for_stream(b + d * KVL_TILE_COLS);
#pragma GCC unroll 8
        for (int j = 0; j < ROW_VECTORS; j++) {
            vf even, odd;
            load_pair(b + d * KVL_TILE_COLS + 2 * j * LANES, &even, &odd);
            sum[j] += splat(a[d]) * even;
            sum[j] += splat(a[d + 1]) * odd;
        }
    }
#pragma GCC unroll 8
    for (int j = 0; j < ROW_VECTORS; j++)
        store(c + j * LANES, sum[j]);
}

static void row(int64_t depth, const float *a, const void *b, enum kvl_dtype dtype, float *c)
{
    if (dtype == KVL_F32)
        row_f32(depth, a, b, c);
    else
        row_pairs(depth, a, b, c);
}

/* Two chains in each of these: one would wait for itself. */
static float max_of(const float *x, int64_t n)
{
    vf best = load(x), other = load(x + LANES);
    for (int64_t i = 2 * LANES; i < n; i += 2 * LANES) {
        best = vmax(best, load(x + i));
        other = vmax(other, load(x + i + LANES));
    }
    return max_lanes(vmax(best, other));
}

static float exp2_sum(float *x, int64_t n, float factor, float shift)
{
    vf sum[2] = {splat(0.0f), splat(0.0f)};
    for (int64_t i = 0; i < n; i += 2 * LANES)
        for (int j = 0; j < 2; j++) {
            vf p = exp2_lanes(load(x + i + j * LANES) * splat(factor) - splat(shift));
            store(x + i + j * LANES, p);
            sum[j] += p;
        }
    return sum_lanes(sum[0] + sum[1]);
}

static float exp2_sum_bf16(const float *x, int64_t n, float factor, float shift, uint16_t *out)
{
    vf sum[2] = {splat(0.0f), splat(0.0f)};
    for (int64_t i = 0; i < n; i += 2 * LANES)
        for (int j = 0; j < 2; j++) {
            uint16_t *p = out + i + j * LANES;
            store_bf16(p, exp2_lanes(load(x + i + j * LANES) * splat(factor) - splat(shift)));
            sum[j] += load_bf16(p);
        }
    return sum_lanes(sum[0] + sum[1]);
}

/* Four rows of four 32-bit elements at `in` (rows `stride` apart) become four columns at `out`. */
INLINE void transpose_4x4(const uint32_t *in, int64_t stride, uint32_t *out)
{
    typedef uint32_t four __attribute__((vector_size(16)));
    typedef uint32_t four_any __attribute__((vector_size(16), aligned(4), may_alias));
    four a = *(const four_any *)in, b = *(const four_any *)(in + stride);
    four c = *(const four_any *)(in + 2 * stride), d = *(const four_any *)(in + 3 * stride);
    four ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5), ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    four cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5), cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    *(four_any *)out = __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5);
    *(four_any *)(out + KVL_TILE_COLS) = __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7);
    *(four_any *)(out + 2 * KVL_TILE_COLS) = __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5);
    *(four_any *)(out + 3 * KVL_TILE_COLS) = __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7);
}

static void transpose(const uint32_t *in, int64_t stride, int64_t n, uint32_t *out)
{
    int64_t c = 0;
    for (; c + 4 <= n; c += 4)
        for (int64_t j = 0; j < KVL_TILE_COLS; j += 4)
            transpose_4x4(in + j * stride + c, stride, out + c * KVL_TILE_COLS + j);
    for (; c < n; c++)
        for (int64_t j = 0; j < KVL_TILE_COLS; j++)
            out[c * KVL_TILE_COLS + j] = in[j * stride + c];
}

static void join_pairs(const uint16_t *even, const uint16_t *odd, int64_t n, uint16_t *out)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        vu low = __builtin_convertvector(*(const vh_any *)(even + i), vu);
        vu high = __builtin_convertvector(*(const vh_any *)(odd + i), vu);
        *(vu_any *)(out + 2 * i) = low | (high << 16);
    }
    for (; i < n; i++) {
        out[2 * i] = even[i];
        out[2 * i + 1] = odd[i];
    }
}

static float softmax(float *x, int64_t n, float factor, float *max, uint16_t *out)
{
    float most = max_of(x, n) * factor;
    if (most > *max)
        *max = most;
    float shift = *max == -INFINITY ? 0.0f : *max;
    return out != NULL ? exp2_sum_bf16(x, n, factor, shift, out) : exp2_sum(x, n, factor, shift);
}

static void scale(float *x, int64_t n, float factor)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        store(x + i, load(x + i) * splat(factor));
    for (; i < n; i++)
        x[i] *= factor;
}

/* The part of q . row that whole registers cover, lane by lane. */
INLINE vf partial_dot(const void *rows, enum kvl_dtype dtype, int64_t at, int64_t e, const float *q)
{
    vf sum = splat(0.0f);
    for (int64_t c = 0; c + LANES <= e; c += LANES)
        sum += load(q + c) * load_as(rows, dtype, at + c);
    return sum;
}

/* The sums of four quarters, in their order: (v[0] + v[2]) + (v[1] + v[3]) each. */
INLINE quarter sum_four(quarter a, quarter b, quarter c, quarter d)
{
    /* a, b, a, b of elements 0 + 2, 0 + 2, 1 + 3, 1 + 3 */
    quarter ab = __builtin_shufflevector(a, b, 0, 4, 1, 5) + __builtin_shufflevector(a, b, 2, 6, 3, 7);
    quarter cd = __builtin_shufflevector(c, d, 0, 4, 1, 5) + __builtin_shufflevector(c, d, 2, 6, 3, 7);
    return __builtin_shufflevector(ab, cd, 0, 1, 4, 5) + __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
}

INLINE void dots_as(const void *rows, enum kvl_dtype dtype, int64_t stride, int64_t n, int64_t e, const float *q, float *out)
{
    int64_t whole = e / LANES * LANES, i = 0;
    for (; i + 4 <= n; i += 4) {
        quarter parts[4];
#pragma GCC unroll 4
        for (int j = 0; j < 4; j++)
            parts[j] = sum_quarters(partial_dot(rows, dtype, (i + j) * stride, e, q));
        quarter sums = sum_four(parts[0], parts[1], parts[2], parts[3]);
        memcpy(out + i, &sums, sizeof sums);
    }
    for (; i < n; i++)
        out[i] = sum_lanes(partial_dot(rows, dtype, i * stride, e, q));
    for (i = 0; i < n && whole < e; i++)
        for (int64_t c = whole; c < e; c++)
            out[i] += q[c] * get(rows, dtype, i * stride + c);
}

static void dots(const void *rows, enum kvl_dtype dtype, int64_t stride, int64_t n, int64_t e, const float *q, float *out)
{
    if (dtype == KVL_F32)
        dots_as(rows, KVL_F32, stride, n, e, q, out);
    else
        dots_as(rows, KVL_BF16, stride, n, e, q, out);
}

enum { SUM_VECTORS = 4 }; /* outputs at a time of a weighted sum: one chain of additions would wait for itself */

INLINE void weighted_sum_part(const void *rows, enum kvl_dtype dtype, int64_t stride, int64_t n, int64_t c, int n_vectors,
                              const float *p, float *out)
{
    vf sum[SUM_VECTORS];
    for (int j = 0; j < n_vectors; j++)
        sum[j] = load(out + c + j * LANES);
    for (int64_t i = 0; i < n; i++)
#pragma GCC unroll 4
        for (int j = 0; j < n_vectors; j++)
            sum[j] += splat(p[i]) * load_as(rows, dtype, i * stride + c + j * LANES);
    for (int j = 0; j < n_vectors; j++)
        store(out + c + j * LANES, sum[j]);
}

INLINE void weighted_sum_as(const void *rows, enum kvl_dtype dtype, int64_t stride, int64_t n, int64_t e, const float *p,
                            float *out)
{
    int64_t c = 0;
    for (; c + SUM_VECTORS * LANES <= e; c += SUM_VECTORS * LANES)
        weighted_sum_part(rows, dtype, stride, n, c, SUM_VECTORS, p, out);
    for (; c + LANES <= e; c += LANES)
        weighted_sum_part(rows, dtype, stride, n, c, 1, p, out);
    for (; c < e; c++)
        for (int64_t i = 0; i < n; i++)
            out[c] += p[i] * get(rows, dtype, i * stride + c);
}

static void weighted_sum(const void *rows, enum kvl_dtype dtype, int64_t stride, int64_t n, int64_t e, const float *p,
                         float *out)
{
    if (dtype == KVL_F32)
        weighted_sum_as(rows, KVL_F32, stride, n, e, p, out);
    else
        weighted_sum_as(rows, KVL_BF16, stride, n, e, p, out);
}

static void norm(const float *x, const float *weight, void *out, enum kvl_dtype dtype, int64_t n, float eps)
{
    vf squares = splat(0.0f);
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        squares += load(x + i) * load(x + i);
    float total = sum_lanes(squares);
    for (; i < n; i++)
        total += x[i] * x[i];
    float factor = 1.0f / sqrtf(total / (float)n + eps);
    for (i = 0; i + LANES <= n; i += LANES)
        store_as(out, dtype, i, load(x + i) * splat(factor) * load(weight + i));
    for (; i < n; i++)
        put(out, dtype, i, x[i] * factor * weight[i]);
}

/* exp(-x) as 2^(-x log2 e), kept within 2^126 so that 1 + exp(-x) stays finite. */
INLINE vf silu_lanes(vf x)
{
    vf power = x * splat(-1.44269504f);
    vi huge = power > splat(126.0f);
    power = (vf)(((vi)power & ~huge) | ((vi)splat(126.0f) & huge));
    return x / (splat(1.0f) + exp2_lanes(power));
}

static void swiglu(const void *gate, const void *up, void *out, enum kvl_dtype dtype, int64_t n)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        store_as(out, dtype, i, silu_lanes(load_as(gate, dtype, i)) * load_as(up, dtype, i));
    for (; i < n; i++)
        put(out, dtype, i, silu_lanes(splat(get(gate, dtype, i)))[0] * get(up, dtype, i));
}

static void rotate(void *x, enum kvl_dtype dtype, int64_t n_heads, int64_t stride, int64_t half, const float *table, float sign)
{
    int64_t c = 0;
    for (; c + LANES <= half; c += LANES) {
        vf cosine, sine;
        for (int i = 0; i < LANES; i++) {
            cosine[i] = table[2 * (c + i)];
            sine[i] = sign * table[2 * (c + i) + 1];
        }
        for (int64_t a = 0; a < n_heads; a++) {
            int64_t at = a * stride + c;
            vf low = load_as(x, dtype, at), high = load_as(x, dtype, at + half);
            store_as(x, dtype, at, low * cosine - high * sine);
            store_as(x, dtype, at + half, high * cosine + low * sine);
        }
    }
    for (; c < half; c++)
        for (int64_t a = 0; a < n_heads; a++) {
            int64_t at = a * stride + c;
            float cosine = table[2 * c], sine = sign * table[2 * c + 1];
            float low = get(x, dtype, at), high = get(x, dtype, at + half);
            put(x, dtype, at, low * cosine - high * sine);
            put(x, dtype, at + half, high * cosine + low * sine);
        }
}

static void to_f32(const void *in, enum kvl_dtype dtype, float *out, int64_t n)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        if (i % 16 == 0)
            ask_for_line((const char *)in + (size_t)i * kvl_dtype_size(dtype));
        store(out + i, load_as(in, dtype, i));
    }
    for (; i < n; i++)
        out[i] = get(in, dtype, i);
}

static void from_f32(const float *in, void *out, enum kvl_dtype dtype, int64_t n)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        store_as(out, dtype, i, load(in + i));
    for (; i < n; i++)
        put(out, dtype, i, in[i]);
}

#ifdef __AVX512F__
/* What -march=skylake-avx512 lets the compiler use. */
static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw")
           && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512cd");
}
#endif

static bool available(void)
{
#if defined __AVX512BF16__
    return __builtin_cpu_supports("avx512bf16") && has_avx512();
#elif defined __AVX512F__
    return has_avx512();
#elif defined __AVX2__
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
#else
    return true;
#endif
}

#define SYMBOL_(name) kvl_simd_##name
#define SYMBOL(name) SYMBOL_(name)
#define TEXT_(name) #name
#define TEXT(name) TEXT_(name)

const struct kvl_simd SYMBOL(KVL_SIMD_NAME);
const struct kvl_simd SYMBOL(KVL_SIMD_NAME) = {
    .name = TEXT(KVL_SIMD_NAME),
    .available = available,
    .tile = tile,
    .tile_bf16 = TILE_BF16,
    .widen = widen,
    .row = row,
    .row_bf16 = ROW_BF16,
    .transpose = transpose,
    .join_pairs = join_pairs,
    .max = max_of,
    .exp2_sum = exp2_sum,
    .softmax = softmax,
    .scale = scale,
    .dots = dots,
    .weighted_sum = weighted_sum,
    .norm = norm,
    .swiglu = swiglu,
    .rotate = rotate,
    .to_f32 = to_f32,
    .from_f32 = from_f32,
};
