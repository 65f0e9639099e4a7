/* Attention mass from the log-sum-exp: probability = 2^(factor * q.k - lse * log2 e), summed over rows.
 *
 * bf16: a warp holds 32 keys as the left operands of mma.m16n8k16 for the whole of its life and takes query rows eight at a time
 * as the right ones, from tiles that arrive in shared memory while the tile before is worked on. A lane then holds the products
 * of four keys with two rows, and adds up its keys' masses over all rows; four lanes are joined at the end. Each sum is made by
 * one thread in ascending order of rows (even and odd pairs apart), so every run gives the same bits. float32, and shapes that
 * do not come in units of 16 bytes, take the plain kernel: one key a thread. */
#include "kernels/mass.h"

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

template <class T> struct problem {
    heads<T> q, k;
    struct mask mask;
    const float *lse, *weights;
    float *scores;
    int n, row_begin, row_end, n_keys, group, heads_per_block, e;
    float factor; /* scale * log2 e */
};

/* First row that may see keys from first_key on, and the end of those that the window lets see keys up to last_key. Both
 * positions ascend, so a row that has left last_key behind is followed by such rows only. */
template <class T> __device__ void row_range(const problem<T> &p, int first_key, int last_key, int *begin, int *end)
{
    *begin = p.row_begin < p.mask.causal_from ? p.row_begin : max(p.row_begin, first_key);
    int low = min(*begin, p.row_end), high = p.row_end;
    while (p.mask.window > 0 && low < high) {
        int middle = low + (high - low) / 2;
        if (p.mask.in_window(middle, last_key))
            low = middle + 1;
        else
            high = middle;
    }
    *end = high;
}

/* What a row brings: its log-sum-exp in base 2, and its weight, 0 past the end. */
template <class T> __device__ float2 row_terms(const problem<T> &p, int head, int row, int end)
{
    if (row >= end)
        return make_float2(0.0f, 0.0f);
    float weight = p.weights != nullptr ? p.weights[row - p.row_begin] : 1.0f;
    return make_float2(p.lse[static_cast<int64_t>(head) * p.n + row] * LOG2_E, weight);
}

/* ---- tensor cores -------------------------------------------------------------------------------------------------------- */

template <int E_> struct shape {
    static constexpr int E = E_, WARPS = tune::mass_tile::WARPS, KEY_TILES = tune::mass_tile::KEY_TILES, ROWS = tune::mass_tile::ROWS;
    static constexpr int THREADS = 32 * WARPS, WARP_KEYS = 16 * KEY_TILES, KEYS = WARPS * WARP_KEYS;
    static constexpr int STRIDE = E + 8; /* of a row in shared memory, in elements: an odd number of 16-byte units */
    static constexpr int STAGES = 2, STAGE = ROWS * STRIDE;
    /* The keys lie there only until they are in registers. */
    static constexpr int BYTES = (KEYS > STAGES * ROWS ? KEYS : STAGES * ROWS) * STRIDE * 2;
    static_assert(E % 16 == 0 && ROWS % 8 == 0 && ROWS <= THREADS && (E / 8 + 1) % 2 == 1);
};

template <class S, int ROWS>
__device__ void start_tile(__nv_bfloat16 *to, const heads<__nv_bfloat16> &from, int head, int first, int end, int e)
{
    constexpr int UNITS = S::E / 8; /* of 16 bytes, in a row */
    for (int i = static_cast<int>(threadIdx.x); i < ROWS * UNITS; i += S::THREADS) {
        int row = i / UNITS, c = i % UNITS * 8;
        bool there = first + row < end && c < e;
        copy_16(to + row * S::STRIDE + c, there ? from.at(first + row, head) + c : from.data, there);
    }
}

/* s = keys of the warp . eight query rows^T */
template <class S>
__device__ void multiply(float (&s)[S::KEY_TILES][4], const uint32_t (&keys)[S::KEY_TILES][S::E / 16][4], const __nv_bfloat16 *rows)
{
    int lane = static_cast<int>(threadIdx.x) & 31;
    const __nv_bfloat16 *row = rows + (lane & 7) * S::STRIDE + (lane / 8 & 1) * 8;
#pragma unroll
    for (int j = 0; j < S::KEY_TILES; j++)
        s[j][0] = s[j][1] = s[j][2] = s[j][3] = 0.0f;
#pragma unroll
    for (int c = 0; c < S::E / 16; c++) {
        uint32_t b[2];
        load_tiles<false>(b, row + 16 * c);
#pragma unroll
        for (int j = 0; j < S::KEY_TILES; j++)
            mma_bf16(s[j], keys[j][c], b);
    }
}

/* Adds the masses of eight rows to the lane's keys: sums[j][half] is key 16 j + 8 half + lane / 4 of the warp. */
template <class S>
__device__ void add_rows(float (&sums)[S::KEY_TILES][2], const float (&s)[S::KEY_TILES][4], const problem<__nv_bfloat16> &p,
                         const float2 *terms, int row, int end, int warp_key)
{
    int lane = static_cast<int>(threadIdx.x) & 31, key = warp_key + lane / 4;
    bool open = row + 8 <= end && p.mask.open(row, row + 7, warp_key, warp_key + S::WARP_KEYS - 1);
#pragma unroll
    for (int i = 0; i < 2; i++) {
        int own = row + lane % 4 * 2 + i;
        float2 term = terms[lane % 4 * 2 + i];
#pragma unroll
        for (int j = 0; j < S::KEY_TILES; j++)
#pragma unroll
            for (int half = 0; half < 2; half++) {
                int other = key + 16 * j + 8 * half;
                float weight = term.y * exp2_approx(s[j][2 * half + i] * p.factor - term.x);
                if (open || (own < end && p.mask.in_order(own, other) && p.mask.in_window(own, other)))
                    sums[j][half] += weight;
            }
    }
}

template <int E> __global__ void __launch_bounds__(shape<E>::THREADS) mass_tensor(problem<__nv_bfloat16> p)
{
    using S = shape<E>;
    KVL_DYNAMIC_SHARED(memory);
    KVL_SHARED(float2, terms, [S::STAGES][S::ROWS]);
    __nv_bfloat16 *tiles = reinterpret_cast<__nv_bfloat16 *>(memory);
    int thread = static_cast<int>(threadIdx.x), lane = thread & 31, warp = thread / 32;
    int first_key = static_cast<int>(blockIdx.x) * S::KEYS, warp_key = first_key + warp * S::WARP_KEYS;
    int first_head = static_cast<int>(blockIdx.y) * p.group + static_cast<int>(blockIdx.z) * p.heads_per_block;
    int begin, end;
    row_range(p, first_key, min(first_key + S::KEYS, p.mask.n_keys) - 1, &begin, &end);

    start_tile<S, S::KEYS>(tiles, p.k, static_cast<int>(blockIdx.y), first_key, p.mask.n_keys, p.e);
    copy_commit();
    copy_wait<0>();
    __syncthreads();
    uint32_t keys[S::KEY_TILES][E / 16][4];
#pragma unroll
    for (int j = 0; j < S::KEY_TILES; j++)
#pragma unroll
        for (int c = 0; c < E / 16; c++)
            load_tiles<false>(keys[j][c], tiles + (warp * S::WARP_KEYS + 16 * j + (lane & 15)) * S::STRIDE + 16 * c + lane / 16 * 8);
    __syncthreads(); /* the keys are in registers; rows take their place */

    /* One sequence of tiles over all heads of the block, so that the next head's first rows are on their way too. */
    int n_tiles = max(end - begin + S::ROWS - 1, 0) / S::ROWS, n_steps = n_tiles * p.heads_per_block;
    auto start_rows = [&](int step) {
        if (step < n_steps) {
            int stage = step % S::STAGES, head = first_head + step / n_tiles, row = begin + step % n_tiles * S::ROWS;
            start_tile<S, S::ROWS>(tiles + stage * S::STAGE, p.q, head, row, end, p.e);
            if (thread < S::ROWS)
                terms[stage][thread] = row_terms(p, head, row + thread, end);
        }
        copy_commit();
    };
    float sums[S::KEY_TILES][2] = {};
    start_rows(0);
    for (int i = 0; i < p.heads_per_block; i++) {
        for (int t = 0; t < n_tiles; t++) {
            int step = i * n_tiles + t, row = begin + t * S::ROWS, stage = step % S::STAGES;
            copy_wait<0>();
            __syncthreads(); /* this tile is there for all, and all are done with the one before */
            start_rows(step + 1);
            for (int r = 0; r < S::ROWS && row + r < end; r += 8) {
                if (row + r + 7 < warp_key && row + r >= p.mask.causal_from)
                    continue; /* before the warp's keys */
                float s[S::KEY_TILES][4];
                multiply<S>(s, keys, tiles + stage * S::STAGE + r * S::STRIDE);
                add_rows<S>(sums, s, p, terms[stage] + r, row + r, end, warp_key);
            }
        }
#pragma unroll
        for (int j = 0; j < S::KEY_TILES; j++)
#pragma unroll
            for (int half = 0; half < 2; half++) {
                float sum = warp_sum(sums[j][half], 4);
                int key = warp_key + 16 * j + 8 * half + lane / 4;
                if (lane % 4 == 0 && key < p.n_keys)
                    p.scores[static_cast<int64_t>(first_head + i) * p.n_keys + key] = sum;
                sums[j][half] = 0.0f;
            }
    }
}

/* ---- plain --------------------------------------------------------------------------------------------------------------- */

/* 64 keys, one a thread; rows eight at a time, feature by feature. */
struct plain_shape {
    static constexpr int KEYS = 64, ROWS = 8;
};

/* Keys are stored with an odd stride, rows [e][8]. */
inline int plain_stride(int e)
{
    return e | 1;
}

template <class T> __global__ void __launch_bounds__(plain_shape::KEYS) mass_plain(problem<T> p)
{
    constexpr int KEYS = plain_shape::KEYS, ROWS = plain_shape::ROWS;
    KVL_DYNAMIC_SHARED(memory);
    KVL_SHARED(float2, terms, [ROWS]);
    float *rows = reinterpret_cast<float *>(memory), *keys = rows + p.e * ROWS;
    int thread = static_cast<int>(threadIdx.x), stride = p.e | 1;
    int first_key = static_cast<int>(blockIdx.x) * KEYS, key = first_key + thread;
    int head = static_cast<int>(blockIdx.y), kv_head = head / p.group, begin, end;
    row_range(p, first_key, min(first_key + KEYS, p.mask.n_keys) - 1, &begin, &end);
    for (int i = thread; i < KEYS * p.e; i += KEYS) {
        int j = i / p.e, c = i % p.e;
        keys[j * stride + c] = first_key + j < p.mask.n_keys ? to_float(p.k.at(first_key + j, kv_head)[c]) : 0.0f;
    }
    float sum = 0.0f;
    for (int row = begin; row < end; row += ROWS) {
        __syncthreads();
        for (int i = thread; i < ROWS * p.e; i += KEYS) {
            int r = i / p.e, c = i % p.e;
            rows[c * ROWS + r] = row + r < end ? to_float(p.q.at(row + r, head)[c]) : 0.0f;
        }
        if (thread < ROWS)
            terms[thread] = row_terms(p, head, row + thread, end);
        __syncthreads();
        float s[ROWS] = {};
        for (int c = 0; c < p.e; c++) {
            float x = keys[thread * stride + c];
#pragma unroll
            for (int r = 0; r < ROWS; r++)
                s[r] += x * rows[c * ROWS + r];
        }
#pragma unroll
        for (int r = 0; r < ROWS; r++)
            if (row + r < end && p.mask.in_order(row + r, key) && p.mask.in_window(row + r, key))
                sum += terms[r].y * exp2f(s[r] * p.factor - terms[r].x);
    }
    if (key < p.n_keys)
        p.scores[static_cast<int64_t>(head) * p.n_keys + key] = sum;
}

/* ---- the choice ---------------------------------------------------------------------------------------------------------- */

template <class T> problem<T> make_problem(const struct kvl_mass *op)
{
    problem<T> p = {};
    p.q = heads_of<T>(op->q);
    p.k = heads_of<T>(op->k);
    p.mask = {op->pos, op->key_pos != nullptr ? op->key_pos : op->pos, op->window, static_cast<int>(op->causal_from),
              static_cast<int>(op->k.n_tokens)};
    p.lse = op->lse;
    p.weights = op->weights;
    p.scores = op->scores;
    p.n = static_cast<int>(op->q.n_tokens);
    p.row_begin = static_cast<int>(op->row_begin);
    p.row_end = static_cast<int>(op->row_end);
    p.n_keys = static_cast<int>(op->n_keys);
    p.group = static_cast<int>(op->q.n_heads / op->k.n_heads);
    p.heads_per_block = 1;
    p.e = static_cast<int>(op->q.head_size);
    p.factor = op->scale * LOG2_E;
    return p;
}

template <int E> enum kvl_status run_tensor(struct kvl_cuda_ctx *cuda, const struct kvl_mass *op)
{
    using S = shape<E>;
    problem<__nv_bfloat16> p = make_problem<__nv_bfloat16>(op);
    if (op->row_end - op->row_begin <= tune::mass_tile::SHARED_ROWS)
        p.heads_per_block = p.group;
    dim3 grid(static_cast<unsigned>(kvl_div_up(op->n_keys, S::KEYS)), static_cast<unsigned>(op->k.n_heads),
              static_cast<unsigned>(p.group / p.heads_per_block));
    auto *kernel = mass_tensor<E>;
    KVL_CUDA_TRY(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, S::BYTES));
    KVL_TRY_LAUNCH(kernel, grid, S::THREADS, S::BYTES, cuda->stream, p);
    return KVL_OK;
}

template <class T> enum kvl_status run_plain(struct kvl_cuda_ctx *cuda, const struct kvl_mass *op)
{
    problem<T> p = make_problem<T>(op);
    int bytes = (plain_shape::ROWS * p.e + plain_shape::KEYS * plain_stride(p.e)) * 4;
    dim3 grid(static_cast<unsigned>(kvl_div_up(op->n_keys, plain_shape::KEYS)), static_cast<unsigned>(op->q.n_heads));
    auto *kernel = mass_plain<T>;
    KVL_CUDA_TRY(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
    KVL_TRY_LAUNCH(kernel, grid, plain_shape::KEYS, static_cast<size_t>(bytes), cuda->stream, p);
    return KVL_OK;
}

/* A smaller head takes the next larger kernel, padded with zeros. */
struct variant {
    int64_t e;
    enum kvl_status (*run)(struct kvl_cuda_ctx *, const struct kvl_mass *);
};
const variant variants[] = {{32, run_tensor<32>}, {64, run_tensor<64>}, {80, run_tensor<80>}, {96, run_tensor<96>},
                            {128, run_tensor<128>}};

} // namespace

enum kvl_status kvl_cuda_mass(struct kvl_ctx *ctx, const struct kvl_mass *op)
{
    struct kvl_cuda_ctx *cuda = kvl_cuda(ctx);
    KVL_REQUIRE(op->q.head_size <= MAX_HEAD && op->q.n_heads / op->k.n_heads <= MAX_GROUP, "mass: head size or group too large");
    KVL_REQUIRE(op->n_keys >= 1 && op->n_keys <= op->k.n_tokens, "mass: %lld keys of %lld tokens", static_cast<long long>(op->n_keys),
                static_cast<long long>(op->k.n_tokens));
    if (op->q.dtype == KVL_F32)
        return run_plain<float>(cuda, op);
    if (in_sixteens(op->q) && in_sixteens(op->k))
        for (const variant &v : variants)
            if (op->q.head_size <= v.e)
                return v.run(cuda, op);
    return run_plain<__nv_bfloat16>(cuda, op);
}
