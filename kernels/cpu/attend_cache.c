/* Decode attention, split over the cache in chunks of 256 entries: each (stored head, chunk) is a job that leaves a partial
 * result, and the partials of a head are joined in ascending order, so the result does not depend on the thread count. */
#include "kernels/attend_cache.h"

#include <math.h>

#include "kernels/cpu/cpu.h"

enum { CHUNK = 256 };

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
    int64_t first = 0;
    const int32_t *pos = op->pos + stored * op->n_max;
    if (op->window > 0)
        while (first < op->n[stored] && *op->query_pos - pos[first] >= op->window)
            first++;
    return first;
}

static void run_chunk(const struct kvl_cpu *cpu, const struct kvl_attend_cache *op, int64_t stored, int64_t chunk)
{
    int64_t group = op->q.n_heads / op->n_stored, e = op->q.head_size;
    int64_t begin = chunk * CHUNK, end = begin + CHUNK < op->n[stored] ? begin + CHUNK : op->n[stored];
    int64_t first = first_visible(op, stored);
    size_t offset = (size_t)((stored * op->n_max + begin) * e) * kvl_dtype_size(op->dtype);
    for (int64_t head = stored * group; head < (stored + 1) * group; head++) {
        struct partial part = partial_at(op, head, chunk);
        const float *q = (const float *)op->scratch + head * e;
        *part.max = -INFINITY;
        *part.sum = 0.0f;
        memset(part.out, 0, (size_t)e * sizeof *part.out);
        if (end <= begin || end <= first)
            continue;
        cpu->simd->dots((const char *)op->k + offset, op->dtype, e, end - begin, e, q, part.scores);
        for (int64_t j = 0; j < CHUNK; j++)
            if (begin + j < first || begin + j >= end)
                part.scores[j] = -INFINITY;
        float factor = op->scale * LOG2_E;
        *part.max = cpu->simd->max(part.scores, CHUNK) * factor;
        *part.sum = cpu->simd->exp2_sum(part.scores, CHUNK, factor, *part.max);
        cpu->simd->weighted_sum((const char *)op->v + offset, op->dtype, e, end - begin, e, part.scores, part.out);
    }
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
