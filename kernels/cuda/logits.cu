/* A warp takes one key of one KV head, holds it in registers (a lane every 32nd feature) and multiplies it with the row of each
 * query head of the group. */
#include "kernels/logits.h"

#include "kernels/cuda/vector.cuh"
#include "kernels/cuda/warp.cuh"

namespace {

enum { WARPS = 8, MAX_HEAD = 256, PER_LANE = MAX_HEAD / 32 };

template <class T>
__global__ void dot_rows(const T *q, const T *k, float *scores, int64_t n, int group, int e, int64_t q_head, int64_t k_token,
                         int64_t k_head)
{
    int lane = static_cast<int>(threadIdx.x) % 32;
    int64_t key = static_cast<int64_t>(blockIdx.x) * WARPS + threadIdx.x / 32, head = blockIdx.y;
    if (key >= n) /* the whole warp */
        return;
    float x[PER_LANE];
#pragma unroll
    for (int i = 0; i < PER_LANE; i++)
        x[i] = lane + 32 * i < e ? kvl::to_float(k[key * k_token + head * k_head + lane + 32 * i]) : 0.0f;
    for (int64_t a = head * group; a < (head + 1) * group; a++) {
        float sum = 0.0f;
#pragma unroll
        for (int i = 0; i < PER_LANE; i++)
            if (lane + 32 * i < e)
                sum += kvl::to_float(q[a * q_head + lane + 32 * i]) * x[i];
        sum = kvl::warp_sum(sum);
        if (lane == 0)
            scores[a * n + key] = sum;
    }
}

template <class T> enum kvl_status launch(struct kvl_cuda_ctx *cuda, const struct kvl_logits *op)
{
    int64_t n = op->k.n_tokens;
    KVL_TRY_LAUNCH(dot_rows<T>, dim3((unsigned)kvl_div_up(n, WARPS), (unsigned)op->k.n_heads), dim3(32 * WARPS), 0, cuda->stream,
                   (const T *)kvl_heads_at(&op->q, op->row, 0), (const T *)op->k.data, op->scores, n,
                   (int)(op->q.n_heads / op->k.n_heads), (int)op->q.head_size, op->q.head_stride, op->k.token_stride,
                   op->k.head_stride);
    return KVL_OK;
}

} // namespace

enum kvl_status kvl_cuda_logits(struct kvl_ctx *ctx, const struct kvl_logits *op)
{
    KVL_REQUIRE(op->q.head_size <= MAX_HEAD, "logits: head size %lld: at most %d", (long long)op->q.head_size, (int)MAX_HEAD);
    return op->q.dtype == KVL_F32 ? launch<float>(kvl_cuda(ctx), op) : launch<__nv_bfloat16>(kvl_cuda(ctx), op);
}
