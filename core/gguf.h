/* GGUF files, versions 2 and 3, little-endian (ggml's docs/gguf.md).
 *
 * The parser works on bytes in memory and copies nothing but names: values point into those bytes, which must stay. Every
 * count, length and offset is checked against what is left of the bytes before it is used. */
#ifndef KVL_GGUF_H
#define KVL_GGUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/tensor_file.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Value types by their number in the file. */
enum kvl_gguf_type {
    KVL_GGUF_U8,
    KVL_GGUF_I8,
    KVL_GGUF_U16,
    KVL_GGUF_I16,
    KVL_GGUF_U32,
    KVL_GGUF_I32,
    KVL_GGUF_F32,
    KVL_GGUF_BOOL,
    KVL_GGUF_STRING,
    KVL_GGUF_ARRAY,
    KVL_GGUF_U64,
    KVL_GGUF_I64,
    KVL_GGUF_F64,
};

struct kvl_gguf_string {
    const char *data; /* not NUL-terminated, any bytes */
    int64_t n;
};

struct kvl_gguf_value {
    struct kvl_gguf_string key;
    enum kvl_gguf_type type;
    enum kvl_gguf_type item; /* of an array; never ARRAY */
    int64_t n;               /* items of an array, 1 otherwise */
    const uint8_t *data;     /* the value, or the array's first item */
};

struct kvl_gguf {
    struct kvl_gguf_value *values; /* [n_values], by key */
    int64_t n_values, n_allocated;
    struct kvl_tensors tensors;
};

/* Reads header, metadata and tensor table of `bytes` bytes. `file` goes into kvl_tensor.file. Sentences do not name the
 * file; the caller puts its name before. On failure `gguf` is freed and {0}. */
enum kvl_status kvl_gguf_parse(struct kvl_gguf *gguf, const uint8_t *data, int64_t bytes, const char *file);
void kvl_gguf_free(struct kvl_gguf *gguf);

/* NULL: the file has no such key. */
const struct kvl_gguf_value *kvl_gguf_find(const struct kvl_gguf *gguf, const char *key);

/* A value as something: KVL_E_FORMAT names the key where the type is another one. Any integer type passes for an integer, any
 * float type for a real. */
enum kvl_status kvl_gguf_integer(const struct kvl_gguf_value *value, int64_t *out);
enum kvl_status kvl_gguf_real(const struct kvl_gguf_value *value, double *out);
enum kvl_status kvl_gguf_bool(const struct kvl_gguf_value *value, bool *out);
enum kvl_status kvl_gguf_text(const struct kvl_gguf_value *value, struct kvl_gguf_string *out);

/* Walks an array of strings: *at begins as value->data; the length was checked when the file was parsed. */
struct kvl_gguf_string kvl_gguf_next_string(const uint8_t **at);
/* Item i of an array of integers. */
int64_t kvl_gguf_item(const struct kvl_gguf_value *array, int64_t i);

/* A key for a sentence: printable, at most 63 bytes. */
struct kvl_gguf_shown {
    char text[64];
};
struct kvl_gguf_shown kvl_gguf_show(struct kvl_gguf_string string);

#ifdef __cplusplus
}
#endif
#endif
