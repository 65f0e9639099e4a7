/* config.json of transformers 4 and 5 (LlamaConfig, MistralConfig, MinistralConfig). */
#include <stdio.h>
#include <string.h>

#include "core/config.h"
#include "core/json_file.h"

static const char *const MODEL_TYPES[] = {"llama", "mistral", "ministral"};

static enum kvl_status read_model_type(const json_t *config, struct kvl_shape *shape)
{
    const char *type = NULL;
    KVL_TRY(kvl_json_string(config, "model_type", true, &type));
    for (size_t i = 0; i < sizeof MODEL_TYPES / sizeof *MODEL_TYPES; i++)
        if (strcmp(type, MODEL_TYPES[i]) == 0) {
            snprintf(shape->architecture, sizeof shape->architecture, "%s", type);
            return KVL_OK;
        }
    return kvl_fail(KVL_E_UNSUPPORTED, "model_type is '%.40s'; kvlab runs llama, mistral and ministral", type);
}

static enum kvl_status refuse_extras(const json_t *config)
{
    static const char *const FLAGS[] = {"attention_bias", "mlp_bias"};
    for (size_t i = 0; i < sizeof FLAGS / sizeof *FLAGS; i++) {
        bool set = false;
        KVL_TRY(kvl_json_bool(config, FLAGS[i], &set));
        if (set)
            return kvl_fail(KVL_E_UNSUPPORTED, "%s is true; kvlab runs models without biases", FLAGS[i]);
    }
    const char *activation = "silu";
    KVL_TRY(kvl_json_string(config, "hidden_act", false, &activation));
    if (strcmp(activation, "silu") != 0 && strcmp(activation, "swish") != 0)
        return kvl_fail(KVL_E_UNSUPPORTED, "hidden_act is '%.40s'; kvlab runs models with silu", activation);
    if (kvl_json_get(config, "quantization_config") != NULL)
        return kvl_fail(KVL_E_UNSUPPORTED,
                        "has a quantization_config; kvlab reads F32, F16 and BF16 safetensors (or a quantized GGUF file)");
    return KVL_OK;
}

static enum kvl_status read_sizes(const json_t *config, struct kvl_shape *shape)
{
    KVL_TRY(kvl_json_integer(config, "num_hidden_layers", true, &shape->n_layer));
    KVL_TRY(kvl_json_integer(config, "hidden_size", true, &shape->n_embd));
    KVL_TRY(kvl_json_integer(config, "num_attention_heads", true, &shape->n_head));
    KVL_TRY(kvl_json_integer(config, "intermediate_size", true, &shape->n_ff));
    KVL_TRY(kvl_json_integer(config, "vocab_size", true, &shape->n_vocab));
    KVL_TRY(kvl_json_integer(config, "max_position_embeddings", true, &shape->n_context));
    shape->n_kv = shape->n_head;
    KVL_TRY(kvl_json_integer(config, "num_key_value_heads", false, &shape->n_kv));
    if (kvl_json_get(config, "head_dim") == NULL) {
        if (shape->n_head < 1 || shape->n_embd % shape->n_head != 0)
            return kvl_fail(KVL_E_FORMAT,
                            "hidden_size %lld is not a multiple of num_attention_heads %lld, and head_dim is missing",
                            (long long)shape->n_embd, (long long)shape->n_head);
        shape->head_size = shape->n_embd / shape->n_head;
    }
    KVL_TRY(kvl_json_integer(config, "head_dim", false, &shape->head_size));
    double eps = 1e-6; /* transformers' default */
    KVL_TRY(kvl_json_real(config, "rms_norm_eps", false, &eps));
    shape->norm_eps = (float)eps;
    return kvl_json_bool(config, "tie_word_embeddings", &shape->tied); /* transformers' default: false */
}

static enum kvl_status read_rope_scaling(const json_t *scaling, struct kvl_rope *rope)
{
    const char *type = "default";
    KVL_TRY(kvl_json_string(scaling, "type", false, &type)); /* transformers before 4.43 */
    KVL_TRY(kvl_json_string(scaling, "rope_type", false, &type));
    KVL_TRY(kvl_json_real(scaling, "rope_theta", false, &rope->theta));
    if (strcmp(type, "default") == 0)
        return KVL_OK;
    if (strcmp(type, "linear") != 0 && strcmp(type, "llama3") != 0)
        return kvl_fail(KVL_E_UNSUPPORTED, "rope_type is '%.40s'; kvlab runs default, linear and llama3", type);
    KVL_TRY(kvl_json_real(scaling, "factor", true, &rope->factor));
    rope->scaling = KVL_ROPE_LINEAR;
    if (strcmp(type, "llama3") == 0) {
        rope->scaling = KVL_ROPE_LLAMA3;
        KVL_TRY(kvl_json_real(scaling, "low_freq_factor", true, &rope->low_freq_factor));
        KVL_TRY(kvl_json_real(scaling, "high_freq_factor", true, &rope->high_freq_factor));
        KVL_TRY(kvl_json_integer(scaling, "original_max_position_embeddings", true, &rope->original_context));
    }
    return KVL_OK;
}

/* transformers 4 has rope_theta beside rope_scaling; transformers 5 puts both into rope_parameters. */
static enum kvl_status read_rope(const json_t *config, struct kvl_rope *rope)
{
    static const char *const PLACES[] = {"rope_scaling", "rope_parameters"};
    *rope = (struct kvl_rope){.theta = 10000.0, .factor = 1};
    KVL_TRY(kvl_json_real(config, "rope_theta", false, &rope->theta));
    for (size_t i = 0; i < sizeof PLACES / sizeof *PLACES; i++) {
        const json_t *scaling = kvl_json_get(config, PLACES[i]);
        if (scaling == NULL)
            continue;
        if (!json_is_object(scaling))
            return kvl_fail(KVL_E_FORMAT, "%s is not an object", PLACES[i]);
        if (json_is_object(json_object_get(scaling, "full_attention"))
            || json_is_object(json_object_get(scaling, "sliding_attention")))
            return kvl_fail(KVL_E_UNSUPPORTED, "%s differs by layer type, which kvlab does not run", PLACES[i]);
        enum kvl_status status = read_rope_scaling(scaling, rope);
        if (status != KVL_OK)
            return kvl_fail_prefix(status, "%s", PLACES[i]);
    }
    return KVL_OK;
}

/* Whether layer i slides; without layer_types all do. */
static enum kvl_status read_layer_types(const json_t *types, int64_t n_layer, bool *slides)
{
    for (int64_t i = 0; i < n_layer; i++)
        slides[i] = true;
    if (types == NULL)
        return KVL_OK;
    if (!json_is_array(types))
        return kvl_fail(KVL_E_FORMAT, "layer_types is not an array");
    if ((int64_t)json_array_size(types) != n_layer)
        return kvl_fail(KVL_E_FORMAT, "layer_types has %lld entries for %lld layers", (long long)json_array_size(types),
                        (long long)n_layer);
    for (int64_t i = 0; i < n_layer; i++) {
        const char *type = json_string_value(json_array_get(types, (size_t)i));
        if (type == NULL || (strcmp(type, "sliding_attention") != 0 && strcmp(type, "full_attention") != 0))
            return kvl_fail(KVL_E_UNSUPPORTED, "layer_types[%lld] is '%.40s'; kvlab runs sliding_attention and full_attention",
                            (long long)i, type != NULL ? type : "not a string");
        slides[i] = type[0] == 's';
    }
    return KVL_OK;
}

/* LLaMA has no sliding window: transformers ignores one in its config, and so do we once it is well-formed. */
static enum kvl_status read_windows(const json_t *config, struct kvl_shape *shape)
{
    int64_t window = 0;
    bool slides[KVL_MAX_LAYERS];
    const json_t *types = kvl_json_get(config, "layer_types");
    KVL_TRY(kvl_json_integer(config, "sliding_window", false, &window));
    if (kvl_json_get(config, "sliding_window") != NULL && (window < 1 || window > INT32_MAX))
        return kvl_fail(KVL_E_FORMAT, "sliding_window is %lld; it must be 1 to %d, or null for none", (long long)window,
                        INT32_MAX);
    if (shape->n_layer < 1 || shape->n_layer > KVL_MAX_LAYERS)
        return kvl_shape_check(shape);
    KVL_TRY(read_layer_types(types, shape->n_layer, slides));
    if (strcmp(shape->architecture, "llama") == 0)
        return KVL_OK;
    for (int64_t i = 0; i < shape->n_layer; i++) {
        if (types != NULL && slides[i] && window == 0)
            return kvl_fail(KVL_E_FORMAT, "layer_types[%lld] is sliding_attention, but sliding_window is missing", (long long)i);
        shape->window[i] = slides[i] ? (int32_t)window : 0;
    }
    return KVL_OK;
}

static enum kvl_status read_config(const json_t *config, struct kvl_shape *shape)
{
    KVL_TRY(read_model_type(config, shape));
    KVL_TRY(refuse_extras(config));
    KVL_TRY(read_sizes(config, shape));
    KVL_TRY(read_rope(config, &shape->rope));
    KVL_TRY(read_windows(config, shape));
    return kvl_shape_check(shape);
}

enum kvl_status kvl_config_from_json(struct kvl_shape *shape, const char *text, int64_t n)
{
    *shape = (struct kvl_shape){0};
    json_t *config;
    KVL_TRY(kvl_json_parse(text, n, &config));
    enum kvl_status status = read_config(config, shape);
    json_decref(config);
    return status;
}
