/* Analyses: the table of them and what they share. A new one is a row here and in harness/command_analyze.c. */
#ifndef KVL_ANALYSIS_H
#define KVL_ANALYSIS_H

#include <stdio.h>

#include "harness/progress.h"
#include "harness/prompt_source.h"
#include "harness/sink.h"
#include "harness/workbench.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { KVL_DEFAULT_WINDOW = 8 }; /* FastKV's */

struct kvl_analysis_run {
    const struct kvl_workbench *bench;
    const struct kvl_grid *grid;              /* the full cache alone, or every method at every layer */
    const struct kvl_prompt_source *sources;  /* [n_sources]: every task, or the texts, at every context */
    int n_sources;
    struct kvl_sink *sink;
    struct kvl_progress *progress;
};

struct kvl_analysis {
    const char *name;
    bool cuts;    /* compares methods that cut at a layer with the full cache; else it observes the full cache */
    bool bounded; /* cuts: looks at the layers up to --bound; else at those of --layer */

    /* Measures everything that the sink does not hold yet and puts a record for each. */
    enum kvl_status (*run)(const struct kvl_analysis_run *run);

    /* The table for people, of all records of this analysis (an array). */
    enum kvl_status (*print)(const json_t *records, FILE *stream);
};

extern const struct kvl_analysis kvl_analysis_overlap, kvl_analysis_recall, kvl_analysis_distance, kvl_analysis_tsp_layer;

/* Place of the parameter that says at which layer a method cuts (kvl_param.cuts); -1: it has none. */
int kvl_cut_param(const struct kvl_method *method);

/* The bound of the layer search where none is given: L/2 - 1 (0 for a model of one layer). */
int64_t kvl_default_bound(const struct kvl_shape *shape);

/* A record of an analysis with everything but the results and the key. */
enum kvl_status kvl_analysis_record(const struct kvl_analysis_run *run, const char *analysis, const struct kvl_config *config,
                                    const struct kvl_prompt_source *source, json_t **out);

/* Numbers for a record: null where not finite. Measured means are kept to seven digits, raw samples whole. */
json_t *kvl_number_json(double x);
json_t *kvl_mean_json(double x);

/* "needle/multi_key 2048" of a record, for tables; as kvl_prompt_source_label. */
void kvl_analysis_prompts(const json_t *record, char *label, size_t size);

#ifdef __cplusplus
}
#endif
#endif
