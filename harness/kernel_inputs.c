#include "harness/kernel_inputs.h"

#include <math.h>
#include <stdlib.h>

enum { ALIGNMENT = 256 };

static int64_t round_up(int64_t bytes)
{
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* ---- blocks ------------------------------------------------------------------------------------------------------------- */

static enum kvl_status fill_block(struct kvl_kernel_memory *memory, const struct kvl_kernel_setting *s, enum kvl_kernel_block block)
{
    enum kvl_dtype dtype = block == KVL_BLOCK_VALUES ? s->dtype : KVL_F32;
    int64_t n = memory->bytes[block] / (int64_t)kvl_dtype_size(dtype);
    if (block == KVL_BLOCK_OUT || n == 0)
        return KVL_OK;
    uint64_t seed = s->seed + (uint64_t)block;
    return s->ctx->be->fill_random(s->ctx, &(struct kvl_fill_random){memory->blocks[block], dtype, n, seed, 0, 1.0f});
}

enum kvl_status kvl_kernel_memory_init(struct kvl_kernel_memory *memory, const struct kvl_kernel_setting *setting,
                                       const int64_t bytes[KVL_N_BLOCKS])
{
    struct kvl_ctx *ctx = setting->ctx;
    *memory = (struct kvl_kernel_memory){.ctx = ctx};
    enum kvl_status status = KVL_OK;
    for (int b = 0; b < KVL_N_BLOCKS && status == KVL_OK; b++) {
        void *block = NULL;
        status = ctx->be->alloc(ctx, bytes[b], &block);
        memory->blocks[b] = block;
        memory->bytes[b] = bytes[b];
        if (status == KVL_OK)
            status = fill_block(memory, setting, (enum kvl_kernel_block)b);
    }
    if (status != KVL_OK)
        kvl_kernel_memory_free(memory);
    return status;
}

void kvl_kernel_memory_free(struct kvl_kernel_memory *memory)
{
    for (int b = 0; b < KVL_N_BLOCKS && memory->ctx != NULL; b++)
        memory->ctx->be->free(memory->ctx, memory->blocks[b]);
    for (int w = 0; w < KVL_N_WEIGHTS; w++)
        for (int64_t set = 0; set < KVL_MAX_SETS; set++)
            if (memory->weights[w][set] != NULL)
                memory->ctx->be->weight_free(memory->ctx, memory->weights[w][set]);
    *memory = (struct kvl_kernel_memory){0};
}

/* ---- sets --------------------------------------------------------------------------------------------------------------- */

void kvl_kernel_inputs_begin(struct kvl_kernel_inputs *inputs, int64_t set)
{
    inputs->set = set;
    inputs->next_own = inputs->n_outputs = 0;
    for (int b = 0; b < KVL_N_BLOCKS; b++)
        inputs->at[b] = 0;
}

void kvl_kernel_inputs_free(struct kvl_kernel_inputs *inputs)
{
    struct kvl_ctx *ctx = inputs->setting != NULL ? inputs->setting->ctx : NULL;
    for (int i = 0; i < inputs->n_own; i++)
        ctx->be->free(ctx, inputs->own[i]);
    for (int64_t i = 0; i < inputs->n_per_set; i++)
        ctx->be->free(ctx, inputs->per_set[i]);
    free(inputs->per_set);
    *inputs = (struct kvl_kernel_inputs){0};
}

int64_t kvl_kernel_inputs_bytes(const struct kvl_kernel_inputs *inputs)
{
    int64_t sum = inputs->apart_bytes;
    for (int b = 0; b < KVL_N_BLOCKS; b++)
        sum += inputs->set_bytes[b];
    return sum;
}

/* The next bytes of a block; sets that do not fit any more begin at its front again. */
static void *take(struct kvl_kernel_inputs *inputs, enum kvl_kernel_block block, int64_t bytes)
{
    int64_t at = inputs->at[block];
    inputs->at[block] += round_up(bytes);
    if (inputs->memory == NULL) {
        inputs->set_bytes[block] = inputs->at[block];
        return NULL;
    }
    int64_t n_fit = inputs->memory->bytes[block] / inputs->set_bytes[block];
    return inputs->memory->blocks[block] + inputs->set % n_fit * inputs->set_bytes[block] + at;
}

const void *kvl_kernel_values(struct kvl_kernel_inputs *inputs, int64_t n)
{
    return take(inputs, KVL_BLOCK_VALUES, n * (int64_t)kvl_dtype_size(inputs->setting->dtype));
}

const float *kvl_kernel_floats(struct kvl_kernel_inputs *inputs, int64_t n)
{
    return take(inputs, KVL_BLOCK_FLOATS, n * (int64_t)sizeof(float));
}

void *kvl_kernel_scratch(struct kvl_kernel_inputs *inputs, int64_t bytes)
{
    return take(inputs, KVL_BLOCK_OUT, bytes);
}

void *kvl_kernel_output(struct kvl_kernel_inputs *inputs, int64_t bytes)
{
    void *data = take(inputs, KVL_BLOCK_OUT, bytes);
    inputs->outputs[inputs->n_outputs].data = data;
    inputs->outputs[inputs->n_outputs++].bytes = bytes;
    return data;
}

enum kvl_status kvl_kernel_changed(struct kvl_kernel_inputs *inputs, int64_t n, void **out)
{
    const struct kvl_kernel_setting *s = inputs->setting;
    int64_t bytes = n * (int64_t)kvl_dtype_size(s->dtype);
    *out = NULL;
    if (inputs->memory == NULL) {
        inputs->apart_bytes += bytes;
        return KVL_OK;
    }
    void **all = realloc(inputs->per_set, (size_t)(inputs->n_per_set + 1) * sizeof *all);
    if (all == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for %lld sets of inputs", (long long)inputs->n_per_set);
    inputs->per_set = all;
    KVL_TRY(s->ctx->be->alloc(s->ctx, bytes, out));
    all[inputs->n_per_set++] = *out;
    uint64_t first = (uint64_t)(inputs->set * n);
    return s->ctx->be->fill_random(s->ctx, &(struct kvl_fill_random){*out, s->dtype, n, s->seed, first, 1.0f});
}

/* ---- weights ------------------------------------------------------------------------------------------------------------ */

void kvl_kernel_weight_size(const struct kvl_shape *s, enum kvl_kernel_weight which, int64_t *n_in, int64_t *n_out)
{
    const int64_t sizes[KVL_N_WEIGHTS][2] = {
        [KVL_WEIGHT_QKV] = {s->n_embd, kvl_kernel_fused_width(s)}, [KVL_WEIGHT_OUT] = {s->n_head * s->head_size, s->n_embd},
        [KVL_WEIGHT_GATE_UP] = {s->n_embd, 2 * s->n_ff},           [KVL_WEIGHT_DOWN] = {s->n_ff, s->n_embd},
        [KVL_WEIGHT_HEAD] = {s->n_embd, s->n_vocab},
    };
    *n_in = sizes[which][0];
    *n_out = sizes[which][1];
}

static uint64_t weight_seed(const struct kvl_kernel_setting *s, enum kvl_kernel_weight which, int64_t set)
{
    return s->seed + 1000 + (uint64_t)which * KVL_MAX_SETS + (uint64_t)set;
}

/* Variance 1 / n_in, as in random:NAME. */
static float weight_bound(int64_t n_in)
{
    return (float)sqrt(3.0 / (double)n_in);
}

float kvl_kernel_weight_value(const struct kvl_kernel_setting *setting, enum kvl_kernel_weight which, int64_t set, int64_t row,
                              int64_t column)
{
    int64_t n_in, n_out;
    kvl_kernel_weight_size(setting->shape, which, &n_in, &n_out);
    return kvl_random_uniform(weight_seed(setting, which, set), (uint64_t)(row * n_in + column), weight_bound(n_in));
}

static void random_rows(const void *context, int part, int64_t first, int64_t n, float *out)
{
    const struct kvl_weight_source *source = context;
    for (int64_t i = 0; i < n * source->n_in; i++)
        out[i] = kvl_random_uniform(source->seed[part], (uint64_t)(first * source->n_in + i), source->bound);
}

enum kvl_status kvl_kernel_weight(struct kvl_kernel_inputs *inputs, enum kvl_kernel_weight which, const struct kvl_weight **out)
{
    const struct kvl_kernel_setting *s = inputs->setting;
    struct kvl_weight_source source = {.n_parts = 1, .dtype = s->dtype, .one_row = which == KVL_WEIGHT_HEAD, .random = true,
                                       .seed = {weight_seed(s, which, inputs->set)}, .rows = random_rows};
    kvl_kernel_weight_size(s->shape, which, &source.n_in, &source.n_out[0]);
    source.bound = weight_bound(source.n_in);
    source.context = &source;
    *out = NULL;
    if (inputs->memory == NULL) {
        inputs->apart_bytes += source.n_in * source.n_out[0] * (int64_t)kvl_dtype_size(s->dtype);
        return KVL_OK;
    }
    struct kvl_weight **weight = &inputs->memory->weights[which][inputs->set];
    if (*weight == NULL)
        KVL_TRY(s->ctx->be->weight_init(s->ctx, &source, weight));
    *out = *weight;
    return KVL_OK;
}

/* ---- what all sets share ------------------------------------------------------------------------------------------------ */

enum kvl_status kvl_kernel_own(struct kvl_kernel_inputs *inputs, int64_t bytes, void **out, bool *fresh)
{
    struct kvl_ctx *ctx = inputs->setting->ctx;
    *out = NULL;
    *fresh = inputs->memory != NULL && inputs->next_own == inputs->n_own;
    if (inputs->memory == NULL)
        return KVL_OK;
    if (*fresh) {
        KVL_TRY(ctx->be->alloc(ctx, bytes, &inputs->own[inputs->n_own]));
        inputs->n_own++;
    }
    *out = inputs->own[inputs->next_own++];
    return KVL_OK;
}

enum kvl_status kvl_kernel_count(struct kvl_kernel_inputs *inputs, int64_t n, int32_t first, const int32_t **out)
{
    struct kvl_ctx *ctx = inputs->setting->ctx;
    void *memory;
    bool fresh;
    KVL_TRY(kvl_kernel_own(inputs, n * 4, &memory, &fresh));
    *out = memory;
    return fresh ? ctx->be->range(ctx, &(struct kvl_range){memory, 1, n, 0, n, first}) : KVL_OK;
}

enum kvl_status kvl_kernel_constant(struct kvl_kernel_inputs *inputs, int64_t n, int32_t value, int32_t **out)
{
    struct kvl_ctx *ctx = inputs->setting->ctx;
    void *memory;
    bool fresh;
    KVL_TRY(kvl_kernel_own(inputs, n * 4, &memory, &fresh));
    *out = memory;
    return fresh ? ctx->be->range(ctx, &(struct kvl_range){memory, n, 1, 0, 1, value}) : KVL_OK;
}

/* A number in [0, below). */
static int64_t random_below(uint64_t seed, int64_t i, int64_t below)
{
    double u = 0.5 + 0.5 * (double)kvl_random_uniform(seed, (uint64_t)i, 1.0f);
    int64_t x = (int64_t)(u * (double)below);
    return x < below ? x : below - 1;
}

/* Host numbers in memory that all sets share; `next` makes the i-th. */
static enum kvl_status upload_numbers(struct kvl_kernel_inputs *inputs, int64_t n_numbers, int64_t k, int64_t n,
                                      int32_t (*next)(uint64_t seed, int64_t i, int64_t k, int64_t n), const int32_t **out)
{
    struct kvl_ctx *ctx = inputs->setting->ctx;
    void *memory;
    bool fresh;
    KVL_TRY(kvl_kernel_own(inputs, n_numbers * 4, &memory, &fresh));
    *out = memory;
    if (!fresh)
        return KVL_OK;
    int32_t *numbers = malloc((size_t)n_numbers * sizeof *numbers);
    if (numbers == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for %lld indices", (long long)n_numbers);
    for (int64_t i = 0; i < n_numbers; i++)
        numbers[i] = next(inputs->setting->seed, i, k, n);
    enum kvl_status status = ctx->be->upload(ctx, memory, numbers, n_numbers * 4);
    if (status == KVL_OK)
        status = ctx->be->sync(ctx);
    free(numbers);
    return status;
}

/* One of each of k pieces of equal length. */
static int32_t next_of_list(uint64_t seed, int64_t i, int64_t k, int64_t n)
{
    int64_t first = i % k * n / k, end = (i % k + 1) * n / k;
    return (int32_t)(first + random_below(seed + 77, i, end - first));
}

static int32_t next_id(uint64_t seed, int64_t i, int64_t k, int64_t n)
{
    (void)k;
    return (int32_t)random_below(seed + 78, i, n);
}

enum kvl_status kvl_kernel_lists(struct kvl_kernel_inputs *inputs, int64_t n_rows, int64_t k, int64_t n, const int32_t **out)
{
    return upload_numbers(inputs, n_rows * k, k, n, next_of_list, out);
}

enum kvl_status kvl_kernel_ids(struct kvl_kernel_inputs *inputs, int64_t n, int64_t below, const int32_t **out)
{
    return upload_numbers(inputs, n, 1, below, next_id, out);
}

struct kvl_kernel_heads kvl_kernel_fused(const struct kvl_kernel_setting *setting, const void *data, int64_t n)
{
    const struct kvl_shape *s = setting->shape;
    int64_t e = s->head_size, width = kvl_kernel_fused_width(s), size = (int64_t)kvl_dtype_size(setting->dtype);
    char *first = (char *)(uintptr_t)data;
    return (struct kvl_kernel_heads){
        .q = {first, setting->dtype, n, s->n_head, e, width, e},
        .k = {data != NULL ? first + s->n_head * e * size : NULL, setting->dtype, n, s->n_kv, e, width, e},
        .v = {data != NULL ? first + (s->n_head + s->n_kv) * e * size : NULL, setting->dtype, n, s->n_kv, e, width, e},
    };
}
