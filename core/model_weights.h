/* From tensors of a file, or seeds, to weights in a backend's memory. */
#ifndef KVL_MODEL_WEIGHTS_H
#define KVL_MODEL_WEIGHTS_H

#include "core/model.h"
#include "core/model_source.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Checks that `source` has every tensor of its shape, in a readable type, with the right dimensions and no biases. The
 * sentence names file and tensor. Nothing to do for random:NAME. */
enum kvl_status kvl_model_check_tensors(const struct kvl_model_source *source);

/* Fills layers, embedding, norms, head, inv_freq and weight_bytes of a model whose ctx, dtype and shape are set and whose
 * tensors were checked. What was made stays in the model on failure, for kvl_model_free. */
enum kvl_status kvl_model_load_weights(struct kvl_model *model, const struct kvl_model_source *source, uint64_t seed);

#ifdef __cplusplus
}
#endif
#endif
