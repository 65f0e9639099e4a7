/* How the rows of a comparison are called: what always matters, and what tells them apart. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json_file.h"
#include "harness/compare.h"
#include "harness/record.h"
#include "harness/report_knobs.h"

static const json_t *record_of(const struct kvl_compare_row *row)
{
    return row->next != NULL ? row->next : row->base;
}

/* Fields that have a place of their own at the front of a label. */
static bool is_placed(const char *field)
{
    static const char *const fields[] = {"kind", "method", "kv_rate", "kv_budget", "context", "task", "params", "operation", "case"};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (strcmp(fields[i], field) == 0)
            return true;
    return false;
}

/* A field of a record, or one of its parameters. */
static const json_t *value_of(const json_t *record, const char *field, const char *param)
{
    return param == NULL ? kvl_json_get(record, field) : kvl_json_get(json_object_get(record, field), param);
}

/* Whether rows differ in it; parameters are compared within a method. */
static bool varies(const struct kvl_comparison *comparison, const json_t *record, const char *field, const char *param)
{
    const json_t *own = value_of(record, field, param);
    const json_t *method = json_object_get(record, "method");
    for (int i = 0; i < comparison->n; i++) {
        const json_t *other = record_of(&comparison->rows[i]), *value = value_of(other, field, param);
        bool comparable = param == NULL || kvl_record_same(json_object_get(other, "method"), method);
        if (comparable && value != NULL && !kvl_record_same(own, value))
            return true;
    }
    return false;
}

static void print_if_varies(FILE *label, const struct kvl_comparison *comparison, const json_t *record, const char *field,
                            const char *param)
{
    char text[96];
    const json_t *value = value_of(record, field, param);
    if (value == NULL || !varies(comparison, record, field, param))
        return;
    kvl_knob_format(value, text, sizeof text);
    fprintf(label, " %s=%s", param != NULL ? param : field, text);
}

static void print_label(FILE *label, const struct kvl_comparison *comparison, const json_t *record)
{
    static const struct {
        const char *field, *before;
    } fronts[] = {{"case", ""}, {"kv_rate", "r="}, {"kv_budget", "c="}, {"context", ""}, {"task", ""}};
    char text[96];
    const char *method = kvl_record_text(record, "method");
    fputs(method != NULL ? method : kvl_record_text(record, "operation"), label);
    for (size_t i = 0; i < sizeof fronts / sizeof *fronts; i++) {
        const json_t *value = kvl_json_get(record, fronts[i].field);
        if (value == NULL)
            continue;
        if (strcmp(fronts[i].field, "context") == 0)
            kvl_context_format(json_number_value(value), text, sizeof text);
        else
            kvl_knob_format(value, text, sizeof text);
        fprintf(label, " %s%s", fronts[i].before, text);
    }
    const char *field, *param;
    json_t *ignored;
    json_object_foreach ((json_t *)(uintptr_t)json_object_get(record, "params"), param, ignored)
        print_if_varies(label, comparison, record, "params", param);
    for (int i = 0; (field = kvl_record_key_field(i)) != NULL; i++)
        if (!is_placed(field) && kvl_compare_names(record, field))
            print_if_varies(label, comparison, record, field, NULL);
    print_if_varies(label, comparison, record, "model", NULL);
}

static char *make_label(const struct kvl_comparison *comparison, const struct kvl_compare_row *row)
{
    char *text = NULL;
    size_t n;
    FILE *label = open_memstream(&text, &n);
    if (label == NULL)
        return NULL;
    print_label(label, comparison, record_of(row));
    if (fclose(label) == 0)
        return text;
    free(text);
    return NULL;
}

char **kvl_compare_labels(const struct kvl_comparison *comparison)
{
    char **labels = calloc((size_t)comparison->n + 1, sizeof *labels);
    for (int i = 0; labels != NULL && i < comparison->n; i++) {
        labels[i] = make_label(comparison, &comparison->rows[i]);
        if (labels[i] == NULL) {
            kvl_compare_labels_free(labels, i);
            return NULL;
        }
    }
    return labels;
}

void kvl_compare_labels_free(char **labels, int n)
{
    for (int i = 0; labels != NULL && i < n; i++)
        free(labels[i]);
    free(labels);
}
