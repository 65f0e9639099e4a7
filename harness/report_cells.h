/* The cells of a report: the kinds of columns there are, and what writes a cell of each. */
#ifndef KVL_REPORT_CELLS_H
#define KVL_REPORT_CELLS_H

#include "harness/report_lines.h"
#include "harness/report_scores.h"
#include "harness/table.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { KVL_CELL = 128 };

/* What a report is made from. CSV is for programs: numbers to six digits, errors and counts in columns of their own. */
struct kvl_report_source {
    struct kvl_rows rows;
    struct kvl_scored_tasks tasks;
    enum kvl_table_format format;
    /* What the notes have to explain; set while cells are written. */
    bool has_ratios, has_ideals, has_marks, has_differences, has_shares, has_fidelity;
    bool crossed_runs; /* a ratio to a reference of another run is marked with a star */
};

struct kvl_column;
typedef void (*kvl_cell_write)(struct kvl_report_source *source, const struct kvl_line *line, const struct kvl_column *column,
                               char *text);

/* A column: its titles and what writes a cell; an empty cell says that there is no value. */
struct kvl_column {
    char head[KVL_CELL], title[KVL_CELL]; /* head: over several columns; "" for none */
    kvl_cell_write write;
    int place;                            /* of the context among the line's rows; of the whole line: how many there are */
    int rank;                             /* 1: the largest number is best, -1: the smallest; 0: nothing is marked */
    const struct kvl_knob *knob;
    const struct kvl_report_time *time;
    const struct kvl_report_number *number;
    struct kvl_scored scored;             /* of the whole line: the family, -1 for all */
};

/* One measured time: a column of its own, one of its ratio to the reference, and one of the ratio that the physical limits would
 * give, where there is a bound (else NULL). */
struct kvl_report_time {
    const char *title, *ratio_title, *key, *ideal_title, *bound_key;
    int decimals; /* of milliseconds */
};

/* The i-th, NULL past the end. */
const struct kvl_report_time *kvl_report_time_at(int i);

/* A number of a fidelity record and its standard error. */
struct kvl_report_number {
    const char *title, *csv_title, *key, *error_key;
    double scale;
    int decimals, rank;
};

const struct kvl_report_number *kvl_report_number_at(int i);

bool kvl_report_is_csv(const struct kvl_report_source *source);

/* Writers. Of a knob; of a score (column->scored) with its error, of the error and the samples alone, of a task's second score;
 * of the difference to the reference with its interval, and of its three numbers alone; of a fidelity number with its
 * error, and of the error alone. */
void kvl_cell_knob(struct kvl_report_source *source, const struct kvl_line *line, const struct kvl_column *column, char *text);
void kvl_cell_score(struct kvl_report_source *source, const struct kvl_line *line, const struct kvl_column *column, char *text);
void kvl_cell_error(struct kvl_report_source *source, const struct kvl_line *line, const struct kvl_column *column, char *text);
void kvl_cell_samples(struct kvl_report_source *source, const struct kvl_line *line, const struct kvl_column *column, char *text);
void kvl_cell_second(struct kvl_report_source *source, const struct kvl_line *line, const struct kvl_column *column, char *text);
void kvl_cell_difference(struct kvl_report_source *source, const struct kvl_line *line, const struct kvl_column *column,
                         char *text);
void kvl_cell_difference_mean(struct kvl_report_source *source, const struct kvl_line *line, const struct kvl_column *column,
                              char *text);
void kvl_cell_difference_low(struct kvl_report_source *source, const struct kvl_line *line, const struct kvl_column *column,
                             char *text);
void kvl_cell_difference_high(struct kvl_report_source *source, const struct kvl_line *line, const struct kvl_column *column,
                              char *text);
void kvl_cell_fidelity(struct kvl_report_source *source, const struct kvl_line *line, const struct kvl_column *column, char *text);
void kvl_cell_fidelity_error(struct kvl_report_source *source, const struct kvl_line *line, const struct kvl_column *column,
                             char *text);

/* Of a time, of its ratio to the reference, and of the ratio of their bounds; of the cache in MB and the peak of memory in MB. */
void kvl_cell_time(struct kvl_report_source *source, const struct kvl_line *line, const struct kvl_column *column, char *text);
void kvl_cell_ratio(struct kvl_report_source *source, const struct kvl_line *line, const struct kvl_column *column, char *text);
void kvl_cell_ideal(struct kvl_report_source *source, const struct kvl_line *line, const struct kvl_column *column, char *text);
void kvl_cell_kv_bytes(struct kvl_report_source *source, const struct kvl_line *line, const struct kvl_column *column, char *text);
void kvl_cell_peak_bytes(struct kvl_report_source *source, const struct kvl_line *line, const struct kvl_column *column,
                         char *text);

/* Of the whole line, all its contexts and tasks: token-layers of the prefill and bytes of the cache against full, in percent
 * ("25.0-50.0" where they differ by more than one); samples per task. */
void kvl_cell_prefill_share(struct kvl_report_source *source, const struct kvl_line *line, const struct kvl_column *column,
                            char *text);
void kvl_cell_kv_share(struct kvl_report_source *source, const struct kvl_line *line, const struct kvl_column *column, char *text);
void kvl_cell_n(struct kvl_report_source *source, const struct kvl_line *line, const struct kvl_column *column, char *text);

#ifdef __cplusplus
}
#endif
#endif
