/* Radix selection: the k-th largest score of a row is found digit by digit, by counting the digits of those scores that agree
 * with it so far; a last pass writes what lies above it and the first of its equals, at places that a running count gives. One
 * block a row; counts are integers, so the order of the threads does not matter. */
#include "kernels/top_k.h"

#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/tune.h"
#include "kernels/cuda/warp.cuh"

namespace {

using namespace kvl;

struct row_list {
    const float *scores;
    int64_t ld_scores, ld_idx;
    int n_cols, k;
    int32_t *idx;
    int32_t base;
};

/* Larger float, larger integer; -0 and +0 are the same. */
__device__ uint32_t ordered(float x)
{
    uint32_t bits = x == 0.0f ? 0u : __float_as_uint(x);
    return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}

constexpr int N_DIGITS = 3, MOST_BITS = 11, N_BINS = 1 << MOST_BITS;

/* The digit in which the k-th largest of the counted scores lies, and its rank among that digit's scores. The block reads the
 * counters from the top, a run of them a thread. */
struct place {
    uint32_t digit;
    int rank;
};

__device__ place find_digit(const int *counts, int k)
{
    KVL_SHARED(place, found, );
    KVL_SHARED(int, warp_counts, [32]);
    int thread = static_cast<int>(threadIdx.x), lane = thread & 31, warp = thread / 32;
    int n_threads = static_cast<int>(blockDim.x), run = N_BINS / n_threads, top = N_BINS - 1 - thread * run, own = 0;
    for (int i = 0; i < run; i++)
        own += counts[top - i];
    int up_to = warp_scan(own);
    if (lane == 31)
        warp_counts[warp] = up_to;
    __syncthreads();
    for (int w = 0; w < warp; w++)
        up_to += warp_counts[w];
    int before = up_to - own;
    if (before < k && k <= up_to) {
        while (before + counts[top] < k)
            before += counts[top--];
        found.digit = static_cast<uint32_t>(top);
        found.rank = k - before;
    }
    __syncthreads();
    return found; /* the caller's barriers lie before the next call */
}

/* Writes the columns whose key is above `cut`, and the first n_equal of those equal to it, in ascending order. */
__device__ void emit(const row_list &list, const float *scores, int32_t *idx, uint32_t cut, int n_equal)
{
    KVL_SHARED(int2, warp_counts, [2][32]); /* above, equal; two sets in turn, so that one barrier a step is enough */
    int thread = static_cast<int>(threadIdx.x), lane = thread & 31, warp = thread / 32;
    int n_threads = static_cast<int>(blockDim.x), n_above_before = 0, n_equal_before = 0;
    uint32_t below_me = (1u << lane) - 1u;
    for (int first = 0, set = 0; first < list.n_cols; first += n_threads, set ^= 1) {
        int column = first + thread;
        uint32_t key = column < list.n_cols ? ordered(scores[column]) : 0u; /* below the cut: no number has key 0 */
        uint32_t above = __ballot_sync(ALL_LANES, key > cut), equal = __ballot_sync(ALL_LANES, key == cut);
        if (lane == 0)
            warp_counts[set][warp] = make_int2(__popc(above), __popc(equal));
        __syncthreads();
        int rank_above = n_above_before + __popc(above & below_me), rank_equal = n_equal_before + __popc(equal & below_me);
        for (int w = 0; w < n_threads / 32; w++) {
            int2 n = warp_counts[set][w];
            n_above_before += n.x;
            n_equal_before += n.y;
            rank_above += w < warp ? n.x : 0;
            rank_equal += w < warp ? n.y : 0;
        }
        if (key > cut || (key == cut && rank_equal < n_equal))
            idx[rank_above + min(rank_equal, n_equal)] = list.base + column;
    }
}

__global__ void top_k_rows(row_list list)
{
    KVL_SHARED(int, counts, [N_BINS]);
    constexpr int BITS[N_DIGITS] = {11, 11, 10};
    int thread = static_cast<int>(threadIdx.x), n_threads = static_cast<int>(blockDim.x);
    const float *scores = list.scores + blockIdx.x * list.ld_scores;
    uint32_t cut = 0, known = 0; /* the digits found so far, and which bits they are */
    int k = list.k;
#pragma unroll
    for (int digit = 0, shift = 32; digit < N_DIGITS; digit++) {
        shift -= BITS[digit];
        uint32_t bits = (1u << BITS[digit]) - 1u;
        for (int i = thread; i < N_BINS; i += n_threads)
            counts[i] = 0;
        __syncthreads();
        for (int i = thread; i < list.n_cols; i += n_threads) {
            uint32_t key = ordered(scores[i]);
            if ((key & known) == cut)
                atomicAdd(&counts[key >> shift & bits], 1);
        }
        __syncthreads();
        place found = find_digit(counts, k);
        cut |= found.digit << shift;
        known |= bits << shift;
        k = found.rank;
    }
    emit(list, scores, list.idx + blockIdx.x * list.ld_idx, cut, k);
}

} // namespace

enum kvl_status kvl_cuda_top_k(struct kvl_ctx *ctx, const struct kvl_top_k *op)
{
    KVL_REQUIRE(op->k >= 1 && op->k <= op->n_cols, "top_k: k=%lld of %lld columns", static_cast<long long>(op->k),
                static_cast<long long>(op->n_cols));
    KVL_REQUIRE(op->n_cols <= INT32_MAX / 2, "top_k: %lld columns", static_cast<long long>(op->n_cols));
    if (op->n_rows == 0)
        return KVL_OK;
    row_list list = {op->scores, op->ld_scores, op->ld_idx, static_cast<int>(op->n_cols), static_cast<int>(op->k),
                     op->idx + op->at, op->base};
    bool is_short = op->n_cols <= tune::top_k_row::SHORT;
    int n_threads = is_short ? tune::top_k_row::SHORT_THREADS : tune::top_k_row::THREADS;
    KVL_TRY_LAUNCH(top_k_rows, static_cast<unsigned>(op->n_rows), static_cast<unsigned>(n_threads), 0, kvl_cuda(ctx)->stream,
                   list);
    return KVL_OK;
}
