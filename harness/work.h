/* The work that a run needs, whoever does it: operations of a prefill, bytes of a decode step. */
#ifndef KVL_WORK_H
#define KVL_WORK_H

#include "core/model.h"
#include "core/policy.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Floating-point operations of a prefill by its plan: linear layers (2 per weight and token), attention (4 e per visible pair
 * and query head), the head for one token; both passes where there are two. Selection is not counted. */
double kvl_work_prefill_flops(const struct kvl_shape *shape, const struct kvl_plan *plan);

/* Bytes of keys and values held after `n_done` steps without eviction, or of what the plan lets a layer hold. */
double kvl_work_cache_bytes(const struct kvl_model *model, const struct kvl_plan *plan, int64_t n_done);

/* Bytes that one decode step must read: the weights and those of the cache. */
double kvl_work_decode_bytes(const struct kvl_model *model, const struct kvl_plan *plan, int64_t n_done);

#ifdef __cplusplus
}
#endif
#endif
