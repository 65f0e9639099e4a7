#include "kernels/range.h"

#include "kernels/cpu/cpu.h"

enum kvl_status kvl_cpu_range(struct kvl_ctx *ctx, const struct kvl_range *op)
{
    (void)ctx;
    for (int64_t row = 0; row < op->n_rows; row++)
        for (int64_t i = 0; i < op->n; i++)
            op->idx[row * op->ld_idx + op->at + i] = op->first + (int32_t)i;
    return KVL_OK;
}
