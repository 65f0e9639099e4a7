#include "harness/report_rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "methods/method.h"

/* ---- groups: records of the same knobs -------------------------------------------------------------------------------- */

static bool is_reference(const json_t *record)
{
    const char *method = kvl_record_text(record, "method");
    return method != NULL && strcmp(method, kvl_method_at(0)->name) == 0;
}

static int kind_of(const json_t *record)
{
    static const struct {
        const char *name;
        int kind;
    } kinds[] = {{"eval", KVL_KNOB_EVAL}, {"analyze", KVL_KNOB_ANALYZE}, {"kernel", KVL_KNOB_KERNEL}};
    const char *name = kvl_record_text(record, "kind");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(name, kinds[i].name) == 0)
            return kinds[i].kind;
    return KVL_KNOB_BENCH;
}

/* Scopes of the knobs that make a group of a kind, and that a ratio or difference keeps. */
static int group_scopes(int kind)
{
    int own = kind == KVL_KNOB_EVAL ? KVL_KNOB_SETUP : kind == KVL_KNOB_KERNEL ? KVL_KNOB_BENCH : 0;
    return KVL_KNOB_METHOD | KVL_KNOB_SHARED | KVL_KNOB_CONTEXT | kind | own;
}

static int ratio_scopes(int kind)
{
    return KVL_KNOB_SHARED | KVL_KNOB_CONTEXT | kind;
}

/* `except`: a knob that is left out of the keys of ratios; NULL: none. */
static enum kvl_status init_group(struct kvl_row_group *group, const json_t *record, const char *except)
{
    int kind = kind_of(record);
    *group = (struct kvl_row_group){
        .first = record,
        .kind = kind,
        .is_reference = is_reference(record),
        .meet_key = kvl_knobs_key(record, KVL_KNOB_METHOD | KVL_KNOB_SHARED | KVL_KNOB_CONTEXT, NULL),
        .ratio_key = kvl_knobs_key(record, ratio_scopes(kind), except),
        .base_key = kvl_knobs_base_key(record),
    };
    if (group->meet_key == NULL || group->ratio_key == NULL || group->base_key == NULL)
        return kvl_fail(KVL_E_OOM, "no memory to group the records");
    return KVL_OK;
}

/* What is known while records are grouped: JSON objects by key. */
struct grouping {
    json_t *groups[2]; /* number of a group, for bench and eval: their keys are of different knobs */
    json_t *templates; /* of a task in a configuration */
    json_t *twofold;   /* configurations, without their template, in which a task occurs with two templates */
};

static bool protocol_picks_template(const json_t *record)
{
    const char *protocol = kvl_record_text(record, "protocol");
    return kind_of(record) == KVL_KNOB_EVAL && protocol != NULL && strcmp(protocol, "plain") != 0;
}

/* Notes the template of a record's task. */
static enum kvl_status note_template(const struct grouping *known, const json_t *record)
{
    const char *text = kvl_record_text(record, "template"), *name = kvl_record_text(record, "task");
    const char *task = name != NULL ? name : "";
    json_t *template = json_string(text != NULL ? text : "");
    char *key = kvl_knobs_key(record, group_scopes(KVL_KNOB_EVAL), "template");
    enum kvl_status status = KVL_OK;
    json_t *of_tasks = key != NULL ? json_object_get(known->templates, key) : NULL;
    if (key != NULL && of_tasks == NULL && json_object_set_new(known->templates, key, json_object()) == 0)
        of_tasks = json_object_get(known->templates, key);
    const json_t *other = of_tasks != NULL ? json_object_get(of_tasks, task) : NULL;
    if (of_tasks == NULL || template == NULL)
        status = kvl_fail(KVL_E_OOM, "no memory to group the records");
    else if (other == NULL)
        json_object_set(of_tasks, task, template);
    else if (!json_equal(other, template))
        json_object_set_new(known->twofold, key, json_true());
    free(key);
    json_decref(template);
    return status;
}

/* The knob that does not tell the record's group apart; NULL: all do. */
static const char *knob_left_out(const struct grouping *known, const json_t *record)
{
    if (!protocol_picks_template(record))
        return NULL;
    char *key = kvl_knobs_key(record, group_scopes(KVL_KNOB_EVAL), "template");
    bool twofold = key == NULL || json_object_get(known->twofold, key) != NULL;
    free(key);
    return twofold ? NULL : "template";
}

/* Finds or makes the group of a record. */
static enum kvl_status group_record(struct kvl_rows *rows, int place, const struct grouping *known)
{
    const json_t *record = rows->set->records[place];
    int kind = kind_of(record);
    const char *except = knob_left_out(known, record);
    json_t *numbers = known->groups[kind == KVL_KNOB_EVAL];
    char *key = kvl_knobs_key(record, group_scopes(kind), except);
    const json_t *number = key != NULL ? json_object_get(numbers, key) : NULL;
    int g = rows->group[place] = number != NULL ? (int)json_integer_value(number) : rows->n_groups;
    enum kvl_status status = KVL_OK;
    if (key == NULL || (number == NULL && json_object_set_new(numbers, key, json_integer(rows->n_groups)) != 0))
        status = kvl_fail(KVL_E_OOM, "no memory to group the records");
    else if (number == NULL)
        status = init_group(&rows->groups[rows->n_groups++], record, except);
    else if (except != NULL && kvl_record_text(rows->groups[g].first, except) == NULL && kvl_record_text(record, except) != NULL)
        rows->groups[g].first = record;
    free(key);
    return status;
}

static enum kvl_status group_all(struct kvl_rows *rows, int kinds, const struct grouping *known)
{
    for (int i = 0; i < rows->set->n; i++)
        if (protocol_picks_template(rows->set->records[i]))
            KVL_TRY(note_template(known, rows->set->records[i]));
    for (int i = 0; i < rows->set->n; i++) {
        rows->group[i] = -1;
        if ((kind_of(rows->set->records[i]) & kinds) != 0)
            KVL_TRY(group_record(rows, i, known));
    }
    return KVL_OK;
}

static enum kvl_status group_records(struct kvl_rows *rows, int kinds)
{
    struct grouping known = {{json_object(), json_object()}, json_object(), json_object()};
    enum kvl_status status;
    if (known.groups[0] == NULL || known.groups[1] == NULL || known.templates == NULL || known.twofold == NULL)
        status = kvl_fail(KVL_E_OOM, "no memory to group the records");
    else
        status = group_all(rows, kinds, &known);
    json_decref(known.groups[0]);
    json_decref(known.groups[1]);
    json_decref(known.templates);
    json_decref(known.twofold);
    return status;
}

/* ---- rows: an eval and a bench group that meet ------------------------------------------------------------------------ */

/* Groups -1: none. */
static enum kvl_status push_row(struct kvl_rows *rows, int eval_group, int bench_group)
{
    struct kvl_row *all = realloc(rows->rows, (size_t)(rows->n + 1) * sizeof *all);
    if (all == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for %d rows of a report", rows->n + 1);
    rows->rows = all;
    all[rows->n++] = (struct kvl_row){
        .eval = eval_group >= 0 ? rows->groups[eval_group].first : NULL,
        .bench = bench_group >= 0 ? rows->groups[bench_group].first : NULL,
        .eval_group = eval_group,
        .bench_group = bench_group,
    };
    return KVL_OK;
}

/* Every pair of a group with the groups of the other kind that it meets; the group by itself where it meets none. A pair is
 * made from the eval's side only. */
static enum kvl_status push_rows_of(struct kvl_rows *rows, int group)
{
    int kind = rows->groups[group].kind, n_met = 0;
    for (int g = 0; g < rows->n_groups; g++) {
        if (rows->groups[g].kind == kind || strcmp(rows->groups[g].meet_key, rows->groups[group].meet_key) != 0)
            continue;
        n_met++;
        if (kind == KVL_KNOB_EVAL)
            KVL_TRY(push_row(rows, group, g));
    }
    if (n_met > 0)
        return KVL_OK;
    return kind == KVL_KNOB_EVAL ? push_row(rows, group, -1) : push_row(rows, -1, group);
}

/* Place in the table of methods; unknown ones last. */
static int method_place(const json_t *value)
{
    const struct kvl_method *method;
    int i;
    for (i = 0; (method = kvl_method_at(i)) != NULL; i++)
        if (strcmp(method->name, json_string_value(value)) == 0)
            break;
    return i;
}

/* Missing first, numbers by value, objects by their first value that differs, else by their text. */
static int compare_values(const json_t *a, const json_t *b)
{
    if (a == NULL || b == NULL)
        return (a != NULL) - (b != NULL);
    if (json_is_number(a) && json_is_number(b))
        return (json_number_value(a) > json_number_value(b)) - (json_number_value(a) < json_number_value(b));
    if (json_is_string(a) && json_is_string(b))
        return strcmp(json_string_value(a), json_string_value(b));
    const char *key;
    json_t *value;
    int order = (int)json_typeof(a) - (int)json_typeof(b);
    json_object_foreach ((json_t *)a, key, value)
        order = order != 0 ? order : compare_values(value, json_object_get(b, key));
    return order;
}

int kvl_row_compare(const struct kvl_row *a, const struct kvl_row *b, const struct kvl_knob *knob)
{
    const json_t *x = kvl_row_value(a, knob), *y = kvl_row_value(b, knob);
    bool by_method = strcmp(knob->key, "method") == 0 && x != NULL && y != NULL;
    int order = by_method ? method_place(x) - method_place(y) : 0;
    return order != 0 ? order : compare_values(x, y);
}

static int compare_rows(const void *a, const void *b)
{
    const struct kvl_knob *knob;
    int order = 0;
    for (int i = 0; order == 0 && (knob = kvl_knob_at(i)) != NULL; i++)
        order = kvl_row_compare(a, b, knob);
    return order;
}

static enum kvl_status build(struct kvl_rows *rows, int kinds)
{
    if (rows->group == NULL || rows->groups == NULL)
        return kvl_fail(KVL_E_OOM, "no memory to group %d records", rows->set->n);
    KVL_TRY(group_records(rows, kinds));
    for (int g = 0; g < rows->n_groups; g++)
        KVL_TRY(push_rows_of(rows, g));
    if (rows->n > 0)
        qsort(rows->rows, (size_t)rows->n, sizeof *rows->rows, compare_rows);
    kvl_rows_find_varying(rows);
    return KVL_OK;
}

enum kvl_status kvl_rows_init(struct kvl_rows *rows, const struct kvl_record_set *set, int kinds)
{
    *rows = (struct kvl_rows){.set = set};
    rows->group = malloc((size_t)(set->n + 1) * sizeof *rows->group);
    rows->groups = malloc((size_t)(set->n + 1) * sizeof *rows->groups);
    enum kvl_status status = build(rows, kinds);
    if (status != KVL_OK)
        kvl_rows_free(rows);
    return status;
}

void kvl_rows_free(struct kvl_rows *rows)
{
    for (int g = 0; g < rows->n_groups; g++) {
        free(rows->groups[g].meet_key);
        free(rows->groups[g].ratio_key);
        free(rows->groups[g].base_key);
    }
    free(rows->group);
    free(rows->groups);
    free(rows->rows);
    *rows = (struct kvl_rows){0};
}

/* ---- questions to the records of a row -------------------------------------------------------------------------------- */

const json_t *kvl_rows_next(const struct kvl_rows *rows, int group, int *i)
{
    while (group >= 0 && *i < rows->set->n) {
        int here = (*i)++;
        if (rows->group[here] == group)
            return rows->set->records[here];
    }
    return NULL;
}

const json_t *kvl_row_measured(const struct kvl_rows *rows, const struct kvl_row *row, const char *key)
{
    const json_t *record;
    for (int i = 0; (record = kvl_rows_next(rows, row->bench_group, &i)) != NULL;)
        if (!kvl_record_is_ok(record) || !isnan(kvl_record_number(record, key)))
            return record;
    return NULL;
}

bool kvl_row_is_reference(const struct kvl_row *row)
{
    return is_reference(row->eval != NULL ? row->eval : row->bench);
}

const json_t *kvl_rows_reference(const struct kvl_rows *rows, const struct kvl_row *row, const json_t *measured,
                                 const char *key)
{
    const json_t *newest = NULL;
    const char *ratio_key = rows->groups[row->bench_group].ratio_key;
    for (int i = 0; i < rows->set->n; i++) {
        const json_t *record = rows->set->records[i];
        const struct kvl_row_group *group = rows->group[i] >= 0 ? &rows->groups[rows->group[i]] : NULL;
        if (group == NULL || group->kind != KVL_KNOB_BENCH || !group->is_reference || strcmp(group->ratio_key, ratio_key) != 0
            || !kvl_record_is_ok(record) || isnan(kvl_record_number(record, key)))
            continue;
        if (kvl_record_same(json_object_get(record, "run_id"), json_object_get(measured, "run_id")))
            return record;
        newest = newest != NULL ? newest : record;
    }
    return newest;
}

/* Newest first, so that the newest record that fits is the answer. */
const json_t *kvl_rows_scored_reference(const struct kvl_rows *rows, const struct kvl_row *row, const json_t *scored)
{
    const char *ratio_key = rows->groups[row->eval_group].ratio_key;
    for (int i = 0; i < rows->set->n; i++) {
        const json_t *record = rows->set->records[i];
        const struct kvl_row_group *group = rows->group[i] >= 0 ? &rows->groups[rows->group[i]] : NULL;
        if (group != NULL && group->kind == KVL_KNOB_EVAL && group->is_reference && kvl_record_is_ok(record)
            && strcmp(group->ratio_key, ratio_key) == 0
            && kvl_record_same(json_object_get(record, "task"), json_object_get(scored, "task"))
            && kvl_record_same(json_object_get(record, "task_version"), json_object_get(scored, "task_version")))
            return record;
    }
    return NULL;
}
