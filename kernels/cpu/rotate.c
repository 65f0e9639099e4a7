#include "kernels/rotate.h"

#include <math.h>

#include "kernels/cpu/cpu.h"

enum kvl_status kvl_cpu_rotate_table(struct kvl_ctx *ctx, const struct kvl_rotate_table *op)
{
#pragma omp parallel for schedule(static) num_threads(kvl_cpu(ctx)->n_threads) if (op->n > 1)
    for (int64_t i = 0; i < op->n; i++)
        for (int64_t c = 0; c < op->n_half; c++) {
            float angle = (float)op->pos[i] * op->inv_freq[c];
            op->table[(i * op->n_half + c) * 2] = cosf(angle);
            op->table[(i * op->n_half + c) * 2 + 1] = sinf(angle);
        }
    return KVL_OK;
}

enum kvl_status kvl_cpu_rotate(struct kvl_ctx *ctx, const struct kvl_rotate *op)
{
    const struct kvl_cpu *cpu = kvl_cpu(ctx);
    const struct kvl_heads *x = &op->x;
    int64_t half = x->head_size / 2;
    size_t token_bytes = (size_t)x->token_stride * kvl_dtype_size(x->dtype);
#pragma omp parallel for schedule(static) num_threads(cpu->n_threads) if (x->n_tokens > 1)
    for (int64_t i = 0; i < x->n_tokens; i++)
        cpu->simd->rotate((char *)x->data + (size_t)i * token_bytes, x->dtype, x->n_heads, x->head_stride, half,
                          op->table + i * half * 2, op->inverse ? -1.0f : 1.0f);
    return KVL_OK;
}
