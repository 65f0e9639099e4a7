/* GGUF files that lie: each must end in a sentence that names the file, with nothing left allocated. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/model.h"
#include "tests/support/address_space.h"
#include "tests/support/golden.h"
#include "tests/support/model_folder.h"

static struct kvl_ctx *ctx;
static struct model_folder folder;

/* Loads `source`; it must fail, name `source`, contain `part`, and leave nothing allocated. */
static void must_fail(const char *source, const char *what, const char *part)
{
    struct kvl_model *model;
    int64_t before = ctx->memory.current;
    const struct kvl_model_options options = {.dtype = KVL_F32};
    if (kvl_model_load(ctx, source, &options, &model) == KVL_OK)
        fail_msg("%s: loaded", what);
    assert_null(model);
    if (strstr(kvl_last_error(), source) == NULL || strstr(kvl_last_error(), part) == NULL)
        fail_msg("%s: '%s' does not name '%s' or '%s'", what, kvl_last_error(), source, part);
    if (strstr(strstr(kvl_last_error(), source) + 1, source) != NULL)
        fail_msg("%s: '%s' names the file twice", what, kvl_last_error());
    assert_int_equal(ctx->memory.current, before);
}

/* Writes the builder's file, which must fail as above; frees the builder. */
static void must_fail_built(struct gguf_builder *b, const char *what, const char *part)
{
    struct bytes file = gguf_builder_write(b);
    model_folder_write(&folder, "m.gguf", file.data, file.n);
    char path[128];
    snprintf(path, sizeof path, "%s", model_folder_file(&folder, "m.gguf"));
    must_fail(path, what, part);
    bytes_free(&file);
    gguf_builder_free(b);
}

/* Truncation where any field of the file begins, and within its tensors. */
static void test_gguf_truncations(void **state)
{
    (void)state;
    struct gguf_builder b;
    gguf_builder_init(&b);
    struct bytes file = gguf_builder_write(&b);
    char path[128];
    snprintf(path, sizeof path, "%s", model_folder_file(&folder, "m.gguf"));
    for (int i = 1; i < b.n_marks; i++)
        for (size_t n = b.marks[i]; n < b.marks[i] + 2 && n < file.n; n++) {
            char what[48];
            snprintf(what, sizeof what, "truncated to %zu bytes", n);
            model_folder_write(&folder, "m.gguf", file.data, n);
            must_fail(path, what, "truncated");
        }
    print_message("%d fields\n", b.n_marks);
    model_folder_remove(&folder, "m.gguf");
    bytes_free(&file);
    gguf_builder_free(&b);
}

/* One change each to a file that loads. */
enum change {
    DROP_KEY, SET_U32, SET_U64, SET_F32, SET_STRING, SET_BOOL, /* of a key */
    DROP_TENSOR, ADD_TENSOR, SET_TYPE, SET_ROWS, SET_COLUMNS, SET_DIMS
};

static const struct {
    enum change change;
    const char *name;
    double number;
    const char *text;
    const char *part; /* of the sentence; NULL: the name */
} CHANGES[] = {
    {DROP_KEY, "general.architecture", 0, NULL, NULL},
    {SET_STRING, "general.architecture", 0, "gpt2", "llama"},
    {SET_STRING, "general.architecture", 0, "", NULL},
    {SET_STRING, "general.architecture", 0, "llama4", NULL},
    {SET_STRING, "general.architecture", 0, "ll\xff\xfe\n", NULL},
    {SET_U32, "general.architecture", 3, NULL, NULL},
    {DROP_KEY, "llama.block_count", 0, NULL, NULL},
    {SET_U32, "llama.block_count", 0, NULL, "num_hidden_layers"},
    {SET_U32, "llama.block_count", 2, NULL, "blk.1.attn_norm.weight"},
    {SET_U32, "llama.block_count", 4294967295, NULL, "num_hidden_layers"},
    {SET_U64, "llama.block_count", 1e18, NULL, "num_hidden_layers"},
    {SET_F32, "llama.block_count", 1, NULL, NULL},
    {SET_STRING, "llama.block_count", 0, "1", NULL},
    {DROP_KEY, "llama.embedding_length", 0, NULL, NULL},
    {SET_U32, "llama.embedding_length", 0, NULL, "hidden_size"},
    {SET_U32, "llama.embedding_length", 31, NULL, NULL},
    {SET_U32, "llama.embedding_length", 64, NULL, "token_embd.weight"},
    {SET_U32, "llama.embedding_length", 4294967294, NULL, "hidden_size"},
    {DROP_KEY, "llama.attention.head_count", 0, NULL, NULL},
    {SET_U32, "llama.attention.head_count", 0, NULL, NULL},
    {SET_U32, "llama.attention.head_count", 3, NULL, NULL},
    {SET_U32, "llama.attention.head_count", 4, NULL, "attn_k.weight"},
    {SET_U32, "llama.attention.head_count", 32, NULL, "head_dim"},
    {SET_U32, "llama.attention.head_count_kv", 0, NULL, "num_key_value_heads"},
    {SET_U32, "llama.attention.head_count_kv", 2, NULL, "attn_k.weight"},
    {SET_U32, "llama.attention.head_count_kv", 3, NULL, "num_key_value_heads"},
    {SET_STRING, "llama.attention.head_count_kv", 0, "1", NULL},
    {SET_U32, "llama.attention.key_length", 8, NULL, "attn_q.weight"},
    {SET_U32, "llama.attention.key_length", 1000000000, NULL, "head_dim"},
    {SET_U32, "llama.attention.value_length", 8, NULL, NULL},
    {SET_U32, "llama.rope.dimension_count", 8, NULL, NULL},
    {DROP_KEY, "llama.feed_forward_length", 0, NULL, NULL},
    {SET_U32, "llama.feed_forward_length", 0, NULL, "intermediate_size"},
    {SET_U32, "llama.feed_forward_length", 65, NULL, "ffn_gate.weight"},
    {SET_U32, "llama.feed_forward_length", 4294967295, NULL, "intermediate_size"},
    {DROP_KEY, "llama.context_length", 0, NULL, NULL},
    {SET_U32, "llama.context_length", 0, NULL, "max_position_embeddings"},
    {SET_U64, "llama.context_length", 1e18, NULL, "max_position_embeddings"},
    {DROP_KEY, "llama.attention.layer_norm_rms_epsilon", 0, NULL, NULL},
    {SET_F32, "llama.attention.layer_norm_rms_epsilon", -1, NULL, "rms_norm_eps"},
    {SET_F32, "llama.attention.layer_norm_rms_epsilon", (double)NAN, NULL, "rms_norm_eps"},
    {SET_F32, "llama.attention.layer_norm_rms_epsilon", (double)INFINITY, NULL, "rms_norm_eps"},
    {SET_U32, "llama.attention.layer_norm_rms_epsilon", 1, NULL, NULL},
    {SET_F32, "llama.rope.freq_base", (double)NAN, NULL, "rope_theta"},
    {SET_F32, "llama.rope.freq_base", 0, NULL, "rope_theta"},
    {SET_F32, "llama.rope.freq_base", -10000, NULL, "rope_theta"},
    {SET_U32, "llama.rope.freq_base", 10000, NULL, NULL},
    {SET_STRING, "llama.rope.scaling.type", 0, "yarn", NULL},
    {SET_STRING, "llama.rope.scaling.type", 0, "linear", "llama.rope.scaling.factor"},
    {SET_U64, "llama.attention.sliding_window", 1e12, NULL, NULL},
    {SET_U32, "llama.expert_count", 8, NULL, NULL},
    {SET_U32, "llama.vocab_size", 9, NULL, NULL},
    {DROP_KEY, "tokenizer.ggml.tokens", 0, NULL, NULL},
    {DROP_KEY, "tokenizer.ggml.merges", 0, NULL, NULL},
    {DROP_KEY, "tokenizer.ggml.token_type", 0, NULL, NULL},
    {DROP_KEY, "tokenizer.ggml.pre", 0, NULL, NULL},
    {SET_STRING, "tokenizer.ggml.pre", 0, "klingon", NULL},
    {SET_STRING, "tokenizer.ggml.model", 0, "llama", NULL},
    {SET_U32, "tokenizer.ggml.model", 1, NULL, NULL},
    {SET_STRING, "tokenizer.ggml.tokens", 0, "a", NULL},
    {SET_U32, "tokenizer.ggml.merges", 0, NULL, NULL},
    {SET_U32, "tokenizer.ggml.bos_token_id", 8, NULL, NULL},
    {SET_U32, "tokenizer.ggml.eos_token_id", 4294967295, NULL, NULL},
    {SET_STRING, "tokenizer.ggml.eos_token_id", 0, "</s>", NULL},
    {SET_BOOL, "tokenizer.ggml.add_bos_token", 2, NULL, NULL},
    {SET_U32, "tokenizer.ggml.add_bos_token", 1, NULL, NULL},
    {SET_U32, "tokenizer.chat_template", 1, NULL, NULL},
    {SET_STRING, "tokenizer.chat_template", 0, "\xff", "chat template"},
    {DROP_TENSOR, "token_embd.weight", 0, NULL, NULL},
    {DROP_TENSOR, "blk.0.attn_norm.weight", 0, NULL, NULL},
    {DROP_TENSOR, "blk.0.attn_q.weight", 0, NULL, NULL},
    {DROP_TENSOR, "blk.0.attn_output.weight", 0, NULL, NULL},
    {DROP_TENSOR, "blk.0.ffn_down.weight", 0, NULL, NULL},
    {DROP_TENSOR, "output_norm.weight", 0, NULL, NULL},
    {ADD_TENSOR, "blk.0.attn_q.bias", 0, NULL, NULL},
    {ADD_TENSOR, "blk.1.attn_norm.weight", 0, NULL, NULL},
    {ADD_TENSOR, "output.weight", 9, NULL, NULL},
    {ADD_TENSOR, "rope_freqs.weight", 0, NULL, NULL},
    {SET_TYPE, "blk.0.attn_q.weight", 12, NULL, "12 (Q4_K)"},
    {SET_TYPE, "token_embd.weight", 14, NULL, "14 (Q6_K)"},
    {SET_TYPE, "output_norm.weight", 99, NULL, "type 99"},
    {SET_ROWS, "blk.0.attn_q.weight", 31, NULL, NULL},
    {SET_ROWS, "blk.0.attn_v.weight", 15, NULL, NULL},
    {SET_ROWS, "token_embd.weight", 7, NULL, "8 tokens"},
    {SET_COLUMNS, "blk.0.ffn_down.weight", 32, NULL, NULL},
    {SET_COLUMNS, "blk.0.ffn_norm.weight", 16, NULL, NULL},
    {SET_DIMS, "blk.0.attn_norm.weight", 2, NULL, NULL},
    {SET_DIMS, "blk.0.attn_q.weight", 1, NULL, NULL},
    {SET_DIMS, "blk.0.attn_q.weight", 3, NULL, NULL},
};

static void apply(struct gguf_builder *b, size_t i)
{
    const char *name = CHANGES[i].name;
    double number = CHANGES[i].number;
    struct built_tensor *tensor = gguf_builder_tensor(b, name);
    switch (CHANGES[i].change) {
    case DROP_KEY: gguf_builder_drop_key(b, name); break;
    case SET_U32: gguf_builder_u32(b, name, (uint32_t)number); break;
    case SET_U64: gguf_builder_number(b, name, 10, (uint64_t)number, 8); break;
    case SET_F32: gguf_builder_f32(b, name, (float)number); break;
    case SET_STRING: gguf_builder_string(b, name, CHANGES[i].text); break;
    case SET_BOOL: gguf_builder_number(b, name, 7, (uint64_t)number, 1); break;
    case DROP_TENSOR: gguf_builder_drop_tensor(b, name); break;
    case ADD_TENSOR: gguf_builder_add_tensor(b, name, (uint64_t)number, 32); break;
    case SET_TYPE: tensor->type = (uint32_t)number; break;
    case SET_ROWS: tensor->dims[1] = (uint64_t)number; break;
    case SET_COLUMNS: tensor->dims[0] = (uint64_t)number; break;
    case SET_DIMS:
        for (uint32_t d = tensor->n_dims; d < (uint32_t)number; d++)
            tensor->dims[d] = 1;
        tensor->n_dims = (uint32_t)number;
        break;
    }
}

static void test_gguf_changes(void **state)
{
    (void)state;
    size_t n = sizeof CHANGES / sizeof *CHANGES;
    for (size_t i = 0; i < n; i++) {
        struct gguf_builder b;
        char what[128];
        gguf_builder_init(&b);
        apply(&b, i);
        snprintf(what, sizeof what, "change %d: %s = %s%g", (int)i, CHANGES[i].name,
                 CHANGES[i].text != NULL ? CHANGES[i].text : "", CHANGES[i].number);
        must_fail_built(&b, what, CHANGES[i].part != NULL ? CHANGES[i].part : CHANGES[i].name);
    }
    print_message("%d changes\n", (int)n);
    model_folder_remove(&folder, "m.gguf");
}

static void test_gguf_token_lies(void **state)
{
    (void)state;
    static const char *const NINE[] = {"<s>", "</s>", "a", "b", "c", "d", "e", "ab", "f"};
    static const char *const TWINS[] = {"<s>", "</s>", "a", "a", "c", "d", "e", "ab"};
    static const char *const BAD[] = {"<s>", "</s>", "a", "b", "\xff", "d", "e", "ab"};
    static const char *const MERGES[] = {"a b", "ab", " a", "a ", "", "x y", "a d", "\xff a"};
    static const uint32_t TYPES[] = {3, 3, 1, 1, 1, 1, 1, 1, 1};
    static const struct {
        const char *const *tokens;
        int n_tokens, n_types;
        const char *part;
    } ROWS[] = {{NINE, 9, 9, "9 tokens"}, {NINE, 9, 8, "9 tokens"}, {NINE, 8, 9, "9 token types"}, {NINE, 0, 0, "0 tokens"},
                {TWINS, 8, 8, ""}, {BAD, 8, 8, "token 4"}};
    struct gguf_builder b;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        gguf_builder_init(&b);
        gguf_builder_strings(&b, "tokenizer.ggml.tokens", ROWS[i].tokens, ROWS[i].n_tokens);
        gguf_builder_u32s(&b, "tokenizer.ggml.token_type", TYPES, ROWS[i].n_types);
        must_fail_built(&b, "a token list", ROWS[i].part);
    }
    for (size_t i = 1; i < sizeof MERGES / sizeof *MERGES; i++) {
        gguf_builder_init(&b);
        gguf_builder_strings(&b, "tokenizer.ggml.merges", &MERGES[i], 1);
        must_fail_built(&b, MERGES[i], "");
    }
    model_folder_remove(&folder, "m.gguf");
}

/* A file without a tokenizer has weights all the same. */
static void test_gguf_without_tokenizer(void **state)
{
    (void)state;
    struct gguf_builder b;
    gguf_builder_init(&b);
    gguf_builder_drop_key(&b, "tokenizer.ggml.model");
    struct bytes file = gguf_builder_write(&b);
    model_folder_write(&folder, "m.gguf", file.data, file.n);
    struct kvl_model *model;
    assert_ok(kvl_model_load(ctx, model_folder_file(&folder, "m.gguf"), &(struct kvl_model_options){0}, &model));
    assert_null(model->tokenizer);
    kvl_model_free(model);
    assert_int_equal(kvl_model_load_tokenizer(model_folder_file(&folder, "m.gguf"), &model), KVL_E_FORMAT);
    assert_non_null(strstr(kvl_last_error(), "m.gguf"));
    model_folder_remove(&folder, "m.gguf");
    bytes_free(&file);
    gguf_builder_free(&b);
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_gguf_truncations), cmocka_unit_test(test_gguf_changes),
                                       cmocka_unit_test(test_gguf_token_lies), cmocka_unit_test(test_gguf_without_tokenizer)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
