/* Attention of a prompt, FlashAttention-2's way (arXiv:2307.08691): a block keeps a tile of queries, streams tiles of keys and
 * values through shared memory while the next ones are on their way, and carries each row's maximum, sum and output along.
 *
 * bf16 goes to the tensor cores: scores and outputs live in the fragments of mma.m16n8k16 (mma.cuh), where the scores of 16 keys,
 * rounded to bf16, are the left operand of the product with the values as they lie. Rows of shared memory are padded by 16
 * bytes: an odd number of 16-byte units, so the eight rows of a matrix load fall into different banks. float32, and shapes that
 * do not come in units of 16 bytes, take the plain kernel below.
 *
 * A row's result does not depend on its neighbours: a tile of which it sees nothing leaves its maximum and sum as they are,
 * and scales its output by exactly 1. */
#include "kernels/attend.h"

#include "kernels/cuda/copy.cuh"
#include "kernels/cuda/heads.cuh"
#include "kernels/cuda/math.cuh"
#include "kernels/cuda/mma.cuh"
#include "kernels/cuda/tune.h"
#include "kernels/cuda/vector.cuh"
#include "kernels/cuda/warp.cuh"

namespace {

using namespace kvl;

constexpr int MAX_HEAD = 256, MAX_GROUP = 96;
constexpr float NONE = -INFINITY; /* maximum of no scores */

/* What both kernels take. T is float or __nv_bfloat16. */
template <class T> struct problem {
    heads<T> q, k, v; /* v.data NULL: the log-sum-exp only */
    struct mask mask;
    T *out;
    float *lse;
    int n, n_heads, group, e;
    float factor; /* scale * log2 e */
};

/* Keys that the rows [first, end) may see: [*begin, *finish). */
template <class T> __device__ void key_range(const problem<T> &p, int first, int end, int *begin, int *finish)
{
    *finish = first < p.mask.causal_from ? p.n : end;
    /* Positions grow by at least 1 a key, so that no key before first - window + 1 is visible. */
    int earliest = p.mask.window > 0 && p.mask.window <= first ? first - static_cast<int>(p.mask.window) + 1 : 0;
    *begin = p.mask.window_begin(first, earliest, first);
}

/* ---- tensor cores -------------------------------------------------------------------------------------------------------- */

template <int E_, int KEYS_> struct shape {
    static constexpr int E = E_, KEYS = KEYS_, WARPS = tune::attend_tile::WARPS, ROW_TILES = tune::attend_tile::ROW_TILES;
    static constexpr int THREADS = 32 * WARPS, WARP_ROWS = 16 * ROW_TILES, ROWS = WARPS * WARP_ROWS;
    static constexpr int STRIDE = E + 8; /* of a row in shared memory, in elements */
    static constexpr int STAGES = 2;
    static constexpr int BYTES = (ROWS + STAGES * 2 * KEYS) * STRIDE * 2;
    static_assert(E % 16 == 0 && KEYS % 16 == 0 && (E / 8 + 1) % 2 == 1);
};

/* Starts the copy of rows [first, first + ROWS) of a head; rows from n on and features from e on become zeros. */
template <class S, int ROWS>
__device__ void start_tile(__nv_bfloat16 *to, const heads<__nv_bfloat16> &from, int head, int first, int n, int e)
{
    constexpr int UNITS = S::E / 8; /* of 16 bytes, in a row */
    for (int i = static_cast<int>(threadIdx.x); i < ROWS * UNITS; i += S::THREADS) {
        int row = i / UNITS, c = i % UNITS * 8;
        bool there = first + row < n && c < e;
        copy_16(to + row * S::STRIDE + c, there ? from.at(first + row, head) + c : from.data, there);
    }
}

/* s += queries of the warp . keys^T, for one tile of keys. */
template <class S>
__device__ void multiply_keys(float (&s)[S::ROW_TILES][S::KEYS / 8][4], const __nv_bfloat16 *q, const __nv_bfloat16 *k)
{
    int lane = static_cast<int>(threadIdx.x) & 31;
    const __nv_bfloat16 *q_row = q + (lane & 15) * S::STRIDE + lane / 16 * 8;
    const __nv_bfloat16 *k_row = k + (lane / 16 * 8 + (lane & 7)) * S::STRIDE + (lane / 8 & 1) * 8;
#pragma unroll
    for (int c = 0; c < S::E; c += 16) {
        uint32_t a[S::ROW_TILES][4];
#pragma unroll
        for (int r = 0; r < S::ROW_TILES; r++)
            load_tiles<false>(a[r], q_row + 16 * r * S::STRIDE + c);
#pragma unroll
        for (int j = 0; j < S::KEYS; j += 16) {
            uint32_t b[4]; /* keys j..j+7: 0, 1; keys j+8..j+15: 2, 3 */
            load_tiles<false>(b, k_row + j * S::STRIDE + c);
#pragma unroll
            for (int r = 0; r < S::ROW_TILES; r++) {
                mma_bf16(s[r][j / 8], a[r], {b[0], b[1]});
                mma_bf16(s[r][j / 8 + 1], a[r], {b[2], b[3]});
            }
        }
    }
}

/* o += p . values, p being what s holds now, rounded. */
template <class S>
__device__ void multiply_values(float (&o)[S::ROW_TILES][S::E / 8][4], const float (&s)[S::ROW_TILES][S::KEYS / 8][4],
                                const __nv_bfloat16 *v)
{
    int lane = static_cast<int>(threadIdx.x) & 31;
    const __nv_bfloat16 *v_row = v + (lane & 15) * S::STRIDE + lane / 16 * 8;
#pragma unroll
    for (int j = 0; j < S::KEYS; j += 16) {
        uint32_t a[S::ROW_TILES][4];
#pragma unroll
        for (int r = 0; r < S::ROW_TILES; r++) {
            const float(&low)[4] = s[r][j / 8], (&high)[4] = s[r][j / 8 + 1];
            a[r][0] = pack_bf16(low[0], low[1]);
            a[r][1] = pack_bf16(low[2], low[3]);
            a[r][2] = pack_bf16(high[0], high[1]);
            a[r][3] = pack_bf16(high[2], high[3]);
        }
#pragma unroll
        for (int c = 0; c < S::E; c += 16) {
            uint32_t b[4]; /* features c..c+7: 0, 1; c+8..c+15: 2, 3 */
            load_tiles<true>(b, v_row + j * S::STRIDE + c);
#pragma unroll
            for (int r = 0; r < S::ROW_TILES; r++) {
                mma_bf16(o[r][c / 8], a[r], {b[0], b[1]});
                mma_bf16(o[r][c / 8 + 1], a[r], {b[2], b[3]});
            }
        }
    }
}

/* Scores that a row does not see become -inf. `row`: the lane's first; its others are 8 apart. */
template <class S>
__device__ void hide(float (&s)[S::ROW_TILES][S::KEYS / 8][4], const struct mask &mask, int n, int row, int first_key)
{
    int key = first_key + (static_cast<int>(threadIdx.x) & 3) * 2;
#pragma unroll
    for (int r = 0; r < S::ROW_TILES; r++)
#pragma unroll
        for (int j = 0; j < S::KEYS / 8; j++)
#pragma unroll
            for (int i = 0; i < 4; i++) {
                int own = row + 16 * r + i / 2 * 8, other = key + 8 * j + i % 2;
                own = own < n ? own : n - 1;
                if (!mask.in_order(own, other) || !mask.in_window(own, other))
                    s[r][j][i] = NONE;
            }
}

/* Turns scores into 2^(factor * (s - max)), and maxima, sums and outputs so far to the new maxima. Sums are the lane's own. */
template <class S, bool values>
__device__ void soften(float (&s)[S::ROW_TILES][S::KEYS / 8][4], float (&max)[S::ROW_TILES][2], float (&sum)[S::ROW_TILES][2],
                       float (&o)[S::ROW_TILES][S::E / 8][4], float factor)
{
#pragma unroll
    for (int r = 0; r < S::ROW_TILES; r++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float most = max[r][half];
#pragma unroll
            for (int j = 0; j < S::KEYS / 8; j++)
                most = fmaxf(most, fmaxf(s[r][j][2 * half], s[r][j][2 * half + 1]));
            most = warp_max(most, 4);
            float base = most == NONE ? 0.0f : most * factor; /* a row that has seen nothing yet */
            float shrink = exp2_approx(max[r][half] * factor - base), total = 0.0f;
            max[r][half] = most;
#pragma unroll
            for (int j = 0; j < S::KEYS / 8; j++)
#pragma unroll
                for (int i = 2 * half; i < 2 * half + 2; i++) {
                    s[r][j][i] = exp2_approx(s[r][j][i] * factor - base);
                    total += s[r][j][i];
                }
            sum[r][half] = sum[r][half] * shrink + total;
            if constexpr (values)
#pragma unroll
                for (int c = 0; c < S::E / 8; c++) {
                    o[r][c][2 * half] *= shrink;
                    o[r][c][2 * half + 1] *= shrink;
                }
        }
}

/* Divides by the sums and writes what exists of the warp's rows, by way of shared memory (the warp's own queries, which
 * nobody needs any more), so that the stores are 16 bytes wide. */
template <class S>
__device__ void write_rows(const problem<__nv_bfloat16> &p, const float (&o)[S::ROW_TILES][S::E / 8][4],
                           const float (&sum)[S::ROW_TILES][2], __nv_bfloat16 *rows, int head, int first)
{
    int lane = static_cast<int>(threadIdx.x) & 31;
#pragma unroll
    for (int r = 0; r < S::ROW_TILES; r++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float inverse = 1.0f / sum[r][half];
            __nv_bfloat16 *row = rows + (16 * r + 8 * half + lane / 4) * S::STRIDE + lane % 4 * 2;
#pragma unroll
            for (int c = 0; c < S::E / 8; c++) {
                uint32_t pair = pack_bf16(o[r][c][2 * half] * inverse, o[r][c][2 * half + 1] * inverse);
                memcpy(row + 8 * c, &pair, sizeof pair);
            }
        }
    __syncwarp();
    int units = p.e / 8;
    for (int i = lane; i < S::WARP_ROWS * units; i += 32) {
        int row = i / units, c = i % units * 8;
        if (first + row < p.n)
            *reinterpret_cast<uint4 *>(p.out + (static_cast<int64_t>(first + row) * p.n_heads + head) * p.e + c) =
                *reinterpret_cast<const uint4 *>(rows + row * S::STRIDE + c);
    }
}

template <class S, bool values> __global__ void __launch_bounds__(S::THREADS) attend_tensor(problem<__nv_bfloat16> p)
{
    KVL_DYNAMIC_SHARED(memory);
    __nv_bfloat16 *q = reinterpret_cast<__nv_bfloat16 *>(memory), *k = q + S::ROWS * S::STRIDE;
    __nv_bfloat16 *v = k + S::STAGES * S::KEYS * S::STRIDE;
    int lane = static_cast<int>(threadIdx.x) & 31, warp = static_cast<int>(threadIdx.x) / 32;
    int head = static_cast<int>(blockIdx.x), kv_head = head / p.group;
    /* The last queries see the most keys; their blocks start first. */
    int first = static_cast<int>(gridDim.y - 1 - blockIdx.y) * S::ROWS, end = min(first + S::ROWS, p.n);
    int begin, finish;
    key_range(p, first, end, &begin, &finish);
    begin = begin / S::KEYS * S::KEYS;

    auto start_keys = [&](int key, int stage) {
        /* Rolled: side by side, keys' and values' addresses would take registers that heads of 128 do not have (sm_90a: a spill). */
#pragma unroll 1
        for (int i = 0; i < (values ? 2 : 1) && key < finish; i++)
            start_tile<S, S::KEYS>((i == 0 ? k : v) + stage * S::KEYS * S::STRIDE, i == 0 ? p.k : p.v, kv_head, key, p.n, p.e);
        copy_commit();
    };
    start_tile<S, S::ROWS>(q, p.q, head, first, p.n, p.e);
    start_keys(begin, 0);

    float o[S::ROW_TILES][S::E / 8][4] = {}, max[S::ROW_TILES][2], sum[S::ROW_TILES][2] = {};
    for (int r = 0; r < S::ROW_TILES; r++)
        max[r][0] = max[r][1] = NONE;
    int warp_first = first + warp * S::WARP_ROWS, warp_last = min(warp_first + S::WARP_ROWS, p.n) - 1;
    int row = warp_first + lane / 4, stage = 0;
    for (int key = begin; key < finish; key += S::KEYS, stage ^= 1) {
        copy_wait<0>();
        __syncthreads(); /* this tile is there for all, and all are done with the one before */
        start_keys(key + S::KEYS, stage ^ 1);
        if (warp_first >= p.n || (key > warp_last && warp_first >= p.mask.causal_from))
            continue; /* nothing for this warp */
        float s[S::ROW_TILES][S::KEYS / 8][4] = {};
        multiply_keys<S>(s, q + warp * S::WARP_ROWS * S::STRIDE, k + stage * S::KEYS * S::STRIDE);
        if (!p.mask.open(warp_first, warp_last, key, key + S::KEYS - 1))
            hide<S>(s, p.mask, p.n, row, key);
        soften<S, values>(s, max, sum, o, p.factor);
        if constexpr (values)
            multiply_values<S>(o, s, v + stage * S::KEYS * S::STRIDE);
    }
#pragma unroll
    for (int r = 0; r < S::ROW_TILES; r++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            sum[r][half] = warp_sum(sum[r][half], 4);
            int own = row + 16 * r + 8 * half;
            if (lane % 4 == 0 && own < p.n)
                p.lse[static_cast<int64_t>(head) * p.n + own] = (max[r][half] * p.factor + log2f(sum[r][half])) * LN_2;
        }
    if constexpr (values)
        write_rows<S>(p, o, sum, q + warp * S::WARP_ROWS * S::STRIDE, head, warp_first);
}

/* ---- plain --------------------------------------------------------------------------------------------------------------- */

/* 64 queries, 32 keys at a time, half of each for the largest heads, all in float32. Four threads share a row: each scores
 * every fourth key and keeps a quarter of the output, in runs of four features. */
template <int E> struct plain_shape {
    static constexpr int ROWS = E > 128 ? 32 : 64, KEYS = E > 128 ? 16 : 32, THREADS = 4 * ROWS, STRIDE = E + 4, P_STRIDE = KEYS + 1;
    static constexpr int BYTES = ((ROWS + 2 * KEYS) * STRIDE + ROWS * P_STRIDE) * 4;
};

template <class S, int E, class T>
__device__ void load_rows(float *to, const heads<T> &from, int head, int first, int n_rows, int n, int e)
{
    for (int i = static_cast<int>(threadIdx.x); i < n_rows * E; i += S::THREADS) {
        int row = i / E, c = i % E;
        to[row * S::STRIDE + c] = first + row < n && c < e ? to_float(from.at(first + row, head)[c]) : 0.0f;
    }
}

template <int E, class T> __global__ void __launch_bounds__(plain_shape<E>::THREADS) attend_plain(problem<T> p)
{
    using S = plain_shape<E>;
    KVL_DYNAMIC_SHARED(memory);
    float *q = reinterpret_cast<float *>(memory), *k = q + S::ROWS * S::STRIDE, *v = k + S::KEYS * S::STRIDE;
    int part = static_cast<int>(threadIdx.x) % 4, local = static_cast<int>(threadIdx.x) / 4;
    float *weights = v + S::KEYS * S::STRIDE + local * S::P_STRIDE;
    int head = static_cast<int>(blockIdx.x), kv_head = head / p.group;
    int first = static_cast<int>(gridDim.y - 1 - blockIdx.y) * S::ROWS, end = min(first + S::ROWS, p.n);
    int row = min(first + local, p.n - 1), begin, finish;
    key_range(p, first, end, &begin, &finish);
    begin = begin / S::KEYS * S::KEYS;
    bool values = p.v.data != nullptr;

    load_rows<S, E>(q, p.q, head, first, S::ROWS, p.n, p.e);
    float o[E / 16][4] = {}, max = NONE, sum = 0.0f;
    for (int key = begin; key < finish; key += S::KEYS) {
        __syncthreads();
        load_rows<S, E>(k, p.k, kv_head, key, S::KEYS, p.n, p.e);
        if (values)
            load_rows<S, E>(v, p.v, kv_head, key, S::KEYS, p.n, p.e);
        __syncthreads();
        float s[S::KEYS / 4] = {};
        for (int c = 0; c < E; c += 4) {
            float4 a = *reinterpret_cast<const float4 *>(q + local * S::STRIDE + c);
#pragma unroll
            for (int j = 0; j < S::KEYS / 4; j++) {
                float4 b = *reinterpret_cast<const float4 *>(k + (4 * j + part) * S::STRIDE + c);
                s[j] += a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w;
            }
        }
        float most = max;
#pragma unroll
        for (int j = 0; j < S::KEYS / 4; j++) {
            int other = key + 4 * j + part;
            if (!p.mask.in_order(row, other) || !p.mask.in_window(row, other))
                s[j] = NONE;
            most = fmaxf(most, s[j]);
        }
        most = warp_max(most, 4);
        float base = most == NONE ? 0.0f : most * p.factor, shrink = exp2f(max * p.factor - base), total = 0.0f;
        max = most;
#pragma unroll
        for (int j = 0; j < S::KEYS / 4; j++) {
            float weight = exp2f(s[j] * p.factor - base);
            weights[4 * j + part] = weight;
            total += weight;
        }
        sum = sum * shrink + total;
        __syncwarp(); /* a row's weights come from its four threads */
#pragma unroll
        for (int c = 0; c < E / 16; c++)
#pragma unroll
            for (int i = 0; i < 4; i++)
                o[c][i] *= shrink;
        for (int j = 0; values && j < S::KEYS; j++) {
            float weight = weights[j];
#pragma unroll
            for (int c = 0; c < E / 16; c++) {
                float4 x = *reinterpret_cast<const float4 *>(v + j * S::STRIDE + 16 * c + 4 * part);
                o[c][0] += weight * x.x;
                o[c][1] += weight * x.y;
                o[c][2] += weight * x.z;
                o[c][3] += weight * x.w;
            }
        }
    }
    sum = warp_sum(sum, 4);
    if (first + local >= p.n)
        return;
    if (part == 0)
        p.lse[static_cast<int64_t>(head) * p.n + row] = (max * p.factor + log2f(sum)) * LN_2;
    T *out = p.out + (static_cast<int64_t>(row) * p.n_heads + head) * p.e;
#pragma unroll
    for (int c = 0; c < E / 16; c++)
#pragma unroll
        for (int i = 0; i < 4; i++)
            if (values && 16 * c + 4 * part + i < p.e)
                from_float(o[c][i] / sum, out + 16 * c + 4 * part + i);
}

/* ---- the choice ---------------------------------------------------------------------------------------------------------- */

template <class T> problem<T> make_problem(const struct kvl_attend *op)
{
    problem<T> p = {};
    p.q = heads_of<T>(op->q);
    p.k = heads_of<T>(op->k);
    p.v = heads_of<T>(op->v);
    p.n = static_cast<int>(op->q.n_tokens);
    p.mask = {op->pos, op->pos, op->window, static_cast<int>(op->causal_from), p.n};
    p.out = static_cast<T *>(op->out);
    p.lse = op->lse;
    p.n_heads = static_cast<int>(op->q.n_heads);
    p.group = static_cast<int>(op->q.n_heads / op->k.n_heads);
    p.e = static_cast<int>(op->q.head_size);
    p.factor = op->scale * LOG2_E;
    return p;
}

/* One row per kernel; a smaller head takes the next larger one, padded with zeros, and a device with too little shared memory
 * for a row the next that fits. */
template <class T> struct variant {
    int e, rows, threads, bytes;
    void (*kernel)(problem<T>);
};

template <int E, bool values, int KEYS = tune::attend_tile::KEYS> constexpr variant<__nv_bfloat16> tensor_variant()
{
    using S = shape<E, KEYS>;
    return {E, S::ROWS, S::THREADS, S::BYTES, attend_tensor<S, values>};
}

template <int E, class T> constexpr variant<T> plain_variant()
{
    return {E, plain_shape<E>::ROWS, plain_shape<E>::THREADS, plain_shape<E>::BYTES, attend_plain<E, T>};
}

constexpr int FEW = tune::attend_tile::FEW_KEYS;
const variant<__nv_bfloat16> with_values[] = {tensor_variant<32, true>(), tensor_variant<64, true>(), tensor_variant<80, true>(),
                                              tensor_variant<96, true>(), tensor_variant<128, true>(),
                                              tensor_variant<128, true, FEW>()};
const variant<__nv_bfloat16> lse_only[] = {tensor_variant<32, false>(), tensor_variant<64, false>(), tensor_variant<80, false>(),
                                           tensor_variant<96, false>(), tensor_variant<128, false>(),
                                           tensor_variant<128, false, FEW>()};
const variant<__nv_bfloat16> plain_bf16[] = {plain_variant<64, __nv_bfloat16>(), plain_variant<128, __nv_bfloat16>(),
                                             plain_variant<256, __nv_bfloat16>()};
const variant<float> plain_f32[] = {plain_variant<32, float>(), plain_variant<64, float>(), plain_variant<128, float>(),
                                    plain_variant<256, float>()};

template <class T, int N> enum kvl_status run(struct kvl_cuda_ctx *cuda, const struct kvl_attend *op, const variant<T> (&variants)[N])
{
    int i = 0;
    while (i < N && (variants[i].e < op->q.head_size || variants[i].bytes > cuda->max_shared))
        i++;
    if (i == N)
        return kvl_fail(KVL_E_UNSUPPORTED, "attend: head size %lld needs %d bytes of shared memory, the device has %lld",
                        static_cast<long long>(op->q.head_size), variants[N - 1].bytes, static_cast<long long>(cuda->max_shared));
    const variant<T> &v = variants[i];
    problem<T> p = make_problem<T>(op);
    dim3 grid(static_cast<unsigned>(p.n_heads), static_cast<unsigned>(kvl_div_up(p.n, v.rows)));
    KVL_CUDA_TRY(cudaFuncSetAttribute(v.kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, v.bytes));
    KVL_TRY_LAUNCH(v.kernel, grid, static_cast<unsigned>(v.threads), static_cast<size_t>(v.bytes), cuda->stream, p);
    return KVL_OK;
}

} // namespace

int64_t kvl_cuda_attend_scratch(const struct kvl_ctx *ctx, const struct kvl_attend *op)
{
    (void)ctx, (void)op;
    return 0;
}

enum kvl_status kvl_cuda_attend(struct kvl_ctx *ctx, const struct kvl_attend *op)
{
    struct kvl_cuda_ctx *cuda = kvl_cuda(ctx);
    int64_t e = op->q.head_size, group = op->q.n_heads / op->k.n_heads;
    KVL_REQUIRE(e <= MAX_HEAD && e % 2 == 0, "attend: head size %lld: even and at most %d", static_cast<long long>(e), MAX_HEAD);
    KVL_REQUIRE(group <= MAX_GROUP, "attend: %lld query heads share a KV head: at most %d", static_cast<long long>(group),
                MAX_GROUP);
    KVL_REQUIRE(op->q.n_tokens >= 1 && op->q.n_tokens <= INT32_MAX / 2, "attend: %lld tokens", static_cast<long long>(op->q.n_tokens));
    if (op->q.dtype == KVL_F32)
        return run(cuda, op, plain_f32);
    bool values = op->v.data != nullptr;
    bool wide = in_sixteens(op->q) && in_sixteens(op->k) && (!values || in_sixteens(op->v))
                && reinterpret_cast<uintptr_t>(op->out) % 16 == 0;
    if (e > 128 || !wide)
        return run(cuda, op, plain_bf16);
    return values ? run(cuda, op, with_values) : run(cuda, op, lse_only);
}
