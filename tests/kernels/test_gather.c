/* Rows and heads picked by index: exact bytes. */
#include "tests/support/kernel_kit.h"

/* n ascending indices below n_in (n <= n_in). */
static int32_t *pick(struct kit *kit, int64_t n, int64_t n_in)
{
    int32_t *idx = kit_host(kit, n * 4);
    int64_t chosen = 0;
    for (int64_t i = 0; i < n_in && chosen < n; i++)
        if (n_in - i == n - chosen || random_below(n_in) < n)
            idx[chosen++] = (int32_t)i;
    return idx;
}

static void check_by_hand(struct kit *kit)
{
    const int32_t rows[] = {10, 11, 20, 21, 30, 31}, idx[] = {2, 0, 2}, expected[] = {30, 31, 10, 11, 30, 31};
    int32_t *out = kit_output(kit, 24);
    assert_ok(kit->ctx->be->gather(kit->ctx,
                                   &(struct kvl_gather){.in = kit_input(kit, rows, 24), .idx = kit_input(kit, idx, 12), .out = out, .n = 3,
                                                        .row_bytes = 8}));
    check_bits("rows", kit_result(kit, out), expected, 24);
}

static void check_gather(struct kit *kit)
{
    static const int64_t BYTES[] = {4, 8, 12, 20, 64, 68, 256, 2304}, COUNTS[] = {1, 2, 3, 31, 32, 33, 97};
    for (int64_t b = 0; b < COUNT_OF(BYTES); b++)
        for (int64_t c = 0; c < COUNT_OF(COUNTS); c++) {
            int64_t bytes = BYTES[b], n_in = COUNTS[c], n = 1 + random_below(2 * n_in);
            case_name("%lld of %lld rows of %lld bytes", (long long)n, (long long)n_in, (long long)bytes);
            char *in = (char *)kit_random(kit, n_in * bytes / 4, KVL_F32, 1.0f), *expected = kit_host(kit, n * bytes);
            int32_t *idx = kit_host(kit, n * 4); /* any order, repeats allowed */
            for (int64_t i = 0; i < n; i++) {
                idx[i] = (int32_t)random_below(n_in);
                memcpy(expected + i * bytes, in + idx[i] * bytes, (size_t)bytes);
            }
            void *out = kit_output(kit, n * bytes);
            assert_ok(kit->ctx->be->gather(
                kit->ctx, &(struct kvl_gather){.in = kit_input(kit, in, n_in * bytes), .idx = kit_input(kit, idx, n * 4),
                                               .out = out, .n = n, .row_bytes = bytes}));
            check_bits("rows", kit_result(kit, out), expected, n * bytes);
            kit_clear(kit);
        }
}

/* A compaction in place: the front is gathered, the rest stays. */
static void check_in_place(struct kit *kit)
{
    static const int64_t BYTES[] = {4, 12, 64, 384}, COUNTS[] = {1, 2, 7, 64, 65, 300};
    for (int64_t b = 0; b < COUNT_OF(BYTES); b++)
        for (int64_t c = 0; c < COUNT_OF(COUNTS); c++)
            for (int64_t n = 1; n <= COUNTS[c]; n += COUNTS[c] / 3 + 1) {
                int64_t bytes = BYTES[b], n_in = COUNTS[c];
                case_name("%lld of %lld rows of %lld bytes in place", (long long)n, (long long)n_in, (long long)bytes);
                char *in = (char *)kit_random(kit, n_in * bytes / 4, KVL_F32, 1.0f), *expected = kit_host(kit, n_in * bytes);
                int32_t *idx = pick(kit, n, n_in);
                memcpy(expected, in, (size_t)(n_in * bytes));
                for (int64_t i = 0; i < n; i++)
                    memcpy(expected + i * bytes, in + idx[i] * bytes, (size_t)bytes);
                void *data = kit_input(kit, in, n_in * bytes);
                assert_ok(kit->ctx->be->gather(kit->ctx,
                                               &(struct kvl_gather){.in = data, .idx = kit_input(kit, idx, n * 4), .out = data,
                                                                    .n = n, .row_bytes = bytes}));
                check_bits("rows", kit_result(kit, data), expected, n_in * bytes);
                kit_clear(kit);
            }
}

/* Several compactions in one call, with a list each or one for all: long enough for several tiles, apart from each other. */
static void check_batch(struct kit *kit)
{
    enum { N_BATCH = 3, N_IN = 3000, N = 2700, ROOM = N_IN + 4 };
    static const int64_t BYTES[] = {4, 24, 64, 256};
    for (int64_t b = 0; b < COUNT_OF(BYTES); b++)
        for (int own = 0; own < 2; own++) {
            int64_t bytes = BYTES[b], whole = N_BATCH * ROOM * bytes;
            case_name("%d arrays of rows of %lld bytes, %s", N_BATCH, (long long)bytes, own ? "own lists" : "one list");
            char *in = (char *)kit_random(kit, whole / 4, KVL_F32, 1.0f), *expected = kit_host(kit, whole);
            int32_t *idx = kit_host(kit, N_BATCH * N * 4);
            memcpy(expected, in, (size_t)whole);
            for (int64_t i = 0; i < N_BATCH; i++)
                memcpy(idx + i * N, pick(kit, N, N_IN), N * 4);
            for (int64_t i = 0; i < N_BATCH; i++)
                for (int64_t r = 0; r < N; r++)
                    memcpy(expected + (i * ROOM + r) * bytes, in + (i * ROOM + idx[own * i * N + r]) * bytes, (size_t)bytes);
            void *data = kit_input(kit, in, whole);
            assert_ok(kit->ctx->be->gather(kit->ctx, &(struct kvl_gather){.in = data, .idx = kit_input(kit, idx, N_BATCH * N * 4),
                                                                          .out = data, .n = N, .row_bytes = bytes,
                                                                          .n_batch = N_BATCH, .batch_bytes = ROOM * bytes,
                                                                          .ld_idx = own * N}));
            check_bits("rows", kit_result(kit, data), expected, whole);
            kit_clear(kit);
        }
}

/* `lists` 0: idx is NULL. The source is the middle part of wider rows, or head-major. */
static void check_heads_case(struct kit *kit, int64_t n_tokens, int64_t n_in, int64_t n_stored, int64_t lists, int64_t n,
                             int64_t e, enum kvl_dtype dtype, bool head_major)
{
    case_name("%lld of %lld tokens, %lld heads to %lld, %lld lists, e=%lld %s", (long long)n, (long long)n_tokens,
              (long long)n_in, (long long)n_stored, (long long)lists, (long long)e, kvl_dtype_name(dtype));
    int64_t n_max = n + 3, width = (n_in + 2) * e, size = (int64_t)kvl_dtype_size(dtype);
    int64_t token_stride = head_major ? e : width, head_stride = head_major ? n_tokens * e : e, offset = head_major ? 0 : e;
    int64_t n_values = head_major ? n_in * n_tokens * e : n_tokens * width;
    float *values = kit_random(kit, n_values, dtype, 1.0f), *expected = kit_host(kit, n_stored * n_max * e * 4);
    int32_t *idx = kit_host(kit, (lists > 0 ? lists : 1) * n * 4);
    for (int64_t list = 0; list < lists; list++)
        memcpy(idx + list * n, pick(kit, n, n_tokens), (size_t)n * sizeof *idx);
    char *in = kit_values(kit, values, n_values, dtype);
    void *out = kit_output(kit, n_stored * n_max * e * size);
    struct kvl_heads view = {in + offset * size, dtype, n_tokens, n_in, e, token_stride, head_stride};
    assert_ok(kit->ctx->be->gather_heads(
        kit->ctx, &(struct kvl_gather_heads){view, lists > 0 ? kit_input(kit, idx, lists * n * 4) : NULL,
                                             lists > 0 ? lists : 1, n, out, n_stored, n_max}));
    const float *got = kit_result_f32(kit, out, dtype);
    for (int64_t s = 0; s < n_stored; s++)
        for (int64_t i = 0; i < n_max; i++)
            for (int64_t c = 0; c < e; c++) {
                int64_t at = (s * n_max + i) * e + c, head = s * n_in / n_stored;
                if (i >= n) {
                    if (got[at] == got[at]) /* still the NaN it was filled with */
                        fail_msg("entry %lld of head %lld was written", (long long)i, (long long)s);
                    continue;
                }
                int64_t token = lists == 0 ? i : idx[(lists == 1 ? 0 : s) * n + i];
                expected[at] = values[offset + token * token_stride + head * head_stride + c];
                if (got[at] != expected[at])
                    fail_msg("head %lld entry %lld feature %lld is %g, expected %g", (long long)s, (long long)i, (long long)c,
                             (double)got[at], (double)expected[at]);
            }
    kit_clear(kit);
}

static void check_heads(struct kit *kit)
{
    static const int64_t TOKENS[] = {1, 2, 31, 64, 65, 127}, GROUPS[] = {1, 3, 4, 7, 8}, SIZES[] = {1, 16, 24, 64, 80};
    for (int64_t t = 0; t < COUNT_OF(TOKENS); t++)
        for (int64_t g = 0; g < COUNT_OF(GROUPS); g++) {
            int64_t e = SIZES[(t + g) % COUNT_OF(SIZES)], n = (TOKENS[t] + 1) / 2, n_kv = 1 + g % 3;
            enum kvl_dtype dtype = e > 1 && (t + g) % 2 == 0 ? KVL_BF16 : KVL_F32;
            int64_t stored = n_kv * GROUPS[g];
            check_heads_case(kit, TOKENS[t], n_kv, n_kv, 0, TOKENS[t], e, dtype, false);
            check_heads_case(kit, TOKENS[t], n_kv, n_kv, 1, n, e, dtype, true);
            check_heads_case(kit, TOKENS[t], n_kv, n_kv, n_kv, n, e, dtype, false);
            check_heads_case(kit, TOKENS[t], n_kv, stored, stored, n, e, dtype, false);
            check_heads_case(kit, TOKENS[t], n_kv, stored, 1, TOKENS[t], e, dtype, true);
        }
}

/* One array seen by all heads (head stride 0), as positions are stored. */
static void check_shared(struct kit *kit)
{
    enum { N = 19, KEEP = 5, HEADS = 4 };
    int32_t *pos = kit_positions(kit, N, 100, 3), *idx = kit_host(kit, HEADS * KEEP * 4);
    for (int64_t head = 0; head < HEADS; head++)
        memcpy(idx + head * KEEP, pick(kit, KEEP, N), KEEP * sizeof *idx);
    int32_t *out = kit_output(kit, HEADS * KEEP * 4);
    struct kvl_heads view = {kit_input(kit, pos, N * 4), KVL_F32, N, 1, 1, 1, 0};
    assert_ok(kit->ctx->be->gather_heads(kit->ctx, &(struct kvl_gather_heads){view, kit_input(kit, idx, HEADS * KEEP * 4), HEADS,
                                                                              KEEP, out, HEADS, KEEP}));
    const int32_t *got = kit_result(kit, out);
    for (int i = 0; i < HEADS * KEEP; i++)
        assert_int_equal(got[i], pos[idx[i]]);
}

int main(void)
{
    const struct kernel_test tests[] = {{"gather by hand", check_by_hand},
                                        {"gather", check_gather},
                                        {"gather in place", check_in_place},
                                        {"gather batch", check_batch},
                                        {"gather_heads", check_heads},
                                        {"gather_heads of a shared row", check_shared}};
    return run_kernel_tests(tests, (int)COUNT_OF(tests));
}
