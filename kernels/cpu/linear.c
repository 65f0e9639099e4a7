/* Linear layers on oneDNN.
 *
 * Weights are packed once in the layout that oneDNN picks for a block of 64 rows. A product of n rows runs as blocks of
 * exactly 64 rows (the last one padded with zeros), one single-threaded primitive per block, blocks shared out over the
 * threads. So every row goes through the same instructions whatever n and the thread count are: results do not depend on
 * either, bit for bit, and blocks of 64 lose nothing (415 GFLOP/s against 416 for one call of 2,048 rows on two cores of an
 * AVX-512 BF16 machine, n_out 960, n_in 576, bf16, packed weights; plain weights lose a third). One row alone, a decode
 * step, is a product that oneDNN spreads over the threads by output.
 *
 * Where the processor has no bfloat16 product, bf16 weights are kept as float32 (holding bf16 values) and rows are widened:
 * oneDNN's emulation is slower than its float32. */
#include "kernels/linear.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/onednn.h"

enum { BLOCK = 64 };

struct kvl_weight {
    int64_t n_in, n_out;
    enum kvl_dtype dtype;   /* of the rows of x */
    enum kvl_dtype compute; /* of the packed values: dtype, or f32 in its place */
    void *packed;
    kvl_md md;
    int64_t bytes;
    bool one_row; /* only ever used with one row at a time (the output head) */
};

/* A primitive for one shape; the list is short (a model has four shapes) and searched from the front. */
struct product {
    struct product *next;
    int64_t n, n_in, n_out;
    enum kvl_dtype compute, out;
    bool accumulate;
    dnnl_primitive_t primitive;
    kvl_md src, dst, scratchpad;
};

/* What one thread works with. */
struct lane {
    dnnl_stream_t stream;
    char *memory; /* scratchpad, then the padded or widened rows, then the rows of the result */
    int64_t bytes;
};

struct kvl_gemm {
    dnnl_engine_t engine;
    struct product *products;
    int n_lanes;
    struct lane lanes[];
};

static enum kvl_status dnnl_try(dnnl_status_t status, const char *what)
{
    if (status == dnnl_success)
        return KVL_OK;
    if (status == dnnl_out_of_memory)
        return kvl_fail(KVL_E_OOM, "oneDNN has no memory for %s", what);
    return kvl_fail(KVL_E_INTERNAL, "oneDNN fails at %s (status %d)", what, (int)status);
}

static dnnl_data_type_t type_of(enum kvl_dtype dtype)
{
    return dtype == KVL_F32 ? dnnl_f32 : dnnl_bf16;
}

void kvl_gemm_describe(char *text, size_t size)
{
    const dnnl_version_t *version = dnnl_version();
    snprintf(text, size, "oneDNN %d.%d.%d", version->major, version->minor, version->patch);
}

enum kvl_status kvl_gemm_init(const struct kvl_cpu *cpu, struct kvl_gemm **out)
{
    *out = NULL;
    struct kvl_gemm *gemm = calloc(1, sizeof *gemm + (size_t)cpu->n_threads * sizeof *gemm->lanes);
    if (gemm == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for %d threads", cpu->n_threads);
    gemm->n_lanes = cpu->n_threads;
    enum kvl_status status = dnnl_try(dnnl_engine_create(&gemm->engine, dnnl_cpu, 0), "its engine");
    for (int i = 0; i < gemm->n_lanes && status == KVL_OK; i++)
        status = dnnl_try(dnnl_stream_create(&gemm->lanes[i].stream, gemm->engine, dnnl_stream_default_flags), "a stream");
    *out = gemm;
    if (status != KVL_OK) {
        kvl_gemm_free((struct kvl_cpu *)cpu, gemm);
        *out = NULL;
    }
    return status;
}

static void product_free(struct product *product)
{
    if (product->primitive != NULL)
        dnnl_primitive_destroy(product->primitive);
    kvl_md_free(product->src);
    kvl_md_free(product->dst);
    kvl_md_free(product->scratchpad);
    free(product);
}

void kvl_gemm_free(struct kvl_cpu *cpu, struct kvl_gemm *gemm)
{
    if (gemm == NULL)
        return;
    while (gemm->products != NULL) {
        struct product *next = gemm->products->next;
        product_free(gemm->products);
        gemm->products = next;
    }
    for (int i = 0; i < gemm->n_lanes; i++) {
        kvl_cpu_free(&cpu->base, gemm->lanes[i].memory);
        if (gemm->lanes[i].stream != NULL)
            dnnl_stream_destroy(gemm->lanes[i].stream);
    }
    if (gemm->engine != NULL)
        dnnl_engine_destroy(gemm->engine);
    free(gemm);
}

/* Makes a primitive description; `weights` NULL lets oneDNN choose the layout. `threads` is what the primitive may use:
 * it is read from OpenMP when the description is made. */
static enum kvl_status describe(struct kvl_gemm *gemm, const struct product *shape, kvl_md weights, int threads,
                                dnnl_primitive_desc_t *pd)
{
    *pd = NULL;
    int before = omp_get_max_threads();
    omp_set_num_threads(threads);
    dnnl_primitive_attr_t attr = NULL;
    kvl_md any = weights != NULL
                     ? NULL
                     : kvl_md_matrix(shape->n_in, shape->n_out, type_of(shape->compute), dnnl_format_tag_any);
    enum kvl_status status = dnnl_try(dnnl_primitive_attr_create(&attr), "its attributes");
    if (status == KVL_OK)
        status = dnnl_try(dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user), "its scratchpad");
    if (status == KVL_OK && shape->accumulate)
        status = dnnl_try(kvl_attr_accumulate(attr), "a sum");
    if (status == KVL_OK)
        status = dnnl_try(kvl_matmul_pd(pd, gemm->engine, shape->src, weights != NULL ? weights : any, shape->dst, attr),
                          "a matrix product");
    if (attr != NULL)
        dnnl_primitive_attr_destroy(attr);
    kvl_md_free(any);
    omp_set_num_threads(before);
    return status;
}

static struct product *product_new(int64_t n, const struct kvl_weight *weight, enum kvl_dtype out, bool accumulate)
{
    struct product *product = calloc(1, sizeof *product);
    if (product == NULL)
        return NULL;
    *product = (struct product){.n = n, .n_in = weight->n_in, .n_out = weight->n_out, .compute = weight->compute,
                                .out = out, .accumulate = accumulate};
    product->src = kvl_md_matrix(n, weight->n_in, type_of(weight->compute), dnnl_ab);
    product->dst = kvl_md_matrix(n, weight->n_out, type_of(out), dnnl_ab);
    return product;
}

static enum kvl_status product_find(struct kvl_gemm *gemm, int64_t n, const struct kvl_weight *weight, enum kvl_dtype out,
                                    bool accumulate, const struct product **found)
{
    for (const struct product *p = gemm->products; p != NULL; p = p->next)
        if (p->n == n && p->n_in == weight->n_in && p->n_out == weight->n_out && p->compute == weight->compute
            && p->out == out && p->accumulate == accumulate) {
            *found = p;
            return KVL_OK;
        }
    struct product *product = product_new(n, weight, out, accumulate);
    if (product == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for a matrix product");
    dnnl_primitive_desc_t pd = NULL;
    enum kvl_status status = describe(gemm, product, weight->md, n == 1 ? gemm->n_lanes : 1, &pd);
    if (status == KVL_OK)
        status = dnnl_try(dnnl_primitive_create(&product->primitive, pd), "making a matrix product");
    if (status == KVL_OK)
        product->scratchpad = kvl_md_of_scratchpad(pd);
    if (pd != NULL)
        dnnl_primitive_desc_destroy(pd);
    if (status != KVL_OK) {
        product_free(product);
        return status;
    }
    product->next = gemm->products;
    gemm->products = product;
    *found = product;
    return KVL_OK;
}

static int64_t scratchpad_bytes(const struct product *product)
{
    return product->scratchpad != NULL ? kvl_round_up((int64_t)kvl_md_size(product->scratchpad), 64) : 0;
}

static int64_t rows_bytes(int64_t n, int64_t cols)
{
    return kvl_round_up(n * cols * 4, 64);
}

static enum kvl_status reserve(struct kvl_cpu *cpu, int64_t bytes)
{
    for (int i = 0; i < cpu->gemm->n_lanes; i++) {
        struct lane *lane = &cpu->gemm->lanes[i];
        if (lane->bytes >= bytes)
            continue;
        kvl_cpu_free(&cpu->base, lane->memory);
        lane->memory = NULL;
        lane->bytes = 0;
        void *memory;
        KVL_TRY(kvl_cpu_alloc(&cpu->base, bytes, &memory));
        lane->memory = memory;
        lane->bytes = bytes;
    }
    return KVL_OK;
}

/* All the primitives of a weight and the lanes' memory are made with the weight, so that no product allocates. */
static enum kvl_status prepare(struct kvl_cpu *cpu, const struct kvl_weight *weight)
{
    for (int kind = 0; kind < 6; kind++) {
        int64_t n = kind < 3 ? 1 : BLOCK;
        enum kvl_dtype out = kind % 3 == 0 ? weight->compute : KVL_F32;
        if (n == BLOCK && weight->one_row)
            continue;
        const struct product *product;
        KVL_TRY(product_find(cpu->gemm, n, weight, out, kind % 3 == 2, &product));
        KVL_TRY(reserve(cpu, scratchpad_bytes(product) + rows_bytes(n, weight->n_in) + rows_bytes(n, weight->n_out)));
    }
    return KVL_OK;
}

/* The source's rows, stacked, in the compute type, [n_out, n_in]. */
static void stack_rows(const struct kvl_cpu *cpu, const struct kvl_weight_source *source, const struct kvl_weight *weight,
                       char *out)
{
    int64_t first = 0;
    size_t size = kvl_dtype_size(weight->compute);
    for (int part = 0; part < source->n_parts; part++) {
#pragma omp parallel num_threads(cpu->n_threads)
        {
            float *row = malloc((size_t)source->n_in * sizeof *row);
#pragma omp for schedule(static)
            for (int64_t i = 0; i < source->n_out[part]; i++) {
                if (row == NULL)
                    continue;
                source->rows(source->context, part, i, 1, row);
                if (source->dtype == KVL_BF16 && weight->compute == KVL_F32)
                    for (int64_t c = 0; c < source->n_in; c++)
                        row[c] = kvl_bf16_to_f32(kvl_f32_to_bf16(row[c]));
                cpu->simd->from_f32(row, out + (size_t)((first + i) * source->n_in) * size, weight->compute, source->n_in);
            }
            free(row);
        }
        first += source->n_out[part];
    }
}

static enum kvl_status pack(struct kvl_cpu *cpu, const struct kvl_weight_source *source, struct kvl_weight *weight)
{
    struct kvl_gemm *gemm = cpu->gemm;
    void *plain = NULL;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_t primitive = NULL;
    dnnl_memory_t from = NULL, to = NULL;
    kvl_md plain_md = NULL;
    enum kvl_status status;
    KVL_TRY_OUT(kvl_cpu_alloc(&cpu->base, weight->n_in * weight->n_out * (int64_t)kvl_dtype_size(weight->compute), &plain));
    stack_rows(cpu, source, weight, plain);
    KVL_TRY_OUT(kvl_cpu_alloc(&cpu->base, weight->bytes, &weight->packed));
    plain_md = kvl_md_matrix(weight->n_in, weight->n_out, type_of(weight->compute), dnnl_ba);
    KVL_TRY_OUT(dnnl_try(kvl_reorder_pd(&pd, gemm->engine, plain_md, weight->md), "packing a weight"));
    KVL_TRY_OUT(dnnl_try(dnnl_primitive_create(&primitive, pd), "packing a weight"));
    KVL_TRY_OUT(dnnl_try(kvl_memory(&from, plain_md, gemm->engine, plain), "packing a weight"));
    KVL_TRY_OUT(dnnl_try(kvl_memory(&to, weight->md, gemm->engine, weight->packed), "packing a weight"));
    dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    KVL_TRY_OUT(dnnl_try(dnnl_primitive_execute(primitive, gemm->lanes[0].stream, 2, args), "packing a weight"));
    KVL_TRY_OUT(dnnl_try(dnnl_stream_wait(gemm->lanes[0].stream), "packing a weight"));
out:
    if (from != NULL)
        dnnl_memory_destroy(from);
    if (to != NULL)
        dnnl_memory_destroy(to);
    if (primitive != NULL)
        dnnl_primitive_destroy(primitive);
    if (pd != NULL)
        dnnl_primitive_desc_destroy(pd);
    kvl_md_free(plain_md);
    kvl_cpu_free(&cpu->base, plain);
    return status;
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
    weight->compute = source->dtype == KVL_BF16 && !cpu->bf16_native ? KVL_F32 : source->dtype;
    weight->one_row = source->one_row;

    struct product *shape = product_new(BLOCK, weight, weight->compute, false);
    dnnl_primitive_desc_t pd = NULL;
    enum kvl_status status = shape != NULL ? KVL_OK : kvl_fail(KVL_E_OOM, "no memory for a weight");
    KVL_TRY_OUT(status);
    KVL_TRY_OUT(describe(cpu->gemm, shape, NULL, 1, &pd));
    weight->md = kvl_md_of_weights(pd);
    KVL_TRY_OUT(weight->md != NULL ? KVL_OK : kvl_fail(KVL_E_OOM, "no memory for a weight"));
    weight->bytes = (int64_t)kvl_md_size(weight->md);
    KVL_TRY_OUT(pack(cpu, source, weight));
    KVL_TRY_OUT(prepare(cpu, weight));
    *out = weight;
out:
    if (pd != NULL)
        dnnl_primitive_desc_destroy(pd);
    if (shape != NULL)
        product_free(shape);
    if (status != KVL_OK)
        kvl_cpu_weight_free(ctx, weight);
    return status;
}

void kvl_cpu_weight_free(struct kvl_ctx *ctx, struct kvl_weight *weight)
{
    if (weight == NULL)
        return;
    kvl_cpu_free(ctx, weight->packed);
    kvl_md_free(weight->md);
    free(weight);
}

int64_t kvl_cpu_weight_bytes(const struct kvl_weight *weight)
{
    return weight->bytes;
}

static dnnl_status_t execute(const struct kvl_gemm *gemm, const struct lane *lane, const struct product *product,
                             const struct kvl_weight *weight, const void *x, void *out)
{
    dnnl_memory_t src = NULL, weights = NULL, dst = NULL, scratchpad = NULL;
    dnnl_status_t status = kvl_memory(&src, product->src, gemm->engine, (void *)(uintptr_t)x);
    if (status == dnnl_success)
        status = kvl_memory(&weights, weight->md, gemm->engine, weight->packed);
    if (status == dnnl_success)
        status = kvl_memory(&dst, product->dst, gemm->engine, out);
    if (status == dnnl_success && scratchpad_bytes(product) > 0)
        status = kvl_memory(&scratchpad, product->scratchpad, gemm->engine, lane->memory);
    if (status == dnnl_success) {
        dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, src},
                                  {DNNL_ARG_WEIGHTS, weights},
                                  {DNNL_ARG_DST, dst},
                                  {DNNL_ARG_SCRATCHPAD, scratchpad}};
        status = dnnl_primitive_execute(product->primitive, lane->stream, scratchpad != NULL ? 4 : 3, args);
        if (status == dnnl_success)
            status = dnnl_stream_wait(lane->stream);
    }
    dnnl_memory_t all[] = {src, weights, dst, scratchpad};
    for (int i = 0; i < 4; i++)
        if (all[i] != NULL)
            dnnl_memory_destroy(all[i]);
    return status;
}

/* Rows [first, first + n_rows) of the product, n_rows <= product->n: in place where the block is full and the types are
 * oneDNN's, else through the lane's memory. */
static dnnl_status_t run_block(const struct kvl_cpu *cpu, const struct lane *lane, const struct product *product,
                               const struct kvl_linear *op, int64_t first, int64_t n_rows)
{
    const struct kvl_weight *weight = op->weight;
    const char *x = (const char *)op->x + (size_t)(first * weight->n_in) * kvl_dtype_size(weight->dtype);
    size_t out_size = kvl_dtype_size(op->out_dtype);
    char *out = (char *)op->out + (size_t)(first * weight->n_out) * out_size;
    bool full = n_rows == product->n, widen = weight->dtype != weight->compute, narrow = product->out != op->out_dtype;
    char *x_block = lane->memory + scratchpad_bytes(product);
    char *out_block = x_block + rows_bytes(product->n, weight->n_in);
    if (widen)
        cpu->simd->to_f32(x, weight->dtype, (float *)x_block, n_rows * weight->n_in);
    else if (!full)
        memcpy(x_block, x, (size_t)(n_rows * weight->n_in) * kvl_dtype_size(weight->dtype));
    if (!full)
        memset(x_block + (size_t)(n_rows * weight->n_in) * kvl_dtype_size(weight->compute), 0,
               (size_t)((product->n - n_rows) * weight->n_in) * kvl_dtype_size(weight->compute));
    bool aside = !full || narrow;
    if (aside && op->accumulate) {
        memcpy(out_block, out, (size_t)(n_rows * weight->n_out) * out_size);
        memset(out_block + (size_t)(n_rows * weight->n_out) * out_size, 0,
               (size_t)((product->n - n_rows) * weight->n_out) * out_size);
    }
    dnnl_status_t status = execute(cpu->gemm, lane, product, weight, widen || !full ? x_block : x, aside ? out_block : out);
    if (narrow)
        cpu->simd->from_f32((const float *)out_block, out, op->out_dtype, n_rows * weight->n_out);
    else if (aside)
        memcpy(out, out_block, (size_t)(n_rows * weight->n_out) * out_size);
    return status;
}

enum kvl_status kvl_cpu_linear(struct kvl_ctx *ctx, const struct kvl_linear *op)
{
    struct kvl_cpu *cpu = kvl_cpu(ctx);
    const struct kvl_weight *weight = op->weight;
    KVL_REQUIRE(!op->accumulate || op->out_dtype == KVL_F32, "linear: accumulation needs a float32 output");
    /* A float32 weight cannot write bf16 by itself; run_block narrows. */
    enum kvl_dtype out = weight->compute == KVL_F32 ? KVL_F32 : op->out_dtype;
    bool one = op->n == 1 || weight->one_row;
    const struct product *product;
    KVL_TRY(product_find(cpu->gemm, one ? 1 : BLOCK, weight, out, op->accumulate, &product));
    int64_t n_blocks = one ? op->n : (op->n + BLOCK - 1) / BLOCK;
    int failed = 0;
    if (one) {
        int before = omp_get_max_threads();
        omp_set_num_threads(cpu->n_threads);
        for (int64_t i = 0; i < n_blocks && !failed; i++)
            failed = (int)run_block(cpu, &cpu->gemm->lanes[0], product, op, i, 1);
        omp_set_num_threads(before);
    } else {
#pragma omp parallel for schedule(dynamic, 1) num_threads(cpu->n_threads) reduction(max : failed)
        for (int64_t i = 0; i < n_blocks; i++) {
            int64_t first = i * BLOCK, n_rows = op->n - first < BLOCK ? op->n - first : BLOCK;
            int status = (int)run_block(cpu, &cpu->gemm->lanes[omp_get_thread_num()], product, op, first, n_rows);
            failed = status > failed ? status : failed;
        }
    }
    return dnnl_try((dnnl_status_t)failed, "a matrix product");
}
