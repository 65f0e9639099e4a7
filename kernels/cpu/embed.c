#include "kernels/embed.h"

#include "kernels/cpu/cpu.h"

enum kvl_status kvl_cpu_embed(struct kvl_ctx *ctx, const struct kvl_embed *op)
{
    const struct kvl_cpu *cpu = kvl_cpu(ctx);
    size_t row_bytes = (size_t)op->n_embd * kvl_dtype_size(op->dtype);
#pragma omp parallel for schedule(static) num_threads(cpu->n_threads) if (op->n > 1)
    for (int64_t i = 0; i < op->n; i++)
        cpu->simd->to_f32((const char *)op->table + (size_t)op->ids[i] * row_bytes, op->dtype, op->out + i * op->n_embd,
                          op->n_embd);
    return KVL_OK;
}
