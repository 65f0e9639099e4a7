/* The k-th largest value of a row by radix selection over the bits of an order-preserving integer, then one pass that emits
 * what lies above it and the first of its equals. */
#include "kernels/top_k.h"

#include "kernels/cpu/cpu.h"

/* Larger float, larger integer; -0 and +0 are the same. */
static uint32_t ordered(float x)
{
    uint32_t bits;
    x += 0.0f;
    memcpy(&bits, &x, sizeof bits);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

/* The k-th largest key; *n_equal of those equal to it belong to the k. */
static uint32_t kth_largest(const float *scores, int64_t n, int64_t k, int64_t *n_equal)
{
    uint32_t prefix = 0, mask = 0;
    for (int shift = 24; shift >= 0; shift -= 8) {
        int64_t count[256] = {0};
        for (int64_t i = 0; i < n; i++) {
            uint32_t key = ordered(scores[i]);
            if ((key & mask) == prefix)
                count[(key >> shift) & 0xffu]++;
        }
        uint32_t digit = 255;
        while (count[digit] < k)
            k -= count[digit--];
        prefix |= digit << shift;
        mask |= 0xffu << shift;
    }
    *n_equal = k;
    return prefix;
}

enum kvl_status kvl_cpu_top_k(struct kvl_ctx *ctx, const struct kvl_top_k *op)
{
    KVL_REQUIRE(op->k >= 1 && op->k <= op->n_cols, "top_k: k=%lld of %lld columns", (long long)op->k, (long long)op->n_cols);
#pragma omp parallel for schedule(dynamic, 1) num_threads(kvl_cpu(ctx)->n_threads)
    for (int64_t row = 0; row < op->n_rows; row++) {
        const float *scores = op->scores + row * op->ld_scores;
        int32_t *idx = op->idx + row * op->ld_idx + op->at;
        int64_t n_equal, n = 0;
        uint32_t cut = kth_largest(scores, op->n_cols, op->k, &n_equal);
        for (int64_t i = 0; i < op->n_cols; i++) {
            uint32_t key = ordered(scores[i]);
            if (key > cut || (key == cut && n_equal-- > 0))
                idx[n++] = op->base + (int32_t)i;
        }
    }
    return KVL_OK;
}
