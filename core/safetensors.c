#include "core/safetensors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json_file.h"

enum { HEADER_MAX = 100000000 }; /* the official reader's bound */

static const struct {
    const char *name;
    enum kvl_tensor_type type;
} DTYPES[] = {{"F32", KVL_TENSOR_F32}, {"F16", KVL_TENSOR_F16}, {"BF16", KVL_TENSOR_BF16}};

static enum kvl_status read_shape(const char *name, const json_t *shape, struct kvl_tensor *tensor)
{
    if (!json_is_array(shape))
        return kvl_fail(KVL_E_FORMAT, "tensor %s has no shape", name);
    size_t n = json_array_size(shape);
    /* Of a scalar (no dimensions) or more than we have room for, only the fact is kept: no model we run has one. */
    if (n < 1 || n > KVL_TENSOR_DIMS) {
        tensor->type = KVL_TENSOR_OTHER;
        tensor->n_dims = 1;
        tensor->dims[0] = 1;
        snprintf(tensor->type_name, sizeof tensor->type_name, "%lld-dimensional", (long long)n);
        return KVL_OK;
    }
    tensor->n_dims = (int)n;
    for (int i = 0; i < tensor->n_dims; i++) {
        const json_t *dim = json_array_get(shape, (size_t)i);
        if (!json_is_integer(dim) || json_integer_value(dim) < 0)
            return kvl_fail(KVL_E_FORMAT, "tensor %s: its shape holds something other than whole numbers of 0 or more", name);
        tensor->dims[i] = json_integer_value(dim);
    }
    return KVL_OK;
}

static enum kvl_status read_offsets(const char *name, const json_t *offsets, int64_t bytes, int64_t *begin, int64_t *end)
{
    const json_t *first = json_array_get(offsets, 0), *last = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(first) || !json_is_integer(last))
        return kvl_fail(KVL_E_FORMAT, "tensor %s has no data_offsets of two whole numbers", name);
    *begin = json_integer_value(first);
    *end = json_integer_value(last);
    if (*begin < 0 || *begin > *end || *end > bytes)
        return kvl_fail(KVL_E_FORMAT,
                        "tensor %s lies at bytes %lld to %lld of the tensor data, which has %lld: truncated or corrupted", name,
                        (long long)*begin, (long long)*end, (long long)bytes);
    return KVL_OK;
}

static enum kvl_status read_tensor(const char *name, const json_t *entry, const uint8_t *data, int64_t bytes,
                                   struct kvl_tensor *tensor)
{
    if (name[0] == '\0' || strlen(name) > KVL_TENSOR_NAME_MAX)
        return kvl_fail(KVL_E_FORMAT, "has a tensor name of %lld bytes", (long long)strlen(name));
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    if (dtype == NULL)
        return kvl_fail(KVL_E_FORMAT, "tensor %s has no dtype", name);
    tensor->type = KVL_TENSOR_OTHER;
    for (size_t i = 0; i < sizeof DTYPES / sizeof *DTYPES; i++)
        if (strcmp(dtype, DTYPES[i].name) == 0)
            tensor->type = DTYPES[i].type;
    snprintf(tensor->type_name, sizeof tensor->type_name, "%.20s", dtype);
    int64_t begin = 0, end = 0;
    KVL_TRY(read_shape(name, json_object_get(entry, "shape"), tensor));
    KVL_TRY(read_offsets(name, json_object_get(entry, "data_offsets"), bytes, &begin, &end));
    if (tensor->type == KVL_TENSOR_OTHER)
        return KVL_OK;
    int64_t n = kvl_tensor_count(tensor->n_dims, tensor->dims);
    int64_t size = n < 0 ? -1 : kvl_tensor_bytes(tensor->type, n, tensor->dims[tensor->n_dims - 1]);
    if (size != end - begin) {
        char shape[96];
        kvl_tensor_describe(tensor->n_dims, tensor->dims, shape, sizeof shape);
        return kvl_fail(KVL_E_FORMAT, "tensor %s has %lld bytes, but its shape %s in %s does not take that many", name,
                        (long long)(end - begin), shape, tensor->type_name);
    }
    tensor->data = data + begin;
    tensor->bytes = size;
    return KVL_OK;
}

static enum kvl_status parse_header(struct kvl_tensors *tensors, json_t *header, const uint8_t *data, int64_t bytes,
                                    const char *file)
{
    const char *name;
    json_t *entry;
    json_object_foreach(header, name, entry) {
        if (strcmp(name, "__metadata__") == 0)
            continue;
        struct kvl_tensor tensor = {.file = file};
        KVL_TRY(read_tensor(name, entry, data, bytes, &tensor));
        KVL_TRY(kvl_tensors_add(tensors, &tensor, name, (int64_t)strlen(name)));
    }
    return KVL_OK;
}

enum kvl_status kvl_safetensors_parse(struct kvl_tensors *tensors, const uint8_t *data, int64_t bytes, const char *file)
{
    if (bytes < 8)
        return kvl_fail(KVL_E_FORMAT, "has %lld bytes; a safetensors file begins with 8 that give its header's length",
                        (long long)bytes);
    uint64_t length = 0;
    for (int i = 0; i < 8; i++)
        length |= (uint64_t)data[i] << (8 * i);
    if (length > (uint64_t)(bytes - 8) || length > HEADER_MAX)
        return kvl_fail(KVL_E_FORMAT,
                        "claims a header of %" PRIu64 " bytes, but %lld follow and %d is the most: no safetensors file, or "
                        "truncated",
                        length, (long long)(bytes - 8), HEADER_MAX);
    json_t *header;
    enum kvl_status status = kvl_json_parse((const char *)data + 8, (int64_t)length, &header);
    if (status != KVL_OK)
        return kvl_fail_prefix(status, "its header");
    status = parse_header(tensors, header, data + 8 + length, bytes - 8 - (int64_t)length, file);
    json_decref(header);
    return status;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Shard names as a sorted set. */
static enum kvl_status collect_shards(struct kvl_shard_index *index)
{
    index->shards = malloc((size_t)index->n * sizeof *index->shards);
    if (index->shards == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for %lld names", (long long)index->n);
    for (int64_t i = 0; i < index->n; i++)
        index->shards[i] = index->rows[i].shard;
    qsort(index->shards, (size_t)index->n, sizeof *index->shards, by_text);
    for (int64_t i = 0; i < index->n; i++)
        if (i == 0 || strcmp(index->shards[i], index->shards[index->n_shards - 1]) != 0)
            index->shards[index->n_shards++] = index->shards[i];
    return KVL_OK;
}

static enum kvl_status read_weight_map(struct kvl_shard_index *index, json_t *map)
{
    size_t n = json_object_size(map);
    if (n == 0)
        return kvl_fail(KVL_E_FORMAT, "weight_map is missing or empty");
    index->rows = calloc(n, sizeof *index->rows);
    if (index->rows == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for %lld names", (long long)n);
    const char *name;
    json_t *value;
    json_object_foreach(map, name, value) {
        const char *shard = json_string_value(value);
        /* A plain name: an index must not lead out of its folder. */
        if (shard == NULL || shard[0] == '\0' || strchr(shard, '/') != NULL || strcmp(shard, ".") == 0
            || strcmp(shard, "..") == 0)
            return kvl_fail(KVL_E_FORMAT, "weight_map gives '%.100s' for tensor %.200s; a plain file name is needed",
                            shard != NULL ? shard : "no string", name);
        struct kvl_shard_row *row = &index->rows[index->n++];
        row->tensor = strdup(name);
        row->shard = strdup(shard);
        if (row->tensor == NULL || row->shard == NULL)
            return kvl_fail(KVL_E_OOM, "no memory for a tensor's name");
    }
    return collect_shards(index);
}

enum kvl_status kvl_shard_index_parse(struct kvl_shard_index *index, const char *text, int64_t n)
{
    *index = (struct kvl_shard_index){0};
    json_t *root;
    KVL_TRY(kvl_json_parse(text, n, &root));
    enum kvl_status status = read_weight_map(index, json_object_get(root, "weight_map"));
    json_decref(root);
    if (status != KVL_OK)
        kvl_shard_index_free(index);
    return status;
}

void kvl_shard_index_free(struct kvl_shard_index *index)
{
    for (int64_t i = 0; i < index->n; i++) {
        free(index->rows[i].tensor);
        free(index->rows[i].shard);
    }
    free(index->rows);
    free(index->shards);
    *index = (struct kvl_shard_index){0};
}
