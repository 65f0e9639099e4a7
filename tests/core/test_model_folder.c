/* Hugging Face folders: one that loads, and one change each that must end in a sentence that names the file. */
#include <stdlib.h>
#include <string.h>

#include "core/model.h"
#include "tests/support/address_space.h"
#include "tests/support/golden.h"
#include "tests/support/model_folder.h"

static struct kvl_ctx *ctx;
static struct model_folder folder;

static const char CONFIG[] =
    "{\"model_type\": \"mistral\", \"hidden_size\": 32, \"num_hidden_layers\": 1, \"num_attention_heads\": 2,"
    " \"num_key_value_heads\": 1, \"intermediate_size\": 48, \"vocab_size\": 8, \"max_position_embeddings\": 128,"
    " \"rms_norm_eps\": 1e-05, \"tie_word_embeddings\": true}";

static const char TOKENIZER[] =
    "{\"version\": \"1.0\", \"added_tokens\": [{\"id\": 0, \"content\": \"<s>\", \"special\": true, \"single_word\": false,"
    " \"lstrip\": false, \"rstrip\": false, \"normalized\": false}], \"normalizer\": null,"
    " \"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"trim_offsets\": true, \"use_regex\": true},"
    " \"post_processor\": null, \"decoder\": {\"type\": \"ByteLevel\", \"add_prefix_space\": true, \"trim_offsets\": true,"
    " \"use_regex\": true}, \"model\": {\"type\": \"BPE\", \"dropout\": null, \"unk_token\": null,"
    " \"continuing_subword_prefix\": null, \"end_of_word_suffix\": null, \"fuse_unk\": false, \"byte_fallback\": false,"
    " \"ignore_merges\": false, \"vocab\": {\"<s>\": 0, \"a\": 1, \"b\": 2, \"ab\": 3}, \"merges\": [\"a b\"]}}";

static const struct {
    const char *name;
    int n_out, n_in; /* n_out 0: a vector */
} TENSORS[] = {
    {"model.embed_tokens.weight", 8, 32},
    {"model.layers.0.input_layernorm.weight", 0, 32},
    {"model.layers.0.self_attn.q_proj.weight", 32, 32},
    {"model.layers.0.self_attn.k_proj.weight", 16, 32},
    {"model.layers.0.self_attn.v_proj.weight", 16, 32},
    {"model.layers.0.self_attn.o_proj.weight", 32, 32},
    {"model.layers.0.post_attention_layernorm.weight", 0, 32},
    {"model.layers.0.mlp.gate_proj.weight", 48, 32},
    {"model.layers.0.mlp.up_proj.weight", 48, 32},
    {"model.layers.0.mlp.down_proj.weight", 32, 48},
    {"model.norm.weight", 0, 32},
};
enum { N_TENSORS = sizeof TENSORS / sizeof *TENSORS };

/* Header of tensors [first, last); *n_data is what their data takes. */
static json_t *header_of(int first, int last, size_t *n_data)
{
    json_t *header = json_object();
    *n_data = 0;
    for (int i = first; i < last; i++) {
        json_int_t n = TENSORS[i].n_in * (TENSORS[i].n_out > 0 ? TENSORS[i].n_out : 1), begin = (json_int_t)*n_data;
        json_t *shape = TENSORS[i].n_out > 0 ? json_pack("[i, i]", TENSORS[i].n_out, TENSORS[i].n_in)
                                             : json_pack("[i]", TENSORS[i].n_in);
        json_object_set_new(header, TENSORS[i].name,
                            json_pack("{s:s, s:o, s:[I, I]}", "dtype", "F32", "shape", shape, "data_offsets", begin, begin + 4 * n));
        *n_data += (size_t)(4 * n);
    }
    return header;
}

/* Writes a header and its data; takes the reference. */
static void write_tensors(const char *name, json_t *header, size_t n_data)
{
    char *text = json_dumps(header, JSON_COMPACT);
    struct bytes file = safetensors_write(text, -1, n_data);
    model_folder_write(&folder, name, file.data, file.n);
    bytes_free(&file);
    free(text);
    json_decref(header);
}

static const char INDEX[] = "model.safetensors.index.json";

static void write_good(void)
{
    size_t n_data;
    model_folder_remove(&folder, INDEX);
    json_t *header = header_of(0, N_TENSORS, &n_data);
    write_tensors("model.safetensors", header, n_data);
    model_folder_write_text(&folder, "config.json", CONFIG);
    model_folder_write_text(&folder, "tokenizer.json", TOKENIZER);
}

/* The same as two shards: tensors before `split` in one.safetensors, the others in two.safetensors. */
static json_t *write_shards(int split)
{
    size_t n_data;
    json_t *header = header_of(0, split, &n_data);
    write_tensors("one.safetensors", header, n_data);
    header = header_of(split, N_TENSORS, &n_data);
    write_tensors("two.safetensors", header, n_data);
    model_folder_remove(&folder, "model.safetensors");
    json_t *map = json_object();
    for (int i = 0; i < N_TENSORS; i++)
        json_object_set_new(map, TENSORS[i].name, json_string(i < split ? "one.safetensors" : "two.safetensors"));
    return map;
}

static void write_index(json_t *map)
{
    json_t *index = json_pack("{s:{}, s:o}", "metadata", "weight_map", map);
    char *text = json_dumps(index, 0);
    model_folder_write_text(&folder, INDEX, text);
    free(text);
    json_decref(index);
}

static void must_fail(const char *what, const char *part)
{
    struct kvl_model *model;
    int64_t before = ctx->memory.current;
    if (kvl_model_load(ctx, folder.path, &(struct kvl_model_options){.dtype = KVL_F32}, &model) == KVL_OK)
        fail_msg("%s: loaded", what);
    assert_null(model);
    const char *named = strstr(kvl_last_error(), folder.path);
    if (named == NULL || strstr(kvl_last_error(), part) == NULL)
        fail_msg("%s: '%s' does not name the folder or '%s'", what, kvl_last_error(), part);
    assert_int_equal(ctx->memory.current, before);
}

static struct kvl_model *must_load(void)
{
    struct kvl_model *model;
    if (kvl_model_load(ctx, folder.path, &(struct kvl_model_options){.dtype = KVL_F32}, &model) != KVL_OK)
        fail_msg("%s", kvl_last_error());
    return model;
}

static void test_good(void **state)
{
    (void)state;
    write_good();
    struct kvl_model *one = must_load();
    assert_true(one->shape.tied && one->shape.n_embd == 32);
    assert_true(((float *)one->embedding)[1] == (float)(4 * 5 % 11 - 5) / 16);
    assert_null(one->chat_jinja);
    write_index(write_shards(4));
    struct kvl_model *two = must_load();
    assert_memory_equal(one->embedding, two->embedding, 8 * 32 * sizeof(float));
    assert_int_equal(one->weight_bytes, two->weight_bytes);
    assert_true(strcmp(one->hash, two->hash) != 0);
    kvl_model_free(one);
    kvl_model_free(two);
}

static void test_chat_template(void **state)
{
    (void)state;
    static const struct {
        const char *config, *expected; /* expected NULL: none; "": must fail */
    } ROWS[] = {
        {"{}", NULL},
        {"{\"chat_template\": null}", NULL},
        {"{\"chat_template\": \"T\"}", "T"},
        {"{\"chat_template\": [{\"name\": \"tool_use\", \"template\": \"A\"}, {\"name\": \"default\", \"template\": \"B\"}]}", "B"},
        {"{\"chat_template\": [{\"name\": \"tool_use\", \"template\": \"A\"}]}", NULL},
        {"{\"chat_template\": 3}", ""},
        {"{\"chat_template\": [3]}", ""},
        {"{\"chat_template\": [{\"name\": \"default\"}]}", ""},
        {"{\"chat_template\": \"\\ud800\"}", ""},
        {"[", ""},
    };
    write_good();
    struct kvl_model *model;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        model_folder_write_text(&folder, "tokenizer_config.json", ROWS[i].config);
        enum kvl_status status = kvl_model_load_tokenizer(folder.path, &model);
        bool bad = ROWS[i].expected != NULL && ROWS[i].expected[0] == '\0';
        assert_int_equal(status == KVL_OK, !bad);
        if (bad) {
            assert_non_null(strstr(kvl_last_error(), "tokenizer_config.json"));
            continue;
        }
        assert_true((ROWS[i].expected == NULL) == (model->chat_jinja == NULL));
        if (model->chat_jinja != NULL)
            assert_string_equal(model->chat_jinja, ROWS[i].expected);
        kvl_model_free(model);
    }
    /* A file of its own goes before the configuration. */
    model_folder_write_text(&folder, "tokenizer_config.json", "{\"chat_template\": \"T\"}");
    model_folder_write_text(&folder, "chat_template.jinja", "from the file");
    assert_ok(kvl_model_load_tokenizer(folder.path, &model));
    assert_string_equal(model->chat_jinja, "from the file");
    kvl_model_free(model);
    model_folder_write(&folder, "chat_template.jinja", "a\0b", 3);
    assert_int_equal(kvl_model_load_tokenizer(folder.path, &model), KVL_E_FORMAT);
    model_folder_remove(&folder, "chat_template.jinja");
    model_folder_remove(&folder, "tokenizer_config.json");
}

static void test_files(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"config.json", "model.safetensors", "tokenizer.json"};
    for (int i = 0; i < 3; i++) {
        write_good();
        model_folder_remove(&folder, NAMES[i]);
        must_fail("a missing file", NAMES[i]);
        static const char *const TEXTS[] = {"", "x", "{", "[]", "null", "{}", "{\"a\": NaN}", "\xff\xfe\xfd"};
        for (size_t t = 0; t < sizeof TEXTS / sizeof *TEXTS; t++) {
            write_good();
            model_folder_write_text(&folder, NAMES[i], TEXTS[t]);
            must_fail(TEXTS[t], NAMES[i]);
        }
    }
}

static void test_truncations(void **state)
{
    (void)state;
    size_t n_data;
    json_t *header = header_of(0, N_TENSORS, &n_data);
    char *text = json_dumps(header, JSON_COMPACT);
    size_t n_header = strlen(text);
    struct bytes file = safetensors_write(text, -1, n_data);
    write_good();
    const size_t ends[] = {1, 7, 8, 9, 8 + n_header / 2, 8 + n_header - 1, 8 + n_header, 8 + n_header + 1, file.n / 2, file.n - 1};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        model_folder_write(&folder, "model.safetensors", file.data, ends[i]);
        must_fail("a truncated file", "model.safetensors");
    }
    for (size_t n = 1; n < strlen(CONFIG); n += 13) {
        write_good();
        model_folder_write(&folder, "config.json", CONFIG, n);
        must_fail("a truncated config", "config.json");
    }
    for (size_t n = 1; n < strlen(TOKENIZER); n += 61) {
        write_good();
        model_folder_write(&folder, "tokenizer.json", TOKENIZER, n);
        must_fail("a truncated tokenizer", "tokenizer.json");
    }
    bytes_free(&file);
    free(text);
    json_decref(header);
}

/* One value of the header changed; NULL drops the tensor. */
static void test_header_changes(void **state)
{
    (void)state;
    static const struct {
        int tensor;
        const char *field, *value, *part;
    } ROWS[] = {
        {0, NULL, NULL, "model.embed_tokens.weight is missing"},
        {2, NULL, NULL, "q_proj.weight is missing"},
        {5, NULL, NULL, "o_proj.weight is missing"},
        {10, NULL, NULL, "model.norm.weight is missing"},
        {0, "dtype", "\"F64\"", "F64"},
        {2, "dtype", "\"F8_E4M3\"", "F8_E4M3"},
        {2, "dtype", "\"I8\"", "I8"},
        {2, "dtype", "\"BF16\"", "q_proj.weight"},
        {2, "dtype", "7", "q_proj.weight"},
        {2, "shape", "[16, 64]", "[16, 64]"},
        {2, "shape", "[1024]", "[1024]"},
        {2, "shape", "[32, 32, 1]", "[32, 32, 1]"},
        {2, "shape", "[1, 1, 1, 32, 32]", "5-dimensional"},
        {2, "shape", "[]", "0-dimensional"},
        {2, "shape", "[33, 32]", "[33, 32]"},
        {2, "shape", "[4294967296, 4294967296]", "q_proj.weight"},
        {2, "shape", "[-32, -32]", "q_proj.weight"},
        {1, "shape", "[32, 1]", "input_layernorm"},
        {2, "data_offsets", "[1024, 5120]", "overlap"},
        {2, "data_offsets", "[1152, 5247]", "q_proj.weight"},
        {2, "data_offsets", "[5248, 1152]", "q_proj.weight"},
        {2, "data_offsets", "[-4096, 0]", "q_proj.weight"},
        {2, "data_offsets", "[1000000, 1004096]", "truncated"},
        {2, "data_offsets", "[9223372036854771711, 9223372036854775807]", "truncated"},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        size_t n_data;
        json_t *header = header_of(0, N_TENSORS, &n_data);
        const char *name = TENSORS[ROWS[i].tensor].name;
        if (ROWS[i].field == NULL)
            json_object_del(header, name);
        else
            json_object_set_new(json_object_get(header, name), ROWS[i].field, json_loads(ROWS[i].value, JSON_DECODE_ANY, NULL));
        write_good();
        write_tensors("model.safetensors", header, n_data);
        must_fail(ROWS[i].value != NULL ? ROWS[i].value : name, ROWS[i].part);
    }
}

static void test_extra_tensors(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"model.layers.0.self_attn.q_proj.bias", "model.layers.0.mlp.down_proj.bias",
                                        "model.layers.1.input_layernorm.weight"};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        size_t n_data;
        json_t *header = header_of(0, N_TENSORS, &n_data);
        json_object_set_new(header, NAMES[i], json_pack("{s:s, s:[i], s:[I, I]}", "dtype", "F32", "shape", 32, "data_offsets",
                                                        (json_int_t)n_data, (json_int_t)n_data + 128));
        write_good();
        write_tensors("model.safetensors", header, n_data + 128);
        must_fail(NAMES[i], NAMES[i]);
    }
}

static void test_config_changes(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value, *part;
    } ROWS[] = {
        {"model_type", "\"qwen2\"", "qwen2"}, {"hidden_size", "64", "model.embed_tokens.weight"},
        {"hidden_size", "1048576", "head_dim"}, {"num_hidden_layers", "2", "model.layers.1"},
        {"num_hidden_layers", "512", "model.layers.1"}, {"num_hidden_layers", "1000000000000", "num_hidden_layers"},
        {"vocab_size", "9", "model.embed_tokens.weight"}, {"vocab_size", "16777216", "model.embed_tokens.weight"},
        {"intermediate_size", "4194304", "gate_proj"}, {"num_attention_heads", "1", "k_proj"},
        {"num_key_value_heads", "2", "k_proj"}, {"head_dim", "256", "q_proj"}, {"tie_word_embeddings", "false", "lm_head.weight"},
        {"sliding_window", "-5", "sliding_window"}, {"layer_types", "[\"full_attention\", \"full_attention\"]", "layer_types"},
        {"rms_norm_eps", "-1", "rms_norm_eps"}, {"max_position_embeddings", "-1", "max_position_embeddings"},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        json_t *config = json_loads(CONFIG, 0, NULL);
        json_object_set_new(config, ROWS[i].key, json_loads(ROWS[i].value, JSON_DECODE_ANY, NULL));
        char *text = json_dumps(config, 0);
        write_good();
        model_folder_write_text(&folder, "config.json", text);
        must_fail(text, ROWS[i].part);
        free(text);
        json_decref(config);
    }
}

static void test_index_lies(void **state)
{
    (void)state;
    static const struct {
        const char *tensor, *shard, *part;
    } ROWS[] = {
        {"model.norm.weight", "one.safetensors", "model.norm.weight into one.safetensors"},
        {"model.norm.weight", "three.safetensors", "three.safetensors"},
        {"model.norm.weight", "../two.safetensors", "../two.safetensors"},
        {"model.norm.weight", "/dev/zero", "/dev/zero"},
        {"model.norm.weight", "..", ".."},
        {"model.norm.weight", "config.json", "config.json"},
        {"no.such.tensor", "two.safetensors", "no.such.tensor into two.safetensors"},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        write_good();
        json_t *map = write_shards(4);
        json_object_set_new(map, ROWS[i].tensor, json_string(ROWS[i].shard));
        write_index(map);
        must_fail(ROWS[i].shard, ROWS[i].part);
    }
    /* The same tensor in both shards. */
    write_good();
    json_t *map = write_shards(4);
    size_t n_data;
    json_t *header = header_of(3, N_TENSORS, &n_data);
    write_tensors("two.safetensors", header, n_data);
    write_index(map);
    must_fail("a tensor in two shards", "occurs twice");
    model_folder_write_text(&folder, INDEX, "{\"weight_map\": [1]}");
    must_fail("a list", INDEX);
    model_folder_remove(&folder, INDEX);
    must_fail("no index", INDEX);
}

static int setup(void **state)
{
    (void)state;
    limit_address_space();
    ctx = open_cpu(2);
    model_folder_init(&folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    model_folder_free(&folder);
    ctx->be->close(ctx);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),           cmocka_unit_test(test_chat_template), cmocka_unit_test(test_files),
        cmocka_unit_test(test_truncations),    cmocka_unit_test(test_header_changes), cmocka_unit_test(test_extra_tensors),
        cmocka_unit_test(test_config_changes), cmocka_unit_test(test_index_lies),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
