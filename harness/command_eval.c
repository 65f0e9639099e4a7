/* `kvlab eval MODEL --method A,B --task T --context N`: accuracy. */
#include <stdio.h>
#include <stdlib.h>

#include "harness/command.h"
#include "harness/eval_group.h"
#include "harness/sweep.h"

/* Every task at every context that it has: `visit` is called with each. */
static enum kvl_status walk(struct kvl_eval_group *group, enum kvl_status (*visit)(struct kvl_eval_group *group))
{
    const struct kvl_options *o = group->bench->options;
    for (int t = 0; t < o->tasks.n; t++) {
        KVL_TRY(kvl_task_find(o->tasks.items[t], &group->task));
        for (int c = 0; c < (group->task->has_context ? o->contexts.n : 1); c++) {
            group->n_context = group->task->has_context ? (int64_t)o->contexts.items[c] : 0;
            KVL_TRY(visit(group));
        }
    }
    return KVL_OK;
}

static enum kvl_status check_group(struct kvl_eval_group *group)
{
    KVL_TRY(kvl_eval_group_check(group));
    group->progress->total += group->n_samples * group->grid->n;
    return KVL_OK;
}

static enum kvl_status run_group(struct kvl_eval_group *group)
{
    KVL_TRY(kvl_eval_group_check(group));
    return kvl_eval_group_run(group);
}

static enum kvl_status run_all(const struct kvl_workbench *bench, const struct kvl_grid *grid, struct kvl_sink *sink)
{
    struct kvl_progress progress = {0};
    struct kvl_eval_group group = {.bench = bench, .grid = grid, .sink = sink, .progress = &progress};
    KVL_TRY(walk(&group, check_group));
    kvl_progress_begin(&progress, progress.total);
    enum kvl_status status = walk(&group, run_group);
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

static enum kvl_status run(const struct kvl_options *options)
{
    KVL_TRY(check(options));
    return kvl_sweep_run(options, true, run_all);
}

const struct kvl_command kvl_command_eval = {
    .name = "eval",
    .arguments = "MODEL",
    .help = "Accuracy of methods on tasks; one record per configuration.",
    .min_positional = 1,
    .max_positional = 1,
    .keys = "mtcnrbPSgOQUauDesoRJBdjICMN",
    .run = run,
};
