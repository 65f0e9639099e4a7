/* Inside the CPU backend: its context and the functions of its table. */
#ifndef KVL_CPU_H
#define KVL_CPU_H

#include "kernels/backend.h"
#include "kernels/cpu/simd.h"

struct kvl_cpu {
    struct kvl_ctx base;
    int n_threads;
    const struct kvl_simd *simd;
    char name[128];
    int64_t marks[KVL_MARKS]; /* monotonic nanoseconds */
    void **lanes; /* [n_threads]: memory of linear layers (kernels/cpu/linear.c), lane_bytes each */
    int64_t lane_bytes;
};

/* What the attention operations take: features of a head, query heads that share a KV head. */
enum { KVL_CPU_MAX_HEAD = 256, KVL_CPU_MAX_GROUP = 96 };

static inline struct kvl_cpu *kvl_cpu(struct kvl_ctx *ctx)
{
    return (struct kvl_cpu *)ctx;
}

static inline int64_t kvl_round_up(int64_t x, int64_t multiple)
{
    return (x + multiple - 1) / multiple * multiple;
}

/* First of n keys at ascending positions key_pos that row `row` at pos[row] sees under a sliding window; 0 without one (the
 * positions are then not read). */
int64_t kvl_window_begin(const int32_t *pos, int64_t row, const int32_t *key_pos, int64_t n, int64_t window);

/* Packs keys [first, first + 32) of one head for kvl_simd.tile: out[c][j] = key (first + j), feature c; keys at or past
 * n_tokens become zeros. */
void kvl_pack_keys(const struct kvl_simd *simd, const struct kvl_heads *k, int64_t head, int64_t first, float *out);

enum kvl_status kvl_cpu_alloc(struct kvl_ctx *ctx, int64_t bytes, void **out);
void kvl_cpu_free(struct kvl_ctx *ctx, void *memory);

enum kvl_status kvl_cpu_ceilings(struct kvl_ctx *ctx, enum kvl_dtype dtype, struct kvl_ceilings *out);
enum kvl_status kvl_cpu_weight_init(struct kvl_ctx *ctx, const struct kvl_weight_source *source, struct kvl_weight **out);
void kvl_cpu_weight_free(struct kvl_ctx *ctx, struct kvl_weight *weight);
int64_t kvl_cpu_weight_bytes(const struct kvl_weight *weight);
int64_t kvl_cpu_attend_scratch(const struct kvl_ctx *ctx, const struct kvl_attend *op);
int64_t kvl_cpu_attend_cache_scratch(const struct kvl_ctx *ctx, const struct kvl_attend_cache *op);
enum kvl_status kvl_cpu_embed(struct kvl_ctx *ctx, const struct kvl_embed *op);
enum kvl_status kvl_cpu_norm(struct kvl_ctx *ctx, const struct kvl_norm *op);
enum kvl_status kvl_cpu_linear(struct kvl_ctx *ctx, const struct kvl_linear *op);
enum kvl_status kvl_cpu_rotate_table(struct kvl_ctx *ctx, const struct kvl_rotate_table *op);
enum kvl_status kvl_cpu_rotate(struct kvl_ctx *ctx, const struct kvl_rotate *op);
enum kvl_status kvl_cpu_attend(struct kvl_ctx *ctx, const struct kvl_attend *op);
enum kvl_status kvl_cpu_append(struct kvl_ctx *ctx, const struct kvl_append *op);
enum kvl_status kvl_cpu_attend_cache(struct kvl_ctx *ctx, const struct kvl_attend_cache *op);
enum kvl_status kvl_cpu_mass(struct kvl_ctx *ctx, const struct kvl_mass *op);
enum kvl_status kvl_cpu_logits(struct kvl_ctx *ctx, const struct kvl_logits *op);
enum kvl_status kvl_cpu_pool(struct kvl_ctx *ctx, const struct kvl_pool *op);
enum kvl_status kvl_cpu_reduce_heads(struct kvl_ctx *ctx, const struct kvl_reduce_heads *op);
enum kvl_status kvl_cpu_top_k(struct kvl_ctx *ctx, const struct kvl_top_k *op);
enum kvl_status kvl_cpu_range(struct kvl_ctx *ctx, const struct kvl_range *op);
enum kvl_status kvl_cpu_gather(struct kvl_ctx *ctx, const struct kvl_gather *op);
enum kvl_status kvl_cpu_gather_heads(struct kvl_ctx *ctx, const struct kvl_gather_heads *op);
enum kvl_status kvl_cpu_swiglu(struct kvl_ctx *ctx, const struct kvl_swiglu *op);
enum kvl_status kvl_cpu_argmax(struct kvl_ctx *ctx, const struct kvl_argmax *op);
enum kvl_status kvl_cpu_fill_random(struct kvl_ctx *ctx, const struct kvl_fill_random *op);

extern const struct kvl_backend kvl_backend_cpu;

#endif
