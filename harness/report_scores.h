/* Scores of a report's rows: the tasks with their families and categories, one score of each, and means over them. */
#ifndef KVL_REPORT_SCORES_H
#define KVL_REPORT_SCORES_H

#include "harness/paired.h"
#include "harness/report_rows.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kvl_scored_task {
    const char *name;     /* borrowed from a record */
    double version;       /* scores of two versions are not the same thing; NaN: not said */
    const char *title;    /* the name behind its family's */
    int family, category; /* places in the lists below */
    bool is_fidelity;     /* its records compare the model with itself: divergences in place of a score */
};

/* Tasks whose names begin alike ("needle/.."); means are over the tasks of one. A name without a slash is its own family. */
struct kvl_scored_family {
    const char *name; /* not terminated behind its n characters */
    int n;
    bool has_categories;
};

/* LongBench's categories; a task without one is in that of its family without a name. */
struct kvl_scored_category {
    const char *name; /* NULL: none */
    int family;
};

struct kvl_scored_tasks {
    struct kvl_scored_task *items; /* [n], by family and category, else in the order of the table of tasks, unknown ones last */
    struct kvl_scored_family *families;    /* [n_families] */
    struct kvl_scored_category *categories; /* [n_categories] */
    double *contexts;                      /* [n_contexts], ascending; NaN, of tasks that have a size of their own, first */
    bool *occurs;                          /* [n * n_contexts]: whether any row of that context has the task */
    int n, n_families, n_categories, n_contexts;
};

enum kvl_status kvl_scored_tasks_init(struct kvl_scored_tasks *tasks, const struct kvl_rows *rows);
void kvl_scored_tasks_free(struct kvl_scored_tasks *tasks);

/* Place of a context among the contexts; -1 if it is not there. NaN equals NaN. */
int kvl_scored_context(const struct kvl_scored_tasks *tasks, double context);

/* Whether the task occurs in two versions, so that its name alone does not say which. */
bool kvl_scored_task_is_twofold(const struct kvl_scored_tasks *tasks, int task);

/* The row's newest eval record of a task; NULL if there is none. */
const json_t *kvl_row_scored(const struct kvl_rows *rows, const struct kvl_row *row, const struct kvl_scored_task *task);

/* What a column shows: a task, or a mean over those tasks of a family that occur in the row's context. */
enum kvl_average { KVL_OF_TASK, KVL_OVER_TASKS, KVL_OVER_CATEGORIES, KVL_OF_CATEGORY };

struct kvl_scored {
    enum kvl_average average;
    int task, family, category; /* the task; the family of the means; the category of KVL_OF_CATEGORY */
};

/* The share of every task in it, at a context (its place): weights [tasks->n] sum to 1. Returns how many tasks have one.
 * KVL_OVER_TASKS: each task counts the same; KVL_OVER_CATEGORIES: each category does. */
int kvl_scored_weights(const struct kvl_scored_tasks *tasks, const struct kvl_scored *what, int context, double *weights);

/* A share with its standard error; NaN where unknown. */
struct kvl_score {
    double mean, error;
};

/* NaN unless every task that has a weight has a score; the tasks' errors are independent. */
struct kvl_score kvl_row_score(const struct kvl_rows *rows, const struct kvl_row *row, const struct kvl_scored_tasks *tasks,
                               const struct kvl_scored *what);

/* Difference to the reference method on the same samples (by their index), with a 95 % interval; NaN where either lacks. */
struct kvl_difference kvl_row_difference(const struct kvl_rows *rows, const struct kvl_row *row,
                                         const struct kvl_scored_tasks *tasks, const struct kvl_scored *what);

#ifdef __cplusplus
}
#endif
#endif
