/* Inputs of the attention operations: host values with their reference view, and the same on the device as the engine lays
 * them out (q, k and v side by side in one row per token). */
#ifndef KVLAB_TEST_ATTENTION_CASE_H
#define KVLAB_TEST_ATTENTION_CASE_H

#include "tests/support/kernel_kit.h"
#include "tests/support/reference.h"

struct attention_shape {
    int64_t n, h, hk, e;
    int64_t window;      /* 0: none; positions then have gaps of up to 3 */
    int64_t causal_from;
    float bound;         /* of the queries' values; the larger, the sharper the softmax. 0: 4 */
};

struct attention_case {
    struct ref_attention ref; /* dense host arrays */
    enum kvl_dtype dtype;
    struct kvl_heads q, k, v; /* on the device */
    const int32_t *pos;       /* on the device */
    float scale;
};

/* Everything lives until kit_clear. */
void attention_case_init(struct attention_case *c, struct kit *kit, const struct attention_shape *shape, enum kvl_dtype dtype);

/* The case's operation on its first n tokens, with outputs and scratch of the kit. with_values false: the log-sum-exp only. */
struct kvl_attend attention_op(struct kit *kit, const struct attention_case *c, int64_t n, bool with_values);

void attention_name(const struct attention_shape *shape, enum kvl_dtype dtype);

#endif
