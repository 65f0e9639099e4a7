#include "harness/report_scores.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/task.h"

static bool same_task(const struct kvl_scored_task *task, const json_t *record)
{
    const char *name = kvl_record_text(record, "task");
    double version = kvl_record_number(record, "task_version");
    return name != NULL && strcmp(name, task->name) == 0
           && (version == task->version || (isnan(version) && isnan(task->version)));
}

static int task_place(const struct kvl_scored_task *task)
{
    const struct kvl_task *known;
    int i;
    for (i = 0; (known = kvl_task_at(i)) != NULL; i++)
        if (strcmp(known->name, task->name) == 0)
            break;
    return i;
}

static int compare_tasks(const void *a, const void *b)
{
    const struct kvl_scored_task *x = a, *y = b;
    int order = task_place(x) - task_place(y);
    if (order == 0)
        order = strcmp(x->name, y->name);
    return order != 0 ? order : (x->version > y->version) - (x->version < y->version);
}

static enum kvl_status add_task(struct kvl_scored_tasks *tasks, const json_t *record)
{
    for (int t = 0; t < tasks->n; t++)
        if (same_task(&tasks->items[t], record))
            return KVL_OK;
    struct kvl_scored_task *items = realloc(tasks->items, (size_t)(tasks->n + 1) * sizeof *items);
    if (items == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for %d tasks", tasks->n + 1);
    tasks->items = items;
    items[tasks->n++] = (struct kvl_scored_task){kvl_record_text(record, "task"), kvl_record_number(record, "task_version")};
    return KVL_OK;
}

enum kvl_status kvl_scored_tasks_init(struct kvl_scored_tasks *tasks, const struct kvl_rows *rows)
{
    *tasks = (struct kvl_scored_tasks){0};
    enum kvl_status status = KVL_OK;
    const json_t *record;
    for (int r = 0; r < rows->n && status == KVL_OK; r++)
        for (int i = 0; status == KVL_OK && (record = kvl_rows_next(rows, rows->rows[r].eval_group, &i)) != NULL;)
            status = kvl_record_text(record, "task") != NULL ? add_task(tasks, record) : KVL_OK;
    if (status != KVL_OK)
        kvl_scored_tasks_free(tasks);
    else if (tasks->n > 0)
        qsort(tasks->items, (size_t)tasks->n, sizeof *tasks->items, compare_tasks);
    return status;
}

void kvl_scored_tasks_free(struct kvl_scored_tasks *tasks)
{
    free(tasks->items);
    *tasks = (struct kvl_scored_tasks){0};
}

bool kvl_scored_task_is_twofold(const struct kvl_scored_tasks *tasks, int task)
{
    for (int t = 0; t < tasks->n; t++)
        if (t != task && strcmp(tasks->items[t].name, tasks->items[task].name) == 0)
            return true;
    return false;
}

const json_t *kvl_row_scored(const struct kvl_rows *rows, const struct kvl_row *row, const struct kvl_scored_task *task)
{
    const json_t *record;
    for (int i = 0; (record = kvl_rows_next(rows, row->eval_group, &i)) != NULL;)
        if (same_task(task, record))
            return record;
    return NULL;
}

struct kvl_score kvl_row_mean_score(const struct kvl_rows *rows, const struct kvl_row *row,
                                    const struct kvl_scored_tasks *tasks)
{
    double sum = 0, squares = 0;
    for (int t = 0; t < tasks->n; t++) {
        const json_t *record = kvl_row_scored(rows, row, &tasks->items[t]);
        bool ok = record != NULL && strcmp(kvl_record_text(record, "status"), "ok") == 0;
        double score = ok ? kvl_record_number(record, "score") : NAN;
        double error = ok ? kvl_record_number(record, "score_stderr") : NAN;
        sum += score;
        squares += error * error;
    }
    double n = tasks->n > 0 ? (double)tasks->n : NAN;
    return (struct kvl_score){sum / n, sqrt(squares) / n};
}
