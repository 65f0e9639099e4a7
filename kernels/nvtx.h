/* Ranges of the NVTX domain "kvlab" for profilers (nsys profile --trace=nvtx), nested and per thread:
 *   run > job > sample > prefill [tokens] > layer i [i] > attention, select, mlp [tokens];   sample > decode step [position]
 * in brackets the payload, an int64. They go through NVTX's injection mechanism, so they need no GPU and no CUDA; where nothing
 * listens, a call is a null check. Without NVTX headers at build time they do nothing. */
#ifndef KVL_NVTX_H
#define KVL_NVTX_H

#include <stdint.h>

#include "kernels/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

/* kvl_backend.range_push and range_pop of every backend; the context is not used. */
void kvl_nvtx_push(struct kvl_ctx *ctx, const char *name, int64_t payload);
void kvl_nvtx_pop(struct kvl_ctx *ctx);

#ifdef __cplusplus
}
#endif
#endif
