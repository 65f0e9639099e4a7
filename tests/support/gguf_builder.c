#include "tests/support/gguf_builder.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bytes_put(struct bytes *bytes, const void *data, size_t n)
{
    if (bytes->n + n > bytes->n_allocated) {
        bytes->n_allocated = 2 * (bytes->n + n) + 64;
        bytes->data = realloc(bytes->data, bytes->n_allocated);
        if (bytes->data == NULL)
            abort();
    }
    if (n > 0)
        memcpy(bytes->data + bytes->n, data, n);
    bytes->n += n;
}

void bytes_put_number(struct bytes *bytes, uint64_t value, int n_bytes)
{
    for (int i = 0; i < n_bytes; i++)
        bytes_put(bytes, &(uint8_t){(uint8_t)(value >> (8 * i))}, 1);
}

void bytes_put_string(struct bytes *bytes, const char *text)
{
    bytes_put_number(bytes, strlen(text), 8);
    bytes_put(bytes, text, strlen(text));
}

void bytes_free(struct bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct bytes){0};
}

struct built_key *gguf_builder_key(struct gguf_builder *b, const char *key)
{
    for (int i = 0; i < b->n_keys; i++)
        if (strcmp(b->keys[i].name, key) == 0)
            return &b->keys[i];
    return NULL;
}

struct built_tensor *gguf_builder_tensor(struct gguf_builder *b, const char *name)
{
    for (int i = 0; i < b->n_tensors; i++)
        if (strcmp(b->tensors[i].name, name) == 0)
            return &b->tensors[i];
    return NULL;
}

static struct bytes *fresh_value(struct gguf_builder *b, const char *name, uint32_t type)
{
    struct built_key *key = gguf_builder_key(b, name);
    if (key == NULL) {
        if (b->n_keys == BUILDER_KEYS)
            abort();
        key = &b->keys[b->n_keys++];
        *key = (struct built_key){0};
        snprintf(key->name, sizeof key->name, "%s", name);
    }
    bytes_free(&key->value);
    key->type = type;
    return &key->value;
}

void gguf_builder_number(struct gguf_builder *b, const char *key, uint32_t type, uint64_t bits, int n_bytes)
{
    bytes_put_number(fresh_value(b, key, type), bits, n_bytes);
}

void gguf_builder_u32(struct gguf_builder *b, const char *key, uint32_t value)
{
    gguf_builder_number(b, key, 4, value, 4);
}

void gguf_builder_f32(struct gguf_builder *b, const char *key, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    gguf_builder_number(b, key, 6, bits, 4);
}

void gguf_builder_string(struct gguf_builder *b, const char *key, const char *value)
{
    bytes_put_string(fresh_value(b, key, 8), value);
}

void gguf_builder_strings(struct gguf_builder *b, const char *key, const char *const *items, int n)
{
    struct bytes *value = fresh_value(b, key, 9);
    bytes_put_number(value, 8, 4);
    bytes_put_number(value, (uint64_t)n, 8);
    for (int i = 0; i < n; i++)
        bytes_put_string(value, items[i]);
}

void gguf_builder_u32s(struct gguf_builder *b, const char *key, const uint32_t *items, int n)
{
    struct bytes *value = fresh_value(b, key, 9);
    bytes_put_number(value, 4, 4);
    bytes_put_number(value, (uint64_t)n, 8);
    for (int i = 0; i < n; i++)
        bytes_put_number(value, items[i], 4);
}

void gguf_builder_drop_key(struct gguf_builder *b, const char *name)
{
    struct built_key *key = gguf_builder_key(b, name);
    bytes_free(&key->value);
    *key = b->keys[--b->n_keys];
}

void gguf_builder_drop_tensor(struct gguf_builder *b, const char *name)
{
    *gguf_builder_tensor(b, name) = b->tensors[b->n_tensors - 1];
    b->n_tensors--;
}

void gguf_builder_add_tensor(struct gguf_builder *b, const char *name, uint64_t n_out, uint64_t n_in)
{
    if (b->n_tensors == BUILDER_TENSORS)
        abort();
    struct built_tensor *tensor = &b->tensors[b->n_tensors++];
    *tensor = (struct built_tensor){.n_dims = n_out > 0 ? 2 : 1, .dims = {n_in, n_out}, .offset = UINT64_MAX,
                                    .bytes = 4 * n_in * (n_out > 0 ? n_out : 1)};
    snprintf(tensor->name, sizeof tensor->name, "%s", name);
}

static void add_tokenizer(struct gguf_builder *b)
{
    static const char *const TOKENS[] = {"<s>", "</s>", "a", "b", "c", "d", "e", "ab"};
    static const uint32_t TYPES[] = {3, 3, 1, 1, 1, 1, 1, 1};
    static const char *const MERGES[] = {"a b"};
    gguf_builder_string(b, "tokenizer.ggml.model", "gpt2");
    gguf_builder_string(b, "tokenizer.ggml.pre", "smollm");
    gguf_builder_strings(b, "tokenizer.ggml.tokens", TOKENS, 8);
    gguf_builder_u32s(b, "tokenizer.ggml.token_type", TYPES, 8);
    gguf_builder_strings(b, "tokenizer.ggml.merges", MERGES, 1);
    gguf_builder_u32(b, "tokenizer.ggml.bos_token_id", 0);
    gguf_builder_u32(b, "tokenizer.ggml.eos_token_id", 1);
}

void gguf_builder_init(struct gguf_builder *b)
{
    *b = (struct gguf_builder){.magic = "GGUF", .version = 3, .claimed_tensors = UINT64_MAX, .claimed_keys = UINT64_MAX,
                               .alignment = 32};
    gguf_builder_string(b, "general.architecture", "llama");
    gguf_builder_string(b, "general.name", "built");
    gguf_builder_u32(b, "llama.block_count", 1);
    gguf_builder_u32(b, "llama.context_length", 128);
    gguf_builder_u32(b, "llama.embedding_length", 32);
    gguf_builder_u32(b, "llama.feed_forward_length", 64);
    gguf_builder_u32(b, "llama.attention.head_count", 2);
    gguf_builder_u32(b, "llama.attention.head_count_kv", 1);
    gguf_builder_f32(b, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
    add_tokenizer(b);
    gguf_builder_add_tensor(b, "token_embd.weight", 8, 32);
    gguf_builder_add_tensor(b, "blk.0.attn_norm.weight", 0, 32);
    gguf_builder_add_tensor(b, "blk.0.attn_q.weight", 32, 32);
    gguf_builder_add_tensor(b, "blk.0.attn_k.weight", 16, 32);
    gguf_builder_add_tensor(b, "blk.0.attn_v.weight", 16, 32);
    gguf_builder_add_tensor(b, "blk.0.attn_output.weight", 32, 32);
    gguf_builder_add_tensor(b, "blk.0.ffn_norm.weight", 0, 32);
    gguf_builder_add_tensor(b, "blk.0.ffn_gate.weight", 64, 32);
    gguf_builder_add_tensor(b, "blk.0.ffn_up.weight", 64, 32);
    gguf_builder_add_tensor(b, "blk.0.ffn_down.weight", 32, 64);
    gguf_builder_add_tensor(b, "output_norm.weight", 0, 32);
}

void gguf_builder_free(struct gguf_builder *b)
{
    for (int i = 0; i < b->n_keys; i++)
        bytes_free(&b->keys[i].value);
    b->n_keys = b->n_tensors = 0;
}

static void mark(struct gguf_builder *b, const struct bytes *out)
{
    if (b->n_marks == BUILDER_MARKS)
        abort();
    b->marks[b->n_marks++] = out->n;
}

static void write_key(struct gguf_builder *b, const struct built_key *key, struct bytes *out)
{
    mark(b, out);
    bytes_put_number(out, key->name_bytes > 0 ? key->name_bytes : strlen(key->name), 8);
    mark(b, out);
    bytes_put(out, key->name, strlen(key->name));
    mark(b, out);
    bytes_put_number(out, key->type, 4);
    mark(b, out);
    bytes_put(out, key->value.data, key->value.n);
}

static void write_tensor(struct gguf_builder *b, const struct built_tensor *tensor, uint64_t offset, struct bytes *out)
{
    mark(b, out);
    bytes_put_string(out, tensor->name);
    mark(b, out);
    bytes_put_number(out, tensor->n_dims, 4);
    for (uint32_t i = 0; i < tensor->n_dims && i < 8; i++) {
        mark(b, out);
        bytes_put_number(out, tensor->dims[i], 8);
    }
    mark(b, out);
    bytes_put_number(out, tensor->type, 4);
    mark(b, out);
    bytes_put_number(out, offset, 8);
}

static void pad(const struct gguf_builder *b, struct bytes *out)
{
    while (out->n % b->alignment != 0)
        bytes_put_number(out, 0, 1);
}

struct bytes gguf_builder_write(struct gguf_builder *b)
{
    struct bytes out = {0};
    uint64_t offset = 0;
    b->n_marks = 0;
    mark(b, &out);
    bytes_put(&out, b->magic, 4);
    mark(b, &out);
    bytes_put_number(&out, b->version, 4);
    mark(b, &out);
    bytes_put_number(&out, b->claimed_tensors != UINT64_MAX ? b->claimed_tensors : (uint64_t)b->n_tensors, 8);
    mark(b, &out);
    bytes_put_number(&out, b->claimed_keys != UINT64_MAX ? b->claimed_keys : (uint64_t)b->n_keys, 8);
    for (int i = 0; i < b->n_keys; i++)
        write_key(b, &b->keys[i], &out);
    for (int i = 0; i < b->n_tensors; i++) {
        const struct built_tensor *tensor = &b->tensors[i];
        write_tensor(b, tensor, tensor->offset != UINT64_MAX ? tensor->offset : offset, &out);
        offset += (tensor->bytes + b->alignment - 1) / b->alignment * b->alignment;
    }
    for (int i = 0; i < b->n_tensors; i++) {
        mark(b, &out);
        pad(b, &out);
        mark(b, &out);
        for (uint64_t k = 0; k < b->tensors[i].bytes / 4; k++) {
            float value = (float)((int)(k * 7 % 13) - 6) / 16;
            bytes_put(&out, &value, sizeof value);
        }
    }
    return out;
}
