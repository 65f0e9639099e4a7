/* Which row of NEW belongs to which of BASE. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json_file.h"
#include "harness/compare.h"
#include "harness/record.h"

static const struct kvl_measure measures[] = {
    {"eval", "score", "scores", KVL_MEASURE_SCORE},
    {"eval", "second score", "second_scores", KVL_MEASURE_SCORE},
    {"eval", "kl", "kl_samples", KVL_MEASURE_NATS},
    {"eval", "nll", "nll_difference_samples", KVL_MEASURE_NATS},
    {"bench", "prefill", "prefill_samples_ns", KVL_MEASURE_TIME},
    {"bench", "decode", "decode_token_samples_ns", KVL_MEASURE_TIME},
    {"bench", "e2e", "e2e_samples_ns", KVL_MEASURE_TIME},
    {"bench", "memory", "peak_bytes", KVL_MEASURE_MEMORY},
    {"kernel", "kernel", "kernel_samples_ns", KVL_MEASURE_TIME},
};

/* What a field says about whether two records are of the same row. Fields of config_key that are not here name it. */
enum role {
    NAME,  /* different values: different rows */
    GUARD, /* rows meet only with --force */
    FREE,  /* rows meet; equal values are preferred */
    EXTENT /* rows meet; how much was measured */
};

static const struct {
    const char *field, *title;
    enum role eval, bench; /* bench: of kernel, too */
} roles[] = {
    {"n_samples", "samples", EXTENT, EXTENT},
    {"phases", "phases", EXTENT, EXTENT},
    {"model_hash", "model hash", GUARD, GUARD},
    {"task_version", "task version", GUARD, GUARD},
    {"dtype", "dtype", GUARD, GUARD},
    {"backend", "backend", FREE, GUARD},
    {"cpu", "CPU", FREE, GUARD},
    {"gpu", "GPU", FREE, GUARD},
    {"isa", "isa", FREE, GUARD},
    {"threads", "threads", FREE, GUARD},
    {"build_type", "build type", FREE, GUARD},
};

enum { N_MEASURES = sizeof measures / sizeof *measures, N_ROLES = sizeof roles / sizeof *roles };

static bool is_eval(const json_t *record)
{
    return strcmp(kvl_record_text(record, "kind"), "eval") == 0;
}

static enum role role_at(int i, const json_t *record)
{
    return is_eval(record) ? roles[i].eval : roles[i].bench;
}

bool kvl_compare_names(const json_t *record, const char *field)
{
    for (int i = 0; i < (int)N_ROLES; i++)
        if (strcmp(roles[i].field, field) == 0)
            return role_at(i, record) == NAME;
    return true;
}

/* One row of a side. */
struct item {
    const json_t *record;
    const struct kvl_measure *measure;
    char *name;  /* what must be equal */
    char *exact; /* that, and all that had better be */
    bool joined;
};

struct side {
    struct item *items;
    int n;
};

static void side_free(struct side *side)
{
    for (int i = 0; i < side->n; i++) {
        free(side->items[i].name);
        free(side->items[i].exact);
    }
    free(side->items);
}

static bool lists(const json_t *phases, const char *name)
{
    for (size_t i = 0; i < json_array_size(phases); i++) {
        const char *phase = json_string_value(json_array_get(phases, i));
        if (phase != NULL && strcmp(phase, name) == 0)
            return true;
    }
    return false;
}

/* Whether a record was made to measure something, and whether it has. Every eval record has scores; other series are there,
 * if only as an empty list, where the task has them. */
static bool wants(const json_t *record, const struct kvl_measure *measure)
{
    const json_t *phases = kvl_json_get(record, "phases");
    if (strcmp(kvl_record_text(record, "kind"), measure->kind) != 0)
        return false;
    switch (measure->unit) {
    case KVL_MEASURE_SCORE:
    case KVL_MEASURE_NATS: return measure == &measures[0] || json_is_array(json_object_get(record, measure->field));
    case KVL_MEASURE_TIME: return phases == NULL || lists(phases, measure->name);
    case KVL_MEASURE_MEMORY: return true;
    }
    return false;
}

static bool has(const json_t *record, const struct kvl_measure *measure)
{
    const json_t *value = json_object_get(record, measure->field);
    return strcmp(kvl_record_text(record, "kind"), measure->kind) == 0 && kvl_record_is_ok(record)
           && (json_is_number(value) || json_array_size(value) > 0);
}

/* Values as one text, equal where they are: sorted keys, numbers by value. */
static void print_value(FILE *stream, const json_t *record, const char *field)
{
    const json_t *value = kvl_json_get(record, field);
    char *text = json_is_number(value) ? NULL : json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    if (json_is_number(value))
        fprintf(stream, "%.17g", json_number_value(value));
    else if (text != NULL)
        fputs(text, stream);
    free(text);
    putc(';', stream);
}

static enum kvl_status make_keys(struct item *item)
{
    size_t n;
    const char *field;
    FILE *name = open_memstream(&item->name, &n);
    if (name == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for the name of a row");
    fprintf(name, "%s;", item->measure->name);
    for (int i = 0; (field = kvl_record_key_field(i)) != NULL; i++)
        if (kvl_compare_names(item->record, field))
            print_value(name, item->record, field);
    if (fclose(name) != 0)
        return kvl_fail(KVL_E_OOM, "no memory for the name of a row");
    FILE *exact = open_memstream(&item->exact, &n);
    if (exact == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for the name of a row");
    fputs(item->name, exact);
    for (int i = 0; i < (int)N_ROLES; i++)
        if (role_at(i, item->record) != EXTENT)
            print_value(exact, item->record, roles[i].field);
    return fclose(exact) == 0 ? KVL_OK : kvl_fail(KVL_E_OOM, "no memory for the name of a row");
}

/* Adds a row unless a newer one of the same kind is there; `places`: exact key to place + 1. */
static enum kvl_status add_item(struct side *side, json_t *places, const json_t *record, const struct kvl_measure *measure,
                                int *n_older)
{
    struct item *item = &side->items[side->n++];
    *item = (struct item){.record = record, .measure = measure};
    KVL_TRY(make_keys(item));
    if (json_object_get(places, item->exact) == NULL)
        return json_object_set_new(places, item->exact, json_integer(side->n)) == 0
                   ? KVL_OK : kvl_fail(KVL_E_OOM, "no memory for the rows of a comparison");
    free(item->name);
    free(item->exact);
    side->n--;
    ++*n_older;
    return KVL_OK;
}

/* The rows of a set, newest first as the set is. */
static enum kvl_status collect(struct side *side, json_t *places, const struct kvl_record_set *set, struct kvl_comparison *out)
{
    side->items = calloc((size_t)set->n * N_MEASURES + 1, sizeof *side->items);
    if (side->items == NULL || places == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for the rows of %d records", set->n);
    for (int r = 0; r < set->n; r++) {
        bool bare = false;
        for (int m = 0; m < (int)N_MEASURES; m++) {
            bool is_there = has(set->records[r], &measures[m]), wanted = wants(set->records[r], &measures[m]);
            bare = bare || (wanted && !is_there && kvl_record_is_ok(set->records[r]) && measures[m].unit != KVL_MEASURE_MEMORY);
            if (is_there || (wanted && !kvl_record_is_ok(set->records[r])))
                KVL_TRY(add_item(side, places, set->records[r], &measures[m], &out->n_older));
        }
        out->n_bare += bare;
    }
    return KVL_OK;
}

static enum kvl_status refuse(const struct item *base, const struct item *next, int i)
{
    const char *method = kvl_record_text(base->record, "method"), *field = roles[i].field;
    const char *what = method != NULL ? method : kvl_record_text(base->record, "operation");
    char *was = json_dumps(json_object_get(base->record, field), JSON_ENCODE_ANY);
    char *is = json_dumps(json_object_get(next->record, field), JSON_ENCODE_ANY);
    enum kvl_status status = kvl_fail(
        KVL_E_ARG, "%s of %s at %g tokens: %s is %.80s in BASE and %.80s in NEW, so that the two say nothing about a change of "
        "kvlab: measure both alike, or give --force", base->measure->name, what, kvl_record_number(base->record, "context"),
        roles[i].title, was != NULL ? was : "?", is != NULL ? is : "?");
    free(was);
    free(is);
    return status;
}

/* What a side does not know (records of an older kvlab) is no difference. */
static enum kvl_status check_guards(const struct item *base, const struct item *next)
{
    for (int i = 0; i < (int)N_ROLES; i++) {
        const json_t *a = kvl_json_get(base->record, roles[i].field), *b = kvl_json_get(next->record, roles[i].field);
        if (role_at(i, base->record) == GUARD && a != NULL && b != NULL && !kvl_record_same(a, b))
            return refuse(base, next, i);
    }
    return KVL_OK;
}

static void push(struct kvl_comparison *out, struct item *base, struct item *next)
{
    const struct item *any = base != NULL ? base : next;
    out->rows[out->n++] = (struct kvl_compare_row){.measure = any->measure, .base = base != NULL ? base->record : NULL,
                                                   .next = next != NULL ? next->record : NULL};
    if (base != NULL)
        base->joined = true;
    if (next != NULL)
        next->joined = true;
}

static struct item *find_exact(struct side *side, const json_t *places, const char *exact)
{
    int64_t place = json_integer_value(json_object_get(places, exact));
    return place > 0 ? &side->items[place - 1] : NULL;
}

static struct item *find_name(struct side *side, const char *name)
{
    for (int i = 0; i < side->n; i++)
        if (!side->items[i].joined && strcmp(side->items[i].name, name) == 0)
            return &side->items[i];
    return NULL;
}

/* First those that were measured alike, so that what is left over differs; then the rest by name. Oldest first. */
static enum kvl_status join(struct kvl_comparison *out, struct side *base, struct side *next, const json_t *next_places)
{
    struct item **partners = calloc((size_t)base->n + 1, sizeof *partners);
    enum kvl_status status = partners != NULL ? KVL_OK : kvl_fail(KVL_E_OOM, "no memory for %d rows", base->n);
    for (int i = 0; i < base->n && status == KVL_OK; i++) {
        partners[i] = find_exact(next, next_places, base->items[i].exact);
        if (partners[i] != NULL)
            partners[i]->joined = true;
    }
    for (int i = 0; i < base->n && status == KVL_OK; i++) {
        if (partners[i] != NULL)
            continue;
        partners[i] = find_name(next, base->items[i].name);
        if (partners[i] == NULL)
            continue;
        partners[i]->joined = true;
        if (!out->limits.force)
            status = check_guards(&base->items[i], partners[i]);
    }
    for (int i = base->n - 1; i >= 0 && status == KVL_OK; i--)
        push(out, &base->items[i], partners[i]);
    for (int i = next->n - 1; i >= 0 && status == KVL_OK; i--)
        if (!next->items[i].joined)
            push(out, NULL, &next->items[i]);
    free(partners);
    return status;
}

enum kvl_status kvl_compare_join(struct kvl_comparison *out, const struct kvl_record_set *base,
                                 const struct kvl_record_set *next)
{
    struct side a = {0}, b = {0};
    json_t *a_places = json_object(), *b_places = json_object();
    enum kvl_status status;
    KVL_TRY_OUT(collect(&a, a_places, base, out));
    KVL_TRY_OUT(collect(&b, b_places, next, out));
    out->rows = calloc((size_t)(a.n + b.n) + 1, sizeof *out->rows);
    KVL_TRY_OUT(out->rows != NULL ? KVL_OK : kvl_fail(KVL_E_OOM, "no memory for %d rows", a.n + b.n));
    KVL_TRY_OUT(join(out, &a, &b, b_places));
out:
    json_decref(a_places);
    json_decref(b_places);
    side_free(&a);
    side_free(&b);
    return status;
}
