/* What eval and bench have in common, alone or as parts of an experiment: they run a grid of configurations over a list of jobs
 * (a task at a context, a context) and put one record for each configuration and job. */
#ifndef KVL_SWEEP_H
#define KVL_SWEEP_H

#include "harness/shard.h"
#include "harness/sink.h"
#include "harness/workbench.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kvl_sweep {
    bool wants_text; /* as for kvl_workbench_init */

    /* What can be refused without a model. */
    enum kvl_status (*check)(const struct kvl_options *options);

    /* What can be refused with it, before anything runs. */
    enum kvl_status (*prepare)(const struct kvl_workbench *bench, const struct kvl_grid *grid, const struct kvl_shard *shard);

    /* The jobs that are the shard's. */
    enum kvl_status (*run)(const struct kvl_workbench *bench, const struct kvl_grid *grid, struct kvl_sink *sink,
                           struct kvl_shard *shard);
};
extern const struct kvl_sweep kvl_sweep_eval, kvl_sweep_bench;

/* One sweep by itself: checks, opens the model, runs, prints the table. */
enum kvl_status kvl_sweep_alone(const struct kvl_sweep *sweep, const struct kvl_options *options);

#ifdef __cplusplus
}
#endif
#endif
