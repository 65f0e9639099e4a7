#include "core/model_weights.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernels/fill_random.h"

/* A model's tensors: first those of each layer, then the file's own. */
enum role { ATTENTION_NORM, Q, K, V, OUT, MLP_NORM, GATE, UP, DOWN, N_LAYER_ROLES, EMBEDDING = N_LAYER_ROLES, NORM, HEAD };

static const struct {
    const char *json; /* Hugging Face, after "model.layers.N." in a layer */
    const char *gguf; /* llama.cpp, after "blk.N." in a layer */
} NAMES[] = {
    [ATTENTION_NORM] = {"input_layernorm", "attn_norm"},
    [Q] = {"self_attn.q_proj", "attn_q"},
    [K] = {"self_attn.k_proj", "attn_k"},
    [V] = {"self_attn.v_proj", "attn_v"},
    [OUT] = {"self_attn.o_proj", "attn_output"},
    [MLP_NORM] = {"post_attention_layernorm", "ffn_norm"},
    [GATE] = {"mlp.gate_proj", "ffn_gate"},
    [UP] = {"mlp.up_proj", "ffn_up"},
    [DOWN] = {"mlp.down_proj", "ffn_down"},
    [EMBEDDING] = {"model.embed_tokens", "token_embd"},
    [NORM] = {"model.norm", "output_norm"},
    [HEAD] = {"lm_head", "output"},
};

/* One matrix as rows of float32, wherever it comes from. */
struct rows {
    const struct kvl_tensor *tensor; /* NULL: random */
    int64_t pair_head;               /* > 0: rows of each head of this size are in GGUF's order */
    uint64_t seed;
    float bound;
    int64_t n_in;
};

struct loader {
    const struct kvl_model_source *source;
    const struct kvl_shape *shape;
    uint64_t seed;
};

/* Dimensions of a tensor; returns their number. */
static int dims_of(const struct kvl_shape *s, enum role role, int64_t dims[2])
{
    int64_t q = s->n_head * s->head_size, kv = s->n_kv * s->head_size;
    dims[1] = s->n_embd;
    switch (role) {
    case ATTENTION_NORM:
    case MLP_NORM:
    case NORM: dims[0] = s->n_embd; return 1;
    case Q: dims[0] = q; return 2;
    case K:
    case V: dims[0] = kv; return 2;
    case GATE:
    case UP: dims[0] = s->n_ff; return 2;
    case OUT: dims[0] = s->n_embd, dims[1] = q; return 2;
    case DOWN: dims[0] = s->n_embd, dims[1] = s->n_ff; return 2;
    case EMBEDDING:
    case HEAD: dims[0] = s->n_vocab; return 2;
    }
    return 0;
}

static void name_of(const struct loader *loader, enum role role, int64_t layer, const char *suffix, char *name, size_t size)
{
    bool gguf = loader->source->kind == KVL_SOURCE_GGUF;
    const char *own = gguf ? NAMES[role].gguf : NAMES[role].json;
    if (role >= N_LAYER_ROLES)
        snprintf(name, size, "%s.%s", own, suffix);
    else
        snprintf(name, size, "%s%lld.%s.%s", gguf ? "blk." : "model.layers.", (long long)layer, own, suffix);
}

static enum kvl_status check_tensor(const struct loader *loader, enum role role, int64_t layer)
{
    char name[128], has[128], wanted[128];
    const char *path = loader->source->path;
    int64_t dims[2];
    int n_dims = dims_of(loader->shape, role, dims);
    name_of(loader, role, layer, "bias", name, sizeof name);
    if (kvl_tensors_find(&loader->source->tensors, name) != NULL)
        return kvl_fail(KVL_E_UNSUPPORTED, "%s: has tensor %s; kvlab runs models without biases", path, name);
    name_of(loader, role, layer, "weight", name, sizeof name);
    const struct kvl_tensor *tensor = kvl_tensors_find(&loader->source->tensors, name);
    if (tensor == NULL)
        return kvl_fail(KVL_E_FORMAT, "%s: tensor %s is missing", path, name);
    if (tensor->type == KVL_TENSOR_OTHER)
        return kvl_fail(KVL_E_UNSUPPORTED, "%s: tensor %s has type %s; kvlab reads F32, F16, BF16, Q8_0, Q4_0 and Q4_1",
                        tensor->file, name, tensor->type_name);
    bool same = tensor->n_dims == n_dims && tensor->dims[0] == dims[0] && (n_dims == 1 || tensor->dims[1] == dims[1]);
    if (!same) {
        kvl_tensor_describe(tensor->n_dims, tensor->dims, has, sizeof has);
        kvl_tensor_describe(n_dims, dims, wanted, sizeof wanted);
        return kvl_fail(KVL_E_FORMAT, "%s: tensor %s is %s, but by the model's configuration it must be %s", tensor->file, name,
                        has, wanted);
    }
    return KVL_OK;
}

enum kvl_status kvl_model_check_tensors(const struct kvl_model_source *source)
{
    const struct loader loader = {source, &source->shape, 0};
    if (source->kind == KVL_SOURCE_RANDOM)
        return KVL_OK;
    KVL_TRY(check_tensor(&loader, EMBEDDING, 0));
    for (int64_t layer = 0; layer < source->shape.n_layer; layer++)
        for (int role = 0; role < N_LAYER_ROLES; role++)
            KVL_TRY(check_tensor(&loader, (enum role)role, layer));
    KVL_TRY(check_tensor(&loader, NORM, 0));
    if (!source->shape.tied)
        KVL_TRY(check_tensor(&loader, HEAD, 0));
    char name[128];
    name_of(&loader, ATTENTION_NORM, source->shape.n_layer, "weight", name, sizeof name);
    if (kvl_tensors_find(&source->tensors, name) != NULL)
        return kvl_fail(KVL_E_FORMAT, "%s: has tensor %s, but by its configuration only %lld layers", source->path, name,
                        (long long)source->shape.n_layer);
    return KVL_OK;
}

static uint64_t mix(uint64_t seed, uint64_t index)
{
    uint64_t z = seed ^ (index + 1) * 0xd1342543de82ef95u;
    z = (z ^ z >> 32) * 0xd6e8feb86659fd93u;
    return z ^ z >> 32;
}

static struct rows rows_of(const struct loader *loader, enum role role, int64_t layer)
{
    int64_t dims[2];
    dims_of(loader->shape, role, dims);
    struct rows rows = {.n_in = dims[1]};
    if (loader->source->kind == KVL_SOURCE_RANDOM) {
        /* Uniform with variance 1 / n_in, so that activations neither vanish nor grow. */
        rows.seed = mix(loader->seed, (uint64_t)(role >= N_LAYER_ROLES ? 0 : layer + 1) * 64 + role);
        rows.bound = (float)sqrt(3.0 / (double)dims[1]);
        return rows;
    }
    char name[128];
    name_of(loader, role, layer, "weight", name, sizeof name);
    rows.tensor = kvl_tensors_find(&loader->source->tensors, name);
    if (loader->source->kind == KVL_SOURCE_GGUF && (role == Q || role == K))
        rows.pair_head = loader->shape->head_size;
    return rows;
}

/* GGUF interleaves the two halves of each head's rows, so that features that rotate together are neighbours: our row
 * (half, i) of a head is the file's row 2 i + half. */
static int64_t file_row(int64_t row, int64_t head_size)
{
    int64_t in_head = row % head_size, half = in_head / (head_size / 2), i = in_head % (head_size / 2);
    return row - in_head + 2 * i + half;
}

static void read_rows(const struct rows *rows, int64_t first, int64_t n, float *out)
{
    if (rows->tensor == NULL) {
        for (int64_t i = 0; i < n * rows->n_in; i++)
            out[i] = kvl_random_uniform(rows->seed, (uint64_t)(first * rows->n_in + i), rows->bound);
    } else if (rows->pair_head == 0) {
        kvl_tensor_rows(rows->tensor, first, n, out);
    } else {
        for (int64_t i = 0; i < n; i++)
            kvl_tensor_rows(rows->tensor, file_row(first + i, rows->pair_head), 1, out + i * rows->n_in);
    }
}

static void part_rows(const void *context, int part, int64_t first, int64_t n, float *out)
{
    read_rows((const struct rows *)context + part, first, n, out);
}

static enum kvl_status make_weight(struct kvl_model *model, const struct loader *loader, const enum role *roles, int n_roles,
                                   int64_t layer, struct kvl_weight **out)
{
    struct rows rows[KVL_WEIGHT_PARTS];
    struct kvl_weight_source source = {.n_parts = n_roles, .dtype = model->dtype, .one_row = roles[0] == HEAD,
                                       .rows = part_rows, .context = rows};
    for (int i = 0; i < n_roles; i++) {
        int64_t dims[2] = {0};
        dims_of(loader->shape, roles[i], dims);
        source.n_out[i] = dims[0];
        source.n_in = dims[1];
        bool tied = roles[i] == HEAD && loader->shape->tied;
        rows[i] = rows_of(loader, tied ? EMBEDDING : roles[i], layer);
        source.random = rows[i].tensor == NULL;
        source.seed[i] = rows[i].seed;
        source.bound = rows[i].bound;
    }
    KVL_TRY(model->ctx->be->weight_init(model->ctx, &source, out));
    model->weight_bytes += model->ctx->be->weight_bytes(*out);
    return KVL_OK;
}

/* n float32 values into the backend's memory. */
static enum kvl_status upload_floats(struct kvl_model *model, const float *values, int64_t n, const float **out)
{
    const struct kvl_backend *be = model->ctx->be;
    void *memory;
    KVL_TRY(be->alloc(model->ctx, n * (int64_t)sizeof(float), &memory));
    *out = memory;
    KVL_TRY(be->upload(model->ctx, memory, values, n * (int64_t)sizeof(float)));
    return be->sync(model->ctx);
}

static enum kvl_status make_norm(struct kvl_model *model, const struct loader *loader, enum role role, int64_t layer,
                                 const float **out)
{
    int64_t n = loader->shape->n_embd;
    float *values = malloc((size_t)n * sizeof *values);
    if (values == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for a norm of %lld values", (long long)n);
    struct rows rows = rows_of(loader, role, layer);
    if (rows.tensor != NULL)
        read_rows(&rows, 0, 1, values);
    for (int64_t i = 0; i < n && rows.tensor == NULL; i++)
        values[i] = 1.0f;
    enum kvl_status status = upload_floats(model, values, n, out);
    free(values);
    model->weight_bytes += n * (int64_t)sizeof(float);
    return status;
}

/* Rows [first, first + n) of the embedding table: as float32 in `wide`, and in `narrow` where the model is bf16. */
static void fill_embedding(const struct rows *rows, int64_t first, int64_t n, float *wide, uint16_t *narrow, int n_threads)
{
    int64_t n_in = rows->n_in;
#pragma omp parallel for schedule(static) num_threads(n_threads)
    for (int64_t i = 0; i < n; i++) {
        read_rows(rows, first + i, 1, wide + i * n_in);
        for (int64_t c = i * n_in; narrow != NULL && c < (i + 1) * n_in; c++)
            narrow[c] = kvl_f32_to_bf16(wide[c]);
    }
}

/* Random values are made in place; a file's go through a few megabytes of host memory: the table may be far larger than what is
 * free there. */
static enum kvl_status make_embedding(struct kvl_model *model, const struct loader *loader)
{
    enum { CHUNK_VALUES = 1 << 22 };
    const struct kvl_backend *be = model->ctx->be;
    int64_t n = model->shape.n_vocab, n_in = model->shape.n_embd, row_bytes = n_in * (int64_t)kvl_dtype_size(model->dtype);
    int64_t chunk = n_in < CHUNK_VALUES ? CHUNK_VALUES / n_in : 1;
    chunk = chunk < n ? chunk : n;
    struct rows rows = rows_of(loader, EMBEDDING, 0);
    KVL_TRY(be->alloc(model->ctx, n * row_bytes, &model->embedding));
    if (rows.tensor == NULL)
        return be->fill_random(model->ctx, &(struct kvl_fill_random){model->embedding, model->dtype, n * n_in, rows.seed, 0,
                                                                     rows.bound});
    struct kvl_device_info info;
    be->info(model->ctx, &info);
    float *wide = malloc((size_t)(chunk * n_in) * sizeof *wide);
    uint16_t *narrow = model->dtype == KVL_BF16 ? malloc((size_t)(chunk * n_in) * sizeof *narrow) : NULL;
    enum kvl_status status = KVL_OK;
    if (wide == NULL || (model->dtype == KVL_BF16 && narrow == NULL))
        status = kvl_fail(KVL_E_OOM, "no memory for %lld rows of the embedding table", (long long)chunk);
    for (int64_t first = 0; first < n && status == KVL_OK; first += chunk) {
        int64_t n_rows = n - first < chunk ? n - first : chunk;
        fill_embedding(&rows, first, n_rows, wide, narrow, info.n_threads > 0 ? info.n_threads : 1);
        const void *values = narrow != NULL ? (const void *)narrow : wide;
        status = be->upload(model->ctx, (char *)model->embedding + first * row_bytes, values, n_rows * row_bytes);
        if (status == KVL_OK)
            status = be->sync(model->ctx);
    }
    free(wide);
    free(narrow);
    return status;
}

static enum kvl_status make_layer(struct kvl_model *model, const struct loader *loader, int64_t i)
{
    static const enum role QKV[] = {Q, K, V}, O[] = {OUT}, GATE_UP[] = {GATE, UP}, D[] = {DOWN};
    struct kvl_layer *layer = &model->layers[i];
    KVL_TRY(make_norm(model, loader, ATTENTION_NORM, i, &layer->attention_norm));
    KVL_TRY(make_weight(model, loader, QKV, 3, i, &layer->qkv));
    KVL_TRY(make_weight(model, loader, O, 1, i, &layer->out));
    KVL_TRY(make_norm(model, loader, MLP_NORM, i, &layer->mlp_norm));
    KVL_TRY(make_weight(model, loader, GATE_UP, 2, i, &layer->gate_up));
    return make_weight(model, loader, D, 1, i, &layer->down);
}

enum kvl_status kvl_model_load_weights(struct kvl_model *model, const struct kvl_model_source *source, uint64_t seed)
{
    static const enum role H[] = {HEAD};
    const struct loader loader = {source, &model->shape, seed};
    float inv_freq[KVL_MAX_HEAD_SIZE / 2];
    model->layers = calloc((size_t)model->shape.n_layer, sizeof *model->layers);
    if (model->layers == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for %lld layers", (long long)model->shape.n_layer);
    KVL_TRY(make_embedding(model, &loader));
    for (int64_t i = 0; i < model->shape.n_layer; i++)
        KVL_TRY(make_layer(model, &loader, i));
    KVL_TRY(make_norm(model, &loader, NORM, 0, &model->norm));
    KVL_TRY(make_weight(model, &loader, H, 1, 0, &model->head));
    kvl_rope_inv_freq(&model->shape, inv_freq);
    return upload_floats(model, inv_freq, model->shape.head_size / 2, &model->inv_freq);
}
