/* Accuracy of all configurations on one task at one context: prompts are made and tokenized once, and methods that leave the
 * prefill as it is share one per prompt. Every sample is written when it is done, so that an interrupted run goes on with the
 * next one. */
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
    int64_t n_context;         /* of tasks that have one */
    int64_t n_samples;         /* set by kvl_eval_group_count */
    const char *template_name; /* set by kvl_eval_group_count: what the protocol leaves; NULL: none */
    char haystack_hash[65];    /* set by kvl_eval_group_count: of --haystack's texts; "" without it */
    struct kvl_sink *sink;
    struct kvl_progress *progress;
};

/* What a sample of the group is made for. */
struct kvl_task_request kvl_eval_request(const struct kvl_eval_group *group, int64_t index);

/* Counts the samples that the task has for this run. */
enum kvl_status kvl_eval_group_count(struct kvl_eval_group *group);

/* Counts, and makes the first prompt: an error where the task's data, a method's rules or the model's context
 * refuse them. */
enum kvl_status kvl_eval_group_check(struct kvl_eval_group *group);

/* Runs every configuration that the sink does not hold yet and puts one record for each. The samples have been counted. */
enum kvl_status kvl_eval_group_run(const struct kvl_eval_group *group);

#ifdef __cplusplus
}
#endif
#endif
