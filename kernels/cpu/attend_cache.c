/* Decode attention, split over the cache in chunks of 256 entries: each (stored head, chunk) is a job that leaves a partial
 * result, and the partials of a head are joined in ascending order, so the result does not depend on the thread count. Entries
 * are widened to float32 a block at a time, once for all the query heads that share them. */
#include "kernels/attend_cache.h"

#include <math.h>

#include "kernels/cpu/cpu.h"

enum { CHUNK = 256, BLOCK = 64 };

static const float LOG2_E = 1.44269504f, LN_2 = 0.693147181f;

/* Scratch, in floats: q [h, e]; then per query head and chunk CHUNK scores, e outputs, a maximum and a sum. */
struct partial {
    float *scores, *out, *max, *sum;
};

static int64_t partial_floats(int64_t e)
{
    return CHUNK + e + 2;
}

static struct partial partial_at(const struct kvl_attend_cache *op, int64_t head, int64_t chunk)
{
    int64_t e = op->q.head_size, n_chunks = (op->n_bound + CHUNK - 1) / CHUNK;
    float *base = (float *)op->scratch + op->q.n_heads * e + (head * n_chunks + chunk) * partial_floats(e);
    return (struct partial){base, base + CHUNK, base + CHUNK + e, base + CHUNK + e + 1};
}

int64_t kvl_cpu_attend_cache_scratch(const struct kvl_ctx *ctx, const struct kvl_attend_cache *op)
{
    (void)ctx;
    int64_t e = op->q.head_size, n_chunks = (op->n_bound + CHUNK - 1) / CHUNK;
    return (op->q.n_heads * e + op->q.n_heads * n_chunks * partial_floats(e)) * (int64_t)sizeof(float);
}

/* First entry of a stored head that the window lets through. */
static int64_t first_visible(const struct kvl_attend_cache *op, int64_t stored)
{
    return kvl_window_begin(op->query_pos, 0, op->pos + stored * op->n_max, op->n[stored], op->window);
}

/* Entries [i, i + n) of a chunk, n <= BLOCK, as float32; in place where they are. */
static const float *widened(const struct kvl_cpu *cpu, const struct kvl_attend_cache *op, const void *chunk, int64_t i, int64_t n,
                            float *block)
{
    int64_t e = op->q.head_size;
    if (op->dtype == KVL_F32)
        return (const float *)chunk + i * e;
    cpu->simd->to_f32((const uint16_t *)chunk + i * e, op->dtype, block, n * e);
    return block;
}

/* scores = q . k of a chunk's n entries, for every head of the group. */
static void score_chunk(const struct kvl_cpu *cpu, const struct kvl_attend_cache *op, int64_t stored, int64_t chunk, const void *k,
                        int64_t n)
{
    _Alignas(64) float block[BLOCK * KVL_CPU_MAX_HEAD];
    int64_t group = op->q.n_heads / op->n_stored, e = op->q.head_size;
    for (int64_t i = 0; i < n; i += BLOCK) {
        int64_t m = n - i < BLOCK ? n - i : BLOCK;
        const float *keys = widened(cpu, op, k, i, m, block);
        for (int64_t head = stored * group; head < (stored + 1) * group; head++)
            cpu->simd->dots(keys, KVL_F32, e, m, e, (const float *)op->scratch + head * e, partial_at(op, head, chunk).scores + i);
    }
}

/* out += probabilities . v of a chunk's n entries, for every head of the group. */
static void weigh_chunk(const struct kvl_cpu *cpu, const struct kvl_attend_cache *op, int64_t stored, int64_t chunk, const void *v,
                        int64_t n)
{
    _Alignas(64) float block[BLOCK * KVL_CPU_MAX_HEAD];
    int64_t group = op->q.n_heads / op->n_stored, e = op->q.head_size;
    for (int64_t i = 0; i < n; i += BLOCK) {
        int64_t m = n - i < BLOCK ? n - i : BLOCK;
        const float *values = widened(cpu, op, v, i, m, block);
        for (int64_t head = stored * group; head < (stored + 1) * group; head++) {
            struct partial part = partial_at(op, head, chunk);
            cpu->simd->weighted_sum(values, KVL_F32, e, m, e, part.scores + i, part.out);
        }
    }
}

/* Scores of the entries [begin, end) become probabilities relative to their largest; the others' are 0. */
static void chunk_softmax(const struct kvl_cpu *cpu, const struct kvl_attend_cache *op, const struct partial *part, int64_t begin,
                          int64_t end)
{
    for (int64_t j = 0; j < CHUNK; j++)
        if (j < begin || j >= end)
            part->scores[j] = -INFINITY;
    *part->max = -INFINITY;
    *part->sum = cpu->simd->softmax(part->scores, CHUNK, op->scale * LOG2_E, part->max, NULL);
}

static void run_chunk(const struct kvl_cpu *cpu, const struct kvl_attend_cache *op, int64_t stored, int64_t chunk)
{
    int64_t group = op->q.n_heads / op->n_stored, e = op->q.head_size;
    int64_t begin = chunk * CHUNK, n = op->n[stored] - begin < CHUNK ? op->n[stored] - begin : CHUNK;
    int64_t first = first_visible(op, stored) - begin;
    size_t offset = (size_t)((stored * op->n_max + begin) * e) * kvl_dtype_size(op->dtype);
    bool any = n > 0 && first < n;
    if (any)
        score_chunk(cpu, op, stored, chunk, (const char *)op->k + offset, n);
    for (int64_t head = stored * group; head < (stored + 1) * group; head++) {
        struct partial part = partial_at(op, head, chunk);
        *part.max = -INFINITY;
        *part.sum = 0.0f;
        memset(part.out, 0, (size_t)e * sizeof *part.out);
        if (any)
            chunk_softmax(cpu, op, &part, first, n);
    }
    if (any)
        weigh_chunk(cpu, op, stored, chunk, (const char *)op->v + offset, n);
}

static void join_head(const struct kvl_cpu *cpu, const struct kvl_attend_cache *op, int64_t head)
{
    int64_t group = op->q.n_heads / op->n_stored, e = op->q.head_size, stored = head / group;
    int64_t n_chunks = (op->n[stored] + CHUNK - 1) / CHUNK;
    float max = -INFINITY, sum = 0.0f;
    for (int64_t i = 0; i < n_chunks; i++) {
        float part = *partial_at(op, head, i).max;
        max = part > max ? part : max;
    }
    float *out = (float *)op->scratch + head * e; /* the query is no longer needed */
    memset(out, 0, (size_t)e * sizeof *out);
    for (int64_t i = 0; i < n_chunks; i++) {
        struct partial part = partial_at(op, head, i);
        float weight = *part.max == -INFINITY ? 0.0f : exp2f(*part.max - max);
        sum += weight * *part.sum;
        for (int64_t c = 0; c < e; c++)
            out[c] += weight * part.out[c];
    }
    cpu->simd->scale(out, e, 1.0f / sum);
    cpu->simd->from_f32(out, (char *)op->out + (size_t)(head * e) * kvl_dtype_size(op->q.dtype), op->q.dtype, e);
    if (op->lse != NULL)
        op->lse[head] = (max + log2f(sum)) * LN_2;
    for (int64_t i = 0; i < n_chunks; i++) {
        struct partial part = partial_at(op, head, i);
        *part.max = *part.max == -INFINITY ? 0.0f : exp2f(*part.max - max) / sum; /* now the chunk's share */
    }
}

/* Adds the probabilities of a group's heads to the running scores of a stored head, in ascending head order. */
static void add_scores(const struct kvl_attend_cache *op, int64_t stored)
{
    int64_t group = op->q.n_heads / op->n_stored;
    for (int64_t head = stored * group; head < (stored + 1) * group; head++)
        for (int64_t j = first_visible(op, stored); j < op->n[stored]; j++) {
            struct partial part = partial_at(op, head, j / CHUNK);
            op->scores[stored * op->n_max + j] += part.scores[j % CHUNK] * *part.max;
        }
}

enum kvl_status kvl_cpu_attend_cache(struct kvl_ctx *ctx, const struct kvl_attend_cache *op)
{
    const struct kvl_cpu *cpu = kvl_cpu(ctx);
    int64_t e = op->q.head_size, n_chunks = (op->n_bound + CHUNK - 1) / CHUNK;
    KVL_REQUIRE(e <= KVL_CPU_MAX_HEAD, "attend_cache: head size %lld: at most %d", (long long)e, KVL_CPU_MAX_HEAD);
    for (int64_t head = 0; head < op->q.n_heads; head++)
        cpu->simd->to_f32(kvl_heads_at(&op->q, 0, head), op->q.dtype, (float *)op->scratch + head * e, e);
#pragma omp parallel num_threads(cpu->n_threads)
    {
#pragma omp for schedule(dynamic, 1)
        for (int64_t i = 0; i < op->n_stored * n_chunks; i++)
            run_chunk(cpu, op, i / n_chunks, i % n_chunks);
#pragma omp for schedule(static)
        for (int64_t head = 0; head < op->q.n_heads; head++)
            join_head(cpu, op, head);
#pragma omp for schedule(static)
        for (int64_t stored = 0; stored < (op->scores != NULL ? op->n_stored : 0); stored++)
            add_scores(op, stored);
    }
    return KVL_OK;
}
