/* libFuzzer: bytes as a GGUF file: tensor table, shape, tokenizer, and every tensor's first and last row. */
#include <stdlib.h>

#include "core/config.h"
#include "core/model_source.h"

static void read_rows(const struct kvl_tensor *tensor)
{
    enum { MOST = 4096 };
    int64_t row = tensor->dims[tensor->n_dims - 1], n = kvl_tensor_count(tensor->n_dims, tensor->dims) / row;
    float out[MOST];
    if (tensor->type == KVL_TENSOR_OTHER || row > MOST)
        return;
    kvl_tensor_rows(tensor, 0, 1, out);
    kvl_tensor_rows(tensor, n - 1, 1, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kvl_model_source source = {.kind = KVL_SOURCE_GGUF, .path = "fuzz"};
    if (kvl_gguf_parse(&source.gguf, data, (int64_t)size, "fuzz") != KVL_OK)
        return 0;
    kvl_config_from_gguf(&source.shape, &source.gguf);
    struct kvl_tokenizer *tokenizer;
    char *chat_jinja;
    kvl_model_source_tokenizer(&source, source.shape.n_vocab, &tokenizer, &chat_jinja);
    kvl_tokenizer_free(tokenizer);
    free(chat_jinja);
    for (int64_t i = 0; i < source.gguf.tensors.n; i++)
        read_rows(&source.gguf.tensors.all[i]);
    kvl_gguf_free(&source.gguf);
    return 0;
}
