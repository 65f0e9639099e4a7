/* `kvlab eval MODEL --method A,B --task T --context N`: accuracy. */
#include <stdio.h>
#include <stdlib.h>

#include "harness/command.h"
#include "harness/eval_group.h"
#include "harness/sweep.h"

/* A job is a task at a context, where the task has one: `visit` is called with each that is the shard's. */
static enum kvl_status walk(struct kvl_eval_job *job, struct kvl_shard *shard,
                            enum kvl_status (*visit)(struct kvl_eval_job *job))
{
    const struct kvl_options *o = job->bench->options;
    for (int t = 0; t < o->tasks.n; t++) {
        KVL_TRY(kvl_task_find(o->tasks.items[t], &job->task));
        for (int c = 0; c < (job->task->has_context ? o->contexts.n : 1); c++) {
            job->n_context = job->task->has_context ? (int64_t)o->contexts.items[c] : 0;
            if (kvl_shard_takes(shard))
                KVL_TRY(visit(job));
        }
    }
    return KVL_OK;
}

static enum kvl_status prepare(const struct kvl_workbench *bench, const struct kvl_grid *grid, const struct kvl_shard *shard)
{
    struct kvl_eval_job job = {.bench = bench, .grid = grid};
    struct kvl_shard jobs = *shard;
    return walk(&job, &jobs, kvl_eval_group_check);
}

static enum kvl_status count_group(struct kvl_eval_job *job)
{
    KVL_TRY(kvl_eval_job_count(job));
    job->progress->total += job->n_samples * job->grid->n;
    return KVL_OK;
}

static enum kvl_status run_group(struct kvl_eval_job *job)
{
    KVL_TRY(kvl_eval_job_count(job));
    KVL_TRY_RANGE(job->bench->ctx, "job", job->n_context, kvl_eval_group_run(job));
    return KVL_OK;
}

static enum kvl_status run_all(const struct kvl_workbench *bench, const struct kvl_grid *grid, struct kvl_sink *sink,
                               struct kvl_shard *shard)
{
    struct kvl_progress progress = {0};
    struct kvl_eval_job job = {.bench = bench, .grid = grid, .sink = sink, .progress = &progress};
    struct kvl_shard jobs = *shard;
    KVL_TRY(walk(&job, &jobs, count_group));
    kvl_progress_begin(&progress, progress.total);
    enum kvl_status status = walk(&job, shard, run_group);
    kvl_progress_end(&progress);
    return status;
}

static enum kvl_status check(const struct kvl_options *options)
{
    KVL_REQUIRE(options->methods.n > 0, "eval needs --method; `kvlab list methods` shows them");
    KVL_REQUIRE(options->tasks.n > 0, "eval needs --task; `kvlab list tasks` shows them");
    for (int t = 0; t < options->tasks.n; t++) {
        const struct kvl_task *task;
        KVL_TRY(kvl_task_find(options->tasks.items[t], &task));
        KVL_REQUIRE(options->contexts.n > 0 || !task->has_context, "%s needs --context: the prompt's tokens, such as 1k,2k",
                    task->name);
    }
    KVL_REQUIRE(!options->resume || options->output != NULL, "--resume needs -o FILE: the file to go on with");
    return KVL_OK;
}

const struct kvl_sweep kvl_sweep_eval = {.wants_text = true, .check = check, .prepare = prepare, .run = run_all};

static enum kvl_status run(const struct kvl_options *options)
{
    return kvl_sweep_alone(&kvl_sweep_eval, options);
}

const struct kvl_command kvl_command_eval = {
    .name = "eval",
    .arguments = "MODEL",
    .help = "Accuracy of methods on tasks; one record per configuration.",
    .min_positional = 1,
    .max_positional = 1,
    .keys = "mtcnrbPSgOQUauDesoRJBdjICMN",
    .sweep = &kvl_sweep_eval,
    .run = run,
};
