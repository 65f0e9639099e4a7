#include "kernels/gather.h"

#include "kernels/cpu/cpu.h"

enum kvl_status kvl_cpu_gather(struct kvl_ctx *ctx, const struct kvl_gather *op)
{
    size_t bytes = (size_t)op->row_bytes;
    int64_t n_batch = op->n_batch > 1 ? op->n_batch : 1;
#pragma omp parallel for schedule(static) num_threads(kvl_cpu(ctx)->n_threads) if (n_batch > 1)
    for (int64_t b = 0; b < n_batch; b++) {
        const char *in = (const char *)op->in + b * op->batch_bytes;
        char *out = (char *)op->out + b * op->batch_bytes;
        const int32_t *idx = op->idx + b * op->ld_idx;
        for (int64_t i = 0; i < op->n; i++)
            memmove(out + (size_t)i * bytes, in + (size_t)idx[i] * bytes, bytes);
    }
    return KVL_OK;
}

enum kvl_status kvl_cpu_gather_heads(struct kvl_ctx *ctx, const struct kvl_gather_heads *op)
{
    size_t bytes = (size_t)op->in.head_size * kvl_dtype_size(op->in.dtype);
#pragma omp parallel for schedule(static) num_threads(kvl_cpu(ctx)->n_threads) if (op->n > 1)
    for (int64_t stored = 0; stored < op->n_stored; stored++) {
        int64_t head = stored * op->in.n_heads / op->n_stored;
        const int32_t *idx = op->idx == NULL ? NULL : op->idx + (op->n_lists == 1 ? 0 : stored) * op->n;
        for (int64_t i = 0; i < op->n; i++)
            memcpy((char *)op->out + (size_t)(stored * op->n_max + i) * bytes,
                   kvl_heads_at(&op->in, idx == NULL ? i : idx[i], head), bytes);
    }
    return KVL_OK;
}
