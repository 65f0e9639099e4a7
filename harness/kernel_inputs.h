/* Memory of the cases: blocks of random values that all of them read, one that all write to, and what a case has for itself.
 *
 * A case is made once without memory, to see how much a set of its inputs needs, and then once for each set. Sets lie behind one
 * another in the blocks, so that calls in a row read other memory each time, as layers in a model do. */
#ifndef KVL_KERNEL_INPUTS_H
#define KVL_KERNEL_INPUTS_H

#include "harness/kernel_case.h"

#ifdef __cplusplus
extern "C" {
#endif

enum kvl_kernel_block {
    KVL_BLOCK_VALUES, /* dtype, uniform in (-1, 1); only read */
    KVL_BLOCK_FLOATS, /* f32, uniform in (-1, 1); only read */
    KVL_BLOCK_OUT,    /* written */
    KVL_N_BLOCKS,
};

/* The weights of a layer, and the head. */
enum kvl_kernel_weight { KVL_WEIGHT_QKV, KVL_WEIGHT_OUT, KVL_WEIGHT_GATE_UP, KVL_WEIGHT_DOWN, KVL_WEIGHT_HEAD, KVL_N_WEIGHTS };

enum { KVL_MAX_SETS = 4096, KVL_MAX_OWN = 16, KVL_MAX_OUTPUTS = 8 };

/* What cases share. */
struct kvl_kernel_memory {
    struct kvl_ctx *ctx;
    char *blocks[KVL_N_BLOCKS];
    int64_t bytes[KVL_N_BLOCKS];
    struct kvl_weight *weights[KVL_N_WEIGHTS][KVL_MAX_SETS]; /* made when they are first asked for */
};

/* What is known of one case. Zeroed but for `setting` before the first set. */
struct kvl_kernel_inputs {
    const struct kvl_kernel_setting *setting;
    struct kvl_kernel_memory *memory;  /* NULL: only measure */
    int64_t set;                       /* the one at hand */
    int64_t at[KVL_N_BLOCKS];          /* bytes that it has taken */
    int64_t set_bytes[KVL_N_BLOCKS];   /* that every set takes; known after measuring */
    int64_t apart_bytes;               /* of a set outside the blocks: weights, memory of its own */
    void *own[KVL_MAX_OWN];            /* the same for all sets, in the order in which `make` asks */
    int n_own, next_own;
    void **per_set;                    /* [n_per_set] memory of single sets */
    int64_t n_per_set;
    struct { void *data; int64_t bytes; } outputs[KVL_MAX_OUTPUTS]; /* of the set at hand */
    int n_outputs;
};

/* Makes the blocks with these sizes and fills them; KVL_E_OOM frees what there is. */
enum kvl_status kvl_kernel_memory_init(struct kvl_kernel_memory *memory, const struct kvl_kernel_setting *setting,
                                       const int64_t bytes[KVL_N_BLOCKS]);
void kvl_kernel_memory_free(struct kvl_kernel_memory *memory);

/* Begins a set: `make` starts at its front. */
void kvl_kernel_inputs_begin(struct kvl_kernel_inputs *inputs, int64_t set);
void kvl_kernel_inputs_free(struct kvl_kernel_inputs *inputs);

/* Bytes of a set, once measured. */
int64_t kvl_kernel_inputs_bytes(const struct kvl_kernel_inputs *inputs);

/* ---- for a case's `make`; without memory they hand out NULL ------------------------------------------------------------- */

/* n random values to read. */
const void *kvl_kernel_values(struct kvl_kernel_inputs *inputs, int64_t n);
const float *kvl_kernel_floats(struct kvl_kernel_inputs *inputs, int64_t n);

/* Memory to write to; the check fills it with NaN first. Scratch: not looked at. */
void *kvl_kernel_output(struct kvl_kernel_inputs *inputs, int64_t bytes);
void *kvl_kernel_scratch(struct kvl_kernel_inputs *inputs, int64_t bytes);

/* n random values in dtype that the operation changes: memory of this set alone. */
enum kvl_status kvl_kernel_changed(struct kvl_kernel_inputs *inputs, int64_t n, void **out);

/* A weight of the set. */
enum kvl_status kvl_kernel_weight(struct kvl_kernel_inputs *inputs, enum kvl_kernel_weight which, const struct kvl_weight **out);
void kvl_kernel_weight_size(const struct kvl_shape *shape, enum kvl_kernel_weight which, int64_t *n_in, int64_t *n_out);

/* Element of a weight as float32, as it was asked for: not rounded to bf16. */
float kvl_kernel_weight_value(const struct kvl_kernel_setting *setting, enum kvl_kernel_weight which, int64_t set, int64_t row,
                              int64_t column);

/* Memory that all sets share; *fresh tells the first one, which has to fill it. */
enum kvl_status kvl_kernel_own(struct kvl_kernel_inputs *inputs, int64_t bytes, void **out, bool *fresh);

/* Of that kind: integers first, first + 1, ...; n of `value`; n_rows ascending lists of k different numbers below n; n numbers
 * below `below` in no order. */
enum kvl_status kvl_kernel_count(struct kvl_kernel_inputs *inputs, int64_t n, int32_t first, const int32_t **out);
enum kvl_status kvl_kernel_constant(struct kvl_kernel_inputs *inputs, int64_t n, int32_t value, int32_t **out);
enum kvl_status kvl_kernel_lists(struct kvl_kernel_inputs *inputs, int64_t n_rows, int64_t k, int64_t n, const int32_t **out);
enum kvl_status kvl_kernel_ids(struct kvl_kernel_inputs *inputs, int64_t n, int64_t below, const int32_t **out);

/* The queries, keys and values of n tokens side by side, as the engine has them. */
struct kvl_kernel_heads {
    struct kvl_heads q, k, v;
};
struct kvl_kernel_heads kvl_kernel_fused(const struct kvl_kernel_setting *setting, const void *data, int64_t n);
static inline int64_t kvl_kernel_fused_width(const struct kvl_shape *s)
{
    return (s->n_head + 2 * s->n_kv) * s->head_size;
}

#ifdef __cplusplus
}
#endif
#endif
