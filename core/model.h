/* A model: its shape, its weights in a backend's memory, its tokenizer. */
#ifndef KVL_MODEL_H
#define KVL_MODEL_H

#include "core/chat_template.h"
#include "core/shape.h"
#include "core/tokenizer.h"
#include "kernels/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kvl_layer {
    const float *attention_norm; /* f32 [n_embd] */
    struct kvl_weight *qkv;      /* [(n_head + 2 n_kv) * head_size, n_embd]: q, k, v stacked */
    struct kvl_weight *out;      /* [n_embd, n_head * head_size] */
    const float *mlp_norm;       /* f32 [n_embd] */
    struct kvl_weight *gate_up;  /* [2 n_ff, n_embd]: gate, up stacked */
    struct kvl_weight *down;     /* [n_embd, n_ff] */
};

struct kvl_model {
    struct kvl_ctx *ctx; /* borrowed; outlives the model */
    char name[128];      /* the file's (without .gguf), the folder's or the preset's name: what people call it */
    char hash[65];       /* SHA-256 of the weight file(s) and config in hex, or of the preset's name and seed */
    enum kvl_dtype dtype;
    struct kvl_shape shape;
    void *embedding;     /* dtype [n_vocab, n_embd] */
    struct kvl_layer *layers; /* [n_layer] */
    const float *norm;   /* f32 [n_embd] */
    struct kvl_weight *head; /* [n_vocab, n_embd] */
    const float *inv_freq;   /* f32 [head_size / 2], in the backend's memory */
    int64_t weight_bytes;    /* read in a decode step: linear layers, head, norms */
    struct kvl_tokenizer *tokenizer; /* NULL: the source has none (random:NAME) */
    char *chat_jinja;                /* the file's chat template, NULL if it has none */
};

struct kvl_model_options {
    enum kvl_dtype dtype;
    int64_t n_context; /* > 0 replaces the claimed context; only for random:NAME, else KVL_E_ARG */
    uint64_t seed;     /* of random:NAME's weights */
    bool no_weights;   /* only the shape, name and hash: no tokenizer, and every weight stays NULL */
};

/* Loads `source`: a GGUF file, a Hugging Face folder (config.json, model.safetensors or an index with shards,
 * tokenizer.json), or random:NAME. Every size that a file claims is checked against the file before anything is allocated;
 * files are mapped, not read. Errors name the file and what is wrong with it: KVL_E_IO (missing, unreadable),
 * KVL_E_FORMAT (malformed, truncated, contradictory), KVL_E_UNSUPPORTED (architecture, tensor type, RoPE kind, bias),
 * KVL_E_ARG (unknown preset: the near name), KVL_E_OOM. */
enum kvl_status kvl_model_load(struct kvl_ctx *ctx, const char *source, const struct kvl_model_options *options,
                               struct kvl_model **out);
void kvl_model_free(struct kvl_model *model);

/* The tokenizer and chat template alone, without weights (for `tokenize`); model->ctx and the weights stay NULL. */
enum kvl_status kvl_model_load_tokenizer(const char *source, struct kvl_model **out);

/* The i-th preset of random:NAME (real shapes of published models), NULL past the end. */
struct kvl_preset {
    const char *name;   /* "llama-3.1-8b" */
    const char *title;  /* "LLaMA-3.1-8B" */
    const char *source; /* where the shape is from */
    struct kvl_shape shape; /* window[] filled at look-up */
};
const struct kvl_preset *kvl_preset_at(int i);

#ifdef __cplusplus
}
#endif
#endif
