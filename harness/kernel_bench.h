/* Time of every operation of the backend at the shapes of a model, beside what the machine allows; cases are interleaved (A B C
 * A B C).
 *
 * Each case is checked first (harness/kernel_check.h); one that is wrong becomes a record with status "failed" and is never
 * timed. A sample is `batch` calls in a row between two marks of the backend; those of a decode step are one graph where the
 * backend has graphs. */
#ifndef KVL_KERNEL_BENCH_H
#define KVL_KERNEL_BENCH_H

#include "harness/bench_warnings.h"
#include "harness/progress.h"
#include "harness/shard.h"
#include "harness/sink.h"
#include "harness/workbench.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kvl_kernel_bench {
    const struct kvl_workbench *bench; /* the model's weights are not used */
    struct kvl_ceilings ceilings;
    struct kvl_sink *sink;
    struct kvl_progress *progress;
    struct kvl_bench_warnings *warnings;
    int64_t rotated_bytes; /* calls go round in as many sets of inputs, so that caches hold none of them (at most KVL_MAX_SETS) */
    int64_t sample_ns;     /* a sample takes at least this long, where a case may be called so often */
};

/* All cases that the options ask for, at n tokens. What fails or does not fit into memory is a record. */
enum kvl_status kvl_kernel_bench_run(const struct kvl_kernel_bench *bench, int64_t n);

/* `kvlab bench --kernels`: which options go with it, and all contexts. */
enum kvl_status kvl_kernel_bench_check(const struct kvl_options *options);
enum kvl_status kvl_kernel_bench_sweep(const struct kvl_workbench *bench, struct kvl_sink *sink, struct kvl_shard *shard);

#ifdef __cplusplus
}
#endif
#endif
