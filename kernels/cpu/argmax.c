#include "kernels/argmax.h"

#include "kernels/cpu/cpu.h"

enum kvl_status kvl_cpu_argmax(struct kvl_ctx *ctx, const struct kvl_argmax *op)
{
    (void)ctx;
    int64_t best = 0;
    for (int64_t i = 1; i < op->n; i++)
        if (op->in[i] > op->in[best] || (op->in[best] != op->in[best] && op->in[i] == op->in[i]))
            best = i;
    *op->out = (int32_t)best;
    return KVL_OK;
}
