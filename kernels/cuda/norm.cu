/* One block a row: the sum of squares, then the row again out of the cache. A thread adds its columns in ascending order and the
 * block joins the threads in a fixed tree, so a row's bits depend on the row alone. */
#include "kernels/norm.h"

#include "kernels/cuda/vector.cuh"
#include "kernels/cuda/warp.cuh"

namespace {

enum { THREADS = 256 };

template <class T, int N>
__global__ void norm_rows(const float *in, const float *weight, T *out, int64_t n_embd, float eps)
{
    const float *x = in + static_cast<int64_t>(blockIdx.x) * n_embd;
    T *y = out + static_cast<int64_t>(blockIdx.x) * n_embd;
    float squares = 0.0f;
    for (int64_t c = static_cast<int64_t>(threadIdx.x) * N; c < n_embd; c += THREADS * N) {
        float v[N];
        kvl::load(x + c, v);
        for (int i = 0; i < N; i++)
            squares += v[i] * v[i];
    }
    float scale = 1.0f / sqrtf(kvl::block_sum(squares) / static_cast<float>(n_embd) + eps);
    for (int64_t c = static_cast<int64_t>(threadIdx.x) * N; c < n_embd; c += THREADS * N) {
        float v[N], w[N];
        kvl::load(x + c, v);
        kvl::load(weight + c, w);
        for (int i = 0; i < N; i++)
            v[i] = v[i] * scale * w[i];
        kvl::store(v, y + c);
    }
}

template <class T> enum kvl_status launch(struct kvl_cuda_ctx *cuda, const struct kvl_norm *op)
{
    bool wide = kvl::aligned_16(op->x) && kvl::aligned_16(op->weight) && kvl::aligned_16(op->out) && op->n_embd % 4 == 0;
    auto *kernel = wide ? norm_rows<T, 4> : norm_rows<T, 1>;
    KVL_TRY_LAUNCH(kernel, dim3((unsigned)op->n), dim3(THREADS), 0, cuda->stream, op->x, op->weight, (T *)op->out, op->n_embd,
                   op->eps);
    return KVL_OK;
}

} // namespace

enum kvl_status kvl_cuda_norm(struct kvl_ctx *ctx, const struct kvl_norm *op)
{
    return op->dtype == KVL_F32 ? launch<float>(kvl_cuda(ctx), op) : launch<__nv_bfloat16>(kvl_cuda(ctx), op);
}
