/* Accuracy of all configurations on one task at one context: prompts are made and tokenized once, and methods that leave the
 * prefill as it is share one per prompt. Every sample is written when it is done, so that an interrupted run goes on with the
 * next one. */
#ifndef KVL_EVAL_GROUP_H
#define KVL_EVAL_GROUP_H

#include "harness/eval_job.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Counts, and makes the first prompt: an error where the task's data, a method's rules or the model's context
 * refuse them. */
enum kvl_status kvl_eval_group_check(struct kvl_eval_job *job);

/* Runs every configuration that the sink does not hold yet and puts one record for each. The samples have been counted. */
enum kvl_status kvl_eval_group_run(const struct kvl_eval_job *job);

#ifdef __cplusplus
}
#endif
#endif
