/* Scores of a report's rows: the tasks, one score of each, and the mean over them. */
#ifndef KVL_REPORT_SCORES_H
#define KVL_REPORT_SCORES_H

#include "harness/report_rows.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kvl_scored_task {
    const char *name; /* borrowed from a record */
    double version;   /* scores of two versions are not the same thing; NaN: not said */
};

struct kvl_scored_tasks {
    struct kvl_scored_task *items; /* [n], in the order of the table of tasks, unknown ones last */
    int n;
};

enum kvl_status kvl_scored_tasks_init(struct kvl_scored_tasks *tasks, const struct kvl_rows *rows);
void kvl_scored_tasks_free(struct kvl_scored_tasks *tasks);

/* Whether the task occurs in two versions, so that its name alone does not say which. */
bool kvl_scored_task_is_twofold(const struct kvl_scored_tasks *tasks, int task);

/* The row's newest eval record of a task; NULL if there is none. */
const json_t *kvl_row_scored(const struct kvl_rows *rows, const struct kvl_row *row, const struct kvl_scored_task *task);

/* A share with its standard error; NaN where unknown. */
struct kvl_score {
    double mean, error;
};

/* Mean over all tasks, each counting the same; the tasks' errors are independent. NaN unless every task has a score. */
struct kvl_score kvl_row_mean_score(const struct kvl_rows *rows, const struct kvl_row *row,
                                    const struct kvl_scored_tasks *tasks);

#ifdef __cplusplus
}
#endif
#endif
