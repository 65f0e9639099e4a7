#include "harness/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness/bench_warnings.h"
#include "harness/statistics.h"

const char *kvl_outcome_name(enum kvl_outcome outcome)
{
    static const char *const names[KVL_N_OUTCOMES] = {
        [KVL_OUTCOME_REGRESSION] = "regression", [KVL_OUTCOME_MISSING] = "missing", [KVL_OUTCOME_UNCLEAR] = "unclear",
        [KVL_OUTCOME_IMPROVEMENT] = "improvement", [KVL_OUTCOME_NEW] = "new", [KVL_OUTCOME_UNCHANGED] = "unchanged"};
    return names[outcome];
}

/* The samples of a record, malloc'd; *n = 0 and a valid pointer where the run failed. NULL where there is no memory. */
static double *samples_of(const json_t *record, const struct kvl_measure *measure, int64_t *n)
{
    const json_t *array = json_object_get(record, measure->field), *item;
    bool ok = strcmp(kvl_record_text(record, "status"), "ok") == 0;
    *n = ok ? (int64_t)json_array_size(array) : 0;
    double *samples = malloc(((size_t)*n + 1) * sizeof *samples);
    size_t i;
    if (samples != NULL && *n > 0)
        json_array_foreach (array, i, item)
            samples[i] = json_number_value(item);
    return samples;
}

static bool is_paired(const struct kvl_compare_row *row)
{
    return row->measure->unit == KVL_MEASURE_SCORE || row->measure->unit == KVL_MEASURE_NATS;
}

static void measure_scores(struct kvl_compare_row *row, const double *base, const double *next, double level)
{
    int64_t n = row->n_base < row->n_next ? row->n_base : row->n_next;
    row->base_value = kvl_mean(base, row->n_next > 0 ? n : row->n_base);
    row->next_value = kvl_mean(next, row->n_base > 0 ? n : row->n_next);
    kvl_paired_test(base, next, n, level, &row->change);
    row->too_few = n > 0 && n < 1000 && ldexp(1.0, (int)(1 - n)) > 1.0 - level;
}

static void measure_times(struct kvl_compare_row *row, const double *base, const double *next, double tolerance,
                          double level)
{
    enum { SEED = 1 };
    row->base_value = kvl_quantile(base, row->n_base, 0.5);
    row->next_value = kvl_quantile(next, row->n_next, 0.5);
    kvl_median_ratio(base, row->n_base, next, row->n_next, tolerance, level, SEED, &row->change);
    row->disturbed = row->n_base > 0 && row->n_next > 0
                     && (kvl_bench_is_disturbed(row->base) || kvl_bench_is_disturbed(row->next));
    row->too_few = row->n_base > 0 && row->n_next > 0 && row->change.p_least > 1.0 - level;
}

static void measure_memory(struct kvl_compare_row *row)
{
    row->base_value = row->base != NULL ? kvl_record_number(row->base, row->measure->field) : NAN;
    row->next_value = row->next != NULL ? kvl_record_number(row->next, row->measure->field) : NAN;
    double ratio = row->next_value / row->base_value;
    row->change = (struct kvl_estimate){.value = ratio, .low = ratio, .high = ratio, .p = NAN, .p_least = NAN};
}

/* Fills what a row's samples say. */
static enum kvl_status measure(struct kvl_compare_row *row, const struct kvl_compare_limits *limits)
{
    double level = 1.0 - limits->alpha;
    row->p_adjusted = NAN;
    if (row->measure->unit == KVL_MEASURE_MEMORY) {
        measure_memory(row);
        return KVL_OK;
    }
    double *base = row->base != NULL ? samples_of(row->base, row->measure, &row->n_base) : NULL;
    double *next = row->next != NULL ? samples_of(row->next, row->measure, &row->n_next) : NULL;
    bool failed = (row->base != NULL && base == NULL) || (row->next != NULL && next == NULL);
    if (!failed && is_paired(row))
        measure_scores(row, base, next, level);
    else if (!failed)
        measure_times(row, base, next, 0.5 * limits->latency, level);
    free(base);
    free(next);
    return failed ? kvl_fail(KVL_E_OOM, "no memory for the samples of a row") : KVL_OK;
}

static enum kvl_status adjust(struct kvl_comparison *comparison)
{
    double *p = malloc(((size_t)comparison->n + 1) * sizeof *p);
    if (p == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for %d tests", comparison->n);
    int n = 0;
    for (int i = 0; i < comparison->n; i++)
        if (comparison->rows[i].change.p_least <= comparison->limits.alpha)
            p[n++] = comparison->rows[i].change.p;
    kvl_adjust_p(p, n);
    comparison->n_tests = n;
    n = 0;
    for (int i = 0; i < comparison->n; i++)
        if (comparison->rows[i].change.p_least <= comparison->limits.alpha)
            comparison->rows[i].p_adjusted = p[n++];
    free(p);
    return KVL_OK;
}

/* Worse by more than the threshold: 1; better: -1. */
static int direction(const struct kvl_compare_row *row, const struct kvl_compare_limits *limits)
{
    double change = row->change.value;
    if (row->measure->unit == KVL_MEASURE_SCORE)
        return change < -limits->score ? 1 : change > limits->score ? -1 : 0;
    if (row->measure->unit == KVL_MEASURE_NATS)
        return change > limits->nats ? 1 : change < -limits->nats ? -1 : 0;
    double limit = 1.0 + (row->measure->unit == KVL_MEASURE_TIME ? limits->latency : limits->memory);
    return change > limit ? 1 : change * limit < 1.0 ? -1 : 0;
}

static bool is_sure(const struct kvl_compare_row *row, const struct kvl_compare_limits *limits)
{
    if (row->measure->unit == KVL_MEASURE_MEMORY)
        return true;
    double none = is_paired(row) ? 0.0 : 1.0;
    return row->p_adjusted <= limits->alpha && (row->change.low > none || row->change.high < none)
           && (!row->disturbed || limits->force);
}

static enum kvl_outcome judge(const struct kvl_compare_row *row, const struct kvl_compare_limits *limits)
{
    if (row->base == NULL || row->next == NULL)
        return row->base == NULL ? KVL_OUTCOME_NEW : KVL_OUTCOME_MISSING;
    bool base_failed = isnan(row->base_value), next_failed = isnan(row->next_value);
    bool is_memory = row->measure->unit == KVL_MEASURE_MEMORY; /* of a failed run: its times say that it failed */
    if (base_failed || next_failed)
        return is_memory || (base_failed && next_failed) ? KVL_OUTCOME_UNCHANGED
               : next_failed              ? KVL_OUTCOME_REGRESSION
                                          : KVL_OUTCOME_IMPROVEMENT;
    int worse = direction(row, limits);
    if (worse == 0 || (worse < 0 && !is_sure(row, limits)))
        return KVL_OUTCOME_UNCHANGED;
    return worse < 0 ? KVL_OUTCOME_IMPROVEMENT : is_sure(row, limits) ? KVL_OUTCOME_REGRESSION : KVL_OUTCOME_UNCLEAR;
}

static double median_time_ratio(const struct kvl_comparison *comparison)
{
    double *ratios = malloc(((size_t)comparison->n + 1) * sizeof *ratios);
    int64_t n = 0;
    for (int i = 0; ratios != NULL && i < comparison->n; i++)
        if (comparison->rows[i].measure->unit == KVL_MEASURE_TIME && !isnan(comparison->rows[i].change.value))
            ratios[n++] = comparison->rows[i].change.value;
    double median = n > 0 ? kvl_quantile(ratios, n, 0.5) : NAN;
    free(ratios);
    return median;
}

static void count(struct kvl_comparison *comparison)
{
    for (int i = 0; i < comparison->n; i++) {
        struct kvl_compare_row *row = &comparison->rows[i];
        row->outcome = judge(row, &comparison->limits);
        comparison->counts[row->outcome]++;
        comparison->n_too_few += row->too_few;
        comparison->n_disturbed += row->disturbed;
        comparison->n_uneven += is_paired(row) && row->n_base > 0 && row->n_next > 0
                                && row->n_base != row->n_next;
    }
    comparison->time_ratio = median_time_ratio(comparison);
}

enum kvl_status kvl_compare(struct kvl_comparison *out, const struct kvl_record_set *base, const struct kvl_record_set *next,
                            const struct kvl_compare_limits *limits)
{
    *out = (struct kvl_comparison){.limits = *limits};
    enum kvl_status status = kvl_compare_join(out, base, next);
    for (int i = 0; i < out->n && status == KVL_OK; i++)
        status = measure(&out->rows[i], limits);
    if (status == KVL_OK)
        status = adjust(out);
    if (status == KVL_OK)
        count(out);
    else
        kvl_comparison_free(out);
    return status;
}

void kvl_comparison_free(struct kvl_comparison *comparison)
{
    free(comparison->rows);
    *comparison = (struct kvl_comparison){0};
}
