#include "harness/bench_times.h"

#include <math.h>
#include <stdio.h>

#include "harness/statistics.h"

enum { MIN_SAMPLES = 2 };

static const double ci_level = 0.95;

enum kvl_status kvl_bench_ceilings(const struct kvl_workbench *bench, struct kvl_ceilings *out)
{
    struct kvl_ctx *ctx = bench->ctx;
    int64_t limit = ctx->memory.limit;
    ctx->memory.limit = 0;
    enum kvl_status status = ctx->be->ceilings(ctx, bench->model->dtype, out);
    ctx->memory.limit = limit;
    return status;
}

/* Rounds still to come behind `round`, of which `n_done` took `elapsed` seconds: all, or as many as the time limit has room
 * for. */
static int64_t rounds_left(const struct kvl_options *o, int64_t round, int64_t n_done, double elapsed)
{
    int64_t n = o->n_samples - round;
    if (o->time_limit_s <= 0.0)
        return n;
    int64_t n_least = (o->n_samples < MIN_SAMPLES ? o->n_samples : MIN_SAMPLES) - (round > 0 ? round : 0);
    double n_fit = fmax(0.0, o->time_limit_s - elapsed) * (double)n_done / elapsed + 1.0;
    int64_t n_limited = n_fit < (double)n ? (int64_t)n_fit : n;
    n_limited = n_limited > n_least ? n_limited : n_least;
    return n_limited < n ? n_limited : n;
}

void kvl_bench_rounds_run(struct kvl_bench_rounds *rounds)
{
    const struct kvl_options *o = rounds->options;
    double start = kvl_seconds();
    int64_t n_done = 0, n_planned = o->n_warmups + o->n_samples;
    for (int64_t round = -o->n_warmups; round < o->n_samples; round++) {
        double elapsed = kvl_seconds() - start;
        bool late = o->time_limit_s > 0.0 && elapsed > o->time_limit_s;
        if (late && round >= MIN_SAMPLES)
            break;
        if (late && round < 0)
            round = 0; /* one warm-up was enough */
        if (round == 0)
            kvl_machine_state_read(&rounds->first);
        rounds->run(rounds->context, round);
        int64_t n_left = rounds_left(o, round + 1, ++n_done, kvl_seconds() - start);
        rounds->progress->total += (n_done + n_left - n_planned) * rounds->n_steps;
        n_planned = n_done + n_left;
    }
    kvl_machine_state_read(&rounds->last);
    rounds->progress->total += (n_done - n_planned) * rounds->n_steps;
}

void kvl_bench_put_times(json_t *record, const char *prefix, const double *ns, int64_t n)
{
    const struct {
        const char *suffix;
        double q;
    } quantiles[] = {{"median", 0.5}, {"p05", 0.05}, {"p95", 0.95}};
    char key[64];
    for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++) {
        snprintf(key, sizeof key, "%s_%s_ns", prefix, quantiles[i].suffix);
        json_object_set_new(record, key, json_real(kvl_quantile(ns, n, quantiles[i].q)));
    }
    json_t *samples = json_array();
    for (int64_t i = 0; i < n; i++)
        json_array_append_new(samples, json_real(ns[i]));
    snprintf(key, sizeof key, "%s_samples_ns", prefix);
    json_object_set_new(record, key, samples);
}

void kvl_bench_put_interval(json_t *record, const char *prefix, const double *ns, int64_t n, uint64_t seed)
{
    char key[64];
    double low, high;
    json_t *interval = json_null();
    kvl_bootstrap_median(ns, n, ci_level, seed, &low, &high);
    if (!isnan(low))
        interval = json_pack("[f, f]", low, high);
    snprintf(key, sizeof key, "%s_median_ci95_ns", prefix);
    json_object_set_new(record, key, interval);
}

void kvl_bench_put_machine(json_t *record, const struct kvl_bench_rounds *rounds)
{
    const struct kvl_machine_state *first = &rounds->first, *last = &rounds->last;
    double load = kvl_machine_other_load(first, last);
    json_object_set_new(record, "clock_mhz", first->clock_mhz > 0.0 ? json_real(first->clock_mhz) : json_null());
    json_object_set_new(record, "clock_end_mhz", last->clock_mhz > 0.0 ? json_real(last->clock_mhz) : json_null());
    json_object_set_new(record, "machine_cpus", last->n_cpus > 0 ? json_integer(last->n_cpus) : json_null());
    json_object_set_new(record, "other_load_cpus", isnan(load) ? json_null() : json_real(load));
}
