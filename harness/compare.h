/* Two sets of records, before and after a change: what became worse, what better, what cannot be told.
 *
 * A row is one measure of one configuration: the score of an eval record, a phase or the memory of a bench record, the time of an
 * operation. Rows of both sides meet where all that was chosen is equal: the fields of config_key, less those that may differ
 * between two runs of one thing (number of samples, phases; of scores also backend, isa and threads).
 *   scores   mean difference over the samples that both have, paired by index: kvl_paired_difference; likewise
 *            divergence and likelihood of fidelity tasks, of which less is better
 *   times    ratio of medians: kvl_median_ratio. Equal runs differ by more than their samples scatter, for memory lies elsewhere and
 *            clocks move; so half the threshold is taken as its tolerance, and times from a busy machine are not judged
 *   memory   ratio of peak bytes; measured without noise, so that the threshold alone decides
 * A change counts if it is beyond its threshold, its confidence interval excludes "no change", and its p-value, adjusted over
 * all tests of the comparison (kvl_adjust_p), is at most alpha. The adjustment leaves out tests that could not have come out
 * significant whatever happened (Tarone 1990; for false discovery rates Gilbert 2005): equal scores, two samples a side. */
#ifndef KVL_COMPARE_H
#define KVL_COMPARE_H

#include "harness/record_set.h"
#include "harness/significance.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kvl_compare_limits {
    double score;   /* mean difference, 0.02: two points of a hundred */
    double nats;    /* mean difference, 0.01 */
    double latency; /* 0.05: a ratio above 1.05 or below 1 / 1.05 */
    double memory;  /* as latency */
    double alpha;   /* expected share of false ones among reported changes; 1 - alpha is the level of the intervals */
    bool force;     /* compare what was measured under different conditions, judge what was measured on a busy machine */
};

enum kvl_measure_unit { KVL_MEASURE_SCORE, KVL_MEASURE_NATS, KVL_MEASURE_TIME, KVL_MEASURE_MEMORY };

struct kvl_measure {
    const char *kind, *name; /* of the record; "score" ..., a phase as records name it, "memory", or "kernel" */
    const char *field;       /* samples; a single number for memory */
    enum kvl_measure_unit unit;
};

enum kvl_outcome {
    KVL_OUTCOME_REGRESSION,
    KVL_OUTCOME_MISSING,     /* in BASE alone */
    KVL_OUTCOME_UNCLEAR,     /* worse by more than the threshold, but it may be chance */
    KVL_OUTCOME_IMPROVEMENT,
    KVL_OUTCOME_NEW,         /* in NEW alone */
    KVL_OUTCOME_UNCHANGED,
    KVL_N_OUTCOMES
};

const char *kvl_outcome_name(enum kvl_outcome outcome);

struct kvl_compare_row {
    const struct kvl_measure *measure;
    const json_t *base, *next;    /* records; NULL where a side has none */
    enum kvl_outcome outcome;
    double base_value, next_value; /* mean score over the common samples, median ns, bytes; NaN where a run failed */
    struct kvl_estimate change;   /* difference of scores, else ratio; p is NaN where nothing is tested */
    double p_adjusted;            /* NaN where the test was left out */
    int64_t n_base, n_next;       /* samples */
    bool too_few;                 /* no change could be told from chance with these samples */
    bool disturbed;               /* times taken while the machine did other work (kvl_bench_is_disturbed): UNCLEAR at worst */
};

struct kvl_comparison {
    struct kvl_compare_limits limits;
    struct kvl_compare_row *rows; /* [n] in the order of BASE, then new ones; records are borrowed from the sets */
    int n;
    int counts[KVL_N_OUTCOMES];
    int n_tests;                  /* p-values that were adjusted together */
    int n_too_few, n_disturbed;
    int n_uneven;                 /* scores with different numbers of samples on both sides */
    int n_bare;                   /* finished records without raw samples, left out */
    int n_older;                  /* rows that a newer one of the same side stands in for */
    double time_ratio;            /* median of the times' ratios; NaN without any */
};

/* Both sets are needed as long as the comparison. KVL_E_ARG names the first pair of rows that were measured under different
 * conditions (another machine, model file, type ...), unless limits->force. */
enum kvl_status kvl_compare(struct kvl_comparison *out, const struct kvl_record_set *base, const struct kvl_record_set *next,
                            const struct kvl_compare_limits *limits);
void kvl_comparison_free(struct kvl_comparison *comparison);

/* ---- parts of it ------------------------------------------------------------------------------------------------------ */

/* Makes the rows: harness/compare_rows.c. */
enum kvl_status kvl_compare_join(struct kvl_comparison *out, const struct kvl_record_set *base,
                                 const struct kvl_record_set *next);

/* Whether a field of config_key is part of a row's name. */
bool kvl_compare_names(const json_t *record, const char *field);

/* "snapkv r=0.2 1k needle/multi_key seed=1" for every row: the method with those of its knobs that are always of interest, and
 * those that differ between rows. malloc'd array of malloc'd texts; NULL where there is no memory. */
char **kvl_compare_labels(const struct kvl_comparison *comparison);
void kvl_compare_labels_free(char **labels, int n);

/* ---- output ------------------------------------------------------------------------------------------------------------ */

/* The two sides as they were named. */
struct kvl_compare_sides {
    const char *base_name, *next_name;
    const struct kvl_record_set *base, *next;
};

/* A table of the rows that changed, and a line that counts. */
enum kvl_status kvl_compare_print(const struct kvl_comparison *comparison, const struct kvl_compare_sides *sides, FILE *stream);

/* One object with every row; harness/compare_json.c says which fields. */
enum kvl_status kvl_compare_print_json(const struct kvl_comparison *comparison, const struct kvl_compare_sides *sides,
                                       FILE *stream);

#ifdef __cplusplus
}
#endif
#endif
