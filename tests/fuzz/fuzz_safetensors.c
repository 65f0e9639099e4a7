/* libFuzzer: the first byte chooses between a safetensors file and its index; the rest is the file. */
#include <stddef.h>

#include "core/safetensors.h"

static void parse_file(const uint8_t *data, size_t size)
{
    struct kvl_tensors tensors = {0};
    if (kvl_safetensors_parse(&tensors, data, (int64_t)size, "fuzz") == KVL_OK && kvl_tensors_sort(&tensors) == KVL_OK)
        kvl_tensors_check_overlap(&tensors);
    for (int64_t i = 0; i < tensors.n; i++) {
        const struct kvl_tensor *tensor = &tensors.all[i];
        float out[1024];
        if (tensor->type != KVL_TENSOR_OTHER && tensor->dims[tensor->n_dims - 1] <= 1024)
            kvl_tensor_rows(tensor, 0, 1, out);
    }
    kvl_tensors_free(&tensors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct kvl_shard_index index;
    if (data[0] % 2 == 0)
        parse_file(data + 1, size - 1);
    else if (kvl_shard_index_parse(&index, (const char *)data + 1, (int64_t)size - 1) == KVL_OK)
        kvl_shard_index_free(&index);
    return 0;
}
