#include "kernels/rotate.h"

#include <math.h>

#include "kernels/cpu/cpu.h"

enum kvl_status kvl_cpu_rotate_table(struct kvl_ctx *ctx, const struct kvl_rotate_table *op)
{
#pragma omp parallel for schedule(static) num_threads(kvl_cpu(ctx)->n_threads) if (op->n > 1)
    for (int64_t i = 0; i < op->n; i++)
        for (int64_t c = 0; c < op->n_half; c++) {
            float angle = (float)op->pos[i] * op->inv_freq[c];
            op->table[(i * op->n_half + c) * 2] = cosf(angle);
            op->table[(i * op->n_half + c) * 2 + 1] = sinf(angle);
        }
    return KVL_OK;
}

static void rotate_f32(float *x, const float *table, int64_t half, float sign)
{
    for (int64_t c = 0; c < half; c++) {
        float cosine = table[2 * c], sine = sign * table[2 * c + 1], low = x[c], high = x[c + half];
        x[c] = low * cosine - high * sine;
        x[c + half] = high * cosine + low * sine;
    }
}

static void rotate_bf16(uint16_t *x, const float *table, int64_t half, float sign)
{
    for (int64_t c = 0; c < half; c++) {
        float cosine = table[2 * c], sine = sign * table[2 * c + 1];
        float low = kvl_bf16_to_f32(x[c]), high = kvl_bf16_to_f32(x[c + half]);
        x[c] = kvl_f32_to_bf16(low * cosine - high * sine);
        x[c + half] = kvl_f32_to_bf16(high * cosine + low * sine);
    }
}

enum kvl_status kvl_cpu_rotate(struct kvl_ctx *ctx, const struct kvl_rotate *op)
{
    const struct kvl_heads *x = &op->x;
    int64_t half = x->head_size / 2;
    float sign = op->inverse ? -1.0f : 1.0f;
#pragma omp parallel for schedule(static) num_threads(kvl_cpu(ctx)->n_threads) if (x->n_tokens > 1)
    for (int64_t i = 0; i < x->n_tokens; i++)
        for (int64_t a = 0; a < x->n_heads; a++) {
            int64_t at = i * x->token_stride + a * x->head_stride;
            if (x->dtype == KVL_F32)
                rotate_f32((float *)x->data + at, op->table + i * half * 2, half, sign);
            else
                rotate_bf16((uint16_t *)x->data + at, op->table + i * half * 2, half, sign);
        }
    return KVL_OK;
}
