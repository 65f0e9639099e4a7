/* Attention mass from the log-sum-exp: probability = 2^(factor * q.k - lse * log2 e), summed over rows. Keys are taken 256
 * at a time and packed once; rows stream past them in tiles of 12, in ascending order. */
#include "kernels/mass.h"

#include <math.h>

#include "kernels/cpu/cpu.h"

enum { KEY_BLOCK = 256 };

static const float LOG2_E = 1.44269504f;

struct block {
    _Alignas(64) float keys[KEY_BLOCK * KVL_CPU_MAX_HEAD];
    _Alignas(64) float q[KVL_TILE_ROWS * KVL_CPU_MAX_HEAD];
    _Alignas(64) float s[KVL_TILE_ROWS * KEY_BLOCK];
    float sums[KVL_CPU_MAX_GROUP * KEY_BLOCK];
};

/* One tile: rows [row, row + 12) of the list of (query, head of the group) pairs. */
static void add_tile(const struct kvl_cpu *cpu, const struct kvl_mass *op, struct block *block, int64_t head, int64_t row,
                     int64_t n_rows, int64_t first)
{
    int64_t group = op->q.n_heads / op->k.n_heads, e = op->q.head_size, n = op->q.n_tokens;
    for (int64_t r = 0; r < KVL_TILE_ROWS; r++) {
        float *q = block->q + r * e;
        if (row + r < n_rows)
            cpu->simd->to_f32(kvl_heads_at(&op->q, op->row_begin + (row + r) / group, head * group + (row + r) % group),
                              op->q.dtype, q, e);
        else
            memset(q, 0, (size_t)e * sizeof *q);
    }
    for (int64_t j = 0; j < KEY_BLOCK; j += KVL_TILE_COLS)
        cpu->simd->tile(e, block->q, e, block->keys + j * e, block->s + j, KEY_BLOCK, false,
                        (struct kvl_ahead){(const char *)block->s, 0});
    for (int64_t r = 0; r < KVL_TILE_ROWS && row + r < n_rows; r++) {
        int64_t query = op->row_begin + (row + r) / group, a = (row + r) % group;
        int64_t m = op->k.n_tokens;
        int64_t begin = kvl_window_begin(op->pos, query, op->key_pos != NULL ? op->key_pos : op->pos, m, op->window) - first;
        int64_t end = (query >= op->causal_from ? query + 1 : m) - first;
        begin = begin > 0 ? begin : 0;
        end = end < KEY_BLOCK ? end : KEY_BLOCK;
        float *s = block->s + r * KEY_BLOCK, *sums = block->sums + a * KEY_BLOCK;
        cpu->simd->exp2_sum(s, KEY_BLOCK, op->scale * LOG2_E, op->lse[(head * group + a) * n + query] * LOG2_E);
        float weight = op->weights != NULL ? op->weights[query - op->row_begin] : 1.0f;
        for (int64_t j = begin; j < end; j++)
            sums[j] += weight * s[j];
    }
}

static void run_block(const struct kvl_cpu *cpu, const struct kvl_mass *op, struct block *block, int64_t head, int64_t first)
{
    int64_t group = op->q.n_heads / op->k.n_heads;
    int64_t n_rows = (op->row_end - op->row_begin) * group;
    for (int64_t j = 0; j < KEY_BLOCK; j += KVL_TILE_COLS)
        kvl_pack_keys(cpu->simd, &op->k, head, first + j, block->keys + j * op->k.head_size);
    memset(block->sums, 0, (size_t)(group * KEY_BLOCK) * sizeof *block->sums);
    for (int64_t row = 0; row < n_rows; row += KVL_TILE_ROWS) {
        int64_t last = op->row_begin + (row + KVL_TILE_ROWS - 1) / group;
        if (last >= first || op->row_begin + row / group < op->causal_from)
            add_tile(cpu, op, block, head, row, n_rows, first);
    }
    int64_t n = op->n_keys - first < KEY_BLOCK ? op->n_keys - first : KEY_BLOCK;
    for (int64_t a = 0; a < group; a++)
        memcpy(op->scores + (head * group + a) * op->n_keys + first, block->sums + a * KEY_BLOCK,
               (size_t)n * sizeof *op->scores);
}

enum kvl_status kvl_cpu_mass(struct kvl_ctx *ctx, const struct kvl_mass *op)
{
    const struct kvl_cpu *cpu = kvl_cpu(ctx);
    KVL_REQUIRE(op->q.head_size <= KVL_CPU_MAX_HEAD && op->q.n_heads / op->k.n_heads <= KVL_CPU_MAX_GROUP,
                "mass: head size or group too large");
    KVL_REQUIRE(op->n_keys >= 1 && op->n_keys <= op->k.n_tokens, "mass: %lld keys of %lld tokens", (long long)op->n_keys,
                (long long)op->k.n_tokens);
    int64_t n_blocks = (op->n_keys + KEY_BLOCK - 1) / KEY_BLOCK;
#pragma omp parallel num_threads(cpu->n_threads)
    {
        struct block block;
#pragma omp for schedule(dynamic, 1)
        for (int64_t i = 0; i < op->k.n_heads * n_blocks; i++)
            run_block(cpu, op, &block, i / n_blocks, i % n_blocks * KEY_BLOCK);
    }
    return KVL_OK;
}
