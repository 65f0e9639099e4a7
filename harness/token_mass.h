/* How much each layer looks at each token of a prompt: an observer in the place of a method. It keeps everything, so that what
 * it sees is the full cache's run. */
#ifndef KVL_TOKEN_MASS_H
#define KVL_TOKEN_MASS_H

#include "core/engine.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Prefills a prompt, ids i32 [n] in host memory, and fills mass f32 [n_layer, n] in host memory: the attention probability that
 * the last `window` rows give each token, summed over rows and averaged over query heads; all rows where window is 0.
 * A layer's masses sum to the number of rows. KVL_E_ARG where window < 0 or >= n. */
enum kvl_status kvl_token_mass(struct kvl_engine *engine, const int32_t *ids, int64_t n, int64_t window, float *mass);

#ifdef __cplusplus
}
#endif
#endif
