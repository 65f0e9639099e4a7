/* One block a stored head. */
#include "kernels/append.h"

#include "kernels/cuda/vector.cuh"

namespace {

template <class T>
__global__ void append_entry(const T *k, const T *v, int64_t k_stride, int64_t v_stride, const int32_t *pos, T *cache_k, T *cache_v,
                             int32_t *cache_pos, float *scores, int32_t *n, int head_size, int n_kv, int64_t n_max)
{
    int64_t stored = blockIdx.x, head = stored * n_kv / gridDim.x, entry = stored * n_max + n[stored];
    for (int c = static_cast<int>(threadIdx.x); c < head_size; c += static_cast<int>(blockDim.x)) {
        cache_k[entry * head_size + c] = k[head * k_stride + c];
        cache_v[entry * head_size + c] = v[head * v_stride + c];
    }
    __syncthreads(); /* all have read n */
    if (threadIdx.x > 0)
        return;
    cache_pos[entry] = *pos;
    if (scores != nullptr)
        scores[entry] = 0.0f;
    n[stored]++;
}

template <class T> enum kvl_status launch(struct kvl_cuda_ctx *cuda, const struct kvl_append *op)
{
    KVL_TRY_LAUNCH(append_entry<T>, dim3((unsigned)op->n_stored), dim3(128), 0, cuda->stream, (const T *)op->k.data,
                   (const T *)op->v.data, op->k.head_stride, op->v.head_stride, op->pos, (T *)op->cache_k, (T *)op->cache_v,
                   op->cache_pos, op->scores, op->n, (int)op->k.head_size, (int)op->k.n_heads, op->n_max);
    return KVL_OK;
}

} // namespace

enum kvl_status kvl_cuda_append(struct kvl_ctx *ctx, const struct kvl_append *op)
{
    return op->k.dtype == KVL_F32 ? launch<uint32_t>(kvl_cuda(ctx), op) : launch<uint16_t>(kvl_cuda(ctx), op);
}
