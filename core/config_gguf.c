/* llama.cpp's metadata of the llama architecture, which covers LLaMA, Mistral 7B, Mistral NeMo and SmolLM. */
#include <stdio.h>
#include <string.h>

#include "core/config.h"

static const struct kvl_gguf_value *find(const struct kvl_gguf *gguf, const char *name)
{
    char key[64];
    snprintf(key, sizeof key, "llama.%s", name);
    return kvl_gguf_find(gguf, key);
}

static enum kvl_status missing(const char *name)
{
    return kvl_fail(KVL_E_FORMAT, "metadata key llama.%s is missing", name);
}

/* Without `required`, *out stays as it is where the key is missing. */
static enum kvl_status integer(const struct kvl_gguf *gguf, const char *name, bool required, int64_t *out)
{
    const struct kvl_gguf_value *value = find(gguf, name);
    if (value == NULL)
        return required ? missing(name) : KVL_OK;
    return kvl_gguf_integer(value, out);
}

static enum kvl_status real(const struct kvl_gguf *gguf, const char *name, bool required, double *out)
{
    const struct kvl_gguf_value *value = find(gguf, name);
    if (value == NULL)
        return required ? missing(name) : KVL_OK;
    return kvl_gguf_real(value, out);
}

static enum kvl_status check_architecture(const struct kvl_gguf *gguf)
{
    const struct kvl_gguf_value *value = kvl_gguf_find(gguf, "general.architecture");
    if (value == NULL)
        return kvl_fail(KVL_E_FORMAT, "metadata key general.architecture is missing");
    struct kvl_gguf_string name = {"", 0};
    KVL_TRY(kvl_gguf_text(value, &name));
    if (name.n != 5 || memcmp(name.data, "llama", 5) != 0)
        return kvl_fail(KVL_E_UNSUPPORTED, "general.architecture is '%s'; kvlab runs GGUF files of the llama architecture",
                        kvl_gguf_show(name).text);
    int64_t n_expert = 0;
    KVL_TRY(integer(gguf, "expert_count", false, &n_expert));
    if (n_expert != 0)
        return kvl_fail(KVL_E_UNSUPPORTED, "llama.expert_count is %lld; kvlab runs models without experts",
                        (long long)n_expert);
    return KVL_OK;
}

static enum kvl_status read_head_size(const struct kvl_gguf *gguf, struct kvl_shape *shape)
{
    if (find(gguf, "attention.key_length") == NULL) {
        if (shape->n_head < 1 || shape->n_embd % shape->n_head != 0)
            return kvl_fail(KVL_E_FORMAT,
                            "llama.embedding_length %lld is not a multiple of llama.attention.head_count %lld, and "
                            "llama.attention.key_length is missing",
                            (long long)shape->n_embd, (long long)shape->n_head);
        shape->head_size = shape->n_embd / shape->n_head;
    }
    KVL_TRY(integer(gguf, "attention.key_length", false, &shape->head_size));
    int64_t value_size = shape->head_size, rope_size = shape->head_size;
    KVL_TRY(integer(gguf, "attention.value_length", false, &value_size));
    KVL_TRY(integer(gguf, "rope.dimension_count", false, &rope_size));
    if (value_size != shape->head_size)
        return kvl_fail(KVL_E_UNSUPPORTED, "llama.attention.value_length is %lld, keys have %lld; kvlab runs models where both "
                        "are equal", (long long)value_size, (long long)shape->head_size);
    if (rope_size != shape->head_size)
        return kvl_fail(KVL_E_UNSUPPORTED, "llama.rope.dimension_count is %lld, heads have %lld; kvlab rotates whole heads",
                        (long long)rope_size, (long long)shape->head_size);
    return KVL_OK;
}

/* The vocabulary is what the embedding table holds; llama.vocab_size, where present, must agree. */
static enum kvl_status read_vocab(const struct kvl_gguf *gguf, struct kvl_shape *shape)
{
    const struct kvl_tensor *table = kvl_tensors_find(&gguf->tensors, "token_embd.weight");
    if (table == NULL)
        return kvl_fail(KVL_E_FORMAT, "tensor token_embd.weight is missing");
    shape->n_vocab = table->dims[0];
    int64_t claimed = shape->n_vocab;
    KVL_TRY(integer(gguf, "vocab_size", false, &claimed));
    if (claimed != shape->n_vocab)
        return kvl_fail(KVL_E_FORMAT, "llama.vocab_size is %lld, but token_embd.weight has %lld rows", (long long)claimed,
                        (long long)shape->n_vocab);
    shape->tied = kvl_tensors_find(&gguf->tensors, "output.weight") == NULL;
    return KVL_OK;
}

/* Each layer's divisors are written once, or not at all; llama.cpp's name for the file-wide tensor. */
static enum kvl_status read_divisors(const struct kvl_gguf *gguf, struct kvl_shape *shape)
{
    const struct kvl_tensor *tensor = kvl_tensors_find(&gguf->tensors, "rope_freqs.weight");
    if (tensor == NULL)
        return KVL_OK;
    if (tensor->type != KVL_TENSOR_F32 || tensor->n_dims != 1 || tensor->dims[0] != shape->head_size / 2
        || tensor->dims[0] > KVL_MAX_HEAD_SIZE / 2)
        return kvl_fail(KVL_E_FORMAT, "tensor rope_freqs.weight is not F32 [%lld], half the head size",
                        (long long)(shape->head_size / 2));
    if (shape->rope.scaling != KVL_ROPE_NONE)
        return kvl_fail(KVL_E_UNSUPPORTED, "has both rope_freqs.weight and llama.rope.scaling.type");
    shape->rope.scaling = KVL_ROPE_DIVISORS;
    kvl_tensor_rows(tensor, 0, 1, shape->rope.divisor);
    return KVL_OK;
}

static enum kvl_status read_rope(const struct kvl_gguf *gguf, struct kvl_shape *shape)
{
    struct kvl_rope *rope = &shape->rope;
    *rope = (struct kvl_rope){.theta = 10000.0, .factor = 1};
    KVL_TRY(real(gguf, "rope.freq_base", false, &rope->theta));
    const struct kvl_gguf_value *value = find(gguf, "rope.scaling.type");
    struct kvl_gguf_string type = {"none", 4};
    if (value != NULL)
        KVL_TRY(kvl_gguf_text(value, &type));
    if (type.n == 6 && memcmp(type.data, "linear", 6) == 0) {
        KVL_TRY(real(gguf, "rope.scaling.factor", true, &rope->factor));
        rope->scaling = KVL_ROPE_LINEAR;
    } else if (type.n != 4 || memcmp(type.data, "none", 4) != 0) {
        return kvl_fail(KVL_E_UNSUPPORTED, "llama.rope.scaling.type is '%s'; kvlab runs none and linear",
                        kvl_gguf_show(type).text);
    }
    return read_divisors(gguf, shape);
}

static enum kvl_status read_window(const struct kvl_gguf *gguf, struct kvl_shape *shape)
{
    int64_t window = 0;
    KVL_TRY(integer(gguf, "attention.sliding_window", false, &window));
    if (window < 0 || window > INT32_MAX)
        return kvl_fail(KVL_E_FORMAT, "llama.attention.sliding_window is %lld; it must be 0 (none) to %d", (long long)window,
                        INT32_MAX);
    for (int64_t i = 0; i < shape->n_layer && i < KVL_MAX_LAYERS; i++)
        shape->window[i] = (int32_t)window;
    return KVL_OK;
}

enum kvl_status kvl_config_from_gguf(struct kvl_shape *shape, const struct kvl_gguf *gguf)
{
    *shape = (struct kvl_shape){.architecture = "llama"};
    double eps = 0;
    KVL_TRY(check_architecture(gguf));
    KVL_TRY(integer(gguf, "block_count", true, &shape->n_layer));
    KVL_TRY(integer(gguf, "embedding_length", true, &shape->n_embd));
    KVL_TRY(integer(gguf, "attention.head_count", true, &shape->n_head));
    KVL_TRY(integer(gguf, "feed_forward_length", true, &shape->n_ff));
    KVL_TRY(integer(gguf, "context_length", true, &shape->n_context));
    KVL_TRY(real(gguf, "attention.layer_norm_rms_epsilon", true, &eps));
    shape->norm_eps = (float)eps;
    shape->n_kv = shape->n_head;
    KVL_TRY(integer(gguf, "attention.head_count_kv", false, &shape->n_kv));
    KVL_TRY(read_head_size(gguf, shape));
    KVL_TRY(read_vocab(gguf, shape));
    KVL_TRY(read_rope(gguf, shape));
    KVL_TRY(read_window(gguf, shape));
    return kvl_shape_check(shape);
}
