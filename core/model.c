#include "core/model.h"

#include <stdlib.h>

#include "core/model_source.h"
#include "core/model_weights.h"

static enum kvl_status load(struct kvl_model *model, struct kvl_model_source *source, const struct kvl_model_options *options)
{
    if (options->n_context > 0 && source->kind != KVL_SOURCE_RANDOM)
        return kvl_fail(KVL_E_ARG, "%s: a context of %lld can be asked of random:NAME only; files say their own (%lld)",
                        source->path, (long long)options->n_context, (long long)source->shape.n_context);
    if (options->n_context > 0) {
        source->shape.n_context = options->n_context;
        KVL_TRY(kvl_shape_check(&source->shape));
    }
    KVL_TRY(kvl_model_check_tensors(source));
    model->shape = source->shape;
    if (source->kind != KVL_SOURCE_RANDOM && !options->no_weights)
        KVL_TRY(kvl_model_source_tokenizer(source, model->shape.n_vocab, &model->tokenizer, &model->chat_jinja));
    kvl_model_source_hash(source, options->seed, model->hash);
    if (options->no_weights)
        return KVL_OK;
    enum kvl_status status = kvl_model_load_weights(model, source, options->seed);
    return status == KVL_OK ? status : kvl_fail_prefix(status, "%s", source->path);
}

enum kvl_status kvl_model_load(struct kvl_ctx *ctx, const char *path, const struct kvl_model_options *options,
                               struct kvl_model **out)
{
    *out = NULL;
    struct kvl_model_source source;
    KVL_TRY(kvl_model_source_open(&source, path));
    struct kvl_model *model = calloc(1, sizeof *model);
    enum kvl_status status = model != NULL ? KVL_OK : kvl_fail(KVL_E_OOM, "no memory for a model");
    if (status == KVL_OK) {
        model->ctx = ctx;
        model->dtype = options->dtype;
        memcpy(model->name, source.name, sizeof model->name);
        status = load(model, &source, options);
    }
    kvl_model_source_close(&source);
    if (status != KVL_OK) {
        kvl_model_free(model);
        return status;
    }
    *out = model;
    return KVL_OK;
}

enum kvl_status kvl_model_load_tokenizer(const char *path, struct kvl_model **out)
{
    *out = NULL;
    struct kvl_model_source source;
    KVL_TRY(kvl_model_source_open_tokenizer(&source, path));
    struct kvl_model *model = calloc(1, sizeof *model);
    enum kvl_status status = model != NULL ? KVL_OK : kvl_fail(KVL_E_OOM, "no memory for a model");
    if (status == KVL_OK) {
        memcpy(model->name, source.name, sizeof model->name);
        status = kvl_model_source_tokenizer(&source, 0, &model->tokenizer, &model->chat_jinja);
    }
    if (status == KVL_OK && model->tokenizer == NULL)
        status = kvl_fail(KVL_E_FORMAT, "%s: holds no tokenizer (no tokenizer.ggml.model)", path);
    kvl_model_source_close(&source);
    if (status != KVL_OK) {
        kvl_model_free(model);
        return status;
    }
    *out = model;
    return KVL_OK;
}

static void free_floats(struct kvl_model *model, const float *memory)
{
    model->ctx->be->free(model->ctx, (void *)(uintptr_t)memory);
}

static void free_weights(struct kvl_model *model)
{
    const struct kvl_backend *be = model->ctx->be;
    for (int64_t i = 0; model->layers != NULL && i < model->shape.n_layer; i++) {
        struct kvl_layer *layer = &model->layers[i];
        free_floats(model, layer->attention_norm);
        free_floats(model, layer->mlp_norm);
        be->weight_free(model->ctx, layer->qkv);
        be->weight_free(model->ctx, layer->out);
        be->weight_free(model->ctx, layer->gate_up);
        be->weight_free(model->ctx, layer->down);
    }
    be->free(model->ctx, model->embedding);
    free_floats(model, model->norm);
    free_floats(model, model->inv_freq);
    be->weight_free(model->ctx, model->head);
}

void kvl_model_free(struct kvl_model *model)
{
    if (model == NULL)
        return;
    if (model->ctx != NULL)
        free_weights(model);
    free(model->layers);
    kvl_tokenizer_free(model->tokenizer);
    free(model->chat_jinja);
    free(model);
}
