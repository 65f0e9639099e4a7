/* A comparison for programs: one object
 *   base, new: {name, commit, time_utc, n_records} (of the newest record)
 *   threshold_score, threshold_nats, threshold_latency, threshold_memory, alpha, n_tests, median_time_ratio
 *   regression, missing, unclear, improvement, new_rows, unchanged: counts
 *   rows: of each row {verdict, measure, what, knobs (object: the fields of config_key that name it), base, new (mean score of
 *   the common samples, median ns, bytes), change (difference of scores and nats, else ratio), low, high, p, p_adjusted,
 *   n_base, n_new, base_status, new_status, too_few, disturbed}; null where there is none. */
#include <math.h>
#include <stdlib.h>

#include "core/json_file.h"
#include "harness/compare.h"
#include "harness/json_text.h"
#include "harness/record.h"

static json_t *field_or_null(const json_t *record, const char *field)
{
    json_t *value = record != NULL ? json_object_get(record, field) : NULL;
    return value != NULL ? json_incref(value) : json_null();
}

static json_t *side_json(const char *name, const struct kvl_record_set *set)
{
    return json_pack("{s:s, s:o, s:o, s:i}", "name", name, "commit", field_or_null(set->records[0], "kvlab_commit"), "time_utc",
                     field_or_null(set->records[0], "time_utc"), "n_records", set->n);
}

static json_t *knobs_json(const json_t *record)
{
    json_t *knobs = json_object();
    const char *field;
    for (int i = 0; (field = kvl_record_key_field(i)) != NULL; i++)
        if (kvl_compare_names(record, field) && json_object_get(record, field) != NULL)
            json_object_set_new(knobs, field, field_or_null(record, field));
    return knobs;
}

static json_t *row_json(const struct kvl_compare_row *row, const char *label)
{
    const struct kvl_estimate *e = &row->change;
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:o, s:o, s:b, s:b}", "verdict",
                     kvl_outcome_name(row->outcome), "measure", row->measure->name, "what", label, "knobs",
                     knobs_json(row->next != NULL ? row->next : row->base), "base", kvl_json_real_or_null(row->base_value), "new",
                     kvl_json_real_or_null(row->next_value), "change", kvl_json_real_or_null(e->value), "low",
                     kvl_json_real_or_null(e->low), "high", kvl_json_real_or_null(e->high), "p", kvl_json_real_or_null(e->p),
                     "p_adjusted", kvl_json_real_or_null(row->p_adjusted), "n_base", (json_int_t)row->n_base, "n_new", (json_int_t)row->n_next, "base_status",
                     field_or_null(row->base, "status"), "new_status", field_or_null(row->next, "status"),
                     "too_few", row->too_few, "disturbed", row->disturbed);
}

static json_t *comparison_json(const struct kvl_comparison *comparison, const struct kvl_compare_sides *sides,
                               char *const *labels)
{
    const struct kvl_compare_limits *limits = &comparison->limits;
    json_t *rows = json_array();
    for (int i = 0; i < comparison->n; i++)
        json_array_append_new(rows, row_json(&comparison->rows[i], labels[i]));
    json_t *object = json_pack(
        "{s:o, s:o, s:f, s:f, s:f, s:f, s:f, s:i, s:o}", "base", side_json(sides->base_name, sides->base), "new",
        side_json(sides->next_name, sides->next), "threshold_score", limits->score, "threshold_nats",
        limits->nats, "threshold_latency", limits->latency, "threshold_memory", limits->memory, "alpha",
        limits->alpha, "n_tests", comparison->n_tests, "median_time_ratio", kvl_json_real_or_null(comparison->time_ratio));
    for (int v = 0; v < KVL_N_OUTCOMES; v++) /* "new" is the side */
        json_object_set_new(object, v == KVL_OUTCOME_NEW ? "new_rows" : kvl_outcome_name((enum kvl_outcome)v),
                            json_integer(comparison->counts[v]));
    json_object_set_new(object, "rows", rows);
    return object;
}

enum kvl_status kvl_compare_print_json(const struct kvl_comparison *comparison, const struct kvl_compare_sides *sides,
                                       FILE *stream)
{
    char **labels = kvl_compare_labels(comparison);
    json_t *object = labels != NULL ? comparison_json(comparison, sides, labels) : NULL;
    char *text = object != NULL ? kvl_json_line(object) : NULL;
    kvl_compare_labels_free(labels, comparison->n);
    json_decref(object);
    if (text == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for %d rows as JSON", comparison->n);
    bool written = fputs(text, stream) != EOF && putc('\n', stream) != EOF;
    free(text);
    return written ? KVL_OK : kvl_fail(KVL_E_IO, "the comparison cannot be written");
}
