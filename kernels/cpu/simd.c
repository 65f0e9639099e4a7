/* Inner loops in GCC vector extensions: one source for every instruction set. The build compiles this file once per path
 * with KVL_SIMD_NAME (the symbol and the path's name), KVL_SIMD_LANES (floats in a register) and that path's flags. */
#include "kernels/cpu/simd.h"

#include <math.h>
#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

#define LANES KVL_SIMD_LANES
/* Rows of a register block: 12 x 2 accumulators fill AVX-512's 32 registers, 6 x 2 the 16 of AVX2 and SSE. */
#define BLOCK_ROWS (LANES == 16 ? 12 : 6)
#define INLINE static inline __attribute__((always_inline))

typedef float vf __attribute__((vector_size(LANES * 4)));
typedef float vf_any __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef int32_t vi __attribute__((vector_size(LANES * 4)));
typedef uint16_t vh __attribute__((vector_size(LANES * 2)));
typedef uint16_t vh_any __attribute__((vector_size(LANES * 2), aligned(2), may_alias));
typedef uint32_t vu __attribute__((vector_size(LANES * 4)));

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

/* Round to nearest even, as kvl_f32_to_bf16 without its care for NaN: inputs here are finite or infinite. */
INLINE void store_bf16(uint16_t *x, vf v)
{
    vu bits = (vu)v;
    bits += 0x7fffu + ((bits >> 16) & 1u);
    *(vh_any *)x = __builtin_convertvector(bits >> 16, vh);
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
    vi greater = a > b;
    return (vf)(((vi)a & greater) | ((vi)b & ~greater));
}

INLINE float sum_lanes(vf v)
{
    typedef float quarter __attribute__((vector_size(16)));
    quarter parts[LANES / 4];
    memcpy(parts, &v, sizeof v);
    quarter sum = parts[0];
    for (int i = 1; i < LANES / 4; i++)
        sum += parts[i];
    return (sum[0] + sum[2]) + (sum[1] + sum[3]);
}

/* 2^x: x = i + f with |f| <= 1/2, Taylor's series of 2^f to degree 7 (relative error below 1e-7), exponent added as an
 * integer. Below -126 the result is 0. */
INLINE vf exp2_lanes(vf x)
{
    const vf magic = splat(12582912.0f); /* 1.5 * 2^23: adding it rounds to an integer */
    vi tiny = x < splat(-126.0f);
    vf clamped = (vf)(((vi)x & ~tiny) | ((vi)splat(-126.0f) & tiny));
    vf shifted = clamped + magic;
    vf f = clamped - (shifted - magic);
    vf p = splat(1.52527338e-5f);
    p = p * f + splat(1.54035304e-4f);
    p = p * f + splat(1.33335581e-3f);
    p = p * f + splat(9.61812911e-3f);
    p = p * f + splat(5.55041087e-2f);
    p = p * f + splat(2.40226507e-1f);
    p = p * f + splat(6.93147181e-1f);
    p = p * f + splat(1.0f);
    vi exponent = ((vi)shifted - (vi)magic) << 23;
    vi result = (vi)p + exponent;
    return (vf)(result & ~tiny);
}

INLINE void block(int64_t depth, const float *a, int64_t lda, const float *b, float *c, int64_t ldc, bool accumulate)
{
    vf sum[BLOCK_ROWS][2];
#pragma GCC unroll 12
    for (int r = 0; r < BLOCK_ROWS; r++) {
        sum[r][0] = accumulate ? load(c + r * ldc) : splat(0.0f);
        sum[r][1] = accumulate ? load(c + r * ldc + LANES) : splat(0.0f);
    }
    for (int64_t d = 0; d < depth; d++) {
        vf b0 = load(b + d * KVL_TILE_COLS), b1 = load(b + d * KVL_TILE_COLS + LANES);
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

static void tile(int64_t depth, const float *a, int64_t lda, const float *b, float *c, int64_t ldc, bool accumulate)
{
    for (int r = 0; r < KVL_TILE_ROWS; r += BLOCK_ROWS)
        for (int j = 0; j < KVL_TILE_COLS; j += 2 * LANES) {
            if (accumulate)
                block(depth, a + r * lda, lda, b + j, c + r * ldc + j, ldc, true);
            else
                block(depth, a + r * lda, lda, b + j, c + r * ldc + j, ldc, false);
        }
}

#ifdef __AVX512BF16__
static void tile_bf16(int64_t depth, const uint16_t *a, int64_t lda, const uint16_t *b, float *c, int64_t ldc,
                      bool accumulate)
{
    __m512 sum[KVL_TILE_ROWS][2];
#pragma GCC unroll 12
    for (int r = 0; r < KVL_TILE_ROWS; r++) {
        sum[r][0] = accumulate ? _mm512_loadu_ps(c + r * ldc) : _mm512_setzero_ps();
        sum[r][1] = accumulate ? _mm512_loadu_ps(c + r * ldc + 16) : _mm512_setzero_ps();
    }
    for (int64_t d = 0; d < depth; d += 2) {
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
#define TILE_BF16 tile_bf16
#else
#define TILE_BF16 NULL
#endif

static float max_of(const float *x, int64_t n)
{
    vf best = load(x);
    for (int64_t i = LANES; i < n; i += LANES)
        best = vmax(best, load(x + i));
    float result = best[0];
    for (int i = 1; i < LANES; i++)
        result = best[i] > result ? best[i] : result;
    return result;
}

static float exp2_sum(float *x, int64_t n, float factor, float shift)
{
    vf sum = splat(0.0f);
    for (int64_t i = 0; i < n; i += LANES) {
        vf p = exp2_lanes(load(x + i) * splat(factor) - splat(shift));
        store(x + i, p);
        sum += p;
    }
    return sum_lanes(sum);
}

static float exp2_sum_bf16(const float *x, int64_t n, float factor, float shift, uint16_t *out)
{
    vf sum = splat(0.0f);
    for (int64_t i = 0; i < n; i += LANES) {
        store_bf16(out + i, exp2_lanes(load(x + i) * splat(factor) - splat(shift)));
        sum += load_bf16(out + i);
    }
    return sum_lanes(sum);
}

static void scale(float *x, int64_t n, float factor)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        store(x + i, load(x + i) * splat(factor));
    for (; i < n; i++)
        x[i] *= factor;
}

INLINE void dots_as(const void *rows, enum kvl_dtype dtype, int64_t stride, int64_t n, int64_t e, const float *q, float *out)
{
    for (int64_t i = 0; i < n; i++) {
        vf sum = splat(0.0f);
        int64_t c = 0;
        for (; c + LANES <= e; c += LANES)
            sum += load(q + c) * load_as(rows, dtype, i * stride + c);
        float total = sum_lanes(sum);
        for (; c < e; c++)
            total += q[c] * get(rows, dtype, i * stride + c);
        out[i] = total;
    }
}

static void dots(const void *rows, enum kvl_dtype dtype, int64_t stride, int64_t n, int64_t e, const float *q, float *out)
{
    if (dtype == KVL_F32)
        dots_as(rows, KVL_F32, stride, n, e, q, out);
    else
        dots_as(rows, KVL_BF16, stride, n, e, q, out);
}

INLINE void weighted_sum_as(const void *rows, enum kvl_dtype dtype, int64_t stride, int64_t n, int64_t e, const float *p,
                            float *out)
{
    int64_t c = 0;
    for (; c + LANES <= e; c += LANES) {
        vf sum = load(out + c);
        for (int64_t i = 0; i < n; i++)
            sum += splat(p[i]) * load_as(rows, dtype, i * stride + c);
        store(out + c, sum);
    }
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

static void to_f32(const void *in, enum kvl_dtype dtype, float *out, int64_t n)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        store(out + i, load_as(in, dtype, i));
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

static bool available(void)
{
#if defined __AVX512BF16__
    return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
#elif defined __AVX512F__
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
#elif defined __AVX2__
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
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
    .max = max_of,
    .exp2_sum = exp2_sum,
    .exp2_sum_bf16 = exp2_sum_bf16,
    .scale = scale,
    .dots = dots,
    .weighted_sum = weighted_sum,
    .norm = norm,
    .swiglu = swiglu,
    .to_f32 = to_f32,
    .from_f32 = from_f32,
};
