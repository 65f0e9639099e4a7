/* Latency of all configurations at one context, interleaved (A B C A B C), so that drift hits all alike. */
#ifndef KVL_BENCH_GROUP_H
#define KVL_BENCH_GROUP_H

#include "harness/bench_warnings.h"
#include "harness/progress.h"
#include "harness/sink.h"
#include "harness/workbench.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kvl_bench_group {
    const struct kvl_workbench *bench;
    const struct kvl_grid *grid;
    int64_t n_context;
    int64_t n_new;    /* decode steps; 0: prefill alone */
    bool wants_prefill, wants_decode, wants_e2e;
    struct kvl_ceilings ceilings;
    struct kvl_sink *sink;
    struct kvl_progress *progress;
    struct kvl_bench_warnings *warnings;
};

enum kvl_status kvl_bench_group_run(const struct kvl_bench_group *group);

#ifdef __cplusplus
}
#endif
#endif
