/* The generator against the published first outputs of xoshiro256**, and what is built on it by counting. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "datasets/random.h"

/* From state 1, 2, 3, 4, as the authors' C code prints them (also the test vector of Rust's rand_xoshiro). */
static void test_reference_outputs(void **state)
{
    (void)state;
    static const uint64_t expected[] = {
        11520u, 0u, 1509978240u, 1215971899390074240u, 1216172134540287360u, 607988272756665600u, 16172922978634559625u,
        8476171486693032832u, 10595114339597558777u, 2904607092377533576u,
    };
    struct kvl_random random = {{1, 2, 3, 4}};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        assert_true(kvl_random_next(&random) == expected[i]);
}

/* Every sample of every task hangs on these; a change here is a new version of all generators. */
static void test_streams_stay_as_they_are(void **state)
{
    (void)state;
    struct kvl_random random;
    kvl_random_init(&random, 1, "needle/single_essay", 0);
    assert_true(kvl_random_next(&random) == UINT64_C(0x17c2e836d6a2bf70));
    kvl_random_init(&random, 42, "x", -1);
    assert_true(kvl_random_next(&random) == UINT64_C(0x7d6615892ba0220a));
}

static void test_streams_differ(void **state)
{
    (void)state;
    static const struct {
        uint64_t seed;
        const char *name;
        int64_t index;
    } streams[] = {{0, "", 0}, {1, "", 0}, {0, "a", 0}, {0, "b", 0}, {0, "", 1}, {0, "", -1}, {1, "a", 1}, {UINT64_MAX, "", 0}};
    enum { N = sizeof streams / sizeof *streams };
    uint64_t first[N];
    for (int i = 0; i < N; i++) {
        struct kvl_random random;
        kvl_random_init(&random, streams[i].seed, streams[i].name, streams[i].index);
        first[i] = kvl_random_next(&random);
        for (int j = 0; j < i; j++)
            assert_true(first[i] != first[j]);
    }
}

static void test_below_is_uniform(void **state)
{
    (void)state;
    struct kvl_random random;
    kvl_random_init(&random, 7, "below", 0);
    for (int i = 0; i < 100; i++)
        assert_true(kvl_random_below(&random, 1) == 0);
    enum { N = 7, N_DRAWS = 70000 };
    int64_t n[N] = {0};
    for (int i = 0; i < N_DRAWS; i++)
        n[kvl_random_below(&random, N)]++;
    double chi2 = 0;
    for (int i = 0; i < N; i++)
        chi2 += (double)((n[i] - N_DRAWS / N) * (n[i] - N_DRAWS / N)) / (N_DRAWS / N);
    assert_true(chi2 < 22.5); /* 6 degrees of freedom, p = 0.001 */

    /* With n = 3 * 2^61 a plain modulo would give the lower half two thirds of the draws' chance too much. */
    int64_t large = INT64_C(3) << 61, n_low = 0;
    for (int i = 0; i < N_DRAWS; i++) {
        int64_t x = kvl_random_below(&random, large);
        assert_true(x >= 0 && x < large);
        n_low += x < large / 2;
    }
    assert_true(n_low > N_DRAWS / 2 - 600 && n_low < N_DRAWS / 2 + 600); /* 4.5 standard deviations */
}

static void test_shuffle_gives_every_order(void **state)
{
    (void)state;
    struct kvl_random random;
    kvl_random_init(&random, 7, "shuffle", 0);
    enum { N_DRAWS = 60000 };
    int n[27] = {0}, n_orders = 0;
    for (int i = 0; i < N_DRAWS; i++) {
        int64_t items[3] = {0, 1, 2};
        kvl_random_shuffle(&random, items, 3);
        n[9 * items[0] + 3 * items[1] + items[2]]++;
    }
    for (int i = 0; i < 27; i++) {
        n_orders += n[i] > 0;
        assert_true(n[i] == 0 || (n[i] > N_DRAWS / 6 - 420 && n[i] < N_DRAWS / 6 + 420)); /* 4.6 standard deviations */
    }
    assert_int_equal(n_orders, 6);
    kvl_random_shuffle(&random, NULL, 0);
}

static void test_sample_is_distinct_and_uniform(void **state)
{
    (void)state;
    struct kvl_random random;
    kvl_random_init(&random, 7, "sample", 0);
    enum { N = 5, N_DRAWS = 50000 };
    int n[3][N] = {{0}};
    for (int draw = 0; draw < N_DRAWS; draw++) {
        int64_t out[3];
        kvl_random_sample(&random, N, 3, out);
        assert_true(out[0] != out[1] && out[0] != out[2] && out[1] != out[2]);
        for (int i = 0; i < 3; i++) {
            assert_true(out[i] >= 0 && out[i] < N);
            n[i][out[i]]++;
        }
    }
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < N; j++)
            assert_true(n[i][j] > N_DRAWS / N - 400 && n[i][j] < N_DRAWS / N + 400); /* 4.5 standard deviations */
    int64_t all[N];
    bool seen[N] = {false};
    kvl_random_sample(&random, N, N, all);
    for (int i = 0; i < N; i++)
        seen[all[i]] = true;
    for (int i = 0; i < N; i++)
        assert_true(seen[i]);
    kvl_random_sample(&random, N, 0, NULL);
}

/* Every item once, whatever n; and over many orders, each item at each place equally often. */
static void test_order_is_a_permutation(void **state)
{
    (void)state;
    static const int64_t sizes[] = {1, 2, 3, 4, 5, 16, 17, 63, 64, 65, 1000, 16512};
    struct kvl_random random;
    kvl_random_init(&random, 7, "order", 0);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        static bool seen[16512];
        struct kvl_random_order order;
        kvl_random_order_init(&order, &random, sizes[s]);
        memset(seen, 0, sizeof seen);
        int64_t n_in_place = 0;
        for (int64_t i = 0; i < sizes[s]; i++) {
            int64_t x = kvl_random_order_at(&order, i);
            assert_true(x >= 0 && x < sizes[s] && !seen[x]);
            seen[x] = true;
            n_in_place += x == i;
        }
        assert_true(sizes[s] < 63 || n_in_place < 10);
    }
    enum { N = 7, N_ORDERS = 70000 };
    static int n[N][N];
    for (int o = 0; o < N_ORDERS; o++) {
        struct kvl_random_order order;
        kvl_random_order_init(&order, &random, N);
        for (int i = 0; i < N; i++)
            n[i][kvl_random_order_at(&order, i)]++;
    }
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            assert_true(n[i][j] > N_ORDERS / N - 420 && n[i][j] < N_ORDERS / N + 420); /* 4.5 standard deviations */
    struct kvl_random_order huge;
    kvl_random_order_init(&huge, &random, INT64_C(1) << 62);
    assert_true(kvl_random_order_at(&huge, 0) != kvl_random_order_at(&huge, (INT64_C(1) << 62) - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference_outputs),
        cmocka_unit_test(test_streams_stay_as_they_are),
        cmocka_unit_test(test_streams_differ),
        cmocka_unit_test(test_below_is_uniform),
        cmocka_unit_test(test_shuffle_gives_every_order),
        cmocka_unit_test(test_sample_is_distinct_and_uniform),
        cmocka_unit_test(test_order_is_a_permutation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
