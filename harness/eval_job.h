/* One job of an eval: a task at a context, for all configurations of a grid. */
#ifndef KVL_EVAL_JOB_H
#define KVL_EVAL_JOB_H

#include "datasets/task.h"
#include "harness/progress.h"
#include "harness/sink.h"
#include "harness/workbench.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kvl_eval_job {
    const struct kvl_workbench *bench;
    const struct kvl_grid *grid;
    const struct kvl_task *task;
    int64_t n_context;         /* of tasks that have one */
    int64_t n_samples;         /* set by kvl_eval_job_count */
    const char *template_name; /* set by kvl_eval_job_count: what the protocol leaves; NULL: none */
    char haystack_hash[65];    /* set by kvl_eval_job_count: of --haystack's texts; "" without it */
    struct kvl_sink *sink;
    struct kvl_progress *progress;
};

/* What a sample of the job is made for. */
struct kvl_task_request kvl_eval_job_request(const struct kvl_eval_job *job, int64_t index);

/* Counts the samples that the task has for this run. */
enum kvl_status kvl_eval_job_count(struct kvl_eval_job *job);

#ifdef __cplusplus
}
#endif
#endif
