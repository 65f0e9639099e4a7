#include "harness/report_rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/json_file.h"
#include "methods/method.h"

static const struct kvl_knob knobs[] = {
    {"model", "model", KVL_KNOB_SHARED},
    {"model_hash", "model hash", KVL_KNOB_SHARED},
    {"backend", "backend", KVL_KNOB_SHARED},
    {"dtype", "dtype", KVL_KNOB_SHARED},
    {"gpu", "GPU", KVL_KNOB_BENCH},
    {"cpu", "CPU", KVL_KNOB_BENCH},
    {"isa", "isa", KVL_KNOB_BENCH},
    {"threads", "threads", KVL_KNOB_BENCH},
    {"protocol", "protocol", KVL_KNOB_EVAL},
    {"query_aware", "query aware", KVL_KNOB_EVAL},
    {"template", "template", KVL_KNOB_EVAL},
    {"seed", "seed", KVL_KNOB_EVAL},
    {"new_tokens", "new tokens", KVL_KNOB_BENCH},
    {"context", "context", KVL_KNOB_SHARED},
    {"method", "method", KVL_KNOB_METHOD},
    {"profile", "profile", KVL_KNOB_METHOD},
    {"kv_rate", "KV rate", KVL_KNOB_METHOD},
    {"kv_budget", "KV budget", KVL_KNOB_METHOD},
    {"params", "parameters", KVL_KNOB_METHOD},
};

enum { N_KNOBS = sizeof knobs / sizeof *knobs };

const struct kvl_knob *kvl_knob_at(int i)
{
    return i >= 0 && i < (int)N_KNOBS ? &knobs[i] : NULL;
}

const struct kvl_knob *kvl_knob_find(const char *key)
{
    for (int i = 0; i < (int)N_KNOBS; i++)
        if (strcmp(knobs[i].key, key) == 0)
            return &knobs[i];
    return NULL;
}

/* ---- groups: records of the same knobs -------------------------------------------------------------------------------- */

static int kind_of(const json_t *record)
{
    return strcmp(kvl_record_text(record, "kind"), "eval") == 0 ? KVL_KNOB_EVAL : KVL_KNOB_BENCH;
}

static bool same_knobs(const json_t *a, const json_t *b, int scopes)
{
    for (int i = N_KNOBS - 1; i >= 0; i--) /* the last ones differ most often */
        if ((knobs[i].scope & scopes) != 0
            && !kvl_record_same(json_object_get(a, knobs[i].key), json_object_get(b, knobs[i].key)))
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

static enum kvl_status push_row(struct kvl_rows *rows, const json_t *eval, const json_t *bench)
{
    struct kvl_row *all = realloc(rows->rows, (size_t)(rows->n + 1) * sizeof *all);
    if (all == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for %d rows of a report", rows->n + 1);
    rows->rows = all;
    all[rows->n++] = (struct kvl_row){eval, bench};
    return KVL_OK;
}

/* Every pair of `one` (of its kind) with the groups of the other kind that it meets; by itself where it meets none. A pair
 * is made from the eval's side only. */
static enum kvl_status push_rows_of(struct kvl_rows *rows, const json_t *one)
{
    int kind = kind_of(one), n_met = 0;
    for (int g = 0; g < rows->n_groups; g++) {
        const json_t *other = rows->first[g];
        if (kind_of(other) == kind || !same_knobs(one, other, KVL_KNOB_METHOD | KVL_KNOB_SHARED))
            continue;
        n_met++;
        if (kind == KVL_KNOB_EVAL)
            KVL_TRY(push_row(rows, one, other));
    }
    if (n_met > 0)
        return KVL_OK;
    return kind == KVL_KNOB_EVAL ? push_row(rows, one, NULL) : push_row(rows, NULL, one);
}

const json_t *kvl_row_value(const struct kvl_row *row, const struct kvl_knob *knob)
{
    const json_t *record = row->eval != NULL ? row->eval : row->bench;
    if (knob->scope == KVL_KNOB_EVAL || knob->scope == KVL_KNOB_BENCH)
        record = knob->scope == KVL_KNOB_EVAL ? row->eval : row->bench;
    return record != NULL ? kvl_json_get(record, knob->key) : NULL;
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

static int compare_text(const json_t *a, const json_t *b)
{
    char *x = json_dumps(a, JSON_ENCODE_ANY | JSON_SORT_KEYS), *y = json_dumps(b, JSON_ENCODE_ANY | JSON_SORT_KEYS);
    int order = x != NULL && y != NULL ? strcmp(x, y) : 0;
    free(x);
    free(y);
    return order;
}

static int compare_values(const json_t *a, const json_t *b)
{
    if (a == NULL || b == NULL)
        return (a != NULL) - (b != NULL);
    if (json_is_number(a) && json_is_number(b))
        return (json_number_value(a) > json_number_value(b)) - (json_number_value(a) < json_number_value(b));
    return json_equal(a, b) ? 0 : compare_text(a, b);
}

static int compare_rows(const void *a, const void *b)
{
    for (int i = 0; i < (int)N_KNOBS; i++) {
        const json_t *x = kvl_row_value(a, &knobs[i]), *y = kvl_row_value(b, &knobs[i]);
        int order = strcmp(knobs[i].key, "method") == 0 ? method_place(x) - method_place(y) : 0;
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
        status = push_rows_of(rows, rows->first[g]);
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

const json_t *kvl_rows_next(const struct kvl_rows *rows, const json_t *one, int *i)
{
    int group = one != NULL ? find_group(rows, one) : -1;
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
    for (int i = 0; (record = kvl_rows_next(rows, row->bench, &i)) != NULL;)
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

/* ---- text ------------------------------------------------------------------------------------------------------------- */

bool kvl_rows_vary(const struct kvl_rows *rows, const struct kvl_knob *knob)
{
    const struct kvl_row *first = NULL;
    for (int r = 0; r < rows->n; r++) {
        const struct kvl_row *row = &rows->rows[r];
        if ((knob->scope == KVL_KNOB_EVAL && row->eval == NULL) || (knob->scope == KVL_KNOB_BENCH && row->bench == NULL))
            continue;
        if (first != NULL && !kvl_record_same(kvl_row_value(first, knob), kvl_row_value(row, knob)))
            return true;
        first = first != NULL ? first : row;
    }
    return false;
}

void kvl_context_format(double n, char *text, size_t size)
{
    bool whole = n >= 1024 && fmod(n, 1024) == 0;
    snprintf(text, size, whole ? "%.0fk" : "%.0f", whole ? n / 1024 : n);
}

static void format_value(const json_t *value, char *text, size_t size)
{
    if (json_is_string(value))
        snprintf(text, size, "%s", json_string_value(value));
    else if (json_is_number(value))
        snprintf(text, size, "%.10g", json_number_value(value));
    else
        snprintf(text, size, "%s", json_is_true(value) ? "on" : json_is_false(value) ? "off" : "");
}

static bool same_base(const struct kvl_row *a, const struct kvl_row *b)
{
    static const char *const keys[] = {"model", "model_hash", "method", "profile"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const struct kvl_knob *knob = kvl_knob_find(keys[i]);
        if (!kvl_record_same(kvl_row_value(a, knob), kvl_row_value(b, knob)))
            return false;
    }
    return true;
}

static bool param_varies(const struct kvl_rows *rows, const struct kvl_row *row, const struct kvl_knob *knob, const char *param)
{
    const json_t *value = json_object_get(kvl_row_value(row, knob), param);
    for (int r = 0; r < rows->n; r++) {
        const json_t *other = kvl_row_value(&rows->rows[r], knob);
        if (other != NULL && same_base(row, &rows->rows[r]) && !kvl_record_same(value, json_object_get(other, param)))
            return true;
    }
    return false;
}

static void format_params(const struct kvl_rows *rows, const struct kvl_row *row, const struct kvl_knob *knob, char *text,
                          size_t size)
{
    json_t *params = (json_t *)kvl_row_value(row, knob), *value;
    const char *name;
    size_t n = 0;
    json_object_foreach (params, name, value) {
        char word[64];
        if (n >= size || !param_varies(rows, row, knob, name))
            continue;
        format_value(value, word, sizeof word);
        int added = snprintf(text + n, size - n, "%s%s=%s", n > 0 ? " " : "", name, word);
        n += added > 0 ? (size_t)added : 0;
    }
}

void kvl_rows_format(const struct kvl_rows *rows, const struct kvl_row *row, const struct kvl_knob *knob, char *text,
                     size_t size)
{
    const json_t *value = kvl_row_value(row, knob);
    text[0] = '\0';
    if (json_is_object(value))
        format_params(rows, row, knob, text, size);
    else if (json_is_string(value) && strcmp(knob->key, "model_hash") == 0)
        snprintf(text, size, "%.8s", json_string_value(value));
    else
        format_value(value, text, size);
}
