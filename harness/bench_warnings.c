#include "harness/bench_warnings.h"

#include <math.h>
#include <stdlib.h>

#include "harness/record_set.h"
#include "harness/significance.h"
#include "harness/statistics.h"

static const double bound = 0.05, trend_level = 0.01, idle_cpus = 0.2;

static void note(struct kvl_bench_warnings *warnings, enum kvl_doubt doubt, double size, const char *what)
{
    warnings->doubts[doubt].n++;
    if (warnings->doubts[doubt].n > 1 && size <= warnings->doubts[doubt].worst)
        return;
    warnings->doubts[doubt].worst = size;
    snprintf(warnings->doubts[doubt].what, sizeof warnings->doubts[doubt].what, "%s", what);
}

/* "prefill of METHOD r=0.1 at 1024 tokens", "time of OPERATION CASE at ..". */
static void describe(const json_t *record, const char *phase, char *text, size_t size)
{
    const char *method = kvl_record_text(record, "method"), *operation = kvl_record_text(record, "operation");
    double rate = kvl_record_number(record, "kv_rate"), budget = kvl_record_number(record, "kv_budget");
    char knob[48] = "";
    if (operation != NULL)
        snprintf(knob, sizeof knob, " %.40s", kvl_record_text(record, "case"));
    else if (!isnan(rate))
        snprintf(knob, sizeof knob, " r=%g", rate);
    else if (!isnan(budget))
        snprintf(knob, sizeof knob, " c=%g", budget);
    snprintf(text, size, "%s of %.40s%s at %g tokens", phase, operation != NULL ? operation : method != NULL ? method : "?", knob,
             kvl_record_number(record, "context"));
}

/* Median of the second half over that of the first, less 1; the middle one of an odd number belongs to neither. */
static double drift(const double *ns, int64_t n)
{
    return kvl_quantile(ns + (n + 1) / 2, n / 2, 0.5) / kvl_quantile(ns, n / 2, 0.5) - 1.0;
}

static void look_at_series(struct kvl_bench_warnings *warnings, const double *ns, int64_t n, const json_t *interval,
                           const char *what)
{
    double median = kvl_quantile(ns, n, 0.5);
    double low = json_number_value(json_array_get(interval, 0)), high = json_number_value(json_array_get(interval, 1));
    double reach = fmax(high - median, median - low) / median;
    if (json_array_size(interval) == 2 && reach > bound)
        note(warnings, KVL_DOUBT_WIDE, reach, what);
    int64_t n_far = kvl_count_outliers(ns, n);
    double spread = (kvl_quantile(ns, n, 0.95) - kvl_quantile(ns, n, 0.05)) / median;
    if (n_far >= 2 && 10 * n_far >= n && spread > bound)
        note(warnings, KVL_DOUBT_OUTLIERS, (double)n_far / (double)n, what);
    double change = n >= 4 && kvl_trend_p(ns, n) < trend_level ? drift(ns, n) : 0.0;
    if (fabs(change) > bound)
        note(warnings, change > 0.0 ? KVL_DOUBT_SLOWER : KVL_DOUBT_FASTER, fabs(change), what);
}

/* How far the clock fell, as a share; and how many CPUs others kept busy, where that is more than a machine always does. 0: not. */
static double clock_fall(const json_t *record)
{
    double start = kvl_record_number(record, "clock_mhz"), end = kvl_record_number(record, "clock_end_mhz");
    return end < (1.0 - bound) * start ? 1.0 - end / start : 0.0;
}

static double heavy_load(const json_t *record)
{
    double load = kvl_record_number(record, "other_load_cpus"), n_cpus = kvl_record_number(record, "machine_cpus");
    return load > idle_cpus + bound * n_cpus ? load : 0.0;
}

bool kvl_bench_is_disturbed(const json_t *record)
{
    return clock_fall(record) > 0.0 || heavy_load(record) > 0.0;
}

static void look_at_machine(struct kvl_bench_warnings *warnings, const json_t *record)
{
    char what[160];
    if (clock_fall(record) > 0.0) {
        snprintf(what, sizeof what, "from %.0f to %.0f MHz", kvl_record_number(record, "clock_mhz"),
                 kvl_record_number(record, "clock_end_mhz"));
        note(warnings, KVL_DOUBT_CLOCK, clock_fall(record), what);
    }
    if (heavy_load(record) > 0.0) {
        snprintf(what, sizeof what, "%.1f of %g", heavy_load(record), kvl_record_number(record, "machine_cpus"));
        note(warnings, KVL_DOUBT_LOAD, heavy_load(record), what);
    }
}

enum kvl_status kvl_bench_warnings_add(struct kvl_bench_warnings *warnings, const json_t *record)
{
    static const struct {
        const char *samples, *interval, *title;
    } series[] = {{"prefill_samples_ns", "prefill_median_ci95_ns", "prefill"},
                  {"decode_token_samples_ns", "decode_token_median_ci95_ns", "decode"},
                  {"e2e_samples_ns", "e2e_median_ci95_ns", "e2e"},
                  {"kernel_samples_ns", "kernel_median_ci95_ns", "time"}};
    warnings->n_records++;
    look_at_machine(warnings, record);
    for (size_t s = 0; s < sizeof series / sizeof *series; s++) {
        const json_t *samples = json_object_get(record, series[s].samples), *sample;
        int64_t n = (int64_t)json_array_size(samples);
        if (n == 0)
            continue;
        double *ns = malloc((size_t)n * sizeof *ns);
        if (ns == NULL)
            return kvl_fail(KVL_E_OOM, "no memory for %lld samples", (long long)n);
        size_t i;
        json_array_foreach (samples, i, sample)
            ns[i] = json_number_value(sample);
        char what[160];
        describe(record, series[s].title, what, sizeof what);
        look_at_series(warnings, ns, n, json_object_get(record, series[s].interval), what);
        free(ns);
        warnings->n_series++;
    }
    return KVL_OK;
}

/* One row for each doubt: how it is said, with the share or number that was worst, and what helps. */
static const struct {
    bool counts;        /* "N of M series" in front */
    const char *before; /* the worst one */
    const char *behind; /* its size; a share is printed as "(N % BEHIND)", other sizes stand in its name */
    bool is_share;
    const char *remedy;
} sentences[KVL_N_DOUBTS] = {
    [KVL_DOUBT_WIDE] = {true, "have an uncertain median, worst", "to one side of its 95 % interval", true,
                        "stop other programs, or give --samples more"},
    [KVL_DOUBT_OUTLIERS] = {true, "have outliers, most", "of its samples", true,
                            "stop other programs, keep this one on its cores (taskset), or give --samples more"},
    [KVL_DOUBT_SLOWER] = {true, "slow down while they run, worst", "from the first half to the second", true,
                          "the machine may be throttling; let it cool or fix its clock, and run again"},
    [KVL_DOUBT_FASTER] = {true, "speed up while they run, worst", "from the first half to the second", true,
                          "give --warmup more rounds"},
    [KVL_DOUBT_CLOCK] = {false, "the clock fell", "", false, "let the machine cool or fix its clock, and run again"},
    [KVL_DOUBT_LOAD] = {false, "other programs kept busy", " CPUs on average", false, "stop them and run again"},
};

void kvl_bench_warnings_print(const struct kvl_bench_warnings *warnings, FILE *stream)
{
    for (int d = 0; d < KVL_N_DOUBTS; d++) {
        if (warnings->doubts[d].n == 0)
            continue;
        fputs("kvlab: warning: ", stream);
        if (sentences[d].counts)
            fprintf(stream, "%d of %d series of times ", warnings->doubts[d].n, warnings->n_series);
        fprintf(stream, "%s %s", sentences[d].before, warnings->doubts[d].what);
        if (sentences[d].is_share)
            fprintf(stream, " (%.0f %% %s)", 100.0 * warnings->doubts[d].worst, sentences[d].behind);
        else
            fputs(sentences[d].behind, stream);
        fprintf(stream, ": %s\n", sentences[d].remedy);
    }
}
