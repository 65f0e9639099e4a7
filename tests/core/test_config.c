/* Shapes from config.json and GGUF metadata; RoPE frequencies; presets. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/config.h"
#include "core/presets.h"
#include "tests/support/gguf_builder.h"
#include "tests/support/golden.h"

static const char LLAMA[] =
    "{\"model_type\": \"llama\", \"hidden_size\": 64, \"num_hidden_layers\": 4, \"num_attention_heads\": 4,"
    " \"num_key_value_heads\": 2, \"intermediate_size\": 96, \"vocab_size\": 320, \"max_position_embeddings\": 2048,"
    " \"rms_norm_eps\": 1e-05, \"rope_theta\": 10000.0, \"hidden_act\": \"silu\", \"torch_dtype\": \"float32\"}";

/* LLAMA with one more value, or one replaced; `value` is JSON text, NULL drops the key. */
static enum kvl_status read_with(const char *key, const char *value, struct kvl_shape *shape)
{
    json_t *config = json_loads(LLAMA, 0, NULL);
    if (value == NULL)
        json_object_del(config, key);
    else
        json_object_set_new(config, key, json_loads(value, JSON_DECODE_ANY, NULL));
    char *text = json_dumps(config, 0);
    enum kvl_status status = kvl_config_from_json(shape, text, (int64_t)strlen(text));
    free(text);
    json_decref(config);
    return status;
}

static void test_defaults(void **state)
{
    (void)state;
    struct kvl_shape s;
    assert_ok(kvl_config_from_json(&s, LLAMA, (int64_t)strlen(LLAMA)));
    assert_string_equal(s.architecture, "llama");
    assert_int_equal(s.n_layer, 4);
    assert_int_equal(s.n_embd, 64);
    assert_int_equal(s.n_head, 4);
    assert_int_equal(s.n_kv, 2);
    assert_int_equal(s.head_size, 16);
    assert_int_equal(s.n_ff, 96);
    assert_int_equal(s.n_vocab, 320);
    assert_int_equal(s.n_context, 2048);
    assert_false(s.tied);
    assert_true(s.norm_eps == 1e-5f);
    assert_int_equal(s.rope.scaling, KVL_ROPE_NONE);
    assert_int_equal(s.window[0], 0);
    assert_ok(read_with("num_key_value_heads", NULL, &s));
    assert_int_equal(s.n_kv, 4);
    assert_ok(read_with("head_dim", "null", &s));
    assert_int_equal(s.head_size, 16);
    assert_ok(read_with("head_dim", "24", &s));
    assert_int_equal(s.head_size, 24);
    assert_ok(read_with("tie_word_embeddings", "true", &s));
    assert_true(s.tied);
    assert_ok(read_with("rope_theta", "500000", &s));
    assert_true(s.rope.theta == 500000.0);
}

static void test_rope(void **state)
{
    (void)state;
    struct kvl_shape s;
    assert_ok(read_with("rope_scaling", "{\"type\": \"linear\", \"factor\": 4}", &s));
    assert_int_equal(s.rope.scaling, KVL_ROPE_LINEAR);
    float inv_freq[KVL_MAX_HEAD_SIZE / 2];
    kvl_rope_inv_freq(&s, inv_freq);
    assert_true(inv_freq[0] == 0.25f && fabsf(inv_freq[1] - 0.25f * powf(10000.0f, -0.125f)) < 1e-8f);
    assert_ok(read_with("rope_parameters", "{\"rope_type\": \"default\", \"rope_theta\": 100000.0}", &s));
    assert_int_equal(s.rope.scaling, KVL_ROPE_NONE);
    assert_true(s.rope.theta == 100000.0);
    assert_ok(read_with("rope_scaling", "{\"rope_type\": \"llama3\", \"factor\": 8.0, \"low_freq_factor\": 1.0,"
                                        "\"high_freq_factor\": 4.0, \"original_max_position_embeddings\": 64}", &s));
    assert_int_equal(s.rope.scaling, KVL_ROPE_LLAMA3);
    kvl_rope_inv_freq(&s, inv_freq);
    /* By hand: wave length 2 pi < 64 / 4 stays; 2 pi 10000^(7/8) > 64 is divided by 8; 2 pi 10000^(2/8) = 62.83 lies
     * between, mixed with (64 / 62.83 - 1) / 3. */
    assert_true(inv_freq[0] == 1.0f);
    assert_true(fabs((double)inv_freq[7] - pow(10000.0, -0.875) / 8) < 1e-10);
    double mix = (64 / (2 * M_PI * 10) - 1) / 3;
    assert_true(fabs((double)inv_freq[2] - ((1 - mix) * 0.1 / 8 + mix * 0.1)) < 1e-8);
}

static void test_windows(void **state)
{
    (void)state;
    struct kvl_shape s;
    assert_ok(read_with("sliding_window", "128", &s));
    assert_int_equal(s.window[0], 0); /* LLaMA has none, whatever its config says */
    const char *mistral = "{\"model_type\": \"mistral\", \"hidden_size\": 64, \"num_hidden_layers\": 3,"
                          "\"num_attention_heads\": 4, \"intermediate_size\": 96, \"vocab_size\": 320,"
                          "\"max_position_embeddings\": 2048, \"rms_norm_eps\": 1e-05%s}";
    static const struct {
        const char *more;
        int window[3]; /* -1: must fail */
    } ROWS[] = {
        {"", {0, 0, 0}},
        {", \"sliding_window\": null", {0, 0, 0}},
        {", \"sliding_window\": 48", {48, 48, 48}},
        {", \"sliding_window\": 48, \"layer_types\": null", {48, 48, 48}},
        {", \"sliding_window\": 48, \"layer_types\": [\"full_attention\", \"sliding_attention\", \"full_attention\"]", {0, 48, 0}},
        {", \"layer_types\": [\"full_attention\", \"full_attention\", \"full_attention\"]", {0, 0, 0}},
        {", \"layer_types\": [\"full_attention\", \"sliding_attention\", \"full_attention\"]", {-1, 0, 0}},
        {", \"sliding_window\": 48, \"layer_types\": [\"full_attention\"]", {-1, 0, 0}},
        {", \"sliding_window\": 48, \"layer_types\": [\"full_attention\", \"chunked_attention\", \"x\"]", {-1, 0, 0}},
        {", \"sliding_window\": 48, \"layer_types\": [0, 1, 2]", {-1, 0, 0}},
        {", \"sliding_window\": 48, \"layer_types\": \"full_attention\"", {-1, 0, 0}},
        {", \"sliding_window\": 0", {-1, 0, 0}},
        {", \"sliding_window\": 3000000000", {-1, 0, 0}},
        {", \"sliding_window\": [48, 48, 48]", {-1, 0, 0}},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        char text[1024];
        snprintf(text, sizeof text, mistral, ROWS[i].more);
        enum kvl_status status = kvl_config_from_json(&s, text, (int64_t)strlen(text));
        print_message("%s: %s\n", ROWS[i].more, status == KVL_OK ? "ok" : kvl_last_error());
        assert_int_equal(status == KVL_OK, ROWS[i].window[0] >= 0);
        for (int l = 0; l < 3 && status == KVL_OK; l++)
            assert_int_equal(s.window[l], ROWS[i].window[l]);
    }
}

/* Each of these must be refused with a sentence that names the key. */
static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value;
    } ROWS[] = {
        {"model_type", NULL}, {"model_type", "\"gpt2\""}, {"model_type", "3"}, {"model_type", "\"LLAMA\""},
        {"hidden_size", NULL}, {"hidden_size", "\"64\""}, {"hidden_size", "64.0"}, {"hidden_size", "0"},
        {"hidden_size", "-64"}, {"hidden_size", "9223372036854775807"}, {"hidden_size", "65"}, {"hidden_size", "[64]"},
        {"hidden_size", "true"}, {"num_hidden_layers", NULL}, {"num_hidden_layers", "0"}, {"num_hidden_layers", "-1"},
        {"num_hidden_layers", "513"}, {"num_hidden_layers", "4294967300"}, {"num_attention_heads", "0"},
        {"num_attention_heads", "-4"}, {"num_attention_heads", "3"}, {"num_attention_heads", "null"},
        {"num_key_value_heads", "3"}, {"num_key_value_heads", "0"}, {"num_key_value_heads", "8"},
        {"num_key_value_heads", "-2"}, {"num_key_value_heads", "2.5"}, {"head_dim", "0"}, {"head_dim", "15"},
        {"head_dim", "512"}, {"head_dim", "-16"}, {"intermediate_size", NULL}, {"intermediate_size", "0"},
        {"intermediate_size", "1099511627776"}, {"vocab_size", NULL}, {"vocab_size", "0"}, {"vocab_size", "-1"},
        {"vocab_size", "2147483648"}, {"max_position_embeddings", NULL}, {"max_position_embeddings", "0"},
        {"max_position_embeddings", "1e9"}, {"max_position_embeddings", "9223372036854775807"},
        {"rms_norm_eps", "-1e-5"}, {"rms_norm_eps", "1e30"}, {"rms_norm_eps", "\"NaN\""}, {"rope_theta", "0"},
        {"rope_theta", "-10000"}, {"rope_theta", "1e300"}, {"rope_theta", "\"1e4\""}, {"rope_scaling", "3"},
        {"rope_scaling", "\"linear\""}, {"rope_scaling", "{\"type\": \"dynamic\", \"factor\": 2}"},
        {"rope_scaling", "{\"rope_type\": \"yarn\", \"factor\": 2}"}, {"rope_scaling", "{\"rope_type\": \"linear\"}"},
        {"rope_scaling", "{\"rope_type\": \"linear\", \"factor\": 0}"},
        {"rope_scaling", "{\"rope_type\": \"linear\", \"factor\": -1}"},
        {"rope_scaling", "{\"rope_type\": \"llama3\", \"factor\": 8}"},
        {"rope_scaling", "{\"rope_type\": \"llama3\", \"factor\": 8, \"low_freq_factor\": 4, \"high_freq_factor\": 1,"
                         " \"original_max_position_embeddings\": 64}"},
        {"rope_scaling", "{\"rope_type\": \"llama3\", \"factor\": 8, \"low_freq_factor\": 1, \"high_freq_factor\": 4,"
                         " \"original_max_position_embeddings\": 0}"},
        {"rope_scaling", "{\"rope_type\": 7}"}, {"rope_parameters", "[]"}, {"rope_parameters", "{\"rope_theta\": \"x\"}"},
        {"rope_parameters", "{\"full_attention\": {\"rope_type\": \"default\"}}"}, {"tie_word_embeddings", "1"},
        {"tie_word_embeddings", "\"true\""}, {"sliding_window", "-1"}, {"sliding_window", "\"4096\""},
        {"layer_types", "[]"}, {"layer_types", "{}"}, {"attention_bias", "true"}, {"attention_bias", "\"no\""},
        {"mlp_bias", "true"}, {"hidden_act", "\"gelu\""}, {"hidden_act", "1"}, {"quantization_config", "{\"bits\": 4}"},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct kvl_shape s;
        enum kvl_status status = read_with(ROWS[i].key, ROWS[i].value, &s);
        const char *value = ROWS[i].value != NULL ? ROWS[i].value : "missing";
        if (status == KVL_OK)
            fail_msg("%s = %s passed", ROWS[i].key, value);
        if (strstr(kvl_last_error(), ROWS[i].key) == NULL)
            fail_msg("%s = %s: '%s' does not name the key", ROWS[i].key, value, kvl_last_error());
    }
}

static void test_malformed(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {
        "{", "[]", "null", "\"llama\"", "{\"model_type\": \"llama\",}", "{\"hidden_size\": NaN}", "{\"hidden_size\": 1e999}",
        "{\"hidden_size\": 99999999999999999999}", "{'model_type': 'llama'}", "{\"a\": 1, \"a\": 2}", "{} x", "\xff\xfe{}",
        "{\"model_type\": \"\\ud800\"}",
    };
    struct kvl_shape s;
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
        assert_int_not_equal(kvl_config_from_json(&s, TEXTS[i], (int64_t)strlen(TEXTS[i])), KVL_OK);
        assert_true(strlen(kvl_last_error()) > 10);
    }
    enum { DEPTH = 1 << 20 };
    char *deep = malloc(DEPTH + 6);
    memcpy(deep, "{\"a\":", 5);
    memset(deep + 5, '[', DEPTH);
    assert_int_equal(kvl_config_from_json(&s, deep, DEPTH + 5), KVL_E_FORMAT);
    free(deep);
}

static enum kvl_status read_gguf(struct gguf_builder *b, struct kvl_shape *shape)
{
    struct bytes file = gguf_builder_write(b);
    struct kvl_gguf gguf;
    assert_ok(kvl_gguf_parse(&gguf, file.data, (int64_t)file.n, "test.gguf"));
    enum kvl_status status = kvl_config_from_gguf(shape, &gguf);
    kvl_gguf_free(&gguf);
    bytes_free(&file);
    gguf_builder_free(b);
    return status;
}

static void test_gguf(void **state)
{
    (void)state;
    struct kvl_shape s;
    struct gguf_builder b;
    gguf_builder_init(&b);
    gguf_builder_f32(&b, "llama.rope.freq_base", 500000.0f);
    gguf_builder_u32(&b, "llama.attention.sliding_window", 77);
    assert_ok(read_gguf(&b, &s));
    assert_int_equal(s.n_layer, 1);
    assert_int_equal(s.head_size, 16);
    assert_int_equal(s.n_vocab, 8);
    assert_true(s.tied);
    assert_true(s.rope.theta == 500000.0);
    assert_int_equal(s.window[0], 77);
    gguf_builder_init(&b);
    gguf_builder_u32(&b, "llama.attention.key_length", 20);
    gguf_builder_u32(&b, "llama.attention.value_length", 20);
    gguf_builder_drop_key(&b, "llama.attention.head_count_kv");
    gguf_builder_add_tensor(&b, "output.weight", 8, 32);
    assert_ok(read_gguf(&b, &s));
    assert_int_equal(s.head_size, 20);
    assert_int_equal(s.n_kv, 2);
    assert_false(s.tied);
}

static void test_gguf_rope(void **state)
{
    (void)state;
    struct kvl_shape s;
    struct gguf_builder b;
    float inv_freq[KVL_MAX_HEAD_SIZE / 2];
    gguf_builder_init(&b);
    gguf_builder_string(&b, "llama.rope.scaling.type", "linear");
    gguf_builder_f32(&b, "llama.rope.scaling.factor", 2.0f);
    assert_ok(read_gguf(&b, &s));
    kvl_rope_inv_freq(&s, inv_freq);
    assert_true(inv_freq[0] == 0.5f);
    gguf_builder_init(&b);
    gguf_builder_add_tensor(&b, "rope_freqs.weight", 0, 8);
    assert_int_not_equal(read_gguf(&b, &s), KVL_OK); /* the builder's values are negative ones too */
    assert_non_null(strstr(kvl_last_error(), "rope_freqs"));
    s.rope.scaling = KVL_ROPE_DIVISORS;
    s.rope.theta = 10000;
    s.head_size = 4;
    s.rope.divisor[0] = 4.0f;
    s.rope.divisor[1] = 8.0f;
    kvl_rope_inv_freq(&s, inv_freq);
    assert_true(inv_freq[0] == 0.25f && inv_freq[1] == (float)(0.01 / 8));
}

static void test_presets(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double millions; /* as published */
    } ROWS[] = {{"llama-3.1-8b", 8030.26}, {"llama-3.2-1b", 1235.81}, {"ministral-8b", 8019.81}, {"mistral-nemo-12b", 12247.78},
                {"mistral-7b-v0.3", 7248.02}, {"smollm2-135m", 134.515}, {"smollm2-360m", 361.82}, {"smollm2-1.7b", 1711.38}};
    struct kvl_shape s;
    for (int i = 0; kvl_preset_at(i) != NULL; i++) {
        assert_ok(kvl_preset_shape(kvl_preset_at(i)->name, &s));
        assert_ok(kvl_shape_check(&s));
        assert_true(kvl_shape_n_params(&s) > kvl_shape_n_linear(&s));
    }
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        assert_ok(kvl_preset_shape(ROWS[i].name, &s));
        double millions = (double)kvl_shape_n_params(&s) / 1e6;
        if (!(fabs(millions - ROWS[i].millions) < 1e-5 * ROWS[i].millions + 0.01))
            fail_msg("%s has %.3f million parameters, published are %.3f", ROWS[i].name, millions, ROWS[i].millions);
    }
    assert_ok(kvl_preset_shape("ministral-8b", &s));
    assert_true(s.window[0] == 0 && s.window[1] == 32768 && s.window[3] == 32768 && s.window[4] == 0);
    assert_ok(kvl_preset_shape("tiny-mistral", &s));
    assert_true(s.window[0] == 48 && s.window[5] == 48);
    assert_int_equal(kvl_preset_shape("lama-3.1-8b", &s), KVL_E_ARG);
    assert_non_null(strstr(kvl_last_error(), "random:llama-3.1-8b?"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults), cmocka_unit_test(test_rope), cmocka_unit_test(test_windows),
        cmocka_unit_test(test_refused),  cmocka_unit_test(test_malformed), cmocka_unit_test(test_gguf),
        cmocka_unit_test(test_gguf_rope), cmocka_unit_test(test_presets),
    };
    return test_result(cmocka_run_group_tests(tests, NULL, NULL));
}
