/* Attention of a prompt, blocked over queries and keys with a running maximum (Milakov and Gimelshein, arXiv:1805.02867;
 * Dao et al., arXiv:2205.14135).
 *
 * All query heads of a KV group share the packed keys and values: a register tile is 12 rows, a row being one (query, head
 * of the group) pair, query by query. Keys are packed by 32 with a feature's 32 keys together, values by 32 features. In
 * bfloat16, where the processor multiplies pairs, two features (keys) or two tokens (values) lie together and the
 * probabilities are rounded to bfloat16 before the second product; the normalizer sums the rounded values.
 *
 * A row's arithmetic does not depend on which rows share its tile: blocks of 256 keys start at multiples of 256, and a block
 * in which a row sees nothing leaves that row's state as it was. */
#include "kernels/attend.h"

#include <math.h>
#include <omp.h>

#include "kernels/cpu/cpu.h"

enum {
    KEY_BLOCK = 256,
    MAX_ROWS = 192, /* of a job: 16 register tiles share a block of keys and values, which may come from a far cache */
};

static const float LOG2_E = 1.44269504f, LN_2 = 0.693147181f;

/* What one call works on. */
struct plan {
    const struct kvl_attend *op;
    const struct kvl_simd *simd;
    bool pairs;         /* the bfloat16 path */
    int64_t n, e;       /* tokens, head size */
    int64_t e_padded;   /* multiple of 32 */
    int64_t n_padded;   /* multiple of KEY_BLOCK */
    int64_t group;      /* query heads of a KV head */
    int64_t n_queries;  /* of a job */
    char *keys, *values;
    size_t size;        /* bytes of a packed element */
};

/* One job's state. */
struct job {
    _Alignas(64) float q[MAX_ROWS * KVL_CPU_MAX_HEAD]; /* bf16 rows on the bfloat16 path */
    _Alignas(64) float o[MAX_ROWS * KVL_CPU_MAX_HEAD];
    _Alignas(64) float s[KVL_TILE_ROWS * KEY_BLOCK];
    _Alignas(64) uint16_t p[KVL_TILE_ROWS * KEY_BLOCK];
    float max[MAX_ROWS], sum[MAX_ROWS];        /* of 2^(score), scores in units of log 2 */
    int64_t begin[MAX_ROWS], end[MAX_ROWS];    /* visible keys of a row; empty for padding rows */
};

int64_t kvl_window_begin(const int32_t *pos, int64_t row, const int32_t *key_pos, int64_t n, int64_t window)
{
    if (window <= 0)
        return 0;
    int64_t low = 0, high = n;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if ((int64_t)pos[row] - key_pos[middle] < window)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static char *packed_keys(const struct plan *plan, int64_t head, int64_t first)
{
    return plan->keys + (size_t)((head * plan->n_padded + first) * plan->e) * plan->size;
}

static char *packed_values(const struct plan *plan, int64_t head, int64_t feature_block, int64_t first)
{
    int64_t block = head * (plan->e_padded / KVL_TILE_COLS) + feature_block;
    return plan->values + (size_t)((block * plan->n_padded + first) * KVL_TILE_COLS) * plan->size;
}

/* 32 keys as rows of 32-bit elements, [32][e]: floats, or pairs of bfloat16 as they lie; zeros past the last token. */
static void collect_keys(const struct kvl_simd *simd, const struct kvl_heads *k, int64_t head, int64_t first, bool pairs,
                         uint32_t *rows, int64_t n)
{
    for (int64_t j = 0; j < KVL_TILE_COLS; j++) {
        uint32_t *row = rows + j * n;
        if (first + j >= k->n_tokens)
            memset(row, 0, (size_t)n * sizeof *row);
        else if (pairs)
            memcpy(row, kvl_heads_at(k, first + j, head), (size_t)n * sizeof *row);
        else
            simd->to_f32(kvl_heads_at(k, first + j, head), k->dtype, (float *)row, n);
    }
}

void kvl_pack_keys(const struct kvl_simd *simd, const struct kvl_heads *k, int64_t head, int64_t first, float *out)
{
    _Alignas(64) uint32_t rows[KVL_TILE_COLS * KVL_CPU_MAX_HEAD];
    collect_keys(simd, k, head, first, false, rows, k->head_size);
    simd->transpose(rows, k->head_size, k->head_size, (uint32_t *)out);
}

static void pack_keys_pairs(const struct kvl_simd *simd, const struct kvl_heads *k, int64_t head, int64_t first, uint16_t *out)
{
    _Alignas(64) uint32_t rows[KVL_TILE_COLS * KVL_CPU_MAX_HEAD / 2];
    collect_keys(simd, k, head, first, true, rows, k->head_size / 2);
    simd->transpose(rows, k->head_size / 2, k->head_size / 2, (uint32_t *)(void *)out);
}

/* A token's values, zeros past the last token. */
static const void *value_at(const struct kvl_heads *v, int64_t token, int64_t head)
{
    static const float zeros[KVL_CPU_MAX_HEAD];
    return token < v->n_tokens ? kvl_heads_at(v, token, head) : zeros;
}

/* Values of 32 tokens: into every feature block's [n_padded][32], zeros past the head size and the last token. */
static void pack_values(const struct plan *plan, int64_t head, int64_t first)
{
    const struct kvl_heads *v = &plan->op->v;
    const struct kvl_simd *simd = plan->simd;
    for (int64_t c = 0; c < plan->e; c += KVL_TILE_COLS) {
        int64_t n = plan->e - c < KVL_TILE_COLS ? plan->e - c : KVL_TILE_COLS;
        char *out = packed_values(plan, head, c / KVL_TILE_COLS, first);
        size_t skip = (size_t)c * kvl_dtype_size(v->dtype);
        float *floats = (float *)(void *)out;
        if (n < KVL_TILE_COLS)
            memset(out, 0, (size_t)(KVL_TILE_COLS * KVL_TILE_COLS) * plan->size);
        for (int64_t j = 0; j < KVL_TILE_COLS && !plan->pairs; j++)
            simd->to_f32((const char *)value_at(v, first + j, head) + skip, v->dtype, floats + j * KVL_TILE_COLS, n);
        for (int64_t j = 0; j < KVL_TILE_COLS && plan->pairs; j += 2)
            simd->join_pairs((const uint16_t *)value_at(v, first + j, head) + c,
                             (const uint16_t *)value_at(v, first + j + 1, head) + c, n,
                             (uint16_t *)(void *)out + j * KVL_TILE_COLS);
    }
}

/* Keys and, where there are any, values of every head. */
static void pack(const struct plan *plan, int n_threads)
{
    const struct kvl_heads *k = &plan->op->k;
    int64_t n_blocks = plan->n_padded / KVL_TILE_COLS;
#pragma omp parallel for schedule(static) num_threads(n_threads)
    for (int64_t i = 0; i < k->n_heads * n_blocks; i++) {
        int64_t head = i / n_blocks, first = i % n_blocks * KVL_TILE_COLS;
        if (plan->pairs)
            pack_keys_pairs(plan->simd, k, head, first, (uint16_t *)packed_keys(plan, head, first));
        else
            kvl_pack_keys(plan->simd, k, head, first, (float *)packed_keys(plan, head, first));
        if (plan->op->v.data != NULL)
            pack_values(plan, head, first);
    }
}

/* Copies a job's queries and sets each row's visible keys. */
static void begin_job(const struct plan *plan, struct job *job, int64_t head, int64_t first, int64_t n_rows,
                      int64_t n_rows_padded)
{
    const struct kvl_attend *op = plan->op;
    memset(job->o, 0, (size_t)(n_rows_padded * plan->e_padded) * sizeof *job->o);
    for (int64_t r = 0; r < n_rows_padded; r++) {
        job->max[r] = -INFINITY;
        job->sum[r] = 0.0f;
        char *q = (char *)job->q + (size_t)(r * plan->e) * plan->size;
        if (r >= n_rows) {
            job->begin[r] = job->end[r] = 0;
            memset(q, 0, (size_t)plan->e * plan->size);
            continue;
        }
        int64_t query = first + r / plan->group;
        bool causal = query >= op->causal_from;
        job->begin[r] = kvl_window_begin(op->pos, query, op->pos, plan->n, op->window);
        job->end[r] = causal ? query + 1 : plan->n;
        const void *from = kvl_heads_at(&op->q, query, head * plan->group + r % plan->group);
        if (plan->pairs)
            memcpy(q, from, (size_t)plan->e * plan->size);
        else
            plan->simd->to_f32(from, op->q.dtype, (float *)q, plan->e);
    }
}

/* What a tile asks for while it is at work on a block: a part of the next block, which follows in memory. All tiles of a job ask
 * for all of it; `done`: features behind them in this array. */
static struct kvl_ahead ask_ahead(const struct plan *plan, const void *next, int64_t done)
{
    int64_t n_tiles = plan->n_queries * plan->group / KVL_TILE_ROWS;
    int64_t step = KVL_TILE_COLS * (int64_t)plan->size / (n_tiles + 1) + 1;
    return (struct kvl_ahead){(const char *)next + done * step, step};
}

/* One tile of 12 rows against the keys [block, block + n_keys), n_keys a multiple of 32. */
static void scores(const struct plan *plan, struct job *job, int64_t head, int64_t row, int64_t block, int64_t n_keys)
{
    const char *next = packed_keys(plan, head, block + KEY_BLOCK);
    const void *q = (const char *)job->q + (size_t)(row * plan->e) * plan->size;
    for (int64_t j = 0; j < n_keys; j += KVL_TILE_COLS) {
        const void *k = packed_keys(plan, head, block + j);
        struct kvl_ahead ahead = ask_ahead(plan, next, (row / KVL_TILE_ROWS * KEY_BLOCK + j) / KVL_TILE_COLS * plan->e);
        kvl_simd_tile(plan->simd, plan->pairs, plan->e, q, plan->e, k, job->s + j, KEY_BLOCK, false, ahead);
    }
    for (int64_t r = 0; r < KVL_TILE_ROWS; r++) {
        int64_t begin = job->begin[row + r] - block, end = job->end[row + r] - block;
        for (int64_t j = 0; j < begin && j < n_keys; j++)
            job->s[r * KEY_BLOCK + j] = -INFINITY;
        for (int64_t j = end > 0 ? end : 0; j < n_keys; j++)
            job->s[r * KEY_BLOCK + j] = -INFINITY;
    }
}

/* The running maximum and sum of a tile's rows; scores become probabilities relative to the new maximum. */
static void softmax(const struct plan *plan, struct job *job, int64_t row, int64_t n_keys)
{
    float factor = plan->op->scale * LOG2_E;
    for (int64_t r = 0; r < KVL_TILE_ROWS; r++) {
        float before = job->max[row + r];
        float sum = plan->simd->softmax(job->s + r * KEY_BLOCK, n_keys, factor, &job->max[row + r],
                                        plan->pairs ? job->p + r * KEY_BLOCK : NULL);
        if (job->max[row + r] != before && before != -INFINITY) {
            float correction = exp2f(before - job->max[row + r]);
            job->sum[row + r] *= correction;
            plan->simd->scale(job->o + (row + r) * plan->e_padded, plan->e_padded, correction);
        }
        job->sum[row + r] += sum;
    }
}

static void add_values(const struct plan *plan, struct job *job, int64_t head, int64_t row, int64_t block, int64_t n_keys)
{
    for (int64_t f = 0; f < plan->e_padded / KVL_TILE_COLS; f++) {
        const char *v = packed_values(plan, head, f, block), *next = packed_values(plan, head, f, block + KEY_BLOCK);
        float *o = job->o + row * plan->e_padded + f * KVL_TILE_COLS;
        struct kvl_ahead ahead = ask_ahead(plan, next, row / KVL_TILE_ROWS * KEY_BLOCK);
        const void *p = plan->pairs ? (const void *)job->p : (const void *)job->s;
        kvl_simd_tile(plan->simd, plan->pairs, n_keys, p, KEY_BLOCK, v, o, plan->e_padded, true, ahead);
    }
}

static void end_job(const struct plan *plan, struct job *job, int64_t head, int64_t first, int64_t n_rows)
{
    const struct kvl_attend *op = plan->op;
    for (int64_t r = 0; r < n_rows; r++) {
        int64_t query = first + r / plan->group, query_head = head * plan->group + r % plan->group;
        op->lse[query_head * plan->n + query] = (job->max[r] + log2f(job->sum[r])) * LN_2;
        if (op->v.data == NULL)
            continue;
        float *o = job->o + r * plan->e_padded;
        plan->simd->scale(o, plan->e, 1.0f / job->sum[r]);
        char *out = (char *)op->out
                    + (size_t)((query * op->q.n_heads + query_head) * plan->e) * kvl_dtype_size(op->q.dtype);
        plan->simd->from_f32(o, out, op->q.dtype, plan->e);
    }
}

static void run_job(const struct plan *plan, struct job *job, int64_t head, int64_t first)
{
    int64_t n_queries = plan->n - first < plan->n_queries ? plan->n - first : plan->n_queries;
    int64_t n_rows = n_queries * plan->group, n_rows_padded = kvl_round_up(n_rows, KVL_TILE_ROWS);
    begin_job(plan, job, head, first, n_rows, n_rows_padded);
    int64_t begin = job->begin[0], end = 0;
    for (int64_t r = 0; r < n_rows; r++)
        end = job->end[r] > end ? job->end[r] : end;
    for (int64_t block = begin / KEY_BLOCK * KEY_BLOCK; block < end; block += KEY_BLOCK)
        for (int64_t row = 0; row < n_rows_padded; row += KVL_TILE_ROWS) {
            int64_t tile_end = 0;
            for (int64_t r = row; r < row + KVL_TILE_ROWS; r++)
                tile_end = job->end[r] > tile_end ? job->end[r] : tile_end;
            int64_t n_seen = tile_end - block < KEY_BLOCK ? tile_end - block : KEY_BLOCK;
            int64_t n_keys = kvl_round_up(n_seen, KVL_TILE_COLS);
            if (n_seen <= 0)
                continue;
            scores(plan, job, head, row, block, n_keys);
            softmax(plan, job, row, n_keys);
            if (plan->op->v.data != NULL)
                add_values(plan, job, head, row, block, kvl_round_up(n_seen, 2));
        }
    end_job(plan, job, head, first, n_rows);
}

static struct plan make_plan(const struct kvl_cpu *cpu, const struct kvl_attend *op)
{
    struct plan plan = {.op = op, .simd = cpu->simd, .n = op->q.n_tokens, .e = op->q.head_size};
    plan.pairs = kvl_simd_has_pairs(cpu->simd, op->q.dtype);
    plan.size = plan.pairs ? 2 : 4;
    plan.e_padded = kvl_round_up(plan.e, KVL_TILE_COLS);
    plan.n_padded = kvl_round_up(plan.n, KEY_BLOCK);
    plan.group = op->q.n_heads / op->k.n_heads;
    plan.n_queries = MAX_ROWS / plan.group;
    plan.keys = op->scratch;
    plan.values = plan.keys + (size_t)kvl_round_up(op->k.n_heads * plan.n_padded * plan.e * (int64_t)plan.size, 64);
    return plan;
}

int64_t kvl_cpu_attend_scratch(const struct kvl_ctx *ctx, const struct kvl_attend *op)
{
    const struct kvl_cpu *cpu = (const struct kvl_cpu *)ctx;
    struct plan plan = make_plan(cpu, op);
    int64_t per_head = plan.n_padded * (int64_t)plan.size;
    return kvl_round_up(op->k.n_heads * per_head * plan.e, 64) + kvl_round_up(op->k.n_heads * per_head * plan.e_padded, 64)
           + cpu->n_threads * (int64_t)sizeof(struct job);
}

enum kvl_status kvl_cpu_attend(struct kvl_ctx *ctx, const struct kvl_attend *op)
{
    const struct kvl_cpu *cpu = kvl_cpu(ctx);
    struct plan plan = make_plan(cpu, op);
    KVL_REQUIRE(plan.e <= KVL_CPU_MAX_HEAD && plan.e % 2 == 0, "attend: head size %lld: even and at most %d", (long long)plan.e,
                KVL_CPU_MAX_HEAD);
    KVL_REQUIRE(plan.group <= KVL_CPU_MAX_GROUP, "attend: %lld query heads share a KV head: at most %d", (long long)plan.group,
                KVL_CPU_MAX_GROUP);
    char *jobs = plan.values
                 + (size_t)kvl_round_up(op->k.n_heads * plan.n_padded * plan.e_padded * (int64_t)plan.size, 64);
    pack(&plan, cpu->n_threads);
    int64_t n_blocks = (plan.n + plan.n_queries - 1) / plan.n_queries, n_heads = op->k.n_heads;
    /* The last queries see the most keys: longest first keeps the threads level. */
#pragma omp parallel for schedule(dynamic, 1) num_threads(cpu->n_threads)
    for (int64_t i = 0; i < n_blocks * n_heads; i++) {
        struct job *job = (struct job *)(void *)(jobs + (size_t)omp_get_thread_num() * sizeof *job);
        run_job(&plan, job, i % n_heads, (n_blocks - 1 - i / n_heads) * plan.n_queries);
    }
    return KVL_OK;
}
