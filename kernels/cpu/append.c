#include "kernels/append.h"

#include "kernels/cpu/cpu.h"

enum kvl_status kvl_cpu_append(struct kvl_ctx *ctx, const struct kvl_append *op)
{
    (void)ctx;
    size_t bytes = (size_t)op->k.head_size * kvl_dtype_size(op->k.dtype);
    for (int64_t stored = 0; stored < op->n_stored; stored++) {
        int64_t head = stored * op->k.n_heads / op->n_stored, entry = stored * op->n_max + op->n[stored];
        memcpy((char *)op->cache_k + (size_t)entry * bytes, kvl_heads_at(&op->k, 0, head), bytes);
        memcpy((char *)op->cache_v + (size_t)entry * bytes, kvl_heads_at(&op->v, 0, head), bytes);
        op->cache_pos[entry] = *op->pos;
        if (op->scores != NULL)
            op->scores[entry] = 0.0f;
        op->n[stored]++;
    }
    return KVL_OK;
}
