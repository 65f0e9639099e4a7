/* Accuracy of all configurations on one task at one context: prompts are made and tokenized once, and methods that leave the
 * prefill as it is share one per prompt. */
#ifndef KVL_EVAL_GROUP_H
#define KVL_EVAL_GROUP_H

#include "datasets/task.h"
#include "harness/progress.h"
#include "harness/sink.h"
#include "harness/workbench.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kvl_eval_group {
    const struct kvl_workbench *bench;
    const struct kvl_grid *grid;
    const struct kvl_task *task;
    int64_t n_context;
    struct kvl_sink *sink;
    struct kvl_progress *progress;
};

/* Makes the first prompt: KVL_E_ARG where the task, a method's rules or the model's context refuse this length. */
enum kvl_status kvl_eval_group_check(const struct kvl_eval_group *group);

/* Runs every configuration that the sink does not hold yet and puts one record for each. */
enum kvl_status kvl_eval_group_run(const struct kvl_eval_group *group);

#ifdef __cplusplus
}
#endif
#endif
