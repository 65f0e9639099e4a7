/* The shape of a model from what its files say about it. */
#ifndef KVL_CONFIG_H
#define KVL_CONFIG_H

#include "core/gguf.h"
#include "core/shape.h"

#ifdef __cplusplus
extern "C" {
#endif

/* From the text of a Hugging Face config.json (model_type llama, mistral or ministral), n bytes. Fields that change nothing
 * we do are ignored; those that ask for something we do not do are KVL_E_UNSUPPORTED. */
enum kvl_status kvl_config_from_json(struct kvl_shape *shape, const char *text, int64_t n);

/* From GGUF metadata (general.architecture llama) and, for vocabulary, tied head and RoPE divisors, its tensor table. */
enum kvl_status kvl_config_from_gguf(struct kvl_shape *shape, const struct kvl_gguf *gguf);

#ifdef __cplusplus
}
#endif
#endif
