#include "harness/report_knobs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/json_file.h"
#include "harness/report_rows.h"

/* Those that tell records of one kind apart come last: rows without such a record then stay in their place. */
static const struct kvl_knob knobs[] = {
    {"model", "model", KVL_KNOB_SHARED, false},
    {"model_hash", "model hash", KVL_KNOB_SHARED, false},
    {"backend", "backend", KVL_KNOB_SHARED, false},
    {"dtype", "dtype", KVL_KNOB_SHARED, false},
    {"context", "context", KVL_KNOB_CONTEXT, true},
    {"method", "method", KVL_KNOB_METHOD, true},
    {"profile", "profile", KVL_KNOB_METHOD, false},
    {"params", "parameters", KVL_KNOB_METHOD, false},
    {"kv_rate", "KV rate", KVL_KNOB_METHOD, true},
    {"kv_budget", "KV budget", KVL_KNOB_METHOD, true},
    {"protocol", "protocol", KVL_KNOB_EVAL, false},
    {"query_aware", "query aware", KVL_KNOB_EVAL, false},
    {"template", "template", KVL_KNOB_EVAL, false},
    {"seed", "seed", KVL_KNOB_EVAL, false},
    {"max_prompt", "max prompt", KVL_KNOB_SETUP, false},
    {"new_tokens", "new tokens", KVL_KNOB_BENCH, false},
    {"copy_cache", "copies the cache", KVL_KNOB_BENCH, false},
    {"gpu", "GPU", KVL_KNOB_BENCH, false},
    {"cpu", "CPU", KVL_KNOB_BENCH, false},
    {"isa", "isa", KVL_KNOB_BENCH, false},
    {"threads", "threads", KVL_KNOB_BENCH, false},
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

const json_t *kvl_row_value(const struct kvl_row *row, const struct kvl_knob *knob)
{
    const json_t *own = knob->scope == KVL_KNOB_BENCH ? row->bench : row->eval;
    const json_t *other = own == row->bench ? row->eval : row->bench;
    return kvl_json_get(own != NULL ? own : other, knob->key);
}

/* ---- keys: the values of several knobs as one text -------------------------------------------------------------------- */

/* Equal values print the same: null as nothing, numbers by value; objects in the order in which they were written. */
static void print_key(FILE *stream, const json_t *value)
{
    const char *name;
    json_t *item;
    if (json_is_number(value))
        fprintf(stream, "%.17g", json_number_value(value));
    else if (json_is_string(value))
        fprintf(stream, "'%s'", json_string_value(value));
    else if (json_is_boolean(value))
        fputs(json_is_true(value) ? "true" : "false", stream);
    json_object_foreach ((json_t *)value, name, item) {
        fprintf(stream, "%s=", name);
        print_key(stream, item);
        putc(',', stream);
    }
}

static char *key_of(const json_t *record, bool (*takes)(const struct kvl_knob *knob, int scopes, const char *except),
                    int scopes, const char *except)
{
    char *key = NULL;
    size_t n;
    FILE *stream = open_memstream(&key, &n);
    if (stream == NULL)
        return NULL;
    for (int i = 0; i < (int)N_KNOBS; i++)
        if (takes(&knobs[i], scopes, except)) {
            print_key(stream, json_object_get(record, knobs[i].key));
            putc(';', stream);
        }
    if (fclose(stream) == 0)
        return key;
    free(key);
    return NULL;
}

static bool in_scope(const struct kvl_knob *knob, int scopes, const char *except)
{
    return (knob->scope & scopes) != 0 && (except == NULL || strcmp(knob->key, except) != 0);
}

static bool in_base(const struct kvl_knob *knob, int scopes, const char *except)
{
    (void)scopes, (void)except;
    static const char *const keys[] = {"model", "model_hash", "method", "profile"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(knob->key, keys[i]) == 0)
            return true;
    return false;
}

char *kvl_knobs_key(const json_t *record, int scopes, const char *except)
{
    return key_of(record, in_scope, scopes, except);
}

char *kvl_knobs_base_key(const json_t *record)
{
    return key_of(record, in_base, 0, NULL);
}

/* ---- what differs ------------------------------------------------------------------------------------------------------ */

static const char *base_of(const struct kvl_rows *rows, const struct kvl_row *row)
{
    return rows->groups[row->eval != NULL ? row->eval_group : row->bench_group].base_key;
}

static bool param_varies(const struct kvl_rows *rows, const struct kvl_row *row, const struct kvl_knob *knob,
                         const char *param)
{
    const json_t *value = json_object_get(kvl_row_value(row, knob), param);
    const char *base = base_of(rows, row);
    for (int r = 0; r < rows->n; r++) {
        if (strcmp(base_of(rows, &rows->rows[r]), base) != 0)
            continue;
        const json_t *other = kvl_row_value(&rows->rows[r], knob);
        if (other != NULL && !kvl_record_same(value, json_object_get(other, param)))
            return true;
    }
    return false;
}

static bool any_param_varies(const struct kvl_rows *rows, const struct kvl_row *row, const struct kvl_knob *knob)
{
    const char *name;
    json_t *value;
    json_object_foreach ((json_t *)kvl_row_value(row, knob), name, value)
        if (param_varies(rows, row, knob, name))
            return true;
    return false;
}

/* Methods without parameters or a profile are not told apart from others by having none. */
static bool applies(const struct kvl_row *row, const struct kvl_knob *knob)
{
    switch (knob->scope) {
    case KVL_KNOB_EVAL:
    case KVL_KNOB_SETUP: return row->eval != NULL;
    case KVL_KNOB_BENCH: return row->bench != NULL;
    case KVL_KNOB_METHOD: return kvl_row_value(row, knob) != NULL;
    default: return true;
    }
}

static bool find_varying(const struct kvl_rows *rows, const struct kvl_knob *knob)
{
    const struct kvl_row *first = NULL;
    for (int r = 0; r < rows->n; r++) {
        const struct kvl_row *row = &rows->rows[r];
        if (!applies(row, knob))
            continue;
        if (json_is_object(kvl_row_value(row, knob)) ? any_param_varies(rows, row, knob)
            : first != NULL && !kvl_record_same(kvl_row_value(first, knob), kvl_row_value(row, knob)))
            return true;
        first = first != NULL ? first : row;
    }
    return false;
}

void kvl_rows_find_varying(struct kvl_rows *rows)
{
    _Static_assert(N_KNOBS <= 32, "kvl_rows.varying has a bit per knob");
    rows->varying = 0;
    for (int i = 0; i < (int)N_KNOBS; i++)
        rows->varying |= (uint32_t)find_varying(rows, &knobs[i]) << i;
}

bool kvl_rows_vary(const struct kvl_rows *rows, const struct kvl_knob *knob)
{
    return (rows->varying >> (knob - knobs) & 1) != 0;
}

const json_t *kvl_rows_common(const struct kvl_rows *rows, const struct kvl_knob *knob)
{
    const json_t *common = NULL;
    for (int r = 0; r < rows->n; r++) {
        const json_t *value = kvl_row_value(&rows->rows[r], knob);
        if (common != NULL && value != NULL && !kvl_record_same(common, value))
            return NULL;
        common = common != NULL ? common : value;
    }
    return common;
}

/* ---- text ------------------------------------------------------------------------------------------------------------- */

void kvl_context_format(double n, char *text, size_t size)
{
    bool whole = n >= 1024 && fmod(n, 1024) == 0;
    snprintf(text, size, whole ? "%.0fk" : "%.0f", whole ? n / 1024 : n);
}

void kvl_knob_format(const json_t *value, char *text, size_t size)
{
    if (json_is_string(value))
        snprintf(text, size, "%s", json_string_value(value));
    else if (json_is_number(value))
        snprintf(text, size, "%.10g", json_number_value(value));
    else
        snprintf(text, size, "%s", json_is_true(value) ? "on" : json_is_false(value) ? "off" : "");
}

static bool is_listed(const char *name, const char *const *names)
{
    for (; *names != NULL; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

void kvl_rows_format_params(const struct kvl_rows *rows, const struct kvl_row *row, const char *const *except, char *text,
                            size_t size)
{
    const struct kvl_knob *knob = kvl_knob_find("params");
    json_t *params = (json_t *)kvl_row_value(row, knob), *value;
    const char *name;
    size_t n = 0;
    text[0] = '\0';
    json_object_foreach (params, name, value) {
        char word[64];
        if (n >= size || is_listed(name, except) || !param_varies(rows, row, knob, name))
            continue;
        kvl_knob_format(value, word, sizeof word);
        int added = snprintf(text + n, size - n, "%s%s=%s", n > 0 ? " " : "", name, word);
        n += added > 0 ? (size_t)added : 0;
    }
}

void kvl_rows_format(const struct kvl_rows *rows, const struct kvl_row *row, const struct kvl_knob *knob, char *text,
                     size_t size)
{
    static const char *const nothing[] = {NULL};
    const json_t *value = kvl_row_value(row, knob);
    text[0] = '\0';
    if (json_is_object(value))
        kvl_rows_format_params(rows, row, nothing, text, size);
    else if (json_is_string(value) && strcmp(knob->key, "model_hash") == 0)
        snprintf(text, size, "%.8s", json_string_value(value));
    else
        kvl_knob_format(value, text, size);
}
