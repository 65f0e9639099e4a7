/* One operation of the backend at one shape: how its inputs are made, what work it is, and what it must give.
 *
 * A case is a row of a table (harness/kernel_cases_*.c); kvl_kernel_case_at walks all of them. A new operation of
 * kernels/backend.h is a member of union kvl_kernel_op and at least one row. */
#ifndef KVL_KERNEL_CASE_H
#define KVL_KERNEL_CASE_H

#include "core/shape.h"
#include "kernels/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What cases are made for. */
struct kvl_kernel_setting {
    struct kvl_ctx *ctx;
    const struct kvl_shape *shape;
    enum kvl_dtype dtype;
    int64_t n;       /* tokens: of the prompt, or entries of the cache */
    int64_t window;  /* the model's longest sliding window, 0: none */
    uint64_t seed;
};

/* An operation with its pointers and sizes. */
union kvl_kernel_op {
    struct kvl_embed embed;
    struct kvl_norm norm;
    struct kvl_linear linear;
    struct kvl_rotate_table rotate_table;
    struct kvl_rotate rotate;
    struct kvl_attend attend;
    struct kvl_append append;
    struct kvl_attend_cache attend_cache;
    struct kvl_mass mass;
    struct kvl_logits logits;
    struct kvl_pool pool;
    struct kvl_reduce_heads reduce_heads;
    struct kvl_top_k top_k;
    struct kvl_range range;
    struct kvl_gather gather;
    struct kvl_gather_heads gather_heads;
    struct kvl_swiglu swiglu;
    struct kvl_argmax argmax;
    struct kvl_fill_random fill_random;
};

/* What the contract asks for, whoever does it. Flops: sums, products and comparisons of the definition (a multiply-add is two; of
 * attention and mass the two products with keys and values, over visible pairs only; integer work is none). Bytes: every input
 * that is needed read once, every output written once. */
struct kvl_kernel_work {
    double flops, bytes;
    char shape[96]; /* "n=2048 in=576 out=960" */
};

struct kvl_kernel_inputs; /* harness/kernel_inputs.h */
struct kvl_kernel_check;  /* harness/kernel_check.h */

struct kvl_kernel_case {
    const char *operation; /* as in struct kvl_backend */
    const char *name;      /* "qkv"; unique within operation and phase */
    bool decode;           /* one token; else a prompt */
    int64_t variant;       /* the group's own: which weight, how many rows, ... */
    int64_t max_calls;     /* that a sample may make, 0: any number */
    bool (*applies)(const struct kvl_kernel_setting *setting); /* NULL: always */

    /* Describes the operation on inputs of its own; called once for every set of inputs. */
    enum kvl_status (*make)(struct kvl_kernel_inputs *inputs, const struct kvl_kernel_case *row, union kvl_kernel_op *op);
    void (*work)(const struct kvl_kernel_setting *setting, const struct kvl_kernel_case *row, struct kvl_kernel_work *work);
    enum kvl_status (*run)(struct kvl_ctx *ctx, const union kvl_kernel_op *op);
    enum kvl_status (*reset)(struct kvl_ctx *ctx, const union kvl_kernel_op *op); /* before each sample; NULL: nothing to do */

    /* Runs it once and compares samples of what it gives with a plain computation in double precision. */
    enum kvl_status (*check)(struct kvl_kernel_check *check, const union kvl_kernel_op *op);
};

/* "prefill" or "decode". */
const char *kvl_kernel_phase(const struct kvl_kernel_case *row);

/* The i-th case, NULL past the end. */
const struct kvl_kernel_case *kvl_kernel_case_at(int i);

/* KVL_E_ARG with the near name where no case is of the operation; `option` begins the sentence. */
enum kvl_status kvl_kernel_operation_check(const char *option, const char *name);

/* ---- parts of the table ------------------------------------------------------------------------------------------------- */

struct kvl_kernel_group {
    const struct kvl_kernel_case *cases;
    int n;
};
extern const struct kvl_kernel_group kvl_kernel_rows, kvl_kernel_linear, kvl_kernel_attention, kvl_kernel_selection;

/* A case's `run`: the operation of that name. */
#define KVL_KERNEL_RUN(operation)                                                                           \
    static enum kvl_status run_##operation(struct kvl_ctx *ctx, const union kvl_kernel_op *op)              \
    {                                                                                                       \
        return ctx->be->operation(ctx, &op->operation);                                                     \
    }

/* (query, key) pairs of rows [begin, end) that see themselves and the keys before, at most `window` of them (0: all). */
double kvl_kernel_pairs(int64_t begin, int64_t end, int64_t window);

/* A share of the tokens, at least one. */
static inline int64_t kvl_kernel_share(int64_t n, int64_t divisor)
{
    return n / divisor > 1 ? n / divisor : 1;
}

#ifdef __cplusplus
}
#endif
#endif
