#define _GNU_SOURCE /* asprintf */
#include "harness/report_lines.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool same_number(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static const json_t *record_of(const struct kvl_row *row, int kind)
{
    if (kind == KVL_KNOB_EVAL)
        return row->eval;
    return kind == KVL_KNOB_BENCH ? row->bench : row->eval != NULL ? row->eval : row->bench;
}

static int context_place(const struct kvl_lines *lines, double context)
{
    for (int c = 0; c < lines->n_contexts; c++)
        if (same_number(lines->contexts[c], context))
            return c;
    return -1;
}

static int compare_contexts(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    if (isnan(x) || isnan(y))
        return isnan(y) - isnan(x);
    return (x > y) - (x < y);
}

static char *rivals_key(const json_t *record, int kind)
{
    char *run = kvl_knobs_key(record, KVL_KNOB_SHARED | kind, "template"), *key = NULL;
    if (run == NULL || asprintf(&key, "%s%.17g;%.17g", run, kvl_record_number(record, "kv_rate"),
                                kvl_record_number(record, "kv_budget")) < 0)
        key = NULL;
    free(run);
    return key;
}

static enum kvl_status push(struct kvl_lines *lines, const struct kvl_row *row, int kind)
{
    struct kvl_line *line = &lines->items[lines->n++];
    *line = (struct kvl_line){
        .rows = calloc((size_t)lines->n_contexts + 1, sizeof *line->rows),
        .first = row,
        .scopes = lines->scopes,
        .rivals = rivals_key(record_of(row, kind), kind),
    };
    if (line->rows == NULL || line->rivals == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for the lines of a report");
    return KVL_OK;
}

static enum kvl_status allocate(struct kvl_lines *lines, const struct kvl_rows *rows)
{
    *lines = (struct kvl_lines){
        .items = calloc((size_t)rows->n + 1, sizeof *lines->items),
        .contexts = calloc((size_t)rows->n + 1, sizeof *lines->contexts),
    };
    if (lines->items == NULL || lines->contexts == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for %d lines of a report", rows->n);
    return KVL_OK;
}

/* Whether two rows stand in one line: equal in every knob of the lines' scopes. */
static bool same_line(const struct kvl_lines *lines, const struct kvl_row *a, const struct kvl_row *b)
{
    const struct kvl_knob *knob;
    for (int i = 0; (knob = kvl_knob_at(i)) != NULL; i++)
        if ((knob->scope & lines->scopes) != 0 && !kvl_record_same(kvl_row_value(a, knob), kvl_row_value(b, knob)))
            return false;
    return true;
}

static struct kvl_line *find_line(struct kvl_lines *lines, const struct kvl_row *row)
{
    for (int l = 0; l < lines->n; l++)
        if (same_line(lines, lines->items[l].first, row))
            return &lines->items[l];
    return NULL;
}

/* By what all methods of a run share, then by how much is kept, then by method. */
static int sort_class(const struct kvl_knob *knob)
{
    if (strcmp(knob->key, "kv_rate") == 0 || strcmp(knob->key, "kv_budget") == 0)
        return 1;
    return knob->scope == KVL_KNOB_METHOD || knob->scope == KVL_KNOB_SETUP ? 2 : 0;
}

static int compare_lines(const void *a, const void *b)
{
    const struct kvl_line *x = a, *y = b;
    const struct kvl_knob *knob;
    int order = 0;
    for (int class = 0; class < 3; class++)
        for (int i = 0; order == 0 && (knob = kvl_knob_at(i)) != NULL; i++)
            if ((knob->scope & x->scopes) != 0 && sort_class(knob) == class)
                order = kvl_row_compare(x->first, y->first, knob);
    return order;
}

static enum kvl_status sort_in(struct kvl_lines *lines, const struct kvl_rows *rows, int kind)
{
    for (int r = 0; r < rows->n; r++) {
        const json_t *record = record_of(&rows->rows[r], kind);
        double context = kvl_record_number(record, "context");
        if (record != NULL && context_place(lines, context) < 0)
            lines->contexts[lines->n_contexts++] = context;
    }
    qsort(lines->contexts, (size_t)lines->n_contexts, sizeof *lines->contexts, compare_contexts);
    for (int r = 0; r < rows->n; r++) {
        const struct kvl_row *row = &rows->rows[r];
        if (record_of(row, kind) == NULL)
            continue;
        if (find_line(lines, row) == NULL)
            KVL_TRY(push(lines, row, kind));
        const struct kvl_row **place =
            &find_line(lines, row)->rows[context_place(lines, kvl_record_number(record_of(row, kind), "context"))];
        *place = *place != NULL ? *place : row;
    }
    qsort(lines->items, (size_t)lines->n, sizeof *lines->items, compare_lines);
    return KVL_OK;
}

enum kvl_status kvl_lines_init(struct kvl_lines *lines, const struct kvl_rows *rows, int kind)
{
    enum kvl_status status = allocate(lines, rows);
    lines->scopes = KVL_KNOB_METHOD | KVL_KNOB_SHARED | kind | (kind == KVL_KNOB_EVAL ? KVL_KNOB_SETUP : 0);
    if (status == KVL_OK)
        status = sort_in(lines, rows, kind);
    if (status != KVL_OK)
        kvl_lines_free(lines);
    return status;
}

enum kvl_status kvl_lines_init_flat(struct kvl_lines *lines, const struct kvl_rows *rows)
{
    enum kvl_status status = allocate(lines, rows);
    lines->scopes = ~0;
    lines->n_contexts = 1;
    for (int r = 0; r < rows->n && status == KVL_OK; r++) {
        status = push(lines, &rows->rows[r], KVL_KNOB_EVAL | KVL_KNOB_BENCH);
        if (status == KVL_OK)
            lines->items[r].rows[0] = &rows->rows[r];
    }
    if (status != KVL_OK)
        kvl_lines_free(lines);
    return status;
}

void kvl_lines_free(struct kvl_lines *lines)
{
    for (int l = 0; l < lines->n; l++) {
        free(lines->items[l].rows);
        free(lines->items[l].rivals);
    }
    free(lines->items);
    free(lines->contexts);
    *lines = (struct kvl_lines){0};
}
