#include "harness/report_cells.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json_file.h"
#include "harness/statistics.h"

static const struct kvl_report_time times[] = {
    {"prefill ms", "prefill speedup", "prefill_median_ns", "prefill ideal", "prefill_bound_ns", 1},
    {"decode ms/token", "decode speedup", "decode_token_median_ns", "decode ideal", "decode_token_bound_ns", 2},
    {"e2e ms", "e2e speedup", "e2e_median_ns", NULL, NULL, 1},
};

static const struct kvl_report_number numbers[] = {
    {"KL", "kl_mean", "kl_mean", "kl_stderr", 1, 4, -1},
    {"ΔNLL", "nll_difference_mean", "nll_difference_mean", "nll_difference_stderr", 1, 4, -1},
    {"top-1 %", "top1_agreement", "score", "score_stderr", 100, 1, 1}, /* the family's metric, so its score */
};

enum { N_TIMES = sizeof times / sizeof *times, N_NUMBERS = sizeof numbers / sizeof *numbers };

const struct kvl_report_time *kvl_report_time_at(int i)
{
    return i >= 0 && i < (int)N_TIMES ? &times[i] : NULL;
}

const struct kvl_report_number *kvl_report_number_at(int i)
{
    return i >= 0 && i < (int)N_NUMBERS ? &numbers[i] : NULL;
}

bool kvl_report_is_csv(const struct kvl_report_source *source)
{
    return source->format == KVL_TABLE_CSV;
}

static void write_number(const struct kvl_report_source *source, double value, int decimals, const char *unit, char *text)
{
    if (isnan(value))
        return;
    if (kvl_report_is_csv(source))
        snprintf(text, KVL_CELL, "%.6g", value);
    else
        snprintf(text, KVL_CELL, "%.*f%s", decimals, value, unit);
}

void kvl_cell_knob(struct kvl_report_source *source, const struct kvl_line *line, const struct kvl_column *column, char *text)
{
    const json_t *value = kvl_row_value(line->first, column->knob);
    if (!kvl_report_is_csv(source) && column->knob->scope == KVL_KNOB_CONTEXT && json_is_number(value))
        kvl_context_format(json_number_value(value), text, KVL_CELL);
    else
        kvl_rows_format(&source->rows, line->first, column->knob, text, KVL_CELL);
}

/* ---- scores ----------------------------------------------------------------------------------------------------------- */

static const struct kvl_row *row_of(const struct kvl_line *line, const struct kvl_column *column)
{
    const struct kvl_row *row = line->rows[column->place];
    return row != NULL && row->eval != NULL ? row : NULL;
}

/* The record of a column that shows one task; NULL for means and where there is none. */
static const json_t *scored(const struct kvl_report_source *source, const struct kvl_line *line,
                            const struct kvl_column *column)
{
    const struct kvl_row *row = row_of(line, column);
    if (row == NULL || column->scored.average != KVL_OF_TASK)
        return NULL;
    return kvl_row_scored(&source->rows, row, &source->tasks.items[column->scored.task]);
}

static struct kvl_score score_of(const struct kvl_report_source *source, const struct kvl_line *line,
                                 const struct kvl_column *column)
{
    const struct kvl_row *row = row_of(line, column);
    if (row == NULL)
        return (struct kvl_score){NAN, NAN};
    return kvl_row_score(&source->rows, row, &source->tasks, &column->scored);
}

static void write_score(const struct kvl_report_source *source, struct kvl_score score, char *text)
{
    write_number(source, 100 * score.mean, 1, "", text);
    size_t n = strlen(text);
    if (!kvl_report_is_csv(source) && n > 0 && !isnan(score.error))
        snprintf(text + n, KVL_CELL - n, " ± %.1f", 100 * score.error);
}

void kvl_cell_score(struct kvl_report_source *source, const struct kvl_line *line, const struct kvl_column *column, char *text)
{
    const json_t *record = scored(source, line, column);
    if (record != NULL && !kvl_record_is_ok(record))
        snprintf(text, KVL_CELL, "%s", kvl_record_text(record, "status"));
    else
        write_score(source, score_of(source, line, column), text);
}

void kvl_cell_error(struct kvl_report_source *source, const struct kvl_line *line, const struct kvl_column *column, char *text)
{
    write_number(source, 100 * score_of(source, line, column).error, 1, "", text);
}

void kvl_cell_samples(struct kvl_report_source *source, const struct kvl_line *line, const struct kvl_column *column, char *text)
{
    const json_t *record = scored(source, line, column);
    if (kvl_record_is_ok(record))
        write_number(source, kvl_record_number(record, "n_scored"), 0, "", text);
}

/* Its error comes from its samples. */
void kvl_cell_second(struct kvl_report_source *source, const struct kvl_line *line, const struct kvl_column *column, char *text)
{
    const json_t *record = scored(source, line, column);
    if (!kvl_record_is_ok(record))
        return;
    const json_t *samples = json_object_get(record, "second_scores");
    size_t n = json_array_size(samples);
    double *values = malloc((n + 1) * sizeof *values);
    for (size_t i = 0; i < n && values != NULL; i++)
        values[i] = json_is_number(json_array_get(samples, i)) ? json_number_value(json_array_get(samples, i)) : NAN;
    double error = values != NULL ? kvl_standard_error(values, (int64_t)n) : NAN;
    free(values);
    write_score(source, (struct kvl_score){kvl_record_number(record, "second_score"), error}, text);
}

/* ---- differences ------------------------------------------------------------------------------------------------------ */

static struct kvl_difference difference_of(struct kvl_report_source *source, const struct kvl_line *line,
                                           const struct kvl_column *column)
{
    const struct kvl_row *row = row_of(line, column);
    struct kvl_difference difference = {.mean = NAN, .low = NAN, .high = NAN};
    if (row != NULL)
        difference = kvl_row_difference(&source->rows, row, &source->tasks, &column->scored);
    source->has_differences |= !isnan(difference.mean);
    return difference;
}

/* Without the minus of what rounds to 0.0. */
static double tenths(double percent)
{
    return fabs(percent) < 0.05 ? 0 : percent;
}

/* An interval of width 0, where all samples score the same, would pretend to know; it is left out. */
void kvl_cell_difference(struct kvl_report_source *source, const struct kvl_line *line, const struct kvl_column *column,
                         char *text)
{
    struct kvl_difference difference = difference_of(source, line, column);
    if (isnan(difference.mean))
        return;
    int n = snprintf(text, KVL_CELL, "%+.1f", tenths(100 * difference.mean));
    if (difference.high > difference.low)
        snprintf(text + n, (size_t)(KVL_CELL - n), " [%.1f, %.1f]", tenths(100 * difference.low), tenths(100 * difference.high));
}

void kvl_cell_difference_mean(struct kvl_report_source *source, const struct kvl_line *line, const struct kvl_column *column,
                              char *text)
{
    write_number(source, 100 * difference_of(source, line, column).mean, 1, "", text);
}

void kvl_cell_difference_low(struct kvl_report_source *source, const struct kvl_line *line, const struct kvl_column *column,
                             char *text)
{
    write_number(source, 100 * difference_of(source, line, column).low, 1, "", text);
}

void kvl_cell_difference_high(struct kvl_report_source *source, const struct kvl_line *line, const struct kvl_column *column,
                              char *text)
{
    write_number(source, 100 * difference_of(source, line, column).high, 1, "", text);
}

void kvl_cell_fidelity(struct kvl_report_source *source, const struct kvl_line *line, const struct kvl_column *column, char *text)
{
    const json_t *record = scored(source, line, column);
    const struct kvl_report_number *number = column->number;
    source->has_fidelity |= record != NULL;
    if (record != NULL && !kvl_record_is_ok(record)) {
        snprintf(text, KVL_CELL, "%s", kvl_record_text(record, "status"));
        return;
    }
    double error = record != NULL ? kvl_record_number(record, number->error_key) : NAN;
    write_number(source, record != NULL ? number->scale * kvl_record_number(record, number->key) : NAN, number->decimals, "", text);
    size_t n = strlen(text);
    if (!kvl_report_is_csv(source) && n > 0 && !isnan(error))
        snprintf(text + n, KVL_CELL - n, " ± %.*f", number->decimals, number->scale * error);
}

void kvl_cell_fidelity_error(struct kvl_report_source *source, const struct kvl_line *line, const struct kvl_column *column,
                             char *text)
{
    const json_t *record = scored(source, line, column);
    if (kvl_record_is_ok(record))
        write_number(source, column->number->scale * kvl_record_number(record, column->number->error_key), 0, "", text);
}

/* ---- times and memory ------------------------------------------------------------------------------------------------- */

static const json_t *measured(const struct kvl_report_source *source, const struct kvl_line *line,
                              const struct kvl_column *column)
{
    const struct kvl_row *row = line->rows[column->place];
    return row != NULL ? kvl_row_measured(&source->rows, row, column->time->key) : NULL;
}

void kvl_cell_time(struct kvl_report_source *source, const struct kvl_line *line, const struct kvl_column *column, char *text)
{
    const json_t *record = measured(source, line, column);
    if (record != NULL && !kvl_record_is_ok(record))
        snprintf(text, KVL_CELL, "%s", kvl_record_text(record, "status"));
    else if (record != NULL)
        write_number(source, kvl_record_number(record, column->time->key) / 1e6, column->time->decimals, "", text);
}

/* The reference's number of a key over this line's; NAN where one of them is missing. The times decide which record stands for a
 * line. */
static double ratio_to_reference(struct kvl_report_source *source, const struct kvl_line *line, const struct kvl_column *column,
                                 const char *key, bool *crossed)
{
    const json_t *record = measured(source, line, column);
    const json_t *reference = kvl_record_is_ok(record) ? kvl_rows_reference(&source->rows, line->rows[column->place], record,
                                                                            column->time->key)
                                                       : NULL;
    if (reference == NULL)
        return NAN;
    *crossed = !kvl_record_same(json_object_get(record, "run_id"), json_object_get(reference, "run_id"));
    return kvl_record_number(reference, key) / kvl_record_number(record, key);
}

void kvl_cell_ratio(struct kvl_report_source *source, const struct kvl_line *line, const struct kvl_column *column, char *text)
{
    bool crossed;
    double ratio = ratio_to_reference(source, line, column, column->time->key, &crossed);
    if (!isfinite(ratio))
        return;
    source->crossed_runs |= crossed;
    source->has_ratios = true;
    write_number(source, ratio, 2, crossed ? "x*" : "x", text);
}

/* Of two bounds of one run only: the machine's measured limits differ from run to run. */
void kvl_cell_ideal(struct kvl_report_source *source, const struct kvl_line *line, const struct kvl_column *column, char *text)
{
    bool crossed;
    double ratio = ratio_to_reference(source, line, column, column->time->bound_key, &crossed);
    if (!isfinite(ratio) || crossed)
        return;
    source->has_ideals = true;
    write_number(source, ratio, 2, "x", text);
}

/* The row's newest record that got so far as to have a number, bench before eval; n_kinds 1: bench alone. */
static const json_t *record_with(const struct kvl_report_source *source, const struct kvl_row *row, const char *key, int n_kinds)
{
    const int groups[] = {row->bench_group, row->eval_group};
    const json_t *record;
    for (int g = 0; g < n_kinds; g++)
        for (int i = 0; (record = kvl_rows_next(&source->rows, groups[g], &i)) != NULL;)
            if (kvl_record_is_ok(record) && !isnan(kvl_record_number(record, key)))
                return record;
    return NULL;
}

static void write_megabytes(const struct kvl_report_source *source, const struct kvl_line *line,
                            const struct kvl_column *column, const char *key, int n_kinds, int decimals, char *text)
{
    const struct kvl_row *row = line->rows[column->place];
    const json_t *record = row != NULL ? record_with(source, row, key, n_kinds) : NULL;
    if (record != NULL)
        write_number(source, kvl_record_number(record, key) / 1e6, decimals, "", text);
}

void kvl_cell_kv_bytes(struct kvl_report_source *source, const struct kvl_line *line, const struct kvl_column *column, char *text)
{
    write_megabytes(source, line, column, "kv_bytes", 2, 2, text);
}

/* The peak of bench alone: eval runs several methods together, and what ran before them counts. */
void kvl_cell_peak_bytes(struct kvl_report_source *source, const struct kvl_line *line, const struct kvl_column *column,
                         char *text)
{
    write_megabytes(source, line, column, "peak_bytes", 1, 0, text);
}

/* ---- of the whole line ------------------------------------------------------------------------------------------------ */

/* Least and largest share in percent, and their mean, over records of either kind; each task and context counts the same. */
struct shares {
    double least, most, sum;
    int n;
};

/* Whether the record is of a task of the column's family; those of bench are of all. */
static bool in_family(const struct kvl_report_source *source, const struct kvl_column *column, const json_t *record)
{
    const char *task = kvl_record_text(record, "task");
    if (column->scored.family < 0 || task == NULL)
        return true;
    const struct kvl_scored_family *family = &source->tasks.families[column->scored.family];
    return (int)strcspn(task, "/") == family->n && strncmp(task, family->name, (size_t)family->n) == 0;
}

static void add_shares(const struct kvl_report_source *source, const struct kvl_column *column, int group, const char *key,
                       const char *full_key, struct shares *shares)
{
    const json_t *record;
    for (int i = 0; (record = kvl_rows_next(&source->rows, group, &i)) != NULL;) {
        double share = 100 * kvl_record_number(record, key) / kvl_record_number(record, full_key);
        if (!kvl_record_is_ok(record) || !isfinite(share) || !in_family(source, column, record))
            continue;
        shares->least = shares->n == 0 ? share : fmin(shares->least, share);
        shares->most = shares->n == 0 ? share : fmax(shares->most, share);
        shares->sum += share;
        shares->n++;
    }
}

/* Lines of scores are about the eval records, where there are any. */
static struct shares shares_of(const struct kvl_report_source *source, const struct kvl_line *line,
                               const struct kvl_column *column, const char *key, const char *full_key)
{
    struct shares shares = {0};
    for (int kind = 0; kind < 2 && shares.n == 0; kind++)
        for (int c = 0; c < column->place; c++)
            if (line->rows[c] != NULL)
                add_shares(source, column, kind == 0 ? line->rows[c]->eval_group : line->rows[c]->bench_group, key, full_key,
                           &shares);
    return shares;
}

static void write_share(struct kvl_report_source *source, const struct kvl_line *line, const struct kvl_column *column,
                        const char *key, const char *full_key, char *text)
{
    struct shares shares = shares_of(source, line, column, key, full_key);
    if (shares.n == 0)
        return;
    if (shares.most - shares.least > 1 && !kvl_report_is_csv(source))
        snprintf(text, KVL_CELL, "%.1f-%.1f", shares.least, shares.most);
    else
        write_number(source, shares.sum / shares.n, 1, "", text);
    source->has_shares = true;
}

void kvl_cell_prefill_share(struct kvl_report_source *source, const struct kvl_line *line, const struct kvl_column *column,
                            char *text)
{
    write_share(source, line, column, "token_layers", "token_layers_full", text);
}

void kvl_cell_kv_share(struct kvl_report_source *source, const struct kvl_line *line, const struct kvl_column *column, char *text)
{
    write_share(source, line, column, "kv_bytes", "kv_bytes_full", text);
}

void kvl_cell_n(struct kvl_report_source *source, const struct kvl_line *line, const struct kvl_column *column, char *text)
{
    double least = INFINITY, most = 0;
    const json_t *record;
    for (int c = 0; c < column->place; c++)
        for (int i = 0; line->rows[c] != NULL
                        && (record = kvl_rows_next(&source->rows, line->rows[c]->eval_group, &i)) != NULL;) {
            double n = kvl_record_is_ok(record) && in_family(source, column, record) ? kvl_record_number(record, "n_scored") : NAN;
            least = fmin(least, n);
            most = fmax(most, n);
        }
    if (most > 0)
        snprintf(text, KVL_CELL, least < most ? "%.0f-%.0f" : "%.0f", least, most);
}
