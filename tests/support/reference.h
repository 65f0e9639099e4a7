/* The operations of kernels/ once more, as plain loops in double precision. */
#ifndef KVLAB_TEST_REFERENCE_H
#define KVLAB_TEST_REFERENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/pool.h"
#include "kernels/tensor.h"

/* out[n, n_out] = x[n, n_in] . w[n_out, n_in]^T (+ before[n, n_out] unless NULL) */
void ref_linear(const float *x, const float *w, const float *before, int64_t n, int64_t n_in, int64_t n_out, double *out);
void ref_norm(const float *x, const float *weight, int64_t n, int64_t n_embd, double eps, double *out);
void ref_swiglu(const float *in, int64_t n, int64_t n_ff, double *out);
/* out[n, heads, e]: x turned by the angles pos[i] * inv_freq[c], backwards where inverse */
void ref_rotate(const float *x, const int32_t *pos, const float *inv_freq, int64_t n, int64_t heads, int64_t e, bool inverse,
                double *out);

/* q [n, h, e], k [m, hk, e], v likewise or NULL, all dense; pos [n], key_pos [m] (NULL: pos) read where window > 0. */
struct ref_attention {
    const float *q, *k, *v;
    const int32_t *pos, *key_pos;
    int64_t n, m, h, hk, e, window, causal_from;
    double scale;
};
bool ref_visible(const struct ref_attention *a, int64_t row, int64_t key);
/* softmax of one row of one query head over the m keys; returns its log-sum-exp */
double ref_row(const struct ref_attention *a, int64_t head, int64_t row, double *p);
/* out [n, h * e] or NULL, lse [h, n] */
void ref_attend(const struct ref_attention *a, double *out, double *lse);
/* The same as bfloat16 does it plainly: products summed in f32, probabilities and results rounded to bf16. out [n, h * e] */
void naive_attend_bf16(const struct ref_attention *a, float *out);
/* scores [h, n_keys]; weights [end - begin] or NULL */
void ref_mass(const struct ref_attention *a, const float *weights, int64_t begin, int64_t end, int64_t n_keys, double *scores);
/* scores [h, m] of one row */
void ref_logits(const struct ref_attention *a, int64_t row, double *scores);

void ref_pool(const float *in, int64_t n_rows, int64_t n_cols, int64_t kernel, enum kvl_pool_kind kind, double *out);
/* out[n_rows, n_cols] from in[n_rows * group, n_cols] */
void ref_reduce_heads(const float *in, int64_t n_rows, int64_t group, int64_t n_cols, double *out);
/* idx[k] of the k largest of scores[n], ascending; ties: the lower index */
void ref_top_k(const float *scores, int64_t n, int64_t k, int32_t *idx);

#endif
