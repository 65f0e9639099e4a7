#include "tests/support/attention_case.h"

#include <math.h>

void attention_name(const struct attention_shape *s, enum kvl_dtype dtype)
{
    case_name("n=%lld h=%lld/%lld e=%lld window=%lld causal_from=%lld %s", (long long)s->n, (long long)s->h, (long long)s->hk,
              (long long)s->e, (long long)s->window, (long long)s->causal_from, kvl_dtype_name(dtype));
}

void attention_case_init(struct attention_case *c, struct kit *kit, const struct attention_shape *s, enum kvl_dtype dtype)
{
    attention_name(s, dtype);
    int64_t n = s->n, e = s->e, width = (s->h + 2 * s->hk) * e, first_k = s->h * e, first_v = (s->h + s->hk) * e;
    float *q = kit_random(kit, n * s->h * e, dtype, s->bound > 0.0f ? s->bound : 4.0f);
    float *k = kit_random(kit, n * s->hk * e, dtype, 1.0f), *v = kit_random(kit, n * s->hk * e, dtype, 1.0f);
    float *fused = kit_host(kit, n * width * 4);
    for (int64_t i = 0; i < n; i++) {
        memcpy(fused + i * width, q + i * s->h * e, (size_t)(s->h * e) * sizeof *q);
        memcpy(fused + i * width + first_k, k + i * s->hk * e, (size_t)(s->hk * e) * sizeof *k);
        memcpy(fused + i * width + first_v, v + i * s->hk * e, (size_t)(s->hk * e) * sizeof *v);
    }
    int32_t *pos = kit_positions(kit, n, 5, s->window > 0 ? 3 : 1);
    char *data = kit_values(kit, fused, n * width, dtype);
    size_t size = kvl_dtype_size(dtype);
    *c = (struct attention_case){
        .ref = {q, k, v, pos, NULL, n, n, s->h, s->hk, e, s->window, s->causal_from, 0.0},
        .dtype = dtype,
        .q = {data, dtype, n, s->h, e, width, e},
        .k = {data + (size_t)first_k * size, dtype, n, s->hk, e, width, e},
        .v = {data + (size_t)first_v * size, dtype, n, s->hk, e, width, e},
        .pos = kit_input(kit, pos, n * 4),
        .scale = 1.0f / sqrtf((float)e),
    };
    c->ref.scale = (double)c->scale;
}

struct kvl_attend attention_op(struct kit *kit, const struct attention_case *c, int64_t n, bool with_values)
{
    struct kvl_attend op = {.q = c->q, .k = c->k, .pos = c->pos, .window = c->ref.window, .causal_from = c->ref.causal_from,
                            .scale = c->scale, .lse = kit_output(kit, c->ref.h * n * 4)};
    op.q.n_tokens = op.k.n_tokens = n;
    if (with_values) {
        op.v = c->v;
        op.v.n_tokens = n;
        op.out = kit_output(kit, n * c->ref.h * c->ref.e * (int64_t)kvl_dtype_size(c->dtype));
    }
    op.scratch = kit_output(kit, kit->ctx->be->attend_scratch(kit->ctx, &op));
    return op;
}
