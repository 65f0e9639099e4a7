#include "harness/report_scores.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/json_file.h"
#include "datasets/task.h"

static const double level = 0.95;

static bool same_number(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static bool same_task(const struct kvl_scored_task *task, const json_t *record)
{
    const char *name = kvl_record_text(record, "task");
    return name != NULL && strcmp(name, task->name) == 0
           && same_number(kvl_record_number(record, "task_version"), task->version);
}

static double context_of(const struct kvl_row *row)
{
    return kvl_record_number(row->eval != NULL ? row->eval : row->bench, "context");
}

/* ---- which tasks there are -------------------------------------------------------------------------------------------- */

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

static int compare_places(const void *a, const void *b)
{
    const struct kvl_scored_task *x = a, *y = b;
    if (x->family != y->family)
        return x->family - y->family;
    return x->category != y->category ? x->category - y->category : compare_tasks(x, y);
}

static int compare_contexts(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    if (isnan(x) || isnan(y))
        return isnan(y) - isnan(x);
    return (x > y) - (x < y);
}

static void add_task(struct kvl_scored_tasks *tasks, const json_t *record)
{
    for (int t = 0; t < tasks->n; t++)
        if (same_task(&tasks->items[t], record))
            return;
    tasks->items[tasks->n++] = (struct kvl_scored_task){
        .name = kvl_record_text(record, "task"),
        .version = kvl_record_number(record, "task_version"),
        .is_fidelity = kvl_json_get(record, "kl_mean") != NULL,
    };
}

int kvl_scored_context(const struct kvl_scored_tasks *tasks, double context)
{
    for (int c = 0; c < tasks->n_contexts; c++)
        if (same_number(tasks->contexts[c], context))
            return c;
    return -1;
}

static void add_context(struct kvl_scored_tasks *tasks, double context)
{
    if (kvl_scored_context(tasks, context) < 0)
        tasks->contexts[tasks->n_contexts++] = context;
}

static void find_family(struct kvl_scored_tasks *tasks, struct kvl_scored_task *task)
{
    int n = (int)strcspn(task->name, "/"), f;
    for (f = 0; f < tasks->n_families; f++)
        if (tasks->families[f].n == n && strncmp(tasks->families[f].name, task->name, (size_t)n) == 0)
            break;
    if (f == tasks->n_families)
        tasks->families[tasks->n_families++] = (struct kvl_scored_family){.name = task->name, .n = n};
    task->family = f;
    task->title = task->name[n] == '/' ? task->name + n + 1 : task->name;
}

static void find_category(struct kvl_scored_tasks *tasks, struct kvl_scored_task *task, const char *name)
{
    int c;
    for (c = 0; c < tasks->n_categories; c++) {
        const struct kvl_scored_category *known = &tasks->categories[c];
        if (known->family == task->family
            && (name == NULL ? known->name == NULL : known->name != NULL && strcmp(known->name, name) == 0))
            break;
    }
    if (c == tasks->n_categories)
        tasks->categories[tasks->n_categories++] = (struct kvl_scored_category){name, task->family};
    task->category = c;
    tasks->families[task->family].has_categories |= name != NULL;
}

/* The newest record says the category. */
static const char *category_of(const struct kvl_rows *rows, const struct kvl_scored_task *task)
{
    for (int i = 0; i < rows->set->n; i++)
        if (rows->group[i] >= 0 && same_task(task, rows->set->records[i]))
            return kvl_record_text(rows->set->records[i], "category");
    return NULL;
}

static void find_tasks(struct kvl_scored_tasks *tasks, const struct kvl_rows *rows)
{
    for (int i = 0; i < rows->set->n; i++)
        if (rows->group[i] >= 0 && rows->groups[rows->group[i]].kind == KVL_KNOB_EVAL
            && kvl_record_text(rows->set->records[i], "task") != NULL) {
            add_task(tasks, rows->set->records[i]);
            add_context(tasks, kvl_record_number(rows->set->records[i], "context"));
        }
    qsort(tasks->items, (size_t)tasks->n, sizeof *tasks->items, compare_tasks);
    qsort(tasks->contexts, (size_t)tasks->n_contexts, sizeof *tasks->contexts, compare_contexts);
    for (int t = 0; t < tasks->n; t++) {
        find_family(tasks, &tasks->items[t]);
        find_category(tasks, &tasks->items[t], category_of(rows, &tasks->items[t]));
    }
    qsort(tasks->items, (size_t)tasks->n, sizeof *tasks->items, compare_places);
}

static enum kvl_status find_occurrences(struct kvl_scored_tasks *tasks, const struct kvl_rows *rows)
{
    tasks->occurs = calloc((size_t)tasks->n * (size_t)tasks->n_contexts + 1, sizeof *tasks->occurs);
    if (tasks->occurs == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for %d tasks", tasks->n);
    for (int i = 0; i < rows->set->n; i++) {
        int context = kvl_scored_context(tasks, kvl_record_number(rows->set->records[i], "context"));
        for (int t = 0; t < tasks->n && rows->group[i] >= 0 && context >= 0; t++)
            tasks->occurs[t * tasks->n_contexts + context] |= same_task(&tasks->items[t], rows->set->records[i]);
    }
    return KVL_OK;
}

enum kvl_status kvl_scored_tasks_init(struct kvl_scored_tasks *tasks, const struct kvl_rows *rows)
{
    size_t n = (size_t)rows->set->n + 1;
    *tasks = (struct kvl_scored_tasks){
        .items = calloc(n, sizeof *tasks->items),
        .families = calloc(n, sizeof *tasks->families),
        .categories = calloc(n, sizeof *tasks->categories),
        .contexts = calloc(n, sizeof *tasks->contexts),
    };
    enum kvl_status status;
    if (tasks->items == NULL || tasks->families == NULL || tasks->categories == NULL || tasks->contexts == NULL) {
        status = kvl_fail(KVL_E_OOM, "no memory for the tasks of %d records", rows->set->n);
    } else {
        find_tasks(tasks, rows);
        status = find_occurrences(tasks, rows);
    }
    if (status != KVL_OK)
        kvl_scored_tasks_free(tasks);
    return status;
}

void kvl_scored_tasks_free(struct kvl_scored_tasks *tasks)
{
    free(tasks->items);
    free(tasks->families);
    free(tasks->categories);
    free(tasks->contexts);
    free(tasks->occurs);
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

/* ---- means ------------------------------------------------------------------------------------------------------------ */

static bool takes(const struct kvl_scored_tasks *tasks, const struct kvl_scored *what, int context, int task)
{
    const struct kvl_scored_task *item = &tasks->items[task];
    if (what->average == KVL_OF_TASK)
        return task == what->task;
    if (what->average == KVL_OF_CATEGORY && item->category != what->category)
        return false;
    return item->family == what->family && !item->is_fidelity && context >= 0
           && tasks->occurs[task * tasks->n_contexts + context];
}

int kvl_scored_weights(const struct kvl_scored_tasks *tasks, const struct kvl_scored *what, int context, double *weights)
{
    int n_taken = 0, n_groups = 0;
    for (int t = 0; t < tasks->n; t++) {
        weights[t] = 0;
        n_taken += takes(tasks, what, context, t);
    }
    for (int c = 0; c < tasks->n_categories; c++) {
        bool any = false;
        for (int t = 0; t < tasks->n; t++)
            any |= tasks->items[t].category == c && takes(tasks, what, context, t);
        n_groups += any;
    }
    for (int t = 0; t < tasks->n; t++) {
        int n_same = 0;
        for (int other = 0; other < tasks->n; other++)
            n_same += tasks->items[other].category == tasks->items[t].category && takes(tasks, what, context, other);
        if (takes(tasks, what, context, t))
            weights[t] = what->average == KVL_OVER_CATEGORIES ? 1.0 / n_groups / n_same : 1.0 / n_taken;
    }
    return n_taken;
}

struct kvl_score kvl_row_score(const struct kvl_rows *rows, const struct kvl_row *row, const struct kvl_scored_tasks *tasks,
                               const struct kvl_scored *what)
{
    double *weights = malloc(((size_t)tasks->n + 1) * sizeof *weights), sum = 0, squares = 0;
    int n = weights != NULL ? kvl_scored_weights(tasks, what, kvl_scored_context(tasks, context_of(row)), weights) : 0;
    for (int t = 0; t < tasks->n && n > 0; t++) {
        if (weights[t] == 0)
            continue;
        const json_t *record = kvl_row_scored(rows, row, &tasks->items[t]);
        double score = kvl_record_is_ok(record) ? kvl_record_number(record, "score") : NAN;
        double error = kvl_record_is_ok(record) ? weights[t] * kvl_record_number(record, "score_stderr") : NAN;
        sum += weights[t] * score;
        squares += error * error;
    }
    free(weights);
    return (struct kvl_score){n > 0 ? sum : NAN, n > 0 ? sqrt(squares) : NAN};
}

/* ---- differences on the same samples ---------------------------------------------------------------------------------- */

/* Number of the i-th sample: records without a list hold the samples 0, 1, .. in their order. */
static double sample_index(const json_t *record, size_t i)
{
    const json_t *indices = json_object_get(record, "sample_indices");
    return json_is_array(indices) ? json_number_value(json_array_get(indices, i)) : (double)i;
}

static double score_at(const json_t *record, size_t i)
{
    const json_t *score = json_array_get(json_object_get(record, "scores"), i);
    return json_is_number(score) ? json_number_value(score) : NAN;
}

/* Score of the sample with a number; NaN if there is none. Samples mostly stand in the same place in both records. */
static double score_of_sample(const json_t *record, double index, size_t place)
{
    size_t n = json_array_size(json_object_get(record, "scores"));
    if (place < n && sample_index(record, place) == index)
        return score_at(record, place);
    for (size_t i = 0; i < n; i++)
        if (sample_index(record, i) == index)
            return score_at(record, i);
    return NAN;
}

static struct kvl_difference task_difference(const struct kvl_rows *rows, const struct kvl_row *row,
                                             const struct kvl_scored_task *task)
{
    const json_t *record = kvl_row_scored(rows, row, task);
    const json_t *reference = kvl_record_is_ok(record) ? kvl_rows_scored_reference(rows, row, record) : NULL;
    size_t n = reference != NULL ? json_array_size(json_object_get(record, "scores")) : 0;
    double *a = calloc(2 * n + 1, sizeof *a), *b = a != NULL ? a + n : NULL;
    int64_t n_pairs = 0;
    for (size_t i = 0; i < n && a != NULL; i++) {
        double own = score_at(record, i), other = score_of_sample(reference, sample_index(record, i), i);
        if (isnan(own) || isnan(other))
            continue;
        a[n_pairs] = own;
        b[n_pairs++] = other;
    }
    struct kvl_difference difference = kvl_paired_difference(a, b, n_pairs, level);
    free(a);
    return difference;
}

struct kvl_difference kvl_row_difference(const struct kvl_rows *rows, const struct kvl_row *row,
                                         const struct kvl_scored_tasks *tasks, const struct kvl_scored *what)
{
    static const struct kvl_difference unknown = {0, NAN, NAN, NAN, NAN, NAN};
    double *weights = malloc(((size_t)tasks->n + 1) * sizeof *weights);
    struct kvl_difference *parts = calloc((size_t)tasks->n + 1, sizeof *parts), result = unknown;
    int context = kvl_scored_context(tasks, context_of(row));
    if (weights != NULL && parts != NULL && row->eval_group >= 0 && !kvl_row_is_reference(row)
        && kvl_scored_weights(tasks, what, context, weights) > 0) {
        for (int t = 0; t < tasks->n; t++)
            parts[t] = weights[t] != 0 ? task_difference(rows, row, &tasks->items[t]) : unknown;
        result = kvl_weighted_difference(parts, weights, tasks->n, level);
    }
    free(weights);
    free(parts);
    return result;
}
