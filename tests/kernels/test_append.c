/* One token at the end of a cache: every array exactly, and nothing beside the new entries. */
#include "tests/support/kernel_kit.h"

struct shape {
    int64_t n_kv, n_stored, e, n_max;
};

/* Fills `expected` as append should; entries of `bytes` bytes, taken from the head that the stored one belongs to. */
static void put(char *cache, const char *token, const struct shape *s, const int32_t *n, int64_t bytes)
{
    for (int64_t stored = 0; stored < s->n_stored; stored++)
        memcpy(cache + (stored * s->n_max + n[stored]) * bytes, token + stored * s->n_kv / s->n_stored * bytes, (size_t)bytes);
}

static void check_case(struct kit *kit, const struct shape *s, enum kvl_dtype dtype, bool with_scores)
{
    case_name("%lld to %lld heads, e=%lld, room %lld, %s%s", (long long)s->n_kv, (long long)s->n_stored, (long long)s->e,
              (long long)s->n_max, kvl_dtype_name(dtype), with_scores ? ", scores" : "");
    int64_t size = (int64_t)kvl_dtype_size(dtype), row = s->e * size, n_entries = s->n_stored * s->n_max;
    char *k = kit_host(kit, s->n_kv * row), *v = kit_host(kit, s->n_kv * row);
    char *cache_k = kit_host(kit, n_entries * row), *cache_v = kit_host(kit, n_entries * row);
    int32_t *pos = kit_host(kit, n_entries * 4), *n = kit_host(kit, s->n_stored * 4), next = 4711;
    float *scores = kit_random(kit, n_entries, KVL_F32, 1.0f);
    for (int64_t i = 0; i < s->n_kv * row; i++)
        k[i] = (char)random_below(256), v[i] = (char)random_below(256);
    for (int64_t i = 0; i < n_entries * row; i++)
        cache_k[i] = (char)random_below(256), cache_v[i] = (char)random_below(256);
    for (int64_t i = 0; i < n_entries; i++)
        pos[i] = (int32_t)random_below(1000);
    for (int64_t i = 0; i < s->n_stored; i++) /* heads may hold different numbers; the last one has room for one more */
        n[i] = (int32_t)(i + 1 < s->n_stored ? random_below(s->n_max) : s->n_max - 1);
    struct kvl_append op = {
        .k = {kit_input(kit, k, s->n_kv * row), dtype, 1, s->n_kv, s->e, s->n_kv * s->e, s->e},
        .v = {kit_input(kit, v, s->n_kv * row), dtype, 1, s->n_kv, s->e, s->n_kv * s->e, s->e},
        .pos = kit_input(kit, &next, 4),
        .cache_k = kit_input(kit, cache_k, n_entries * row),
        .cache_v = kit_input(kit, cache_v, n_entries * row),
        .cache_pos = kit_input(kit, pos, n_entries * 4),
        .scores = with_scores ? kit_input(kit, scores, n_entries * 4) : NULL,
        .n = kit_input(kit, n, s->n_stored * 4),
        .n_stored = s->n_stored,
        .n_max = s->n_max,
    };
    assert_ok(kit->ctx->be->append(kit->ctx, &op));
    put(cache_k, k, s, n, row);
    put(cache_v, v, s, n, row);
    for (int64_t i = 0; i < s->n_stored; i++) {
        int64_t entry = i * s->n_max + n[i]++;
        pos[entry] = next;
        scores[entry] = 0.0f;
    }
    check_bits("keys", kit_result(kit, op.cache_k), cache_k, n_entries * row);
    check_bits("values", kit_result(kit, op.cache_v), cache_v, n_entries * row);
    check_bits("positions", kit_result(kit, op.cache_pos), pos, n_entries * 4);
    check_bits("counts", kit_result(kit, op.n), n, s->n_stored * 4);
    if (with_scores)
        check_bits("scores", kit_result(kit, op.scores), scores, n_entries * 4);
    kit_clear(kit);
}

static void check_append(struct kit *kit)
{
    static const struct shape SHAPES[] = {{1, 1, 1, 1}, {2, 2, 16, 7}, {2, 8, 64, 33}, {8, 8, 128, 5}, {3, 9, 50, 12}, {1, 4, 256, 2}};
    for (int64_t i = 0; i < COUNT_OF(SHAPES); i++)
        for (int dtype = KVL_F32; dtype <= KVL_BF16; dtype++)
            for (int with_scores = 0; with_scores < 2; with_scores++)
                check_case(kit, &SHAPES[i], (enum kvl_dtype)dtype, with_scores == 1);
}

int main(void)
{
    const struct kernel_test tests[] = {{"append", check_append}};
    return run_kernel_tests(tests, (int)COUNT_OF(tests));
}
