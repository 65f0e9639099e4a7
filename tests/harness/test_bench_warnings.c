/* Doubtful times are named with the remedy; sound ones raise no doubt. */
#include "harness/bench_warnings.h"
#include "harness/machine_state.h"
#include "tests/harness/made_up.h"

enum { N = 20 };

/* Samples that scatter by about 1 % round 100 ms, in an order without trend. */
static void make_times(double *ns)
{
    for (int i = 0; i < N; i++)
        ns[i] = 1e8 * (1 + 0.01 * (fmod((i + 1) * 0.6180339887, 1) - 0.5));
}

static json_t *record_of(const double *ns, double low, double high)
{
    json_t *record = made_up_bench("snapkv", 0.1, 1024, 100, 1), *samples = json_array();
    for (int i = 0; i < N; i++)
        json_array_append_new(samples, json_real(ns[i]));
    json_object_set_new(record, "prefill_samples_ns", samples);
    json_object_set_new(record, "prefill_median_ci95_ns", json_pack("[f, f]", low, high));
    json_object_set_new(record, "clock_mhz", json_integer(3000));
    json_object_set_new(record, "clock_end_mhz", json_integer(2990));
    json_object_set_new(record, "machine_cpus", json_integer(4));
    json_object_set_new(record, "other_load_cpus", json_real(0.1));
    return record;
}

/* What a record's warnings say; free() it. */
static char *warnings_of(json_t *record)
{
    struct kvl_bench_warnings warnings = {0};
    assert_ok(kvl_bench_warnings_add(&warnings, record));
    assert_int_equal(warnings.n_series, 1);
    json_decref(record);
    char *text = NULL;
    size_t n;
    FILE *stream = open_memstream(&text, &n);
    kvl_bench_warnings_print(&warnings, stream);
    fclose(stream);
    return text;
}

/* Exactly one warning, with these parts; or none where `first` is NULL. */
static void assert_warns(json_t *record, const char *first, const char *second)
{
    char *text = warnings_of(record);
    if (first == NULL ? *text != '\0' : strstr(text, first) == NULL || strstr(text, second) == NULL
        || strchr(text, '\n') != text + strlen(text) - 1)
        fail_msg("\"%s\" is not one warning with \"%s\" and \"%s\"", text, first != NULL ? first : "", second);
    free(text);
}

static void sound_times(void **state)
{
    (void)state;
    double ns[N];
    make_times(ns);
    assert_warns(record_of(ns, 0.996e8, 1.004e8), NULL, "");
    ns[7] = 3e8; /* one outlier in twenty is ordinary */
    assert_warns(record_of(ns, 0.996e8, 1.004e8), NULL, "");
}

static void wide_interval(void **state)
{
    (void)state;
    double ns[N];
    make_times(ns);
    assert_warns(record_of(ns, 0.99e8, 1.08e8), "1 of 1 series of times have an uncertain median, worst prefill of snapkv r=0.1 at 1024",
                 "--samples");
}

static void outliers(void **state)
{
    (void)state;
    double ns[N];
    make_times(ns);
    ns[3] = ns[11] = 1.5e8;
    assert_warns(record_of(ns, 0.996e8, 1.004e8), "outliers", "10 % of its samples");
}

static void drift(void **state)
{
    (void)state;
    double slower[N], faster[N];
    make_times(slower);
    make_times(faster);
    for (int i = 0; i < N; i++) {
        slower[i] *= 1 + 0.01 * i;
        faster[i] *= 1.2 - 0.01 * i;
    }
    assert_warns(record_of(slower, 1.06e8, 1.13e8), "slow down while they run", "throttling");
    assert_warns(record_of(faster, 1.06e8, 1.13e8), "speed up while they run", "--warmup");
    make_times(slower);
    for (int i = 0; i < N; i++)
        slower[i] *= 1 + 0.002 * i; /* a trend of 2 % is there, but small */
    assert_warns(record_of(slower, 1.01e8, 1.03e8), NULL, "");
}

static void machine(void **state)
{
    (void)state;
    double ns[N];
    make_times(ns);
    json_t *throttled = record_of(ns, 0.996e8, 1.004e8), *busy = record_of(ns, 0.996e8, 1.004e8), *old = record_of(ns, 0.996e8, 1.004e8);
    assert_false(kvl_bench_is_disturbed(throttled));
    json_object_set_new(throttled, "clock_end_mhz", json_integer(2400));
    json_object_set_new(busy, "other_load_cpus", json_real(1.5));
    json_object_del(old, "clock_end_mhz");
    json_object_set_new(old, "other_load_cpus", json_null());
    assert_true(kvl_bench_is_disturbed(throttled) && kvl_bench_is_disturbed(busy) && !kvl_bench_is_disturbed(old));
    assert_warns(throttled, "the clock fell from 3000 to 2400 MHz", "cool");
    assert_warns(busy, "other programs kept busy 1.5 of 4 CPUs", "stop them");
    assert_warns(old, NULL, "");
}

static void the_worst_is_named(void **state)
{
    (void)state;
    struct kvl_bench_warnings warnings = {0};
    double ns[N];
    make_times(ns);
    for (int i = 0; i < 3; i++) {
        json_t *record = record_of(ns, 0.99e8, i == 0 ? 1.004e8 : i == 1 ? 1.3e8 : 1.1e8);
        json_object_set_new(record, "context", json_integer(1000 + i));
        assert_ok(kvl_bench_warnings_add(&warnings, record));
        json_decref(record);
    }
    assert_int_equal(warnings.doubts[KVL_DOUBT_WIDE].n, 2);
    assert_non_null(strstr(warnings.doubts[KVL_DOUBT_WIDE].what, "1001"));
}

/* Others' share of the CPUs from made-up states, and a real pair of states. */
static void load_of_others(void **state)
{
    (void)state;
    const struct kvl_machine_state start = {.seconds = 10, .busy_s = 100, .own_s = 5}, end = {.seconds = 14, .busy_s = 110, .own_s = 9};
    struct kvl_machine_state soon = end, idle = end, unknown = end;
    soon.seconds = 10.5;
    idle.own_s = 20;
    unknown.busy_s = 0;
    assert_true(kvl_machine_other_load(&start, &end) == 1.5); /* (10 - 4) / 4 */
    assert_true(kvl_machine_other_load(&start, &idle) == 0);
    assert_true(isnan(kvl_machine_other_load(&start, &soon)) && isnan(kvl_machine_other_load(&start, &unknown)));
    struct kvl_machine_state now, later;
    kvl_machine_state_read(&now);
    kvl_machine_state_read(&later);
    assert_true(later.seconds >= now.seconds && later.own_s >= now.own_s && later.busy_s >= now.busy_s && now.n_cpus >= 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_times), cmocka_unit_test(wide_interval), cmocka_unit_test(outliers), cmocka_unit_test(drift),
        cmocka_unit_test(machine),     cmocka_unit_test(the_worst_is_named), cmocka_unit_test(load_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
