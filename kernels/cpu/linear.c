/* Linear layers: blocks of rows times panels of 32 outputs, on the register tile that attention uses, too.
 *
 * A weight is packed once into panels of 32 outputs, feature by feature; in bfloat16 two features lie together, as the
 * processor's pair products want them. Where it has none (or slow ones: kernels/cpu/simd_table.c) the panel at work is widened to
 * float32 in the cache and serves all the rows of a block: weights stay half as large in memory, and a decode step, which reads
 * each of them once, widens in registers.
 *
 * A job is a block of rows and a run of panels. Its rows are copied (and widened) once into the lane's memory, at a stride
 * that no power of two divides, and sums stand there until all features are added, in ascending order: a row's bits depend on
 * that row alone. */
#include "kernels/linear.h"

#include <omp.h>
#include <stdlib.h>

#include "kernels/cpu/cpu.h"

/* Rows, sums (192 KiB) and a widened panel (96 KiB) share the second-level cache of 2 MiB that this was tuned on, two cores of a
 * Xeon (Emerald Rapids): blocks of 16 tiles reached 0.89 of the peak at 1,024 x 3,072 x 576, of 8 tiles 0.83 to 0.86, since a far
 * cache or memory gives a panel at some 5 GB/s; depths of 192 to 768 differed by less than the noise. */
enum {
    MAX_TILES = 16,          /* register tiles of a block of rows */
    GROUP = 8,               /* panels whose sums stand in the lane at a time */
    DEPTH = 768,             /* features at a time */
    ROW_BYTES = 1280 * 1024, /* of a block's copied rows at most */
    ROW_PADDING = 16,        /* elements */
    JOBS_PER_THREAD = 2,     /* at least, where there is work for them: threads are slowed by others, now and then */
};

struct kvl_weight {
    int64_t n_in, n_out;
    enum kvl_dtype dtype; /* of the rows of x, and of the panels */
    int64_t depth;        /* n_in; in bfloat16 even */
    int64_t n_panels;
    void *panels; /* [n_panels][depth][32], in bfloat16 [n_panels][depth / 2][32][2]; zeros past n_out and n_in */
};

/* One product's division into jobs. */
struct plan {
    const struct kvl_cpu *cpu;
    const struct kvl_linear *op;
    bool pairs;            /* rows stay bfloat16 */
    int64_t stride;        /* of the copied rows, elements */
    int64_t n_tiles;       /* register tiles of rows in all */
    int64_t n_row_blocks, n_panel_blocks;
};

/* ---- weights --------------------------------------------------------------------------------------------------------- */

/* Row `i` of the stacked parts. */
static void give_row(const struct kvl_weight_source *source, int64_t i, float *out)
{
    int part = 0;
    while (i >= source->n_out[part])
        i -= source->n_out[part++];
    source->rows(source->context, part, i, 1, out);
}

static void *panel_at(const struct kvl_weight *weight, int64_t panel, int64_t feature)
{
    return (char *)weight->panels + (size_t)((panel * weight->depth + feature) * KVL_TILE_COLS) * kvl_dtype_size(weight->dtype);
}

static void pack_panel(const struct kvl_weight_source *source, const struct kvl_weight *weight, int64_t panel, float *row)
{
    void *out = panel_at(weight, panel, 0);
    memset(out, 0, (size_t)(weight->depth * KVL_TILE_COLS) * kvl_dtype_size(weight->dtype));
    for (int64_t j = 0; j < KVL_TILE_COLS && panel * KVL_TILE_COLS + j < weight->n_out; j++) {
        give_row(source, panel * KVL_TILE_COLS + j, row);
        for (int64_t c = 0; c < weight->n_in; c++)
            if (weight->dtype == KVL_F32)
                ((float *)out)[c * KVL_TILE_COLS + j] = row[c];
            else
                ((uint16_t *)out)[(c / 2 * KVL_TILE_COLS + j) * 2 + c % 2] = kvl_f32_to_bf16(row[c]);
    }
}

static enum kvl_status pack(const struct kvl_cpu *cpu, const struct kvl_weight_source *source, const struct kvl_weight *weight)
{
    bool failed = false;
#pragma omp parallel num_threads(cpu->n_threads) reduction(|| : failed)
    {
        float *row = malloc((size_t)weight->n_in * sizeof *row);
        failed = row == NULL;
#pragma omp for schedule(static)
        for (int64_t panel = 0; panel < weight->n_panels; panel++)
            if (row != NULL)
                pack_panel(source, weight, panel, row);
        free(row);
    }
    return failed ? kvl_fail(KVL_E_OOM, "no memory for packing a weight") : KVL_OK;
}

/* ---- lanes ----------------------------------------------------------------------------------------------------------- */

static int64_t stride_of(const struct kvl_weight *weight)
{
    return kvl_round_up(weight->depth, ROW_PADDING) + ROW_PADDING;
}

/* Bytes of an element of the copied rows. */
static int64_t element_bytes(const struct kvl_cpu *cpu, const struct kvl_weight *weight)
{
    return kvl_simd_has_pairs(cpu->simd, weight->dtype) ? 2 : 4;
}

/* Register tiles of a block of rows. */
static int64_t tiles_of(const struct kvl_cpu *cpu, const struct kvl_weight *weight)
{
    int64_t n = ROW_BYTES / (stride_of(weight) * KVL_TILE_ROWS * element_bytes(cpu, weight));
    return n < 1 ? 1 : n < MAX_TILES ? n : MAX_TILES;
}

enum {
    SUMS_BYTES = MAX_TILES * KVL_TILE_ROWS * GROUP * KVL_TILE_COLS * 4,
    PANEL_BYTES = DEPTH * KVL_TILE_COLS * 4,
};

/* What a thread works with: sums [MAX_TILES * 12][GROUP * 32] f32, a widened panel [DEPTH][32] f32, rows. */
static float *sums_of(const struct kvl_cpu *cpu, int thread)
{
    return cpu->lanes[thread];
}

static float *panel_of(const struct kvl_cpu *cpu, int thread)
{
    return (float *)(void *)((char *)cpu->lanes[thread] + SUMS_BYTES);
}

static void *rows_of(const struct kvl_cpu *cpu, int thread)
{
    return (char *)cpu->lanes[thread] + SUMS_BYTES + PANEL_BYTES;
}

/* Lanes grow with the weights, so that no product allocates. */
static enum kvl_status reserve(struct kvl_cpu *cpu, const struct kvl_weight *weight)
{
    int64_t rows = tiles_of(cpu, weight) * KVL_TILE_ROWS * stride_of(weight) * element_bytes(cpu, weight);
    int64_t bytes = SUMS_BYTES + PANEL_BYTES + kvl_round_up(rows, 64);
    if (bytes <= cpu->lane_bytes)
        return KVL_OK;
    for (int i = 0; i < cpu->n_threads; i++) {
        void *memory;
        KVL_TRY(kvl_cpu_alloc(&cpu->base, bytes, &memory));
        kvl_cpu_free(&cpu->base, cpu->lanes[i]);
        cpu->lanes[i] = memory;
    }
    cpu->lane_bytes = bytes;
    return KVL_OK;
}

enum kvl_status kvl_cpu_weight_init(struct kvl_ctx *ctx, const struct kvl_weight_source *source, struct kvl_weight **out)
{
    *out = NULL;
    struct kvl_cpu *cpu = kvl_cpu(ctx);
    struct kvl_weight *weight = calloc(1, sizeof *weight);
    if (weight == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for a weight");
    weight->n_in = source->n_in;
    for (int i = 0; i < source->n_parts; i++)
        weight->n_out += source->n_out[i];
    weight->dtype = source->dtype;
    weight->depth = source->dtype == KVL_BF16 ? kvl_round_up(source->n_in, 2) : source->n_in;
    weight->n_panels = (weight->n_out + KVL_TILE_COLS - 1) / KVL_TILE_COLS;
    enum kvl_status status;
    KVL_TRY_OUT(reserve(cpu, weight));
    KVL_TRY_OUT(kvl_cpu_alloc(ctx, kvl_cpu_weight_bytes(weight), &weight->panels));
    KVL_TRY_OUT(pack(cpu, source, weight));
    *out = weight;
out:
    if (status != KVL_OK)
        kvl_cpu_weight_free(ctx, weight);
    return status;
}

void kvl_cpu_weight_free(struct kvl_ctx *ctx, struct kvl_weight *weight)
{
    if (weight == NULL)
        return;
    kvl_cpu_free(ctx, weight->panels);
    free(weight);
}

int64_t kvl_cpu_weight_bytes(const struct kvl_weight *weight)
{
    return weight->n_panels * weight->depth * KVL_TILE_COLS * (int64_t)kvl_dtype_size(weight->dtype);
}

/* ---- products -------------------------------------------------------------------------------------------------------- */

/* A row of x for the products: copied or widened, zero past n_in. */
static void copy_row(const struct plan *plan, int64_t row, void *out)
{
    const struct kvl_weight *weight = plan->op->weight;
    const char *x = (const char *)plan->op->x + (size_t)(row * weight->n_in) * kvl_dtype_size(weight->dtype);
    int64_t n = weight->n_in;
    if (plan->pairs) {
        memcpy(out, x, (size_t)n * sizeof(uint16_t));
        memset((uint16_t *)out + n, 0, (size_t)(plan->stride - n) * sizeof(uint16_t));
    } else {
        plan->cpu->simd->to_f32(x, weight->dtype, out, n);
        memset((float *)out + n, 0, (size_t)(plan->stride - n) * sizeof(float));
    }
}

static void copy_rows(const struct plan *plan, int64_t first, int64_t n_rows, int64_t n_padded, void *rows)
{
    size_t bytes = (size_t)(plan->stride * element_bytes(plan->cpu, plan->op->weight));
    for (int64_t r = 0; r < n_rows; r++)
        copy_row(plan, first + r, (char *)rows + (size_t)r * bytes);
    memset((char *)rows + (size_t)n_rows * bytes, 0, (size_t)(n_padded - n_rows) * bytes);
}

/* sums[n_padded][32] += rows . panel over features [feature, feature + depth). The same features of the panel behind it, which lies
 * in memory or a far cache, are asked for on the way: it comes next, but for the last of a group. */
static void multiply(const struct plan *plan, int thread, int64_t n_padded, int64_t panel, int64_t feature, int64_t depth,
                     float *sums, int64_t sums_stride, bool accumulate)
{
    const struct kvl_simd *simd = plan->cpu->simd;
    const struct kvl_weight *weight = plan->op->weight;
    const void *b = panel_at(weight, panel, feature);
    const char *rows = rows_of(plan->cpu, thread);
    int64_t bytes = KVL_TILE_COLS * (int64_t)kvl_dtype_size(weight->dtype), n_tiles = n_padded / KVL_TILE_ROWS;
    struct kvl_ahead ahead = {.step = (bytes + n_tiles - 1) / n_tiles}; /* every tile asks for its part of a feature's bytes */
    if (weight->dtype == KVL_BF16 && !plan->pairs) {
        simd->widen(depth, b, panel_of(plan->cpu, thread));
        b = panel_of(plan->cpu, thread);
    }
    for (int64_t r = 0; r < n_padded; r += KVL_TILE_ROWS) {
        float *c = sums + r * sums_stride;
        ahead.at = (const char *)panel_at(weight, panel + 1, feature) + r / KVL_TILE_ROWS * depth * ahead.step;
        const char *a = rows + (r * plan->stride + feature) * element_bytes(plan->cpu, weight);
        kvl_simd_tile(simd, plan->pairs, depth, a, plan->stride, b, c, sums_stride, accumulate, ahead);
    }
}

static void *out_at(const struct kvl_linear *op, int64_t row, int64_t column)
{
    return (char *)op->out + (size_t)(row * op->weight->n_out + column) * kvl_dtype_size(op->out_dtype);
}

/* A block of rows times a few panels. Sums stand in the output itself where they are whole tiles of float32 there; elsewhere those
 * past the last row and column hold whatever they held, and go nowhere. */
static void run_group(const struct plan *plan, int thread, int64_t first, int64_t n_rows, int64_t n_padded, int64_t panel,
                      int64_t n_panels)
{
    const struct kvl_linear *op = plan->op;
    const struct kvl_weight *weight = op->weight;
    int64_t column = panel * KVL_TILE_COLS, n_columns = n_panels * KVL_TILE_COLS;
    n_columns = n_columns < weight->n_out - column ? n_columns : weight->n_out - column;
    bool in_place = op->out_dtype == KVL_F32 && n_rows == n_padded && n_columns == n_panels * KVL_TILE_COLS;
    float *sums = in_place ? out_at(op, first, column) : sums_of(plan->cpu, thread);
    int64_t stride = in_place ? weight->n_out : GROUP * KVL_TILE_COLS;
    for (int64_t r = 0; r < n_rows && op->accumulate && !in_place; r++)
        memcpy(sums + r * stride, out_at(op, first + r, column), (size_t)n_columns * sizeof *sums);
    for (int64_t feature = 0; feature < weight->depth; feature += DEPTH) {
        int64_t depth = weight->depth - feature < DEPTH ? weight->depth - feature : DEPTH;
        for (int64_t i = 0; i < n_panels; i++)
            multiply(plan, thread, n_padded, panel + i, feature, depth, sums + i * KVL_TILE_COLS, stride,
                     op->accumulate || feature > 0);
    }
    for (int64_t r = 0; r < n_rows && !in_place; r++)
        plan->cpu->simd->from_f32(sums + r * stride, out_at(op, first + r, column), op->out_dtype, n_columns);
}

static void run_job(const struct plan *plan, int thread, int64_t row_block, int64_t panel_block)
{
    int64_t n_panels = plan->op->weight->n_panels;
    int64_t first = row_block * plan->n_tiles / plan->n_row_blocks * KVL_TILE_ROWS;
    int64_t last = (row_block + 1) * plan->n_tiles / plan->n_row_blocks * KVL_TILE_ROWS;
    int64_t n_rows = (last < plan->op->n ? last : plan->op->n) - first;
    copy_rows(plan, first, n_rows, last - first, rows_of(plan->cpu, thread));
    int64_t end = (panel_block + 1) * n_panels / plan->n_panel_blocks;
    for (int64_t panel = panel_block * n_panels / plan->n_panel_blocks; panel < end; panel += GROUP)
        run_group(plan, thread, first, n_rows, last - first, panel, end - panel < GROUP ? end - panel : GROUP);
}

static struct plan make_plan(const struct kvl_cpu *cpu, const struct kvl_linear *op)
{
    struct plan plan = {.cpu = cpu, .op = op, .stride = stride_of(op->weight)};
    plan.pairs = kvl_simd_has_pairs(cpu->simd, op->weight->dtype);
    plan.n_tiles = (op->n + KVL_TILE_ROWS - 1) / KVL_TILE_ROWS;
    int64_t per_block = tiles_of(cpu, op->weight), n_threads = cpu->n_threads;
    plan.n_row_blocks = kvl_round_up((plan.n_tiles + per_block - 1) / per_block, n_threads);
    if (plan.n_row_blocks > plan.n_tiles)
        plan.n_row_blocks = plan.n_tiles;
    int64_t wanted = (JOBS_PER_THREAD * n_threads + plan.n_row_blocks - 1) / plan.n_row_blocks;
    plan.n_panel_blocks = wanted < op->weight->n_panels ? wanted : op->weight->n_panels;
    return plan;
}

/* One row: bytes decide, every thread streams its share of the panels. */
static void run_row(const struct plan *plan)
{
    const struct kvl_cpu *cpu = plan->cpu;
    const struct kvl_linear *op = plan->op;
    const struct kvl_weight *weight = op->weight;
    void *row = rows_of(cpu, 0);
    copy_row(plan, 0, row);
#pragma omp parallel for schedule(static) num_threads(cpu->n_threads)
    for (int64_t panel = 0; panel < weight->n_panels; panel++) {
        float sums[KVL_TILE_COLS];
        int64_t column = panel * KVL_TILE_COLS, left = weight->n_out - column;
        if (plan->pairs)
            cpu->simd->row_bf16(weight->depth, row, panel_at(weight, panel, 0), sums);
        else
            cpu->simd->row(weight->depth, row, panel_at(weight, panel, 0), weight->dtype, sums);
        int64_t n = left < KVL_TILE_COLS ? left : KVL_TILE_COLS;
        for (int64_t j = 0; j < n && op->accumulate; j++)
            sums[j] += ((const float *)out_at(op, 0, column))[j];
        cpu->simd->from_f32(sums, out_at(op, 0, column), op->out_dtype, n);
    }
}

enum kvl_status kvl_cpu_linear(struct kvl_ctx *ctx, const struct kvl_linear *op)
{
    const struct kvl_cpu *cpu = kvl_cpu(ctx);
    KVL_REQUIRE(op->n >= 1, "linear: %lld rows: at least one", (long long)op->n);
    KVL_REQUIRE(!op->accumulate || op->out_dtype == KVL_F32, "linear: accumulation needs a float32 output");
    struct plan plan = make_plan(cpu, op);
    if (op->n == 1) {
        run_row(&plan);
        return KVL_OK;
    }
#pragma omp parallel for schedule(dynamic, 1) num_threads(cpu->n_threads)
    for (int64_t i = 0; i < plan.n_row_blocks * plan.n_panel_blocks; i++)
        run_job(&plan, omp_get_thread_num(), i / plan.n_panel_blocks, i % plan.n_panel_blocks);
    return KVL_OK;
}
