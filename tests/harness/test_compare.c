/* compare: what is planted is found, noise of equal runs is not, and what is missing, new, failed or measured otherwise is said. */
#include "harness/compare.h"
#include "tests/harness/made_up.h"
#include "tests/support/process.h"

static const struct kvl_compare_limits defaults = {.score = 0.02, .nats = 0.01, .latency = 0.05, .memory = 0.02, .alpha = 0.05};

/* ---- made-up runs ------------------------------------------------------------------------------------------------------ */

/* splitmix64, as a uniform number in (0, 1). */
static double uniform(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return ((double)((z ^ (z >> 31)) >> 11) + 0.5) * 0x1p-53;
}

static double normal(uint64_t *state)
{
    double radius = sqrt(-2 * log(uniform(state)));
    return radius * cos(6.283185307179586 * uniform(state));
}

/* How times and scores of a made-up run scatter; standard deviations are relative. */
struct noise {
    double run, row, sample; /* common to a run; to a row of it; of each sample */
    double outliers;         /* share of samples that take up to 2.5 times as long */
    double drifting;         /* share of rows that slow down by 3 % */
    double flips;            /* share of scores that turn over */
};

static const struct noise quiet = {.run = 0.01, .row = 0.005, .sample = 0.02, .outliers = 0.03, .drifting = 0.1};

struct run {
    struct kvl_record_set set;
    const struct noise *noise;
    uint64_t state;
    double factor; /* of all its times */
};

static void run_begin(struct run *run, const struct noise *noise, uint64_t seed)
{
    *run = (struct run){.noise = noise, .state = seed * 7919 + 1};
    run->factor = exp(noise->run * normal(&run->state));
}

static json_t *run_add(struct run *run, json_t *record)
{
    run->set.records = realloc(run->set.records, (size_t)(run->set.n + 1) * sizeof *run->set.records);
    run->set.records[run->set.n++] = record;
    return record;
}

static json_t *scattered_times(struct run *run, double ns, int n)
{
    const struct noise *noise = run->noise;
    json_t *samples = json_array();
    ns *= run->factor * exp(noise->row * normal(&run->state));
    double drift = uniform(&run->state) < noise->drifting ? 0.03 : 0;
    for (int i = 0; i < n; i++) {
        double sample = ns * exp(noise->sample * normal(&run->state)) * (1 + drift * i / n);
        if (uniform(&run->state) < noise->outliers)
            sample *= 1.1 + 1.4 * uniform(&run->state);
        json_array_append_new(samples, json_real(sample));
    }
    return samples;
}

static json_t *add_bench(struct run *run, const char *method, double rate, int context, double prefill_ms, int n)
{
    json_t *record = run_add(run, made_up_bench(method, rate, context, prefill_ms, prefill_ms / 50));
    json_object_set_new(record, "phases", json_pack("[s, s, s]", "prefill", "decode", "e2e"));
    json_object_set_new(record, "n_samples", json_integer(n));
    json_object_set_new(record, "peak_bytes", json_integer(1000000 + context));
    json_object_set_new(record, "build_type", json_string("release"));
    json_object_set_new(record, "prefill_samples_ns", scattered_times(run, prefill_ms * 1e6, n));
    json_object_set_new(record, "decode_token_samples_ns", scattered_times(run, prefill_ms * 2e4, n));
    json_object_set_new(record, "e2e_samples_ns", scattered_times(run, prefill_ms * 1.6e6, n));
    return record;
}

/* Sample i is solved if a number that depends on the row and i alone is below `share`: equal in all runs, but for the flips. */
static json_t *add_eval(struct run *run, const char *method, double rate, int context, const char *task, double share, int n)
{
    json_t *record = run_add(run, made_up_eval(method, rate, context, task, share, 0.1)), *scores = json_array();
    uint64_t row = (uint64_t)context;
    for (const char *c = kvl_record_text(record, "config_key"); *c != '\0'; c++)
        row = row * 131 + (unsigned char)*c;
    for (int i = 0; i < n; i++) {
        bool solved = uniform(&row) < share;
        if (run->noise->flips > 0 && uniform(&run->state) < run->noise->flips)
            solved = !solved;
        json_array_append_new(scores, json_real(solved));
    }
    json_object_set_new(record, "scores", scores);
    json_object_set_new(record, "n_samples", json_integer(n));
    return record;
}

static const char *const methods[] = {"full", "streamingllm", "snapkv", "fastkv"};
static const char *const tasks[] = {"needle/single_noise", "needle/single_essay", "needle/multi_key"};
enum { N_METHODS = 4, N_TASKS = 3, N_CONTEXTS = 2, N_TIMES = 3 * N_METHODS * N_CONTEXTS };

/* A night: 4 methods at 2 contexts, 24 series of times and 24 scores. One method's times are multiplied, one's scores changed. */
static void run_night(struct run *run, const char *slow, double factor, const char *wrong, double share)
{
    for (int c = 0; c < N_CONTEXTS; c++)
        for (int m = 0; m < N_METHODS; m++) {
            double rate = m == 0 ? NAN : 0.2, ms = (c + 1) * (300 + 40 * m);
            bool is_slow = slow != NULL && strcmp(slow, methods[m]) == 0, is_wrong = wrong != NULL && strcmp(wrong, methods[m]) == 0;
            add_bench(run, methods[m], rate, 1024 << c, ms * (is_slow ? factor : 1), 10);
            for (int t = 0; t < N_TASKS; t++)
                add_eval(run, methods[m], rate, 1024 << c, tasks[t], is_wrong ? share : 0.8, 20);
        }
}

static void compare_with(struct kvl_comparison *out, struct run *base, struct run *next, struct kvl_compare_limits limits)
{
    assert_ok(kvl_compare(out, &base->set, &next->set, &limits));
}

/* The row of a method's measure; NULL if there is none. */
static const struct kvl_compare_row *row_of(const struct kvl_comparison *comparison, const char *method, const char *measure)
{
    for (int i = 0; i < comparison->n; i++) {
        const struct kvl_compare_row *row = &comparison->rows[i];
        const json_t *record = row->next != NULL ? row->next : row->base;
        if (strcmp(kvl_record_text(record, "method"), method) == 0 && strcmp(row->measure->name, measure) == 0)
            return row;
    }
    return NULL;
}

/* Rows with an outcome, of a method or of all others. */
static int count_rows(const struct kvl_comparison *comparison, enum kvl_outcome outcome, const char *method, bool others)
{
    int n = 0;
    for (int i = 0; i < comparison->n; i++) {
        const struct kvl_compare_row *row = &comparison->rows[i];
        bool is_it = strcmp(kvl_record_text(row->next != NULL ? row->next : row->base, "method"), method) == 0;
        n += row->outcome == outcome && is_it != others;
    }
    return n;
}

/* ---- noise and what is planted ----------------------------------------------------------------------------------------- */

/* Compares pairs of equal runs; how many raise an alarm, and how many rows in all. */
static void count_alarms(const struct noise *noise, struct kvl_compare_limits limits, int n_pairs, int *n_alarms, int *n_rows)
{
    *n_alarms = *n_rows = 0;
    for (int i = 0; i < n_pairs; i++) {
        struct run base, next;
        struct kvl_comparison comparison;
        run_begin(&base, noise, 2 * (uint64_t)i);
        run_begin(&next, noise, 2 * (uint64_t)i + 1);
        run_night(&base, NULL, 1, NULL, 0);
        run_night(&next, NULL, 1, NULL, 0);
        compare_with(&comparison, &base, &next, limits);
        *n_alarms += comparison.counts[KVL_OUTCOME_REGRESSION] > 0;
        *n_rows += comparison.counts[KVL_OUTCOME_REGRESSION];
        assert_int_equal(comparison.counts[KVL_OUTCOME_MISSING] + comparison.counts[KVL_OUTCOME_NEW], 0);
        kvl_comparison_free(&comparison);
        kvl_record_set_free(&base.set);
        kvl_record_set_free(&next.set);
    }
}

enum { N_PAIRS = 200 };

/* Runs differ by 1 %, rows of a run by half a percent more, samples by 2 %, with outliers and drift. */
static void equal_runs(void **state)
{
    (void)state;
    int n_alarms, n_rows;
    count_alarms(&quiet, defaults, N_PAIRS, &n_alarms, &n_rows);
    printf("equal runs: %d alarms in %d pairs of %d rows (%d rows)\n", n_alarms, N_PAIRS, 2 * N_TIMES + N_TIMES / 3, n_rows);
    assert_true(n_alarms <= N_PAIRS / 20);
}

/* Without thresholds, alpha alone bounds the alarms where samples scatter but runs do not: at most 5 %, which gives more than 20 of
 * 200 with a probability of 0.001. */
static void equal_runs_without_thresholds(void **state)
{
    (void)state;
    const struct noise noise = {.sample = 0.05, .outliers = 0.1, .flips = 0.3};
    int n_alarms, n_rows;
    count_alarms(&noise, (struct kvl_compare_limits){.alpha = 0.05}, N_PAIRS, &n_alarms, &n_rows);
    printf("no thresholds: %d alarms in %d pairs (%d rows)\n", n_alarms, N_PAIRS, n_rows);
    assert_true(n_alarms > 0 && n_alarms <= 20); /* half of the false ones are improvements */
}

static void planted_slowdown(void **state)
{
    (void)state;
    int n_found = 0, n_false = 0, n_seeds = 20;
    for (int i = 0; i < n_seeds; i++) {
        struct run base, next;
        struct kvl_comparison comparison;
        run_begin(&base, &quiet, 1000 + 2 * (uint64_t)i);
        run_begin(&next, &quiet, 1001 + 2 * (uint64_t)i);
        run_night(&base, NULL, 1, NULL, 0);
        run_night(&next, "snapkv", 1.1, NULL, 0);
        compare_with(&comparison, &base, &next, defaults);
        int found = count_rows(&comparison, KVL_OUTCOME_REGRESSION, "snapkv", false);
        assert_true(found > 0);
        n_found += found;
        n_false += count_rows(&comparison, KVL_OUTCOME_REGRESSION, "snapkv", true);
        kvl_comparison_free(&comparison);
        compare_with(&comparison, &next, &base, defaults); /* the other way round it is faster */
        assert_true(count_rows(&comparison, KVL_OUTCOME_IMPROVEMENT, "snapkv", false) > 0);
        assert_int_equal(count_rows(&comparison, KVL_OUTCOME_REGRESSION, "snapkv", false), 0);
        kvl_comparison_free(&comparison);
        kvl_record_set_free(&base.set);
        kvl_record_set_free(&next.set);
    }
    int n_planted = n_seeds * 3 * N_CONTEXTS;
    printf("10 %% slower: %d of %d rows found, %d false\n", n_found, n_planted, n_false);
    assert_true(n_found >= n_planted * 9 / 10);
    assert_true(n_false <= 2);
}

static void planted_accuracy_bug(void **state)
{
    (void)state;
    struct run base, next;
    struct kvl_comparison comparison;
    run_begin(&base, &quiet, 5);
    run_begin(&next, &quiet, 6);
    run_night(&base, NULL, 1, NULL, 0);
    run_night(&next, NULL, 1, "fastkv", 0.3);
    compare_with(&comparison, &base, &next, defaults);
    int n_found = count_rows(&comparison, KVL_OUTCOME_REGRESSION, "fastkv", false);
    printf("scores from 80 to 30: %d of %d rows found\n", n_found, N_TASKS * N_CONTEXTS);
    assert_true(n_found >= N_TASKS * N_CONTEXTS / 2);
    assert_int_equal(count_rows(&comparison, KVL_OUTCOME_REGRESSION, "fastkv", true), 0);
    const struct kvl_compare_row *row = row_of(&comparison, "fastkv", "score"), *sane = row_of(&comparison, "snapkv", "score");
    assert_true(row->change.value < -0.2 && row->change.high < 0 && row->p_adjusted <= 0.05);
    assert_true(sane->change.value == 0 && sane->change.p == 1 && isnan(sane->p_adjusted));
    kvl_comparison_free(&comparison);
    kvl_record_set_free(&base.set);
    kvl_record_set_free(&next.set);
}

/* ---- rows -------------------------------------------------------------------------------------------------------------- */

static const struct noise none = {0};

/* Two runs of one method each, to be changed by a test. */
struct pair {
    struct run base, next;
    struct kvl_comparison comparison;
};

static void pair_begin(struct pair *pair)
{
    *pair = (struct pair){0};
    run_begin(&pair->base, &none, 1);
    run_begin(&pair->next, &none, 2);
}

static void pair_end(struct pair *pair)
{
    kvl_comparison_free(&pair->comparison);
    kvl_record_set_free(&pair->base.set);
    kvl_record_set_free(&pair->next.set);
}

static void pair_compare(struct pair *pair)
{
    compare_with(&pair->comparison, &pair->base, &pair->next, defaults);
}

static void missing_and_new(void **state)
{
    (void)state;
    struct pair pair;
    pair_begin(&pair);
    add_bench(&pair.base, "full", NAN, 1024, 100, 10);
    add_bench(&pair.base, "snapkv", 0.1, 1024, 100, 10);
    add_bench(&pair.next, "full", NAN, 1024, 100, 10);
    add_bench(&pair.next, "snapkv", 0.2, 1024, 100, 10); /* another rate is another row */
    pair_compare(&pair);
    assert_int_equal(pair.comparison.counts[KVL_OUTCOME_MISSING], 4);
    assert_int_equal(pair.comparison.counts[KVL_OUTCOME_NEW], 4);
    assert_int_equal(pair.comparison.counts[KVL_OUTCOME_UNCHANGED], 4);
    pair_end(&pair);
}

/* A parameter, the seed and the number of new tokens are knobs as well; the number of samples is none. */
static void every_knob_counts(void **state)
{
    (void)state;
    const struct {
        const char *field;
        json_t *value;
        bool same;
    } cases[] = {{"params", json_pack("{s:i}", "window", 16), false}, {"seed", json_integer(7), false},
                 {"new_tokens", json_integer(64), false},            {"profile", json_string("paper"), false},
                 {"kv_budget", json_integer(512), false},            {"n_samples", json_integer(99), true},
                 {"run_id", json_string("other"), true},             {"config_key", json_string("other"), true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pair pair;
        pair_begin(&pair);
        add_bench(&pair.base, "snapkv", 0.1, 1024, 100, 10);
        json_object_set_new(add_bench(&pair.next, "snapkv", 0.1, 1024, 100, 10), cases[i].field, cases[i].value);
        pair_compare(&pair);
        if (pair.comparison.counts[KVL_OUTCOME_UNCHANGED] != (cases[i].same ? 4 : 0))
            fail_msg("%s: %d rows met", cases[i].field, pair.comparison.counts[KVL_OUTCOME_UNCHANGED]);
        pair_end(&pair);
    }
}

static void common_samples(void **state)
{
    (void)state;
    struct pair pair;
    pair_begin(&pair);
    json_object_set_new(add_eval(&pair.base, "full", NAN, 1024, tasks[0], 1, 2), "scores", json_pack("[f, f, f, f]", 1., 0., 1., 1.));
    json_object_set_new(add_eval(&pair.next, "full", NAN, 1024, tasks[0], 1, 2), "scores", json_pack("[f, i]", 0.5, 0));
    pair_compare(&pair);
    const struct kvl_compare_row *row = &pair.comparison.rows[0];
    assert_true(row->base_value == 0.5 && row->next_value == 0.25 && row->change.value == -0.25);
    assert_int_equal(row->n_base, 4);
    assert_int_equal(row->n_next, 2);
    assert_int_equal(pair.comparison.n_uneven, 1);
    assert_int_equal(row->outcome, KVL_OUTCOME_UNCLEAR); /* one sample of two has changed */
    assert_true(row->too_few);
    pair_end(&pair);
}

static void failures(void **state)
{
    (void)state;
    struct pair pair;
    pair_begin(&pair);
    add_bench(&pair.base, "full", NAN, 1024, 100, 10);
    made_up_failure(add_bench(&pair.next, "full", NAN, 1024, 100, 10), "oom", "no memory");
    made_up_failure(add_bench(&pair.base, "snapkv", 0.1, 1024, 100, 10), "failed", "x");
    add_bench(&pair.next, "snapkv", 0.1, 1024, 100, 10);
    made_up_failure(add_bench(&pair.base, "h2o", 0.1, 1024, 100, 10), "oom", "no memory");
    made_up_failure(add_bench(&pair.next, "h2o", 0.1, 1024, 100, 10), "oom", "no memory");
    add_eval(&pair.base, "full", NAN, 1024, tasks[0], 1, 10);
    made_up_failure(add_eval(&pair.next, "full", NAN, 1024, tasks[0], 1, 10), "failed", "x");
    pair_compare(&pair);
    static const char *const phases[] = {"prefill", "decode", "e2e"};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(row_of(&pair.comparison, "full", phases[i])->outcome, KVL_OUTCOME_REGRESSION);
        assert_int_equal(row_of(&pair.comparison, "snapkv", phases[i])->outcome, KVL_OUTCOME_IMPROVEMENT);
        assert_int_equal(row_of(&pair.comparison, "h2o", phases[i])->outcome, KVL_OUTCOME_UNCHANGED);
    }
    assert_int_equal(row_of(&pair.comparison, "full", "score")->outcome, KVL_OUTCOME_REGRESSION);
    assert_int_equal(pair.comparison.counts[KVL_OUTCOME_REGRESSION], 4);
    pair_end(&pair);
}

/* Of divergence less is better; a failed run fails in all that it was to measure. */
static void nats_count_the_other_way(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct pair pair;
        pair_begin(&pair);
        json_t *base = add_eval(&pair.base, "snapkv", 0.1, 1024, "fidelity/text", 0.9, 10);
        json_t *next = add_eval(&pair.next, "snapkv", 0.1, 1024, "fidelity/text", 0.9, 10);
        json_t *low = json_array(), *high = json_array();
        for (int s = 0; s < 10; s++) {
            json_array_append_new(low, json_real(0.1 + 0.01 * s));
            json_array_append_new(high, json_real(0.14 + 0.011 * s));
        }
        json_object_set(base, "kl_samples", i == 0 ? low : high);
        json_object_set(next, "kl_samples", i == 0 ? high : low);
        if (i == 2)
            made_up_failure(next, "failed", "x");
        json_decref(low);
        json_decref(high);
        pair_compare(&pair);
        const struct kvl_compare_row *row = row_of(&pair.comparison, "snapkv", "kl");
        assert_int_equal(row->outcome, i == 1 ? KVL_OUTCOME_IMPROVEMENT : KVL_OUTCOME_REGRESSION);
        assert_int_equal(pair.comparison.n, 2);
        assert_int_equal(pair.comparison.counts[KVL_OUTCOME_REGRESSION], i == 0 ? 1 : i == 1 ? 0 : 2);
        pair_end(&pair);
    }
}

static void memory_has_no_noise(void **state)
{
    (void)state;
    struct pair pair;
    pair_begin(&pair);
    add_bench(&pair.base, "full", NAN, 1024, 100, 10);
    add_bench(&pair.base, "snapkv", 0.1, 1024, 100, 10);
    json_object_set_new(add_bench(&pair.next, "full", NAN, 1024, 100, 10), "peak_bytes", json_integer(1050000));
    json_object_set_new(add_bench(&pair.next, "snapkv", 0.1, 1024, 100, 10), "peak_bytes", json_integer(1010000));
    pair_compare(&pair);
    assert_int_equal(row_of(&pair.comparison, "full", "memory")->outcome, KVL_OUTCOME_REGRESSION);
    assert_int_equal(row_of(&pair.comparison, "snapkv", "memory")->outcome, KVL_OUTCOME_UNCHANGED);
    assert_int_equal(pair.comparison.counts[KVL_OUTCOME_REGRESSION], 1);
    pair_end(&pair);
}

/* Two samples a side cannot tell: 1 of 6 arrangements, twice. They do not weaken the other tests. */
static void too_few_samples(void **state)
{
    (void)state;
    struct pair pair;
    pair_begin(&pair);
    add_bench(&pair.base, "full", NAN, 1024, 100, 2);
    add_bench(&pair.next, "full", NAN, 1024, 200, 2);
    add_bench(&pair.base, "snapkv", 0.1, 1024, 100, 5);
    add_bench(&pair.next, "snapkv", 0.1, 1024, 200, 5);
    pair_compare(&pair);
    assert_int_equal(row_of(&pair.comparison, "full", "prefill")->outcome, KVL_OUTCOME_UNCLEAR);
    assert_int_equal(pair.comparison.n_too_few, 3);
    assert_int_equal(pair.comparison.n_tests, 3);
    assert_int_equal(row_of(&pair.comparison, "snapkv", "prefill")->outcome, KVL_OUTCOME_REGRESSION);
    pair_end(&pair);
}

/* Times from a busy machine, or one that throttled, raise no alarm unless forced; scores do. */
static void busy_machine(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct pair pair;
        struct kvl_compare_limits limits = defaults;
        pair_begin(&pair);
        json_t *base = add_bench(&pair.base, "full", NAN, 1024, 100, 10), *next = add_bench(&pair.next, "full", NAN, 1024, 200, 10);
        add_eval(&pair.base, "full", NAN, 1024, tasks[0], 1, 20);
        add_eval(&pair.next, "full", NAN, 1024, tasks[0], 0, 20);
        json_object_set_new(next, "machine_cpus", json_integer(4));
        json_object_set_new(i < 2 ? next : base, i < 2 ? "other_load_cpus" : "clock_end_mhz", json_real(i == 0 ? 0.3 : i == 1 ? 1.5 : 2000));
        json_object_set_new(base, "clock_mhz", json_real(3000));
        compare_with(&pair.comparison, &pair.base, &pair.next, limits);
        assert_int_equal(pair.comparison.n_disturbed, i == 0 ? 0 : 3);
        assert_int_equal(pair.comparison.counts[KVL_OUTCOME_REGRESSION], i == 0 ? 4 : 1);
        assert_int_equal(pair.comparison.counts[KVL_OUTCOME_UNCLEAR], i == 0 ? 0 : 3);
        kvl_comparison_free(&pair.comparison);
        limits.force = true;
        compare_with(&pair.comparison, &pair.base, &pair.next, limits);
        assert_int_equal(pair.comparison.counts[KVL_OUTCOME_REGRESSION], 4);
        pair_end(&pair);
    }
}

/* Rows that were measured alike meet first; what is left over is refused, or joined by force. */
static void other_conditions(void **state)
{
    (void)state;
    static const struct {
        const char *field, *value;
        bool bench, eval; /* refused */
    } cases[] = {{"cpu", "Model U", true, false},       {"isa", "avx512", true, false},  {"backend", "cuda", true, false},
                 {"build_type", "debug", true, false},  {"dtype", "f32", true, true},    {"model_hash", "99", true, true},
                 {"kvlab_commit", "abc", false, false}, {"model", "renamed", false, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int kind = 0; kind < 2; kind++) {
            struct pair pair;
            struct kvl_compare_limits limits = defaults;
            pair_begin(&pair);
            for (int side = 0; side < 2; side++) {
                struct run *run = side == 0 ? &pair.base : &pair.next;
                json_t *record = kind == 0 ? add_bench(run, "full", NAN, 1024, 100, 10) : add_eval(run, "full", NAN, 1024, tasks[0], 1, 10);
                if (side == 1)
                    json_object_set_new(record, cases[i].field, json_string(cases[i].value));
            }
            bool refused = kind == 0 ? cases[i].bench : cases[i].eval;
            enum kvl_status status = kvl_compare(&pair.comparison, &pair.base.set, &pair.next.set, &limits);
            if (status != (refused ? KVL_E_ARG : KVL_OK))
                fail_msg("%s: status %d", cases[i].field, (int)status);
            if (refused && (strstr(kvl_last_error(), cases[i].value) == NULL || strstr(kvl_last_error(), "--force") == NULL))
                fail_msg("%s: %s", cases[i].field, kvl_last_error());
            kvl_comparison_free(&pair.comparison);
            limits.force = true;
            compare_with(&pair.comparison, &pair.base, &pair.next, limits);
            assert_int_equal(pair.comparison.counts[KVL_OUTCOME_UNCHANGED], pair.comparison.n);
            pair_end(&pair);
        }
}

static void threads_in_one_file(void **state)
{
    (void)state;
    struct pair pair;
    pair_begin(&pair);
    for (int threads = 1; threads <= 4; threads *= 2) {
        json_object_set_new(add_bench(&pair.base, "full", NAN, 1024, 400.0 / threads, 10), "threads", json_integer(threads));
        json_object_set_new(add_bench(&pair.next, "full", NAN, 1024, 400.0 / threads, 10), "threads", json_integer(threads));
    }
    pair_compare(&pair);
    assert_int_equal(pair.comparison.counts[KVL_OUTCOME_UNCHANGED], 12);
    char **labels = kvl_compare_labels(&pair.comparison);
    assert_non_null(labels);
    assert_string_equal(labels[0], "full 1k");
    kvl_compare_labels_free(labels, pair.comparison.n);
    pair_end(&pair);
}

static void labels_tell_rows_apart(void **state)
{
    (void)state;
    struct pair pair;
    pair_begin(&pair);
    json_object_set_new(add_bench(&pair.base, "fastkv", 0.1, 1024, 100, 10), "params", json_pack("{s:f, s:i}", "tsp_rate", 0.2, "window", 8));
    json_object_set_new(add_bench(&pair.base, "fastkv", 0.1, 1024, 100, 10), "params", json_pack("{s:f, s:i}", "tsp_rate", 0.4, "window", 8));
    json_object_set_new(add_bench(&pair.base, "snapkv", 0.1, 1024, 100, 10), "params", json_pack("{s:i}", "window", 32));
    json_object_set_new(add_eval(&pair.next, "snapkv", 0.1, 2048, tasks[2], 1, 10), "seed", json_integer(3));
    add_eval(&pair.next, "snapkv", 0.1, 2048, tasks[2], 1, 10);
    pair_compare(&pair);
    static const char *const expected[] = {"fastkv r=0.1 1k tsp_rate=0.2", "fastkv r=0.1 1k tsp_rate=0.4", "snapkv r=0.1 1k",
                                           "snapkv r=0.1 2k needle/multi_key seed=3", "snapkv r=0.1 2k needle/multi_key seed=1"};
    char **labels = kvl_compare_labels(&pair.comparison);
    for (size_t e = 0; e < sizeof expected / sizeof *expected; e++) {
        int n = 0;
        for (int i = 0; i < pair.comparison.n; i++)
            n += strcmp(labels[i], expected[e]) == 0;
        if (n != (e < 3 ? 4 : 1))
            fail_msg("%s: %d rows", expected[e], n);
    }
    kvl_compare_labels_free(labels, pair.comparison.n);
    pair_end(&pair);
}

/* ---- the command ------------------------------------------------------------------------------------------------------- */

static void save(const struct run *run, const char *name)
{
    const char *path = made_up_path(name);
    made_up_write(path, "");
    for (int i = 0; i < run->set.n; i++)
        assert_ok(kvl_record_append(path, run->set.records[i]));
}

/* Runs a line in the folder of the made-up files and checks its exit code; process_free() it. */
static struct process run_line(const char *line, int code)
{
    struct process process = {.program = KVLAB_PROGRAM, .folder = made_up_folder(), .closed = -1};
    const char *const *words = process_split(line, "", made_up_folder());
    process_run(&process, words);
    free((void *)(uintptr_t)words);
    if (process.code != code)
        fail_msg("`%s`: exit code %d, expected %d: %s%s", line, process.code, code, process.out, process.err);
    return process;
}

static void assert_says(const char *line, int code, const char *out, const char *err)
{
    struct process process = run_line(line, code);
    if (strstr(process.out, out) == NULL || strstr(process.err, err) == NULL)
        fail_msg("`%s` says \"%s\" and \"%s\", not \"%s\" and \"%s\"", line, process.out, process.err, out, err);
    process_free(&process);
}

static int save_nights(void **state)
{
    (void)state;
    static const struct {
        const char *name, *slow, *wrong;
    } nights[] = {{"base.jsonl", NULL, NULL}, {"equal.jsonl", NULL, NULL}, {"slow.jsonl", "snapkv", NULL}, {"wrong.jsonl", NULL, "fastkv"}};
    for (size_t i = 0; i < sizeof nights / sizeof *nights; i++) {
        struct run run;
        run_begin(&run, &quiet, 400 + i);
        run_night(&run, nights[i].slow, 1.1, nights[i].wrong, 0.3);
        save(&run, nights[i].name);
        run.set.n--; /* a night that ended before its last record */
        if (i == 0)
            save(&run, "short.jsonl");
        run.set.n++;
        kvl_record_set_free(&run.set);
    }
    return 0;
}

static void exit_codes(void **state)
{
    (void)state;
    assert_says("compare base.jsonl base.jsonl", 0, "0 regression", "");
    assert_says("compare base.jsonl equal.jsonl", 0, "0 regression", "");
    assert_says("compare base.jsonl slow.jsonl", 1, "snapkv r=0.2 1k", "6 regressions");
    assert_says("compare base.jsonl wrong.jsonl", 1, "needle/", "regression");
    assert_says("compare slow.jsonl base.jsonl", 0, "6 improvement", "");
    assert_says("compare base.jsonl slow.jsonl --threshold-latency 0.3", 0, "0 regression", "");
    assert_says("compare base.jsonl wrong.jsonl --threshold-score 0.9", 0, "0 regression", "");
    assert_says("compare base.jsonl short.jsonl", 1, "1 missing", "--allow-missing");
    assert_says("compare base.jsonl short.jsonl --allow-missing", 0, "1 missing", "");
    assert_says("compare short.jsonl base.jsonl", 0, "1 new", "");
    assert_says("compare base.jsonl short.jsonl,base.jsonl", 0, "0 missing", "");
}

static void refusals(void **state)
{
    (void)state;
    assert_says("compare base.jsonl", 2, "", "needs BASE NEW");
    assert_says("compare base.jsonl none.jsonl", 1, "", "none.jsonl");
    assert_says("compare base.jsonl, slow.jsonl", 2, "", "BASE");
    assert_says("compare base.jsonl slow.jsonl --alpha 2", 2, "", "--alpha");
    assert_says("compare base.jsonl slow.jsonl --threshold-latency x", 2, "", "--threshold-latency");
    assert_says("compare base.jsonl slow.jsonl -o base.jsonl", 2, "", "overwrite");
    char *text = made_up_read(made_up_path("base.jsonl")), *end = strchr(strchr(text, '\n') + 1, '\n');
    *end = '\0';
    FILE *file = fopen(made_up_path("broken.jsonl"), "w");
    fprintf(file, "%s\n{\"schema\":1,\n%s\n", text, text);
    fclose(file);
    assert_says("compare base.jsonl broken.jsonl", 1, "", "broken.jsonl, line 3");
    char *scores = strstr(text, "\"scores\":[");
    assert_non_null(scores);
    memcpy(scores + strlen("\"scores\":["), "\"a\"", 3); /* "1.0" */
    file = fopen(made_up_path("broken.jsonl"), "w");
    fprintf(file, "%s\n", text);
    fclose(file);
    assert_says("compare broken.jsonl base.jsonl", 1, "", "broken.jsonl, line 2: scores must be a list of numbers or null");
    free(text);
}

static double field(const json_t *row, const char *key)
{
    return kvl_record_number(row, key);
}

static void json_output(void **state)
{
    (void)state;
    struct process process = run_line("compare base.jsonl slow.jsonl --json", 1);
    json_t *object = json_loads(process.out, 0, NULL), *row;
    process_free(&process);
    assert_non_null(object);
    assert_string_equal(kvl_record_text(json_object_get(object, "base"), "name"), "base.jsonl");
    assert_string_equal(kvl_record_text(json_object_get(object, "new"), "name"), "slow.jsonl");
    assert_true(field(object, "threshold_latency") == 0.05 && field(object, "alpha") == 0.05);
    size_t i;
    int n = 0;
    json_array_foreach (json_object_get(object, "rows"), i, row) {
        const json_t *knobs = json_object_get(row, "knobs");
        assert_non_null(kvl_record_text(knobs, "method"));
        assert_null(json_object_get(knobs, "n_samples"));
        if (strcmp(kvl_record_text(row, "verdict"), "regression") != 0)
            continue;
        n++;
        assert_string_equal(kvl_record_text(knobs, "method"), "snapkv");
        assert_true(field(row, "low") > 1 && field(row, "low") <= field(row, "change") && field(row, "change") <= field(row, "high"));
        assert_true(fabs(field(row, "new") / field(row, "base") - field(row, "change")) < 1e-12);
        assert_true(field(row, "p_adjusted") >= field(row, "p") && field(row, "p_adjusted") <= 0.05);
        assert_true(field(row, "n_base") == 10 && field(row, "n_new") == 10);
    }
    assert_int_equal(n, 6);
    assert_true(field(object, "regression") == 6);
    assert_int_equal(json_array_size(json_object_get(object, "rows")), (size_t)(field(object, "regression") + field(object, "unclear")
                     + field(object, "improvement") + field(object, "unchanged")));
    json_decref(object);
    assert_says("compare base.jsonl slow.jsonl --json -o out.json", 1, "", "6 regressions");
    object = json_load_file(made_up_path("out.json"), 0, NULL);
    assert_non_null(object);
    json_decref(object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_runs),        cmocka_unit_test(equal_runs_without_thresholds),
        cmocka_unit_test(planted_slowdown),  cmocka_unit_test(planted_accuracy_bug),
        cmocka_unit_test(missing_and_new),   cmocka_unit_test(every_knob_counts),
        cmocka_unit_test(common_samples),    cmocka_unit_test(failures),
        cmocka_unit_test(nats_count_the_other_way),
        cmocka_unit_test(memory_has_no_noise), cmocka_unit_test(too_few_samples),
        cmocka_unit_test(busy_machine),      cmocka_unit_test(other_conditions),  cmocka_unit_test(threads_in_one_file),
        cmocka_unit_test(labels_tell_rows_apart), cmocka_unit_test(exit_codes),
        cmocka_unit_test(refusals),          cmocka_unit_test(json_output),
    };
    return cmocka_run_group_tests(tests, save_nights, made_up_remove);
}
