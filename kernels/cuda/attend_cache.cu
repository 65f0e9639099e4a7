/* Decode attention, split over the cache: a block takes a chunk of one stored head's entries for all its query heads and leaves
 * a partial output with its maximum and sum; a second pass joins the chunks of a head, a third adds the probabilities to the
 * running scores where asked for. Grids come from the host's bound; how many entries there are is read on the device.
 *
 * bf16: entries go from global memory into the fragments of mma.m16n8k16 (mma.cuh) without a stop in shared memory. The order
 * of a product's inner index is free as long as both sides agree, and so is that of its columns; so a lane's four 16-byte loads
 * are taken as they come:
 *   scores   left: 16 query heads, right: 8 entries. Lane (g, t) reads features 32 b + 8 t .. + 7 of entry g: inner indices
 *            2t, 2t+1, 2t+8, 2t+9 of step 2b are its first four, of step 2b + 1 its last four.
 *   outputs  left: the weights of 16 entries, right: their values. Lane (g, t) reads features 64 b + 8 g .. + 7 of entries 2t,
 *            2t+1, 2t+8, 2t+9: column g of product i is feature 64 b + 8 g + i.
 * Weights are split into two bf16, high and low, so that only the result is rounded. float32, and shapes that do not come in
 * units of 16 bytes, take the plain kernel. */
#include "kernels/attend_cache.h"

#include "kernels/cuda/heads.cuh"
#include "kernels/cuda/math.cuh"
#include "kernels/cuda/mma.cuh"
#include "kernels/cuda/tune.h"
#include "kernels/cuda/vector.cuh"
#include "kernels/cuda/warp.cuh"

namespace {

using namespace kvl;

constexpr int MAX_HEAD = 256;
constexpr float NONE = -INFINITY; /* maximum of no entries */

/* T is float or __nv_bfloat16. Scores are in base 2: scale * log2 e * q.k. */
template <class T> struct problem {
    const T *q; /* row of head a at a * q_stride */
    int64_t q_stride;
    const T *k, *v;
    const int32_t *pos, *n, *query_pos;
    int64_t n_max, window;
    int n_heads, group, e, chunk, n_chunks, n_bound;
    float factor;
    T *out;
    float *lse, *scores;
    /* scratch */
    float *part_scores;  /* [h, n_bound] */
    float *part_out;     /* [h, n_chunks, e], not divided by the sum */
    float2 *part_max_sum; /* [h, n_chunks] */
    float *lse_2;        /* [h], base 2 */

    __device__ bool visible(int stored, int entry) const
    {
        return window <= 0 || static_cast<int64_t>(*query_pos) - pos[stored * n_max + entry] < window;
    }
};

/* A block's share of a stored head: entries [begin, end); none where the window has left them behind. */
struct share {
    int begin, end;
};

template <class T> __device__ share share_of(const problem<T> &p, int stored, int chunk)
{
    int begin = chunk * p.chunk, end = min(begin + p.chunk, min(p.n[stored], p.n_bound));
    if (begin < end && !p.visible(stored, end - 1))
        end = begin;
    return {begin, max(begin, end)};
}

template <class T> __device__ int64_t partial_index(const problem<T> &p, int head, int chunk)
{
    return static_cast<int64_t>(head) * p.n_chunks + chunk;
}

/* ---- tensor cores -------------------------------------------------------------------------------------------------------- */

constexpr int WARPS = 4, STEP = 16; /* entries of a warp at a time */

/* HALVES: 1 where at most 8 query heads share a stored one, so that rows 8..15 of the left operand are not worth a look. */
template <int E_, int HALVES_> struct shape {
    static constexpr int E = E_, HALVES = HALVES_, THREADS = 32 * WARPS, HEADS = 8 * HALVES;
    static constexpr int K_LOADS = E / 32, V_BLOCKS = E / 64;
    static_assert(E % 64 == 0);
};

/* 16 bytes, or zeros where there is nothing to read. */
__device__ inline uint4 read_16(const __nv_bfloat16 *at, bool there)
{
    return there ? *reinterpret_cast<const uint4 *>(at) : make_uint4(0u, 0u, 0u, 0u);
}

__device__ inline uint32_t word(const uint4 &x, int i)
{
    return i == 0 ? x.x : i == 1 ? x.y : i == 2 ? x.z : x.w;
}

template <class S>
__device__ void load_queries(uint32_t (&q)[S::K_LOADS][2][4], const problem<__nv_bfloat16> &p, int first_head, int n_heads)
{
    int lane = static_cast<int>(threadIdx.x) & 31, g = lane / 4, feature = lane % 4 * 8;
#pragma unroll
    for (int b = 0; b < S::K_LOADS; b++)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            int c = 32 * b + feature;
            bool there = half < S::HALVES && g + 8 * half < n_heads && c < p.e;
            uint4 x = read_16(p.q + (there ? (first_head + g + 8 * half) * p.q_stride + c : 0), there);
            q[b][0][half] = x.x;
            q[b][0][half + 2] = x.y;
            q[b][1][half] = x.z;
            q[b][1][half + 2] = x.w;
        }
}

/* One step's entries on their way into registers. */
template <class S> struct entries {
    uint4 k[2][S::K_LOADS];  /* entries g and g + 8 */
    uint4 v[S::V_BLOCKS][4]; /* entries 2t, 2t+1, 2t+8, 2t+9 */

    __device__ void load(const problem<__nv_bfloat16> &p, int stored, int first, int end)
    {
        int lane = static_cast<int>(threadIdx.x) & 31, g = lane / 4, t = lane % 4;
#pragma unroll
        for (int u = 0; u < 2; u++)
#pragma unroll
            for (int b = 0; b < S::K_LOADS; b++) {
                int entry = first + 8 * u + g, c = 32 * b + 8 * t;
                bool there = entry < end && c < p.e;
                k[u][b] = read_16(p.k + (there ? (stored * p.n_max + entry) * p.e + c : 0), there);
            }
#pragma unroll
        for (int b = 0; b < S::V_BLOCKS; b++)
#pragma unroll
            for (int i = 0; i < 4; i++) {
                int entry = first + 2 * t + i % 2 + i / 2 * 8, c = 64 * b + 8 * g;
                bool there = entry < end && c < p.e;
                v[b][i] = read_16(p.v + (there ? (stored * p.n_max + entry) * p.e + c : 0), there);
            }
    }
};

/* What a warp carries from step to step: rows g and g + 8 of maximum, own part of the sum, and outputs. */
template <class S> struct state {
    float max[S::HALVES], sum[S::HALVES], o[S::V_BLOCKS][8][4];
};

/* s[u]: scores of the lane's rows with entries 8 u + 2t, 2t + 1 of the step, hidden ones -inf; also noted in scratch. */
template <class S>
__device__ void score(float (&s)[2][4], const uint32_t (&q)[S::K_LOADS][2][4], const entries<S> &x, const problem<__nv_bfloat16> &p,
                      int stored, int first_head, int n_heads, int first, int end)
{
    int lane = static_cast<int>(threadIdx.x) & 31;
#pragma unroll
    for (int u = 0; u < 2; u++) {
        s[u][0] = s[u][1] = s[u][2] = s[u][3] = 0.0f;
#pragma unroll
        for (int b = 0; b < S::K_LOADS; b++) {
            mma_bf16(s[u], q[b][0], {x.k[u][b].x, x.k[u][b].y});
            mma_bf16(s[u], q[b][1], {x.k[u][b].z, x.k[u][b].w});
        }
#pragma unroll
        for (int i = 0; i < 2; i++) {
            int entry = first + 8 * u + lane % 4 * 2 + i;
            bool seen = entry < end && p.visible(stored, entry);
#pragma unroll
            for (int half = 0; half < S::HALVES; half++) {
                float *own = &s[u][2 * half + i];
                *own = seen ? *own * p.factor : NONE;
                int row = lane / 4 + 8 * half;
                if (p.scores != nullptr && entry < end && row < n_heads)
                    p.part_scores[static_cast<int64_t>(first_head + row) * p.n_bound + entry] = *own;
            }
        }
    }
}

template <class S> __device__ void add_step(state<S> &a, float (&s)[2][4], const entries<S> &x)
{
    uint32_t high[4] = {}, low[4] = {};
#pragma unroll
    for (int half = 0; half < S::HALVES; half++) {
        float most = a.max[half];
#pragma unroll
        for (int u = 0; u < 2; u++)
            most = fmaxf(most, fmaxf(s[u][2 * half], s[u][2 * half + 1]));
        most = warp_max(most, 4);
        float base = most == NONE ? 0.0f : most, shrink = exp2_approx(a.max[half] - base);
        a.max[half] = most;
        a.sum[half] *= shrink;
#pragma unroll
        for (int b = 0; b < S::V_BLOCKS; b++)
#pragma unroll
            for (int i = 0; i < 8; i++) {
                a.o[b][i][2 * half] *= shrink;
                a.o[b][i][2 * half + 1] *= shrink;
            }
#pragma unroll
        for (int u = 0; u < 2; u++) {
            float weight[2], rest[2];
#pragma unroll
            for (int i = 0; i < 2; i++) {
                weight[i] = exp2_approx(s[u][2 * half + i] - base);
                a.sum[half] += weight[i];
                rest[i] = weight[i] - __bfloat162float(__float2bfloat16_rn(weight[i]));
            }
            high[half + 2 * u] = pack_bf16(weight[0], weight[1]);
            low[half + 2 * u] = pack_bf16(rest[0], rest[1]);
        }
    }
#pragma unroll
    for (int b = 0; b < S::V_BLOCKS; b++)
#pragma unroll
        for (int i = 0; i < 8; i++) {
            unsigned pick = i % 2 == 0 ? 0x5410u : 0x7632u; /* feature i of two entries */
            uint32_t pairs[2] = {__byte_perm(word(x.v[b][0], i / 2), word(x.v[b][1], i / 2), pick),
                                 __byte_perm(word(x.v[b][2], i / 2), word(x.v[b][3], i / 2), pick)};
            mma_bf16(a.o[b][i], high, pairs);
            mma_bf16(a.o[b][i], low, pairs);
        }
}

/* Joins the warps of the block and writes its partial results. */
template <class S>
__device__ void write_partial(const state<S> &a, const problem<__nv_bfloat16> &p, int first_head, int n_heads, int chunk)
{
    KVL_SHARED(float, all_max, [WARPS][S::HEADS]);
    KVL_SHARED(float, all_sum, [WARPS][S::HEADS]);
    KVL_SHARED(float, all_out, [WARPS][S::HEADS][S::E]);
    int thread = static_cast<int>(threadIdx.x), lane = thread & 31, warp = thread / 32, g = lane / 4, t = lane % 4;
#pragma unroll
    for (int half = 0; half < S::HALVES; half++) {
        float sum = warp_sum(a.sum[half], 4);
        if (t == 0) {
            all_max[warp][g + 8 * half] = a.max[half];
            all_sum[warp][g + 8 * half] = sum;
        }
#pragma unroll
        for (int b = 0; b < S::V_BLOCKS; b++)
#pragma unroll
            for (int i = 0; i < 8; i++)
#pragma unroll
                for (int j = 0; j < 2; j++)
                    all_out[warp][g + 8 * half][64 * b + 8 * (2 * t + j) + i] = a.o[b][i][2 * half + j];
    }
    __syncthreads();
    for (int i = thread; i < n_heads * p.e; i += S::THREADS) {
        int row = i / p.e, c = i % p.e;
        float max = all_max[0][row], sum = 0.0f, out = 0.0f;
        for (int w = 1; w < WARPS; w++)
            max = fmaxf(max, all_max[w][row]);
        for (int w = 0; w < WARPS; w++) {
            float weight = max == NONE ? 0.0f : exp2_approx(all_max[w][row] - max);
            sum += weight * all_sum[w][row];
            out += weight * all_out[w][row][c];
        }
        int64_t part = partial_index(p, first_head + row, chunk);
        p.part_out[part * p.e + c] = out;
        if (c == 0)
            p.part_max_sum[part] = make_float2(max, sum);
    }
}

/* Blocks: chunks, stored heads, 16 (or 8) query heads at a time. */
template <int E, int HALVES> __global__ void __launch_bounds__(32 * WARPS) cache_tensor(problem<__nv_bfloat16> p)
{
    using S = shape<E, HALVES>;
    int warp = static_cast<int>(threadIdx.x) / 32, chunk = static_cast<int>(blockIdx.x), stored = static_cast<int>(blockIdx.y);
    int before = static_cast<int>(blockIdx.z) * S::HEADS, first_head = stored * p.group + before;
    int n_heads = min(p.group - before, S::HEADS);
    share own = share_of(p, stored, chunk);
    state<S> a = {};
    for (int half = 0; half < HALVES; half++)
        a.max[half] = NONE;
    if (own.begin < own.end) {
        uint32_t q[S::K_LOADS][2][4];
        load_queries<S>(q, p, first_head, n_heads);
        for (int first = own.begin + warp * STEP; first < own.end; first += WARPS * STEP) {
            entries<S> x;
            x.load(p, stored, first, own.end);
            float s[2][4];
            score<S>(s, q, x, p, stored, first_head, n_heads, first, own.end);
            add_step<S>(a, s, x);
        }
    }
    write_partial<S>(a, p, first_head, n_heads, chunk);
}

/* ---- plain --------------------------------------------------------------------------------------------------------------- */

constexpr int PLAIN_WARPS = 4, PLAIN_THREADS = 32 * PLAIN_WARPS, MOST_ENTRIES = 256;

/* Blocks: chunks, query heads. A warp scores an entry, then each thread takes features. */
template <class T> __global__ void __launch_bounds__(PLAIN_THREADS) cache_plain(problem<T> p)
{
    KVL_SHARED(float, weights, [MOST_ENTRIES]);
    int thread = static_cast<int>(threadIdx.x), lane = thread & 31, warp = thread / 32;
    int chunk = static_cast<int>(blockIdx.x), head = static_cast<int>(blockIdx.y), stored = head / p.group;
    share own = share_of(p, stored, chunk);
    const T *q = p.q + head * p.q_stride, *k = p.k + stored * p.n_max * p.e, *v = p.v + stored * p.n_max * p.e;
    for (int j = own.begin + warp; j < own.end; j += PLAIN_WARPS) {
        float s = 0.0f;
        for (int c = lane; c < p.e; c += 32)
            s += to_float(q[c]) * to_float(k[static_cast<int64_t>(j) * p.e + c]);
        s = p.visible(stored, j) ? warp_sum(s) * p.factor : NONE;
        if (lane == 0) {
            weights[j - own.begin] = s;
            if (p.scores != nullptr)
                p.part_scores[static_cast<int64_t>(head) * p.n_bound + j] = s;
        }
    }
    __syncthreads();
    int n = own.end - own.begin;
    float max = NONE, sum = 0.0f;
    for (int j = lane; j < n; j += 32)
        max = fmaxf(max, weights[j]);
    max = warp_max(max);
    float base = max == NONE ? 0.0f : max;
    for (int j = lane; j < n; j += 32)
        sum += exp2f(weights[j] - base);
    sum = warp_sum(sum);
    int64_t part = partial_index(p, head, chunk);
    for (int c = thread; c < p.e; c += PLAIN_THREADS) {
        float out = 0.0f;
        for (int j = 0; j < n; j++)
            out += exp2f(weights[j] - base) * to_float(v[static_cast<int64_t>(own.begin + j) * p.e + c]);
        p.part_out[part * p.e + c] = out;
    }
    if (thread == 0)
        p.part_max_sum[part] = make_float2(max, sum);
}

/* ---- the joining passes -------------------------------------------------------------------------------------------------- */

constexpr int JOIN_WARPS = 8;

/* One block a query head: every eighth chunk a warp, features across its lanes. */
template <class T> __global__ void __launch_bounds__(32 * JOIN_WARPS) join_chunks(problem<T> p)
{
    KVL_SHARED(float, all_max, [JOIN_WARPS]);
    KVL_SHARED(float, all_sum, [JOIN_WARPS]);
    KVL_SHARED(float, all_out, [JOIN_WARPS][MAX_HEAD]);
    int thread = static_cast<int>(threadIdx.x), lane = thread & 31, warp = thread / 32, head = static_cast<int>(blockIdx.x);
    int n_chunks = (min(p.n[head / p.group], p.n_bound) + p.chunk - 1) / p.chunk;
    const float2 *max_sum = p.part_max_sum + partial_index(p, head, 0);
    float max = NONE;
    for (int i = thread; i < n_chunks; i += 32 * JOIN_WARPS)
        max = fmaxf(max, max_sum[i].x);
    max = warp_max(max);
    if (lane == 0)
        all_max[warp] = max;
    __syncthreads();
    for (int w = 0; w < JOIN_WARPS; w++)
        max = fmaxf(max, all_max[w]);
    float sum = 0.0f, out[MAX_HEAD / 32] = {};
    for (int i = warp; i < n_chunks; i += JOIN_WARPS) {
        float2 part = max_sum[i];
        if (part.x == NONE)
            continue;
        float weight = exp2f(part.x - max);
        const float *from = p.part_out + partial_index(p, head, i) * p.e;
        sum += weight * part.y;
#pragma unroll
        for (int c = 0; c < MAX_HEAD / 32; c++)
            if (32 * c + lane < p.e)
                out[c] += weight * from[32 * c + lane];
    }
    if (lane == 0)
        all_sum[warp] = sum;
#pragma unroll
    for (int c = 0; c < MAX_HEAD / 32; c++)
        all_out[warp][32 * c + lane] = out[c];
    __syncthreads();
    float total = 0.0f;
    for (int w = 0; w < JOIN_WARPS; w++)
        total += all_sum[w];
    if (thread < p.e) {
        float x = 0.0f;
        for (int w = 0; w < JOIN_WARPS; w++)
            x += all_out[w][thread];
        from_float(x / total, p.out + static_cast<int64_t>(head) * p.e + thread);
    }
    if (thread == 0) {
        float lse = max + log2f(total);
        p.lse_2[head] = lse;
        if (p.lse != nullptr)
            p.lse[head] = lse * LN_2;
    }
}

constexpr int SCORE_THREADS = 256;

/* Adds the probabilities of a group's heads to the running scores, in ascending head order. Blocks: entries, stored heads. */
template <class T> __global__ void __launch_bounds__(SCORE_THREADS) add_scores(problem<T> p)
{
    int entry = static_cast<int>(blockIdx.x * SCORE_THREADS + threadIdx.x), stored = static_cast<int>(blockIdx.y);
    if (entry >= min(p.n[stored], p.n_bound) || !p.visible(stored, entry))
        return;
    float score = p.scores[stored * p.n_max + entry];
    for (int head = stored * p.group; head < (stored + 1) * p.group; head++)
        score += exp2f(p.part_scores[static_cast<int64_t>(head) * p.n_bound + entry] - p.lse_2[head]);
    p.scores[stored * p.n_max + entry] = score;
}

/* ---- the choice ---------------------------------------------------------------------------------------------------------- */

int64_t chunk_entries(int64_t n_bound)
{
    int i = 0;
    while (tune::CACHE_CHUNKS[i].n_bound < n_bound)
        i++;
    return tune::CACHE_CHUNKS[i].entries;
}

/* The most chunks that any bound up to this one gives: there are fewer again where chunks grow, and scratch that was made for
 * many entries serves fewer. */
int64_t most_chunks(int64_t n_bound)
{
    int64_t most = 0;
    for (const tune::cache_chunk &row : tune::CACHE_CHUNKS) {
        int64_t n = kvl_div_up(n_bound < row.n_bound ? n_bound : row.n_bound, row.entries);
        most = n > most ? n : most;
        if (n_bound <= row.n_bound)
            break;
    }
    return most;
}

template <class T> problem<T> make_problem(const struct kvl_attend_cache *op)
{
    problem<T> p = {};
    p.q = static_cast<const T *>(op->q.data);
    p.q_stride = op->q.head_stride;
    p.k = static_cast<const T *>(op->k);
    p.v = static_cast<const T *>(op->v);
    p.pos = op->pos;
    p.n = op->n;
    p.query_pos = op->query_pos;
    p.n_max = op->n_max;
    p.window = op->window;
    p.n_heads = static_cast<int>(op->q.n_heads);
    p.group = static_cast<int>(op->q.n_heads / op->n_stored);
    p.e = static_cast<int>(op->q.head_size);
    p.n_bound = static_cast<int>(op->n_bound);
    p.chunk = static_cast<int>(chunk_entries(op->n_bound));
    p.n_chunks = static_cast<int>(kvl_div_up(op->n_bound, p.chunk));
    p.factor = op->scale * LOG2_E;
    p.out = static_cast<T *>(op->out);
    p.lse = op->lse;
    p.scores = op->scores;
    int64_t n_parts = static_cast<int64_t>(p.n_heads) * p.n_chunks;
    p.part_max_sum = static_cast<float2 *>(op->scratch);
    p.part_out = reinterpret_cast<float *>(p.part_max_sum + n_parts);
    p.part_scores = p.part_out + n_parts * p.e;
    p.lse_2 = p.part_scores + static_cast<int64_t>(p.n_heads) * p.n_bound;
    return p;
}

template <int E, int HALVES> enum kvl_status run_tensor(cudaStream_t stream, const problem<__nv_bfloat16> &p, int64_t n_stored)
{
    dim3 grid(static_cast<unsigned>(p.n_chunks), static_cast<unsigned>(n_stored),
              static_cast<unsigned>(kvl_div_up(p.group, 8 * HALVES)));
    auto *kernel = cache_tensor<E, HALVES>;
    KVL_TRY_LAUNCH(kernel, grid, 32 * WARPS, 0, stream, p);
    return KVL_OK;
}

template <class T> enum kvl_status run_plain(cudaStream_t stream, const problem<T> &p)
{
    auto *kernel = cache_plain<T>;
    KVL_TRY_LAUNCH(kernel, dim3(static_cast<unsigned>(p.n_chunks), static_cast<unsigned>(p.n_heads)), PLAIN_THREADS, 0, stream, p);
    return KVL_OK;
}

enum kvl_status run_chunks(cudaStream_t stream, const problem<float> &p, const struct kvl_attend_cache *)
{
    return run_plain(stream, p);
}

enum kvl_status run_chunks(cudaStream_t stream, const problem<__nv_bfloat16> &p, const struct kvl_attend_cache *op)
{
    bool wide = in_sixteens(op->q) && reinterpret_cast<uintptr_t>(op->k) % 16 == 0 && reinterpret_cast<uintptr_t>(op->v) % 16 == 0;
    if (!wide || p.e > 128)
        return run_plain(stream, p);
    auto *run = p.e <= 64 ? (p.group <= 8 ? run_tensor<64, 1> : run_tensor<64, 2>)
                          : (p.group <= 8 ? run_tensor<128, 1> : run_tensor<128, 2>);
    return run(stream, p, op->n_stored);
}

template <class T> enum kvl_status run_all(cudaStream_t stream, const struct kvl_attend_cache *op)
{
    problem<T> p = make_problem<T>(op);
    KVL_TRY(run_chunks(stream, p, op));
    auto *join = join_chunks<T>;
    KVL_TRY_LAUNCH(join, static_cast<unsigned>(p.n_heads), 32 * JOIN_WARPS, 0, stream, p);
    if (p.scores == nullptr)
        return KVL_OK;
    auto *add = add_scores<T>;
    KVL_TRY_LAUNCH(add, dim3(static_cast<unsigned>(kvl_div_up(p.n_bound, SCORE_THREADS)), static_cast<unsigned>(op->n_stored)),
                   SCORE_THREADS, 0, stream, p);
    return KVL_OK;
}

} // namespace

int64_t kvl_cuda_attend_cache_scratch(const struct kvl_ctx *ctx, const struct kvl_attend_cache *op)
{
    (void)ctx;
    return op->q.n_heads * (most_chunks(op->n_bound) * (op->q.head_size + 2) + op->n_bound + 1) * static_cast<int64_t>(sizeof(float));
}

enum kvl_status kvl_cuda_attend_cache(struct kvl_ctx *ctx, const struct kvl_attend_cache *op)
{
    KVL_REQUIRE(op->q.head_size <= MAX_HEAD, "attend_cache: head size %lld: at most %d", static_cast<long long>(op->q.head_size),
                MAX_HEAD);
    KVL_REQUIRE(op->n_bound >= 1 && op->n_bound <= op->n_max && op->n_bound <= INT32_MAX / 2,
                "attend_cache: a bound of %lld entries, room for %lld", static_cast<long long>(op->n_bound),
                static_cast<long long>(op->n_max));
    cudaStream_t stream = kvl_cuda(ctx)->stream;
    return op->dtype == KVL_F32 ? run_all<float>(stream, op) : run_all<__nv_bfloat16>(stream, op);
}
