/* GGUF files made in memory for tests, honest or lying. */
#ifndef KVLAB_TEST_GGUF_BUILDER_H
#define KVLAB_TEST_GGUF_BUILDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Growing bytes; {0} is empty. */
struct bytes {
    uint8_t *data;
    size_t n, n_allocated;
};
void bytes_put(struct bytes *bytes, const void *data, size_t n);
void bytes_put_number(struct bytes *bytes, uint64_t value, int n_bytes); /* little-endian */
void bytes_put_string(struct bytes *bytes, const char *text);            /* u64 length, text */
void bytes_free(struct bytes *bytes);

enum { BUILDER_KEYS = 48, BUILDER_TENSORS = 48, BUILDER_MARKS = 1024 };

struct built_key {
    char name[64];
    uint32_t type;       /* as kvl_gguf_type */
    struct bytes value;  /* as in the file; of an array: item type, count, items */
    uint64_t name_bytes; /* claimed length of the name, 0: the true one */
};

struct built_tensor {
    char name[64];
    uint32_t n_dims;
    uint64_t dims[8]; /* as in the file: innermost first */
    uint32_t type;
    uint64_t offset; /* from the start of the data, UINT64_MAX: behind the tensor before */
    uint64_t bytes;  /* written */
};

struct gguf_builder {
    char magic[5];
    uint32_t version;
    uint64_t claimed_tensors, claimed_keys; /* UINT64_MAX: the true number */
    uint64_t alignment;
    struct built_key keys[BUILDER_KEYS];
    int n_keys;
    struct built_tensor tensors[BUILDER_TENSORS];
    int n_tensors;
    size_t marks[BUILDER_MARKS]; /* where each field began when the file was last written */
    int n_marks;
};

/* A tiny llama that loads: 1 layer, 32 wide, 2 heads of 16 over 1 KV head, 8 tokens, tokenizer included. */
void gguf_builder_init(struct gguf_builder *b);
void gguf_builder_free(struct gguf_builder *b);

/* Sets a key, adding it where it is missing. */
void gguf_builder_number(struct gguf_builder *b, const char *key, uint32_t type, uint64_t bits, int n_bytes);
void gguf_builder_u32(struct gguf_builder *b, const char *key, uint32_t value);
void gguf_builder_f32(struct gguf_builder *b, const char *key, float value);
void gguf_builder_string(struct gguf_builder *b, const char *key, const char *value);
/* An array: items of `n_bytes` bytes each (0: strings, "" for NULL). */
void gguf_builder_strings(struct gguf_builder *b, const char *key, const char *const *items, int n);
void gguf_builder_u32s(struct gguf_builder *b, const char *key, const uint32_t *items, int n);

struct built_key *gguf_builder_key(struct gguf_builder *b, const char *key);       /* NULL: none */
struct built_tensor *gguf_builder_tensor(struct gguf_builder *b, const char *name); /* NULL: none */
void gguf_builder_drop_key(struct gguf_builder *b, const char *key);
void gguf_builder_drop_tensor(struct gguf_builder *b, const char *name);
/* F32; n_out 0: a vector of n_in. */
void gguf_builder_add_tensor(struct gguf_builder *b, const char *name, uint64_t n_out, uint64_t n_in);

/* The file; free with bytes_free. */
struct bytes gguf_builder_write(struct gguf_builder *b);

#endif
