/* The shape of a model: everything about it but the weights. */
#ifndef KVL_SHAPE_H
#define KVL_SHAPE_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    KVL_MAX_LAYERS = 512,
    KVL_MAX_HEAD_SIZE = 256,
    KVL_MAX_GROUP = 64, /* query heads of a KV head */
};

/* Rotary embedding. `scaling` NONE: inv_freq[c] = theta^(-2c/e). LINEAR: divided by factor. LLAMA3: Meta's rule by wave
 * length (transformers' modeling_rope_utils, "llama3"). DIVISORS: divided by divisor[c] (GGUF's rope_freqs.weight, which is
 * how that format writes llama3 scaling). */
enum kvl_rope_scaling { KVL_ROPE_NONE, KVL_ROPE_LINEAR, KVL_ROPE_LLAMA3, KVL_ROPE_DIVISORS };
struct kvl_rope {
    double theta;
    enum kvl_rope_scaling scaling;
    double factor, low_freq_factor, high_freq_factor;
    int64_t original_context;
    float divisor[KVL_MAX_HEAD_SIZE / 2]; /* [head_size / 2] */
};

struct kvl_shape {
    char architecture[16]; /* "llama", "mistral" */
    int64_t n_layer;
    int64_t n_embd;
    int64_t n_head;
    int64_t n_kv;      /* KV heads; n_head is a multiple */
    int64_t head_size; /* even; n_head * head_size need not be n_embd */
    int64_t n_ff;
    int64_t n_vocab;
    int64_t n_context; /* longest sequence that the file claims the model can take */
    bool tied;         /* the output head is the embedding table */
    float norm_eps;
    struct kvl_rope rope;
    int32_t window[KVL_MAX_LAYERS]; /* sliding window of each layer in tokens, 0: none */
};

/* Checks that a shape is one that the engine can run (bounds above, divisibility, positive sizes). The sentence names the
 * field by its config.json name, its value and the bound. */
enum kvl_status kvl_shape_check(const struct kvl_shape *shape);

/* inv_freq f32 [head_size / 2], computed in double and rounded once. */
void kvl_rope_inv_freq(const struct kvl_shape *shape, float *inv_freq);

/* Parameters of the weights: all of them, and those that take part in a product for every token (without the embedding
 * table and the norms; the head is counted apart). */
int64_t kvl_shape_n_params(const struct kvl_shape *shape);
int64_t kvl_shape_n_linear(const struct kvl_shape *shape);

#ifdef __cplusplus
}
#endif
#endif
