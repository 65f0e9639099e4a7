/* One block a token; a thread turns the pairs (c, c + e/2) of up to 16 bytes of a head. */
#include "kernels/rotate.h"

#include "kernels/cuda/vector.cuh"

namespace {

__global__ void fill_table(const int32_t *pos, const float *inv_freq, float *table, int64_t n, int64_t n_half)
{
    int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (i >= n * n_half)
        return;
    float angle = static_cast<float>(pos[i / n_half]) * inv_freq[i % n_half];
    table[2 * i] = cosf(angle);
    table[2 * i + 1] = sinf(angle);
}

template <class T, int N>
__global__ void turn(T *data, const float *table, int n_heads, int half, int64_t token_stride, int64_t head_stride, float sign)
{
    const float *turns = table + static_cast<int64_t>(blockIdx.x) * half * 2;
    T *token = data + static_cast<int64_t>(blockIdx.x) * token_stride;
    int per_head = half / N;
    for (int i = static_cast<int>(threadIdx.x); i < n_heads * per_head; i += static_cast<int>(blockDim.x)) {
        int c = i % per_head * N;
        T *x = token + static_cast<int64_t>(i / per_head) * head_stride + c;
        float low[N], high[N];
        kvl::load(x, low);
        kvl::load(x + half, high);
        for (int j = 0; j < N; j++) {
            float cosine = turns[2 * (c + j)], sine = sign * turns[2 * (c + j) + 1], was = low[j];
            low[j] = was * cosine - high[j] * sine;
            high[j] = high[j] * cosine + was * sine;
        }
        kvl::store(low, x);
        kvl::store(high, x + half);
    }
}

template <class T> enum kvl_status launch(struct kvl_cuda_ctx *cuda, const struct kvl_rotate *op)
{
    const struct kvl_heads *x = &op->x;
    int64_t half = x->head_size / 2, size = (int64_t)sizeof(T);
    bool wide = kvl::aligned_16(x->data) && kvl::aligned_16(half * size) && kvl::aligned_16(x->token_stride * size) &&
                kvl::aligned_16(x->head_stride * size);
    auto *kernel = wide ? turn<T, kvl::WIDTH<T>> : turn<T, 1>;
    KVL_TRY_LAUNCH(kernel, dim3((unsigned)x->n_tokens), dim3(256), 0, cuda->stream, (T *)x->data, op->table, (int)x->n_heads,
                   (int)half, x->token_stride, x->head_stride, op->inverse ? -1.0f : 1.0f);
    return KVL_OK;
}

} // namespace

enum kvl_status kvl_cuda_rotate_table(struct kvl_ctx *ctx, const struct kvl_rotate_table *op)
{
    int64_t n_blocks = kvl_div_up(op->n * op->n_half, 256);
    KVL_TRY_LAUNCH(fill_table, dim3((unsigned)n_blocks), dim3(256), 0, kvl_cuda(ctx)->stream, op->pos, op->inv_freq, op->table,
                   op->n, op->n_half);
    return KVL_OK;
}

enum kvl_status kvl_cuda_rotate(struct kvl_ctx *ctx, const struct kvl_rotate *op)
{
    return op->x.dtype == KVL_F32 ? launch<float>(kvl_cuda(ctx), op) : launch<__nv_bfloat16>(kvl_cuda(ctx), op);
}
