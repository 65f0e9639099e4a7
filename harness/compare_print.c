/* A comparison for people. */
#include <math.h>

#include "harness/compare.h"
#include "harness/table.h"

enum column { VERDICT, WHAT, MEASURE, BASE, NEXT, CHANGE, INTERVAL, P, SAMPLES, N_COLUMNS };

static const char *const titles[N_COLUMNS] = {"verdict", "what", "measure", "base", "new", "change", "interval", "p", "n"};

/* How the values of a unit are printed. */
static const struct {
    const char *suffix;
    double scale;
    int digits;
} units[] = {[KVL_MEASURE_SCORE] = {"", 100.0, 1},
             [KVL_MEASURE_NATS] = {" nats", 1.0, 4},
             [KVL_MEASURE_TIME] = {" ms", 1e-6, 2}, [KVL_MEASURE_MEMORY] = {" MB", 1e-6, 2}};

static enum kvl_status set_value(struct kvl_table *table, int column, const struct kvl_compare_row *row, const json_t *record,
                                 double value)
{
    if (record == NULL)
        return KVL_OK;
    if (isnan(value)) {
        const char *status = kvl_record_text(record, "status");
        return kvl_table_set(table, column, "%s", status);
    }
    enum kvl_measure_unit unit = row->measure->unit;
    if (unit == KVL_MEASURE_TIME && value < 1e6) /* of a single operation */
        return kvl_table_set(table, column, "%.2f µs", 1e-3 * value);
    return kvl_table_set(table, column, "%.*f%s", units[unit].digits, value * units[unit].scale, units[unit].suffix);
}

/* Differences in the unit of the values, ratios in percent. */
static double change_of(const struct kvl_compare_row *row, double value)
{
    enum kvl_measure_unit unit = row->measure->unit;
    bool is_difference = unit == KVL_MEASURE_SCORE || unit == KVL_MEASURE_NATS;
    return is_difference ? units[unit].scale * value : 100.0 * (value - 1.0);
}

static enum kvl_status set_change(struct kvl_table *table, const struct kvl_compare_row *row)
{
    enum kvl_measure_unit unit = row->measure->unit;
    const char *suffix = unit == KVL_MEASURE_SCORE || unit == KVL_MEASURE_NATS ? units[unit].suffix : " %";
    const int digits = unit == KVL_MEASURE_NATS ? units[unit].digits : 1;
    const struct kvl_estimate *e = &row->change;
    if (isnan(e->value))
        return KVL_OK;
    KVL_TRY(kvl_table_set(table, CHANGE, "%+.*f%s", digits, change_of(row, e->value), suffix));
    if (unit == KVL_MEASURE_MEMORY)
        return KVL_OK;
    if (!isnan(e->low))
        KVL_TRY(kvl_table_set(table, INTERVAL, "%+.*f to %+.*f%s", digits, change_of(row, e->low), digits,
                              change_of(row, e->high), suffix));
    if (row->too_few || row->disturbed)
        KVL_TRY(kvl_table_set(table, P, row->too_few ? "too few" : "busy"));
    else if (!isnan(row->p_adjusted))
        KVL_TRY(kvl_table_set(table, P, "%.2g", row->p_adjusted));
    if (row->n_base == row->n_next)
        return kvl_table_set(table, SAMPLES, "%lld", (long long)row->n_base);
    return kvl_table_set(table, SAMPLES, "%lld, %lld", (long long)row->n_base, (long long)row->n_next);
}

static enum kvl_status add_row(struct kvl_table *table, const struct kvl_compare_row *row, const char *label)
{
    KVL_TRY(kvl_table_add_row(table));
    KVL_TRY(kvl_table_set(table, VERDICT, "%s", kvl_outcome_name(row->outcome)));
    KVL_TRY(kvl_table_set(table, WHAT, "%s", label));
    KVL_TRY(kvl_table_set(table, MEASURE, "%s", row->measure->name));
    KVL_TRY(set_value(table, BASE, row, row->base, row->base_value));
    KVL_TRY(set_value(table, NEXT, row, row->next, row->next_value));
    return set_change(table, row);
}

static enum kvl_status fill(struct kvl_table *table, const struct kvl_comparison *comparison, char *const *labels)
{
    KVL_TRY(kvl_table_add_row(table));
    for (int c = 0; c < N_COLUMNS; c++)
        KVL_TRY(kvl_table_set(table, c, "%s", titles[c]));
    for (int v = 0; v < KVL_OUTCOME_UNCHANGED; v++)
        for (int i = 0; i < comparison->n; i++)
            if (comparison->rows[i].outcome == (enum kvl_outcome)v)
                KVL_TRY(add_row(table, &comparison->rows[i], labels[i]));
    return KVL_OK;
}

/* "BASE old.jsonl: kvlab 0123456789, 2026-01-02T03:04:05Z": of the newest record. */
static void print_side(const char *title, const char *name, const struct kvl_record_set *set, FILE *stream)
{
    const char *commit = kvl_record_text(set->records[0], "kvlab_commit");
    const char *changed = json_is_true(json_object_get(set->records[0], "kvlab_dirty")) ? "+" : "";
    fprintf(stream, "%s  %s: kvlab %.10s%s, %s, %d record%s\n", title, name, commit != NULL ? commit : "?", changed,
            kvl_record_text(set->records[0], "time_utc"), set->n, set->n == 1 ? "" : "s");
}

static void print_counts(const struct kvl_comparison *comparison, FILE *stream)
{
    const struct kvl_compare_limits *limits = &comparison->limits;
    for (int v = 0; v < KVL_N_OUTCOMES; v++)
        fprintf(stream, "%s%d %s", v > 0 ? ", " : "", comparison->counts[v], kvl_outcome_name((enum kvl_outcome)v));
    fprintf(stream, ".\nReported: scores that moved by more than %g points, divergences by %g nats, times by %g %%, memory by "
            "%g %%, beyond chance:\nthe %g %% interval excludes 0, and p, by sign flips or rank sums and adjusted for %d tests, is "
            "at most %g.\n", 100.0 * limits->score, limits->nats, 100.0 * limits->latency, 100.0 * limits->memory,
            100.0 * (1.0 - limits->alpha), comparison->n_tests, limits->alpha);
}

enum kvl_status kvl_compare_print(const struct kvl_comparison *comparison, const struct kvl_compare_sides *sides, FILE *stream)
{
    struct kvl_table table;
    char **labels = kvl_compare_labels(comparison);
    if (labels == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for the names of %d rows", comparison->n);
    enum kvl_status status = kvl_table_init(&table, N_COLUMNS);
    if (status == KVL_OK)
        status = fill(&table, comparison, labels);
    if (status == KVL_OK) {
        print_side("BASE", sides->base_name, sides->base, stream);
        print_side("NEW ", sides->next_name, sides->next, stream);
        putc('\n', stream);
    }
    if (status == KVL_OK && table.n_rows > 1) {
        status = kvl_table_print(&table, KVL_TABLE_TEXT, stream);
        putc('\n', stream);
    }
    if (status == KVL_OK)
        print_counts(comparison, stream);
    kvl_table_free(&table);
    kvl_compare_labels_free(labels, comparison->n);
    return status;
}
