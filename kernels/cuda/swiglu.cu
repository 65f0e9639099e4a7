/* A thread makes up to 16 bytes of the result; a row is cut over blocks, so that one row alone uses several multiprocessors. */
#include "kernels/swiglu.h"

#include "kernels/cuda/vector.cuh"

namespace {

enum { THREADS = 256 };

template <class T, int N> __global__ void swiglu_rows(const T *in, T *out, int64_t n_ff)
{
    int64_t row = blockIdx.x, c = (static_cast<int64_t>(blockIdx.y) * THREADS + threadIdx.x) * N;
    if (c >= n_ff)
        return;
    float gate[N], up[N];
    kvl::load(in + 2 * row * n_ff + c, gate);
    kvl::load(in + (2 * row + 1) * n_ff + c, up);
    for (int i = 0; i < N; i++)
        gate[i] = gate[i] / (1.0f + expf(-gate[i])) * up[i];
    kvl::store(gate, out + row * n_ff + c);
}

template <class T> enum kvl_status launch(struct kvl_cuda_ctx *cuda, const struct kvl_swiglu *op)
{
    bool wide = kvl::aligned_16(op->in) && kvl::aligned_16(op->out) && kvl::aligned_16(op->n_ff * (int64_t)sizeof(T));
    auto *kernel = wide ? swiglu_rows<T, kvl::WIDTH<T>> : swiglu_rows<T, 1>;
    int64_t across = kvl_div_up(op->n_ff, THREADS * (wide ? kvl::WIDTH<T> : 1));
    KVL_TRY_LAUNCH(kernel, dim3((unsigned)op->n, (unsigned)across), dim3(THREADS), 0, cuda->stream, (const T *)op->in,
                   (T *)op->out, op->n_ff);
    return KVL_OK;
}

} // namespace

enum kvl_status kvl_cuda_swiglu(struct kvl_ctx *ctx, const struct kvl_swiglu *op)
{
    return op->dtype == KVL_F32 ? launch<float>(kvl_cuda(ctx), op) : launch<__nv_bfloat16>(kvl_cuda(ctx), op);
}
