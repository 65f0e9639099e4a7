/* One row against a weight: reading the weight once is all the time it takes. A warp makes OUTPUTS results at a time, its lanes
 * taking 16 bytes of a weight's row in turn; x comes out of the cache. Sums join in a fixed tree. */
#include "kernels/cuda/cuda.h"
#include "kernels/cuda/vector.cuh"
#include "kernels/cuda/warp.cuh"

namespace {

enum { WARPS = 8, OUTPUTS = 2 };

template <class T, class Out, int N>
__global__ void multiply_row(const T *x, const T *weight, Out *out, int64_t n_in, int64_t n_out, bool accumulate)
{
    int lane = static_cast<int>(threadIdx.x) % 32;
    int64_t first = (static_cast<int64_t>(blockIdx.x) * WARPS + threadIdx.x / 32) * OUTPUTS;
    if (first >= n_out) /* the whole warp */
        return;
    const T *rows[OUTPUTS];
    float sums[OUTPUTS] = {};
#pragma unroll
    for (int o = 0; o < OUTPUTS; o++) /* behind the last row: that one again */
        rows[o] = weight + (first + o < n_out ? first + o : n_out - 1) * n_in;
#pragma unroll 4
    for (int64_t c = static_cast<int64_t>(lane) * N; c < n_in; c += 32 * N) {
        float a[N], w[N];
        kvl::load(x + c, a);
#pragma unroll
        for (int o = 0; o < OUTPUTS; o++) {
            kvl::load(rows[o] + c, w);
#pragma unroll
            for (int i = 0; i < N; i++)
                sums[o] += a[i] * w[i];
        }
    }
#pragma unroll
    for (int o = 0; o < OUTPUTS; o++) {
        float sum = kvl::warp_sum(sums[o]);
        if (lane == 0 && first + o < n_out)
            kvl::from_float(accumulate ? kvl::to_float(out[first + o]) + sum : sum, out + first + o);
    }
}

template <class T, class Out> enum kvl_status launch(struct kvl_cuda_ctx *cuda, const struct kvl_linear_row *op)
{
    bool wide = kvl::aligned_16(op->x) && kvl::aligned_16(op->weight) && kvl::aligned_16(op->n_in * (int64_t)sizeof(T));
    auto *kernel = wide ? multiply_row<T, Out, kvl::WIDTH<T>> : multiply_row<T, Out, 1>;
    KVL_TRY_LAUNCH(kernel, dim3((unsigned)kvl_div_up(op->n_out, WARPS * OUTPUTS)), dim3(32 * WARPS), 0, cuda->stream,
                   (const T *)op->x, (const T *)op->weight, (Out *)op->out, op->n_in, op->n_out, op->accumulate);
    return KVL_OK;
}

} // namespace

enum kvl_status kvl_cuda_linear_row(struct kvl_cuda_ctx *cuda, const struct kvl_linear_row *op)
{
    if (op->dtype == KVL_F32)
        return launch<float, float>(cuda, op);
    return op->out_dtype == KVL_F32 ? launch<__nv_bfloat16, float>(cuda, op) : launch<__nv_bfloat16, __nv_bfloat16>(cuda, op);
}
