/* One block a row. */
#include "kernels/embed.h"

#include "kernels/cuda/vector.cuh"

namespace {

template <class T, int N> __global__ void embed_rows(const int32_t *ids, const T *table, float *out, int64_t n_embd)
{
    const T *from = table + static_cast<int64_t>(ids[blockIdx.x]) * n_embd;
    float *to = out + static_cast<int64_t>(blockIdx.x) * n_embd;
    for (int64_t c = static_cast<int64_t>(threadIdx.x) * N; c < n_embd; c += static_cast<int64_t>(blockDim.x) * N) {
        float x[N];
        kvl::load(from + c, x);
        for (int i = 0; i < N; i++)
            to[c + i] = x[i];
    }
}

template <class T> enum kvl_status launch(struct kvl_cuda_ctx *cuda, const struct kvl_embed *op)
{
    bool wide = kvl::aligned_16(op->table) && kvl::aligned_16(op->n_embd * (int64_t)sizeof(T));
    auto *kernel = wide ? embed_rows<T, kvl::WIDTH<T>> : embed_rows<T, 1>;
    KVL_TRY_LAUNCH(kernel, dim3((unsigned)op->n), dim3(256), 0, cuda->stream, op->ids, (const T *)op->table, op->out, op->n_embd);
    return KVL_OK;
}

} // namespace

enum kvl_status kvl_cuda_embed(struct kvl_ctx *ctx, const struct kvl_embed *op)
{
    return op->dtype == KVL_F32 ? launch<float>(kvl_cuda(ctx), op) : launch<__nv_bfloat16>(kvl_cuda(ctx), op);
}
