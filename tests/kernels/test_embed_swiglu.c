/* Embedding rows (exact) and the gated activation (against double precision). */
#include <math.h>

#include "tests/support/kernel_kit.h"
#include "tests/support/reference.h"

static void check_embed_case(struct kit *kit, int64_t n, int64_t n_vocab, int64_t n_embd, enum kvl_dtype dtype)
{
    case_name("n=%lld n_vocab=%lld n_embd=%lld %s", (long long)n, (long long)n_vocab, (long long)n_embd, kvl_dtype_name(dtype));
    float *table = kit_random(kit, n_vocab * n_embd, dtype, 1.0f), *expected = kit_host(kit, n * n_embd * 4);
    int32_t *ids = kit_host(kit, n * 4);
    for (int64_t i = 0; i < n; i++) {
        ids[i] = (int32_t)(i == 0 ? n_vocab - 1 : i == 1 ? 0 : random_below(n_vocab));
        memcpy(expected + i * n_embd, table + ids[i] * n_embd, (size_t)n_embd * sizeof *expected);
    }
    float *out = kit_output(kit, n * n_embd * 4);
    assert_ok(kit->ctx->be->embed(kit->ctx, &(struct kvl_embed){kit_input(kit, ids, n * 4),
                                                                kit_values(kit, table, n_vocab * n_embd, dtype), dtype, out, n,
                                                                n_embd}));
    check_bits("out", kit_result(kit, out), expected, n * n_embd * 4);
    kit_clear(kit);
}

static void check_embed(struct kit *kit)
{
    static const int64_t SIZES[] = {1, 3, 7, 8, 15, 16, 17, 31, 33, 96, 127, 128, 129, 576};
    for (int64_t i = 0; i < COUNT_OF(SIZES); i++)
        for (int dtype = KVL_F32; dtype <= KVL_BF16; dtype++) {
            check_embed_case(kit, 1 + 13 * (i % 4), 5 + i, SIZES[i], (enum kvl_dtype)dtype);
            check_embed_case(kit, 1, 1, SIZES[i], (enum kvl_dtype)dtype);
        }
}

static void check_by_hand(struct kit *kit)
{
    (void)kit;
    /* silu(0) = 0; silu(ln 3) = ln 3 * 3/4; rows of (gate, gate, up, up) */
    const float in[] = {0, 1.0986123f, 5, 2};
    double out[2];
    ref_swiglu(in, 1, 2, out);
    assert_true(out[0] == 0.0 && fabs(out[1] - 1.5 * 1.0986123) < 1e-7);
}

static void naive_bf16(const float *in, int64_t n, int64_t n_ff, float *out)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < n_ff; c++) {
            float gate = in[2 * i * n_ff + c];
            out[i * n_ff + c] =
                kvl_bf16_to_f32(kvl_f32_to_bf16(gate / (1.0f + expf(-gate)) * in[(2 * i + 1) * n_ff + c]));
        }
}

static void check_swiglu_values(struct kit *kit, const float *in, int64_t n, int64_t n_ff, enum kvl_dtype dtype)
{
    double *expected = kit_host(kit, n * n_ff * 8);
    ref_swiglu(in, n, n_ff, expected);
    void *out = kit_output(kit, n * n_ff * (int64_t)kvl_dtype_size(dtype));
    assert_ok(kit->ctx->be->swiglu(kit->ctx,
                                   &(struct kvl_swiglu){kit_values(kit, in, 2 * n * n_ff, dtype), out, dtype, n, n_ff}));
    const float *got = kit_result_f32(kit, out, dtype);
    if (dtype == KVL_F32) {
        check_close("out", got, expected, n * n_ff, 1e-7, 3e-6);
    } else {
        float *plain = kit_host(kit, n * n_ff * 4);
        naive_bf16(in, n, n_ff, plain);
        check_twice("out", got, plain, expected, n * n_ff, 1e-7);
    }
    kit_clear(kit);
}

static void check_swiglu(struct kit *kit)
{
    static const int64_t SIZES[] = {1, 2, 3, 7, 8, 13, 15, 16, 17, 31, 32, 33, 97, 127, 128, 129, 1536};
    for (int64_t i = 0; i < COUNT_OF(SIZES); i++)
        for (int dtype = KVL_F32; dtype <= KVL_BF16; dtype++) {
            int64_t n = 1 + 6 * (i % 3);
            case_name("n=%lld n_ff=%lld %s", (long long)n, (long long)SIZES[i], kvl_dtype_name((enum kvl_dtype)dtype));
            check_swiglu_values(kit, kit_random(kit, 2 * n * SIZES[i], (enum kvl_dtype)dtype, 8.0f), n, SIZES[i],
                                (enum kvl_dtype)dtype);
        }
}

/* Gates where exp overflows or vanishes: the result is 0 or gate * up, never NaN. */
static void check_swiglu_extremes(struct kit *kit)
{
    static const float GATES[] = {0.0f, -0.0f, 1e-30f, -1e-30f, 20.0f, -20.0f, 87.0f, -87.0f, 89.0f, -89.0f, 200.0f, -200.0f,
                                  1e4f, -1e4f, 1e30f, -1e30f, 88.5f, -88.5f, 126.0f, -126.0f};
    enum { N_FF = COUNT_OF(GATES) };
    float in[2 * N_FF];
    for (int dtype = KVL_F32; dtype <= KVL_BF16; dtype++) {
        for (int i = 0; i < N_FF; i++) {
            in[i] = dtype == KVL_F32 ? GATES[i] : kvl_bf16_to_f32(kvl_f32_to_bf16(GATES[i]));
            in[N_FF + i] = i % 3 == 0 ? -0.5f : 0.75f;
        }
        case_name("extremes %s", kvl_dtype_name((enum kvl_dtype)dtype));
        double expected[N_FF];
        ref_swiglu(in, 1, N_FF, expected);
        void *out = kit_output(kit, N_FF * (int64_t)kvl_dtype_size((enum kvl_dtype)dtype));
        assert_ok(kit->ctx->be->swiglu(kit->ctx, &(struct kvl_swiglu){kit_values(kit, in, 2 * N_FF, (enum kvl_dtype)dtype), out,
                                                                      (enum kvl_dtype)dtype, 1, N_FF}));
        /* bf16: 8 significant bits, so half a unit in the last place is at most 2^-8 of the value */
        check_close("out", kit_result_f32(kit, out, (enum kvl_dtype)dtype), expected, N_FF, 1e-6,
                    dtype == KVL_F32 ? 1e-5 : 0.00392);
        kit_clear(kit);
    }
}

int main(void)
{
    const struct kernel_test tests[] = {{"embed", check_embed},
                                        {"swiglu by hand", check_by_hand},
                                        {"swiglu", check_swiglu},
                                        {"swiglu extremes", check_swiglu_extremes}};
    return run_kernel_tests(tests, (int)COUNT_OF(tests));
}
