/* A thread makes 16 bytes, the last one what is left. */
#include "kernels/fill_random.h"

#include "kernels/cuda/vector.cuh"

namespace {

template <class T, int N> __global__ void fill(T *out, int64_t n, uint64_t seed, uint64_t first, float bound)
{
    int64_t i = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * N;
    float x[N];
    for (int j = 0; j < N; j++)
        x[j] = kvl_random_uniform(seed, first + static_cast<uint64_t>(i + j), bound);
    if (i + N <= n)
        kvl::store(x, out + i);
    else
        for (int j = 0; j < N && i + j < n; j++)
            kvl::from_float(x[j], out + i + j);
}

template <class T> enum kvl_status launch(struct kvl_cuda_ctx *cuda, const struct kvl_fill_random *op)
{
    bool wide = kvl::aligned_16(op->out);
    auto *kernel = wide ? fill<T, kvl::WIDTH<T>> : fill<T, 1>;
    int64_t n_blocks = kvl_div_up(op->n, 256 * (wide ? kvl::WIDTH<T> : 1));
    KVL_TRY_LAUNCH(kernel, dim3((unsigned)n_blocks), dim3(256), 0, cuda->stream, (T *)op->out, op->n, op->seed, op->first,
                   op->bound);
    return KVL_OK;
}

} // namespace

enum kvl_status kvl_cuda_fill_random(struct kvl_ctx *ctx, const struct kvl_fill_random *op)
{
    return op->dtype == KVL_F32 ? launch<float>(kvl_cuda(ctx), op) : launch<__nv_bfloat16>(kvl_cuda(ctx), op);
}
