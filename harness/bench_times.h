/* What benchmarks have in common: the machine's limits, rounds of samples, and how times stand in a record. */
#ifndef KVL_BENCH_TIMES_H
#define KVL_BENCH_TIMES_H

#include <jansson.h>

#include "harness/machine_state.h"
#include "harness/progress.h"
#include "harness/workbench.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the machine can do at most, without the memory limit: that is for what is benchmarked. */
enum kvl_status kvl_bench_ceilings(const struct kvl_workbench *bench, struct kvl_ceilings *out);

/* Rounds over everything that is timed together: warm-ups first, then samples, until their number or the time limit is reached. */
struct kvl_bench_rounds {
    const struct kvl_options *options; /* n_samples, n_warmups, time_limit_s */
    struct kvl_progress *progress;     /* its total counts all rounds; corrected as the time limit cuts some */
    int64_t n_steps;                   /* of the progress in a round */
    void (*run)(void *context, int64_t round); /* round < 0: a warm-up */
    void *context;
    struct kvl_machine_state first, last; /* filled: behind the warm-ups, behind the last sample */
};
void kvl_bench_rounds_run(struct kvl_bench_rounds *rounds);

/* PREFIX_median_ns, PREFIX_p05_ns, PREFIX_p95_ns, and the raw samples as PREFIX_samples_ns. */
void kvl_bench_put_times(json_t *record, const char *prefix, const double *ns, int64_t n);

/* PREFIX_median_ci95_ns: the median's confidence interval as [low, high]; null where there are too few samples. */
void kvl_bench_put_interval(json_t *record, const char *prefix, const double *ns, int64_t n, uint64_t seed);

/* Clock and load while the samples were taken. */
void kvl_bench_put_machine(json_t *record, const struct kvl_bench_rounds *rounds);

#ifdef __cplusplus
}
#endif
#endif
