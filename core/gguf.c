#include "core/gguf.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of a value type; strings and arrays have no fixed size. */
static const int64_t VALUE_BYTES[] = {
    [KVL_GGUF_U8] = 1,  [KVL_GGUF_I8] = 1,  [KVL_GGUF_U16] = 2,  [KVL_GGUF_I16] = 2,   [KVL_GGUF_U32] = 4,
    [KVL_GGUF_I32] = 4, [KVL_GGUF_F32] = 4, [KVL_GGUF_BOOL] = 1, [KVL_GGUF_STRING] = 0, [KVL_GGUF_ARRAY] = 0,
    [KVL_GGUF_U64] = 8, [KVL_GGUF_I64] = 8, [KVL_GGUF_F64] = 8,
};
enum { N_VALUE_TYPES = 13, TENSOR_NAME_MAX = 256 };

static const char *const VALUE_NAMES[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                          "bool", "string", "array", "u64", "i64", "f64"};

/* ggml's tensor types by number. */
static const struct {
    const char *name;
    enum kvl_tensor_type type;
} TENSOR_TYPES[] = {
    {"F32", KVL_TENSOR_F32},      {"F16", KVL_TENSOR_F16},      {"Q4_0", KVL_TENSOR_Q4_0},    {"Q4_1", KVL_TENSOR_Q4_1},
    {"Q4_2", KVL_TENSOR_OTHER},   {"Q4_3", KVL_TENSOR_OTHER},   {"Q5_0", KVL_TENSOR_OTHER},   {"Q5_1", KVL_TENSOR_OTHER},
    {"Q8_0", KVL_TENSOR_Q8_0},    {"Q8_1", KVL_TENSOR_OTHER},   {"Q2_K", KVL_TENSOR_OTHER},   {"Q3_K", KVL_TENSOR_OTHER},
    {"Q4_K", KVL_TENSOR_OTHER},   {"Q5_K", KVL_TENSOR_OTHER},   {"Q6_K", KVL_TENSOR_OTHER},   {"Q8_K", KVL_TENSOR_OTHER},
    {"IQ2_XXS", KVL_TENSOR_OTHER}, {"IQ2_XS", KVL_TENSOR_OTHER}, {"IQ3_XXS", KVL_TENSOR_OTHER}, {"IQ1_S", KVL_TENSOR_OTHER},
    {"IQ4_NL", KVL_TENSOR_OTHER}, {"IQ3_S", KVL_TENSOR_OTHER},  {"IQ2_S", KVL_TENSOR_OTHER},  {"IQ4_XS", KVL_TENSOR_OTHER},
    {"I8", KVL_TENSOR_OTHER},     {"I16", KVL_TENSOR_OTHER},    {"I32", KVL_TENSOR_OTHER},    {"I64", KVL_TENSOR_OTHER},
    {"F64", KVL_TENSOR_OTHER},    {"IQ1_M", KVL_TENSOR_OTHER},  {"BF16", KVL_TENSOR_BF16},
};
enum { N_TENSOR_TYPES = sizeof TENSOR_TYPES / sizeof *TENSOR_TYPES };

/* What is left to read; `total` for sentences. */
struct reader {
    const uint8_t *at;
    int64_t left, total;
};

static uint64_t load(const uint8_t *data, int64_t n)
{
    uint64_t x = 0;
    for (int64_t i = 0; i < n; i++)
        x |= (uint64_t)data[i] << (8 * i);
    return x;
}

static enum kvl_status truncated(const struct reader *r, const char *what)
{
    return kvl_fail(KVL_E_FORMAT, "ends inside %s (at byte %lld of %lld): truncated or corrupted", what,
                    (long long)(r->total - r->left), (long long)r->total);
}

static enum kvl_status take(struct reader *r, int64_t n, const char *what, const uint8_t **out)
{
    *out = r->at;
    if (n > r->left)
        return truncated(r, what);
    r->at += n;
    r->left -= n;
    return KVL_OK;
}

static enum kvl_status take_number(struct reader *r, int64_t n_bytes, const char *what, uint64_t *out)
{
    const uint8_t *data;
    KVL_TRY(take(r, n_bytes, what, &data));
    *out = load(data, n_bytes);
    return KVL_OK;
}

/* A count of things that take at least `least` bytes each. */
static enum kvl_status take_count(struct reader *r, int64_t least, const char *what, int64_t *out)
{
    uint64_t n = 0;
    *out = 0;
    KVL_TRY(take_number(r, 8, what, &n));
    if (n > (uint64_t)(r->left / least))
        return kvl_fail(KVL_E_FORMAT, "%s is %" PRIu64 ", more than the %lld bytes that follow can hold: truncated or corrupted",
                        what, n, (long long)r->left);
    *out = (int64_t)n;
    return KVL_OK;
}

static enum kvl_status take_string(struct reader *r, const char *what, struct kvl_gguf_string *out)
{
    const uint8_t *data;
    int64_t n;
    KVL_TRY(take_count(r, 1, what, &n));
    KVL_TRY(take(r, n, what, &data));
    *out = (struct kvl_gguf_string){(const char *)data, n};
    return KVL_OK;
}

struct kvl_gguf_shown kvl_gguf_show(struct kvl_gguf_string string)
{
    struct kvl_gguf_shown shown = {""};
    int n = string.n < (int64_t)sizeof shown.text ? (int)string.n : (int)sizeof shown.text - 1;
    for (int i = 0; i < n; i++)
        shown.text[i] = string.data[i] >= ' ' && string.data[i] <= '~' ? string.data[i] : '?';
    return shown;
}

static enum kvl_status take_type(struct reader *r, const char *what, struct kvl_gguf_string key, enum kvl_gguf_type *out)
{
    uint64_t type;
    KVL_TRY(take_number(r, 4, what, &type));
    if (type >= N_VALUE_TYPES)
        return kvl_fail(KVL_E_FORMAT, "key %s has %s %" PRIu64 "; GGUF has 0 to %d", kvl_gguf_show(key).text, what, type,
                        N_VALUE_TYPES - 1);
    *out = (enum kvl_gguf_type)type;
    return KVL_OK;
}

/* Steps over the items of a value and leaves `data` at the first. */
static enum kvl_status take_items(struct reader *r, enum kvl_gguf_type item, int64_t n, const uint8_t **data)
{
    *data = r->at;
    if (item != KVL_GGUF_STRING)
        return take(r, n * VALUE_BYTES[item], "a value", data); /* n was checked: no overflow */
    for (int64_t i = 0; i < n; i++) {
        struct kvl_gguf_string ignored;
        KVL_TRY(take_string(r, "the length of a string value", &ignored));
    }
    return KVL_OK;
}

static enum kvl_status take_value(struct reader *r, struct kvl_gguf_value *value)
{
    KVL_TRY(take_string(r, "the length of a key", &value->key));
    if (value->key.n == 0)
        return kvl_fail(KVL_E_FORMAT, "has a metadata key without a name");
    KVL_TRY(take_type(r, "value type", value->key, &value->type));
    value->item = value->type;
    value->n = 1;
    enum kvl_status status = KVL_OK;
    if (value->type == KVL_GGUF_ARRAY) {
        KVL_TRY(take_type(r, "item type", value->key, &value->item));
        if (value->item == KVL_GGUF_ARRAY)
            return kvl_fail(KVL_E_UNSUPPORTED, "key %s is an array of arrays, which kvlab does not read",
                            kvl_gguf_show(value->key).text);
        int64_t least = value->item == KVL_GGUF_STRING ? 8 : VALUE_BYTES[value->item];
        status = take_count(r, least, "the length of an array", &value->n);
    }
    if (status == KVL_OK)
        status = take_items(r, value->item, value->n, &value->data);
    return status == KVL_OK ? status : kvl_fail_prefix(status, "key %s", kvl_gguf_show(value->key).text);
}

static enum kvl_status add_value(struct kvl_gguf *gguf, const struct kvl_gguf_value *value)
{
    if (gguf->n_values == gguf->n_allocated) {
        int64_t n = gguf->n_allocated > 0 ? 2 * gguf->n_allocated : 64;
        struct kvl_gguf_value *values = realloc(gguf->values, (size_t)n * sizeof *values);
        if (values == NULL)
            return kvl_fail(KVL_E_OOM, "no memory for %lld metadata keys", (long long)n);
        gguf->values = values;
        gguf->n_allocated = n;
    }
    gguf->values[gguf->n_values++] = *value;
    return KVL_OK;
}

static int compare_strings(struct kvl_gguf_string a, struct kvl_gguf_string b)
{
    int order = memcmp(a.data, b.data, (size_t)(a.n < b.n ? a.n : b.n));
    return order != 0 ? order : (a.n > b.n) - (a.n < b.n);
}

static int by_key(const void *a, const void *b)
{
    return compare_strings(((const struct kvl_gguf_value *)a)->key, ((const struct kvl_gguf_value *)b)->key);
}

static enum kvl_status parse_values(struct kvl_gguf *gguf, struct reader *r, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        struct kvl_gguf_value value;
        KVL_TRY(take_value(r, &value));
        KVL_TRY(add_value(gguf, &value));
    }
    if (n > 0)
        qsort(gguf->values, (size_t)n, sizeof *gguf->values, by_key);
    for (int64_t i = 1; i < n; i++)
        if (by_key(&gguf->values[i - 1], &gguf->values[i]) == 0)
            return kvl_fail(KVL_E_FORMAT, "key %s occurs twice", kvl_gguf_show(gguf->values[i].key).text);
    return KVL_OK;
}

static enum kvl_status take_dims(struct reader *r, const char *name, struct kvl_tensor *tensor)
{
    uint64_t n_dims;
    KVL_TRY(take_number(r, 4, "a tensor's number of dimensions", &n_dims));
    if (n_dims < 1 || n_dims > KVL_TENSOR_DIMS)
        return kvl_fail(KVL_E_FORMAT, "tensor %s has %" PRIu64 " dimensions; GGUF has 1 to %d", name, n_dims, KVL_TENSOR_DIMS);
    tensor->n_dims = (int)n_dims;
    for (int i = tensor->n_dims - 1; i >= 0; i--) { /* the file has the innermost first */
        uint64_t dim;
        KVL_TRY(take_number(r, 8, "a tensor's dimensions", &dim));
        if (dim == 0 || dim > INT64_MAX)
            return kvl_fail(KVL_E_FORMAT, "tensor %s has a dimension of %" PRIu64, name, dim);
        tensor->dims[i] = (int64_t)dim;
    }
    if (kvl_tensor_count(tensor->n_dims, tensor->dims) < 0)
        return kvl_fail(KVL_E_FORMAT, "tensor %s: the product of its dimensions is no possible size", name);
    return KVL_OK;
}

static void name_type(struct kvl_tensor *tensor, uint64_t type)
{
    tensor->type = type < N_TENSOR_TYPES ? TENSOR_TYPES[type].type : KVL_TENSOR_OTHER;
    if (tensor->type != KVL_TENSOR_OTHER)
        snprintf(tensor->type_name, sizeof tensor->type_name, "%s", TENSOR_TYPES[type].name);
    else if (type < N_TENSOR_TYPES)
        snprintf(tensor->type_name, sizeof tensor->type_name, "%" PRIu64 " (%s)", type, TENSOR_TYPES[type].name);
    else
        snprintf(tensor->type_name, sizeof tensor->type_name, "%" PRIu64, type);
}

/* One row of the tensor table. The offset counts from a point that is known only after the table: it waits in `bytes`. */
static enum kvl_status take_tensor(struct kvl_gguf *gguf, struct reader *r, const char *file)
{
    struct kvl_gguf_string name;
    struct kvl_tensor tensor = {.file = file};
    uint64_t type, offset;
    KVL_TRY(take_string(r, "the length of a tensor's name", &name));
    if (name.n < 1 || name.n > TENSOR_NAME_MAX || memchr(name.data, '\0', (size_t)name.n) != NULL)
        return kvl_fail(KVL_E_FORMAT, "has a tensor name of %lld bytes or with a NUL byte in it: '%s'", (long long)name.n,
                        kvl_gguf_show(name).text);
    struct kvl_gguf_shown shown = kvl_gguf_show(name);
    KVL_TRY(take_dims(r, shown.text, &tensor));
    KVL_TRY(take_number(r, 4, "a tensor's type", &type));
    KVL_TRY(take_number(r, 8, "a tensor's offset", &offset));
    if (offset > (uint64_t)r->total)
        return kvl_fail(KVL_E_FORMAT,
                        "tensor %s begins at offset %" PRIu64 ", past the end of the file (%lld bytes): truncated or corrupted",
                        shown.text, offset, (long long)r->total);
    name_type(&tensor, type);
    tensor.bytes = (int64_t)offset;
    return kvl_tensors_add(&gguf->tensors, &tensor, name.data, name.n);
}

static enum kvl_status read_alignment(const struct kvl_gguf *gguf, int64_t *alignment)
{
    *alignment = 32;
    const struct kvl_gguf_value *value = kvl_gguf_find(gguf, "general.alignment");
    if (value == NULL)
        return KVL_OK;
    KVL_TRY(kvl_gguf_integer(value, alignment));
    if (*alignment < 1 || *alignment > 1 << 20 || (*alignment & (*alignment - 1)) != 0)
        return kvl_fail(KVL_E_FORMAT, "general.alignment is %lld; it must be a power of two up to 1048576",
                        (long long)*alignment);
    return KVL_OK;
}

/* Gives a tensor its place: `data` is where the file's tensor data begins. */
static enum kvl_status place(struct kvl_tensor *tensor, const uint8_t *data, int64_t bytes, int64_t alignment)
{
    int64_t offset = tensor->bytes, row = tensor->dims[tensor->n_dims - 1];
    tensor->bytes = 0;
    if (offset % alignment != 0)
        return kvl_fail(KVL_E_FORMAT, "tensor %s begins at offset %lld, not a multiple of the alignment %lld", tensor->name,
                        (long long)offset, (long long)alignment);
    if (tensor->type == KVL_TENSOR_OTHER)
        return KVL_OK;
    int64_t size = kvl_tensor_bytes(tensor->type, kvl_tensor_count(tensor->n_dims, tensor->dims), row);
    if (size < 0)
        return kvl_fail(KVL_E_FORMAT, "tensor %s has rows of %lld values, which do not fit type %s", tensor->name,
                        (long long)row, tensor->type_name);
    if (offset > bytes || size > bytes - offset)
        return kvl_fail(KVL_E_FORMAT,
                        "tensor %s needs %lld bytes at offset %lld, but the file's tensor data has %lld: truncated or "
                        "corrupted",
                        tensor->name, (long long)size, (long long)offset, (long long)bytes);
    tensor->data = data + offset;
    tensor->bytes = size;
    return KVL_OK;
}

static enum kvl_status parse_tensors(struct kvl_gguf *gguf, struct reader *r, int64_t n, const char *file)
{
    int64_t alignment;
    KVL_TRY(read_alignment(gguf, &alignment));
    for (int64_t i = 0; i < n; i++)
        KVL_TRY(take_tensor(gguf, r, file));
    KVL_TRY(kvl_tensors_sort(&gguf->tensors));
    int64_t used = r->total - r->left, padding = (alignment - used % alignment) % alignment;
    if (n > 0 && padding > r->left)
        return truncated(r, "the padding before the tensor data");
    for (int64_t i = 0; i < n; i++)
        KVL_TRY(place(&gguf->tensors.all[i], r->at + padding, r->left - padding, alignment));
    return kvl_tensors_check_overlap(&gguf->tensors);
}

static enum kvl_status parse(struct kvl_gguf *gguf, struct reader *r, const char *file)
{
    const uint8_t *magic;
    uint64_t version;
    int64_t n_tensors, n_values;
    KVL_TRY(take(r, 4, "the magic number", &magic));
    if (memcmp(magic, "GGUF", 4) != 0)
        return kvl_fail(KVL_E_FORMAT, "does not begin with 'GGUF': not a GGUF file");
    KVL_TRY(take_number(r, 4, "the version", &version));
    if (version == 0x02000000 || version == 0x03000000)
        return kvl_fail(KVL_E_UNSUPPORTED, "is a big-endian GGUF file; kvlab reads little-endian ones");
    if (version != 2 && version != 3)
        return kvl_fail(KVL_E_UNSUPPORTED, "is GGUF version %" PRIu64 "; kvlab reads versions 2 and 3", version);
    /* A tensor takes at least 8 + 1 + 4 + 8 + 4 + 8 bytes, a key 8 + 1 + 4 + 1. */
    KVL_TRY(take_count(r, 33, "the number of tensors", &n_tensors));
    KVL_TRY(take_count(r, 14, "the number of metadata keys", &n_values));
    KVL_TRY(parse_values(gguf, r, n_values));
    return parse_tensors(gguf, r, n_tensors, file);
}

enum kvl_status kvl_gguf_parse(struct kvl_gguf *gguf, const uint8_t *data, int64_t bytes, const char *file)
{
    *gguf = (struct kvl_gguf){0};
    struct reader reader = {data, bytes, bytes};
    enum kvl_status status = parse(gguf, &reader, file);
    if (status != KVL_OK)
        kvl_gguf_free(gguf);
    return status;
}

void kvl_gguf_free(struct kvl_gguf *gguf)
{
    kvl_tensors_free(&gguf->tensors);
    free(gguf->values);
    *gguf = (struct kvl_gguf){0};
}

const struct kvl_gguf_value *kvl_gguf_find(const struct kvl_gguf *gguf, const char *key)
{
    struct kvl_gguf_value wanted = {.key = {key, (int64_t)strlen(key)}};
    if (gguf->n_values == 0)
        return NULL;
    return bsearch(&wanted, gguf->values, (size_t)gguf->n_values, sizeof wanted, by_key);
}

static enum kvl_status wrong_type(const struct kvl_gguf_value *value, const char *wanted)
{
    return kvl_fail(KVL_E_FORMAT, "key %s has type %s; %s is needed", kvl_gguf_show(value->key).text,
                    VALUE_NAMES[value->type], wanted);
}

/* An integer of any width. Values above INT64_MAX become INT64_MAX: every bound that follows is far below. */
static int64_t integer_at(enum kvl_gguf_type type, const uint8_t *data)
{
    uint64_t x = load(data, VALUE_BYTES[type]);
    switch (type) {
    case KVL_GGUF_I8: return (int8_t)x;
    case KVL_GGUF_I16: return (int16_t)x;
    case KVL_GGUF_I32: return (int32_t)x;
    case KVL_GGUF_I64: return (int64_t)x;
    default: return x > INT64_MAX ? INT64_MAX : (int64_t)x;
    }
}

static bool is_integer(enum kvl_gguf_type type)
{
    return type <= KVL_GGUF_I32 || type == KVL_GGUF_U64 || type == KVL_GGUF_I64;
}

enum kvl_status kvl_gguf_integer(const struct kvl_gguf_value *value, int64_t *out)
{
    if (!is_integer(value->type))
        return wrong_type(value, "an integer");
    *out = integer_at(value->type, value->data);
    return KVL_OK;
}

enum kvl_status kvl_gguf_real(const struct kvl_gguf_value *value, double *out)
{
    uint64_t bits = 0;
    if (value->type == KVL_GGUF_F32) {
        float x;
        uint32_t low = (uint32_t)load(value->data, 4);
        memcpy(&x, &low, sizeof x);
        *out = (double)x;
    } else if (value->type == KVL_GGUF_F64) {
        bits = load(value->data, 8);
        memcpy(out, &bits, sizeof *out);
    } else {
        return wrong_type(value, "a float");
    }
    return KVL_OK;
}

enum kvl_status kvl_gguf_bool(const struct kvl_gguf_value *value, bool *out)
{
    if (value->type != KVL_GGUF_BOOL)
        return wrong_type(value, "a bool");
    if (value->data[0] > 1)
        return kvl_fail(KVL_E_FORMAT, "key %s is a bool of value %d", kvl_gguf_show(value->key).text, value->data[0]);
    *out = value->data[0] == 1;
    return KVL_OK;
}

enum kvl_status kvl_gguf_text(const struct kvl_gguf_value *value, struct kvl_gguf_string *out)
{
    if (value->type != KVL_GGUF_STRING)
        return wrong_type(value, "a string");
    const uint8_t *at = value->data;
    *out = kvl_gguf_next_string(&at);
    return KVL_OK;
}

struct kvl_gguf_string kvl_gguf_next_string(const uint8_t **at)
{
    struct kvl_gguf_string string = {(const char *)*at + 8, (int64_t)load(*at, 8)};
    *at += 8 + string.n;
    return string;
}

int64_t kvl_gguf_item(const struct kvl_gguf_value *array, int64_t i)
{
    assert(i >= 0 && i < array->n && is_integer(array->item));
    return integer_at(array->item, array->data + i * VALUE_BYTES[array->item]);
}
