/* What makes the times of a run doubtful, gathered over its records and said in a line each with the remedy. */
#ifndef KVL_BENCH_WARNINGS_H
#define KVL_BENCH_WARNINGS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "kernels/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum kvl_doubt {
    KVL_DOUBT_WIDE,     /* the 95 % interval of a median reaches further than 5 % to either side */
    KVL_DOUBT_OUTLIERS, /* two samples and a tenth of them or more (kvl_count_outliers), p05 to p95 above 5 % of the median */
    KVL_DOUBT_SLOWER,   /* samples rise with time (kvl_trend_p < 0.01), by more than 5 % from the first half to the second */
    KVL_DOUBT_FASTER,   /* they fall by as much */
    KVL_DOUBT_CLOCK,    /* the clock at the end is more than 5 % below that at the start */
    KVL_DOUBT_LOAD,     /* others kept more than 0.2 CPUs and a twentieth of the machine's busy */
    KVL_N_DOUBTS
};

/* {0} is empty. */
struct kvl_bench_warnings {
    int n_records, n_series; /* looked at; a series is one phase of a record */
    struct {
        int n;               /* series or records that are doubtful */
        double worst;
        char what[160];      /* the worst one */
    } doubts[KVL_N_DOUBTS];
};

/* Looks at a bench or kernel record with status ok. */
enum kvl_status kvl_bench_warnings_add(struct kvl_bench_warnings *warnings, const json_t *record);

/* Whether a bench record's times were taken on a machine that had other work to do or lowered its clock (the last two doubts):
 * then they say little about kvlab. False where the record does not say. */
bool kvl_bench_is_disturbed(const json_t *record);

/* A line for each doubt that there is. */
void kvl_bench_warnings_print(const struct kvl_bench_warnings *warnings, FILE *stream);

#ifdef __cplusplus
}
#endif
#endif
