#include "kernels/fill_random.h"

#include "kernels/cpu/cpu.h"

enum kvl_status kvl_cpu_fill_random(struct kvl_ctx *ctx, const struct kvl_fill_random *op)
{
#pragma omp parallel for schedule(static) num_threads(kvl_cpu(ctx)->n_threads) if (op->n > 1)
    for (int64_t i = 0; i < op->n; i++) {
        float x = kvl_random_uniform(op->seed, op->first + (uint64_t)i, op->bound);
        if (op->dtype == KVL_F32)
            ((float *)op->out)[i] = x;
        else
            ((uint16_t *)op->out)[i] = kvl_f32_to_bf16(x);
    }
    return KVL_OK;
}
