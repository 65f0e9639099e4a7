/* Defaults that the FastKV authors chose per model, and the rule for every other model. */
#ifndef KVL_MODEL_DEFAULTS_H
#define KVL_MODEL_DEFAULTS_H

#include "methods/method.h"

#ifdef __cplusplus
extern "C" {
#endif

/* FastKV's TSP layer: 15 for LLaMA-3.1-8B, 17 for Ministral-8B, 19 for Mistral-Nemo-12B; else L/2 - 1, which is what all
 * three are (0 for a model of one layer). */
union kvl_value kvl_default_tsp_layer(const struct kvl_shape *shape, enum kvl_profile profile);

/* GemFilter's filter layer: 13, 17 and 19 for the same; else L/2 - 1. */
union kvl_value kvl_default_filter_layer(const struct kvl_shape *shape, enum kvl_profile profile);

/* PyramidInfer's p: `paper` 0.9; `fastkv` 0.7 (LLaMA), 0.75 (Ministral), 0.78 (Nemo), else 0.7. */
union kvl_value kvl_default_pyramid_p(const struct kvl_shape *shape, enum kvl_profile profile);

#ifdef __cplusplus
}
#endif
#endif
