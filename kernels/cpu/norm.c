#include "kernels/norm.h"

#include "kernels/cpu/cpu.h"

enum kvl_status kvl_cpu_norm(struct kvl_ctx *ctx, const struct kvl_norm *op)
{
    const struct kvl_cpu *cpu = kvl_cpu(ctx);
    size_t row_bytes = (size_t)op->n_embd * kvl_dtype_size(op->dtype);
#pragma omp parallel for schedule(static) num_threads(cpu->n_threads) if (op->n > 1)
    for (int64_t i = 0; i < op->n; i++)
        cpu->simd->norm(op->x + i * op->n_embd, op->weight, (char *)op->out + (size_t)i * row_bytes, op->dtype, op->n_embd,
                        op->eps);
    return KVL_OK;
}
