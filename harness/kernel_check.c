#include "harness/kernel_check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- memory ------------------------------------------------------------------------------------------------------------- */

static enum kvl_status keep(struct kvl_kernel_check *check, int64_t bytes, void **out)
{
    void **all = realloc(check->kept, (size_t)(check->n_kept + 1) * sizeof *all);
    if (all != NULL)
        check->kept = all;
    *out = all != NULL ? calloc(1, (size_t)bytes + 1) : NULL;
    if (*out == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for %lld bytes of a check", (long long)bytes);
    all[check->n_kept++] = *out;
    return KVL_OK;
}

void kvl_kernel_check_free(struct kvl_kernel_check *check)
{
    for (int i = 0; i < check->n_kept; i++)
        free(check->kept[i]);
    free(check->kept);
    *check = (struct kvl_kernel_check){0};
}

static struct kvl_ctx *ctx_of(const struct kvl_kernel_check *check)
{
    return check->inputs->setting->ctx;
}

enum kvl_status kvl_check_bytes(struct kvl_kernel_check *check, const void *from, int64_t bytes, void **out)
{
    KVL_TRY(keep(check, bytes, out));
    return ctx_of(check)->be->download(ctx_of(check), *out, from, bytes);
}

enum kvl_status kvl_check_doubles(struct kvl_kernel_check *check, int64_t n, double **out)
{
    void *memory;
    KVL_TRY(keep(check, n * (int64_t)sizeof **out, &memory));
    *out = memory;
    return KVL_OK;
}

static float widen(const void *from, enum kvl_dtype dtype, int64_t i)
{
    return dtype == KVL_F32 ? ((const float *)from)[i] : kvl_bf16_to_f32(((const uint16_t *)from)[i]);
}

enum kvl_status kvl_check_values(struct kvl_kernel_check *check, const void *from, enum kvl_dtype dtype, int64_t first, int64_t n,
                                 float **out)
{
    int64_t size = (int64_t)kvl_dtype_size(dtype);
    void *raw, *wide;
    KVL_TRY(kvl_check_bytes(check, (const char *)from + first * size, n * size, &raw));
    KVL_TRY(keep(check, n * (int64_t)sizeof **out, &wide));
    *out = wide;
    for (int64_t i = 0; i < n; i++)
        (*out)[i] = widen(raw, dtype, i);
    return KVL_OK;
}

/* By some megabytes at a time: between one head's vectors lie all the others. */
enum kvl_status kvl_check_head(struct kvl_kernel_check *check, const struct kvl_heads *x, int64_t head, int64_t first, int64_t n,
                               float **out)
{
    enum { CHUNK_VALUES = 1 << 22 };
    int64_t e = x->head_size, size = (int64_t)kvl_dtype_size(x->dtype);
    int64_t chunk = x->token_stride < CHUNK_VALUES ? CHUNK_VALUES / x->token_stride : 1;
    void *wide;
    KVL_TRY(keep(check, n * e * (int64_t)sizeof **out, &wide));
    *out = wide;
    chunk = chunk < n ? chunk : n;
    char *raw = malloc((size_t)(chunk * x->token_stride * size));
    enum kvl_status status = raw != NULL ? KVL_OK : kvl_fail(KVL_E_OOM, "no memory for %lld tokens of a check", (long long)chunk);
    for (int64_t i = 0; i < n && status == KVL_OK; i += chunk) {
        int64_t m = n - i < chunk ? n - i : chunk;
        int64_t bytes = ((m - 1) * x->token_stride + e) * size;
        status = ctx_of(check)->be->download(ctx_of(check), raw, kvl_heads_at(x, first + i, head), bytes);
        for (int64_t j = 0; j < m * e && status == KVL_OK; j++)
            (*out)[i * e + j] = widen(raw, x->dtype, j / e * x->token_stride + j % e);
    }
    free(raw);
    return status;
}

/* ---- running ------------------------------------------------------------------------------------------------------------ */

/* Every f32 and bf16 becomes a NaN, every i32 -1. */
static enum kvl_status spoil(struct kvl_ctx *ctx, char *data, int64_t bytes)
{
    enum { CHUNK = 1 << 20 };
    char *garbage = malloc(CHUNK);
    if (garbage == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for a check");
    memset(garbage, 0xff, CHUNK);
    enum kvl_status status = KVL_OK;
    for (int64_t at = 0; at < bytes && status == KVL_OK; at += CHUNK)
        status = ctx->be->upload(ctx, data + at, garbage, bytes - at < CHUNK ? bytes - at : CHUNK);
    if (status == KVL_OK)
        status = ctx->be->sync(ctx);
    free(garbage);
    return status;
}

enum kvl_status kvl_kernel_check_run(struct kvl_kernel_check *check, const union kvl_kernel_op *op)
{
    for (int i = 0; i < check->inputs->n_outputs; i++)
        KVL_TRY(spoil(ctx_of(check), check->inputs->outputs[i].data, check->inputs->outputs[i].bytes));
    KVL_TRY(check->row->check(check, op));
    if (check->n_values == 0 && check->reason[0] == '\0')
        snprintf(check->reason, sizeof check->reason, "no value was compared");
    return KVL_OK;
}

enum kvl_status kvl_check_call(struct kvl_kernel_check *check, const union kvl_kernel_op *op)
{
    KVL_TRY(check->row->run(ctx_of(check), op));
    return ctx_of(check)->be->sync(ctx_of(check));
}

int64_t kvl_check_pick(struct kvl_kernel_check *check, int64_t below)
{
    double u = 0.5 + 0.5 * (double)kvl_random_uniform(check->inputs->setting->seed + 99, check->n_picked++, 1.0f);
    int64_t x = (int64_t)(u * (double)below);
    return x < below ? x : below - 1;
}

/* ---- comparing ---------------------------------------------------------------------------------------------------------- */

double kvl_check_share(enum kvl_dtype dtype)
{
    return dtype == KVL_BF16 ? 0x1p-8 : 1e-5;
}

double kvl_check_sum(enum kvl_dtype dtype, double result, double magnitude)
{
    return kvl_check_share(dtype) * fabs(result) + kvl_check_share(KVL_F32) * magnitude;
}

void kvl_check_close(struct kvl_kernel_check *check, const char *where, int64_t i, double got, double expected, double allowed)
{
    double off = fabs(got - expected), share = off > 0.0 ? off / allowed : off;
    check->n_values++;
    if (isnan(share) || share > check->error)
        check->error = share;
    if (!(off <= allowed) && check->reason[0] == '\0')
        snprintf(check->reason, sizeof check->reason, "%s[%lld] is %.9g, expected %.9g (off by %.3g, allowed %.3g)", where,
                 (long long)i, got, expected, off, allowed);
}

void kvl_check_equal(struct kvl_kernel_check *check, const char *where, int64_t i, int64_t got, int64_t expected)
{
    check->n_values++;
    if (got == expected)
        return;
    check->error = INFINITY;
    if (check->reason[0] == '\0')
        snprintf(check->reason, sizeof check->reason, "%s[%lld] is %lld, expected %lld", where, (long long)i, (long long)got,
                 (long long)expected);
}

void kvl_check_same(struct kvl_kernel_check *check, const char *where, int64_t i, const void *got, const void *expected,
                    int64_t bytes)
{
    const unsigned char *a = got, *b = expected;
    int64_t at = 0;
    check->n_values++;
    while (at < bytes && a[at] == b[at])
        at++;
    if (at == bytes)
        return;
    check->error = INFINITY;
    if (check->reason[0] == '\0')
        snprintf(check->reason, sizeof check->reason, "%s[%lld] differs at byte %lld of %lld", where, (long long)i, (long long)at,
                 (long long)bytes);
}
