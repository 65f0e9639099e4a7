#include "tests/support/reference.h"

#include <math.h>
#include <stdlib.h>

void ref_linear(const float *x, const float *w, const float *before, int64_t n, int64_t n_in, int64_t n_out, double *out)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t o = 0; o < n_out; o++) {
            double sum = 0.0;
            for (int64_t c = 0; c < n_in; c++)
                sum += (double)x[i * n_in + c] * (double)w[o * n_in + c];
            out[i * n_out + o] = sum + (before != NULL ? (double)before[i * n_out + o] : 0.0);
        }
}

void ref_norm(const float *x, const float *weight, int64_t n, int64_t n_embd, double eps, double *out)
{
    for (int64_t i = 0; i < n; i++) {
        double squares = 0.0;
        for (int64_t c = 0; c < n_embd; c++)
            squares += (double)x[i * n_embd + c] * (double)x[i * n_embd + c];
        for (int64_t c = 0; c < n_embd; c++)
            out[i * n_embd + c] = (double)x[i * n_embd + c] / sqrt(squares / (double)n_embd + eps) * (double)weight[c];
    }
}

void ref_swiglu(const float *in, int64_t n, int64_t n_ff, double *out)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < n_ff; c++) {
            double gate = (double)in[2 * i * n_ff + c], up = (double)in[(2 * i + 1) * n_ff + c];
            out[i * n_ff + c] = gate / (1.0 + exp(-gate)) * up;
        }
}

void ref_rotate(const float *x, const int32_t *pos, const float *inv_freq, int64_t n, int64_t heads, int64_t e, bool inverse,
                double *out)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t a = 0; a < heads; a++)
            for (int64_t c = 0; c < e / 2; c++) {
                float product = (float)pos[i] * inv_freq[c]; /* float32 by contract */
                double angle = inverse ? -(double)product : (double)product;
                int64_t low = (i * heads + a) * e + c, high = low + e / 2;
                out[low] = (double)x[low] * cos(angle) - (double)x[high] * sin(angle);
                out[high] = (double)x[high] * cos(angle) + (double)x[low] * sin(angle);
            }
}

bool ref_visible(const struct ref_attention *a, int64_t row, int64_t key)
{
    const int32_t *key_pos = a->key_pos != NULL ? a->key_pos : a->pos;
    if (a->window > 0 && (int64_t)a->pos[row] - key_pos[key] >= a->window)
        return false;
    return key <= row || row < a->causal_from;
}

static double dot(const struct ref_attention *a, int64_t head, int64_t row, int64_t key)
{
    const float *q = a->q + (row * a->h + head) * a->e, *k = a->k + (key * a->hk + head / (a->h / a->hk)) * a->e;
    double sum = 0.0;
    for (int64_t c = 0; c < a->e; c++)
        sum += (double)q[c] * (double)k[c];
    return sum;
}

double ref_row(const struct ref_attention *a, int64_t head, int64_t row, double *p)
{
    double max = -INFINITY, sum = 0.0;
    for (int64_t j = 0; j < a->m; j++) {
        p[j] = ref_visible(a, row, j) ? a->scale * dot(a, head, row, j) : -INFINITY;
        max = p[j] > max ? p[j] : max;
    }
    for (int64_t j = 0; j < a->m; j++) {
        p[j] = exp(p[j] - max);
        sum += p[j];
    }
    for (int64_t j = 0; j < a->m; j++)
        p[j] /= sum;
    return max + log(sum);
}

void ref_attend(const struct ref_attention *a, double *out, double *lse)
{
    double *p = malloc((size_t)a->m * sizeof *p);
    for (int64_t head = 0; head < a->h; head++)
        for (int64_t i = 0; i < a->n; i++) {
            lse[head * a->n + i] = ref_row(a, head, i, p);
            if (out == NULL)
                continue;
            double *o = out + (i * a->h + head) * a->e;
            for (int64_t c = 0; c < a->e; c++)
                o[c] = 0.0;
            for (int64_t j = 0; j < a->m; j++)
                for (int64_t c = 0; p[j] > 0.0 && c < a->e; c++)
                    o[c] += p[j] * (double)a->v[(j * a->hk + head / (a->h / a->hk)) * a->e + c];
        }
    free(p);
}

static float round_bf16(float x)
{
    return kvl_bf16_to_f32(kvl_f32_to_bf16(x));
}

void naive_attend_bf16(const struct ref_attention *a, float *out)
{
    float *p = malloc((size_t)a->m * sizeof *p);
    for (int64_t head = 0; head < a->h; head++)
        for (int64_t i = 0; i < a->n; i++) {
            int64_t kv = head / (a->h / a->hk);
            float max = -INFINITY, sum = 0.0f;
            for (int64_t j = 0; j < a->m; j++) {
                float s = 0.0f;
                for (int64_t c = 0; c < a->e; c++)
                    s += a->q[(i * a->h + head) * a->e + c] * a->k[(j * a->hk + kv) * a->e + c];
                p[j] = ref_visible(a, i, j) ? s * (float)a->scale : -INFINITY;
                max = p[j] > max ? p[j] : max;
            }
            for (int64_t j = 0; j < a->m; j++)
                sum += p[j] = expf(p[j] - max);
            float *o = out + (i * a->h + head) * a->e;
            for (int64_t c = 0; c < a->e; c++) {
                float total = 0.0f;
                for (int64_t j = 0; j < a->m; j++)
                    total += round_bf16(p[j] / sum) * a->v[(j * a->hk + kv) * a->e + c];
                o[c] = round_bf16(total);
            }
        }
    free(p);
}

void ref_mass(const struct ref_attention *a, const float *weights, int64_t begin, int64_t end, int64_t n_keys, double *scores)
{
    double *p = malloc((size_t)a->m * sizeof *p);
    for (int64_t head = 0; head < a->h; head++) {
        for (int64_t j = 0; j < n_keys; j++)
            scores[head * n_keys + j] = 0.0;
        for (int64_t i = begin; i < end; i++) {
            ref_row(a, head, i, p);
            for (int64_t j = 0; j < n_keys; j++)
                scores[head * n_keys + j] += (weights != NULL ? (double)weights[i - begin] : 1.0) * p[j];
        }
    }
    free(p);
}

void ref_logits(const struct ref_attention *a, int64_t row, double *scores)
{
    for (int64_t head = 0; head < a->h; head++)
        for (int64_t j = 0; j < a->m; j++)
            scores[head * a->m + j] = dot(a, head, row, j);
}

void ref_pool(const float *in, int64_t n_rows, int64_t n_cols, int64_t kernel, enum kvl_pool_kind kind, double *out)
{
    for (int64_t r = 0; r < n_rows; r++)
        for (int64_t c = 0; c < n_cols; c++) {
            double max = -INFINITY, sum = 0.0;
            for (int64_t j = c - kernel / 2; j <= c + kernel / 2; j++)
                if (j >= 0 && j < n_cols) {
                    double x = (double)in[r * n_cols + j];
                    max = x > max ? x : max;
                    sum += x;
                }
            out[r * n_cols + c] = kind == KVL_POOL_MAX ? max : sum / (double)kernel;
        }
}

void ref_reduce_heads(const float *in, int64_t n_rows, int64_t group, int64_t n_cols, double *out)
{
    for (int64_t r = 0; r < n_rows; r++)
        for (int64_t c = 0; c < n_cols; c++) {
            out[r * n_cols + c] = 0.0;
            for (int64_t i = 0; i < group; i++)
                out[r * n_cols + c] += (double)in[(r * group + i) * n_cols + c];
        }
}

/* Counts, for each element, those that come before it in the order (larger, or equal and to the left). */
void ref_top_k(const float *scores, int64_t n, int64_t k, int32_t *idx)
{
    int64_t n_chosen = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t before = 0;
        for (int64_t j = 0; j < n; j++)
            before += scores[j] > scores[i] || (scores[j] == scores[i] && j < i);
        if (before < k)
            idx[n_chosen++] = (int32_t)i;
    }
}
