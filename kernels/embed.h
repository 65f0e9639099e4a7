/* Rows of the embedding table for token ids.
 *   ids    in   i32 [n], each in [0, n_vocab) (the caller's promise)
 *   table  in   dtype [n_vocab, n_embd], row-major
 *   out    out  f32 [n, n_embd]: the residual stream, always float32 */
#ifndef KVL_EMBED_H
#define KVL_EMBED_H

#include "kernels/tensor.h"

struct kvl_embed {
    const int32_t *ids;
    const void *table;
    enum kvl_dtype dtype;
    float *out;
    int64_t n, n_embd;
};

#endif
