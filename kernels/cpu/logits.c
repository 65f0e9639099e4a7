#include "kernels/logits.h"

#include "kernels/cpu/cpu.h"

enum kvl_status kvl_cpu_logits(struct kvl_ctx *ctx, const struct kvl_logits *op)
{
    const struct kvl_cpu *cpu = kvl_cpu(ctx);
    int64_t e = op->q.head_size, n = op->k.n_tokens, group = op->q.n_heads / op->k.n_heads;
    KVL_REQUIRE(e <= KVL_CPU_MAX_HEAD, "logits: head size %lld: at most %d", (long long)e, KVL_CPU_MAX_HEAD);
#pragma omp parallel for schedule(static) num_threads(cpu->n_threads)
    for (int64_t head = 0; head < op->q.n_heads; head++) {
        float q[KVL_CPU_MAX_HEAD];
        cpu->simd->to_f32(kvl_heads_at(&op->q, op->row, head), op->q.dtype, q, e);
        cpu->simd->dots(kvl_heads_at(&op->k, 0, head / group), op->k.dtype, op->k.token_stride, n, e, q, op->scores + head * n);
    }
    return KVL_OK;
}
