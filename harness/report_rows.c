#include "harness/report_rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "methods/method.h"

/* ---- groups: records of the same knobs -------------------------------------------------------------------------------- */

static int kind_of(const json_t *record)
{
    return strcmp(kvl_record_text(record, "kind"), "eval") == 0 ? KVL_KNOB_EVAL : KVL_KNOB_BENCH;
}

static bool same_knobs(const json_t *a, const json_t *b, int scopes)
{
    const struct kvl_knob *knob;
    for (int i = 0; (knob = kvl_knob_at(i)) != NULL; i++)
        if ((knob->scope & scopes) != 0 && !kvl_record_same(json_object_get(a, knob->key), json_object_get(b, knob->key)))
            return false;
    return true;
}

static int find_group(const struct kvl_rows *rows, const json_t *record)
{
    int kind = kind_of(record);
    for (int g = 0; g < rows->n_groups; g++)
        if (kind_of(rows->first[g]) == kind && same_knobs(record, rows->first[g], KVL_KNOB_METHOD | KVL_KNOB_SHARED | kind))
            return g;
    return rows->n_groups;
}

static void group_records(struct kvl_rows *rows, int kinds)
{
    for (int i = 0; i < rows->set->n; i++) {
        const json_t *record = rows->set->records[i];
        rows->group[i] = (kind_of(record) & kinds) != 0 ? find_group(rows, record) : -1;
        if (rows->group[i] == rows->n_groups)
            rows->first[rows->n_groups++] = record;
    }
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
        .eval = eval_group >= 0 ? rows->first[eval_group] : NULL,
        .bench = bench_group >= 0 ? rows->first[bench_group] : NULL,
        .eval_group = eval_group,
        .bench_group = bench_group,
    };
    return KVL_OK;
}

/* Every pair of a group with the groups of the other kind that it meets; the group by itself where it meets none. A pair is
 * made from the eval's side only. */
static enum kvl_status push_rows_of(struct kvl_rows *rows, int group)
{
    int kind = kind_of(rows->first[group]), n_met = 0;
    for (int g = 0; g < rows->n_groups; g++) {
        if (kind_of(rows->first[g]) == kind
            || !same_knobs(rows->first[group], rows->first[g], KVL_KNOB_METHOD | KVL_KNOB_SHARED))
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

static int compare_rows(const void *a, const void *b)
{
    const struct kvl_knob *knob;
    for (int i = 0; (knob = kvl_knob_at(i)) != NULL; i++) {
        const json_t *x = kvl_row_value(a, knob), *y = kvl_row_value(b, knob);
        int order = strcmp(knob->key, "method") == 0 ? method_place(x) - method_place(y) : 0;
        if (order == 0)
            order = compare_values(x, y);
        if (order != 0)
            return order;
    }
    return 0;
}

enum kvl_status kvl_rows_init(struct kvl_rows *rows, const struct kvl_record_set *set, int kinds)
{
    *rows = (struct kvl_rows){.set = set};
    rows->group = malloc((size_t)(set->n + 1) * sizeof *rows->group);
    rows->first = malloc((size_t)(set->n + 1) * sizeof *rows->first);
    enum kvl_status status = KVL_OK;
    if (rows->group == NULL || rows->first == NULL)
        status = kvl_fail(KVL_E_OOM, "no memory to group %d records", set->n);
    else
        group_records(rows, kinds);
    for (int g = 0; g < rows->n_groups && status == KVL_OK; g++)
        status = push_rows_of(rows, g);
    if (status != KVL_OK)
        kvl_rows_free(rows);
    else if (rows->n > 0)
        qsort(rows->rows, (size_t)rows->n, sizeof *rows->rows, compare_rows);
    return status;
}

void kvl_rows_free(struct kvl_rows *rows)
{
    free(rows->group);
    free(rows->first);
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

static bool is_ok(const json_t *record)
{
    return strcmp(kvl_record_text(record, "status"), "ok") == 0;
}

const json_t *kvl_row_measured(const struct kvl_rows *rows, const struct kvl_row *row, const char *key)
{
    const json_t *record;
    for (int i = 0; (record = kvl_rows_next(rows, row->bench_group, &i)) != NULL;)
        if (!is_ok(record) || !isnan(kvl_record_number(record, key)))
            return record;
    return NULL;
}

static bool is_reference(const json_t *record)
{
    return strcmp(kvl_record_text(record, "method"), kvl_method_at(0)->name) == 0;
}

bool kvl_row_is_reference(const struct kvl_row *row)
{
    return is_reference(row->eval != NULL ? row->eval : row->bench);
}

const json_t *kvl_rows_reference(const struct kvl_rows *rows, const json_t *measured, const char *key)
{
    const json_t *newest = NULL;
    for (int i = 0; i < rows->set->n; i++) {
        const json_t *record = rows->set->records[i];
        if (rows->group[i] < 0 || kind_of(record) != KVL_KNOB_BENCH || !is_reference(record) || !is_ok(record)
            || isnan(kvl_record_number(record, key)) || !same_knobs(record, measured, KVL_KNOB_SHARED | KVL_KNOB_BENCH))
            continue;
        if (kvl_record_same(json_object_get(record, "run_id"), json_object_get(measured, "run_id")))
            return record;
        newest = newest != NULL ? newest : record;
    }
    return newest;
}
