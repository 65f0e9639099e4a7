#include "kernels/swiglu.h"

#include "kernels/cpu/cpu.h"

enum kvl_status kvl_cpu_swiglu(struct kvl_ctx *ctx, const struct kvl_swiglu *op)
{
    const struct kvl_cpu *cpu = kvl_cpu(ctx);
    size_t bytes = (size_t)op->n_ff * kvl_dtype_size(op->dtype);
#pragma omp parallel for schedule(static) num_threads(cpu->n_threads) if (op->n > 1)
    for (int64_t i = 0; i < op->n; i++) {
        const char *gate = (const char *)op->in + (size_t)(2 * i) * bytes;
        cpu->simd->swiglu(gate, gate + bytes, (char *)op->out + (size_t)i * bytes, op->dtype, op->n_ff);
    }
    return KVL_OK;
}
