/* Published numbers: the files of results/published, one table of a paper each.
 *
 * A file: {"title", "source", "kind": "eval" or "bench", "family": the tasks' family or null, "columns": [{"measure", "context"
 * (absent: the mean over contexts, or tasks of their own length)}], "rows": [{"model", "method", "kv_rate" (null: the method has
 * none; absent: not said), "kv_budget", "params", "scores"}]}. Scores stand in the order of the columns, null where the paper has
 * none, or as an object by measure. Measures of eval are percent: a task's name behind the family's, task_mean,
 * category_mean; those of bench are listed in harness/report_published.c. */
#ifndef KVL_PUBLISHED_H
#define KVL_PUBLISHED_H

#include <jansson.h>

#include "kernels/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kvl_published_column {
    const char *measure;
    double context; /* NaN: none */
};

struct kvl_published_row {
    const char *model, *method;
    bool says_rate;          /* whether kv_rate stands in the file */
    double kv_rate, kv_budget; /* NaN: none */
    json_t *params;          /* parameters that the row is about; NULL: none */
    double *values;          /* [n_columns]; NaN: none */
};

struct kvl_published {
    json_t *file; /* holds all texts */
    const char *title, *source, *family; /* family NULL: none */
    bool is_bench;
    struct kvl_published_column *columns;
    struct kvl_published_row *rows;
    int n_columns, n_rows;
};

/* By the file's name without .json. KVL_E_ARG with the near name or all names if there is none; KVL_E_FORMAT names the file and
 * what is wrong in it. */
enum kvl_status kvl_published_load(struct kvl_published *published, const char *name);
void kvl_published_free(struct kvl_published *published); /* leaves {0} */

/* The same, without keeping it: for names that are checked before any work. */
enum kvl_status kvl_published_check(const char *name);

/* All of them, by name: an array of {"name", "title", "source"}; *out is the caller's. */
enum kvl_status kvl_published_list(json_t **out);

/* Whether a model of ours, as its record describes it, is the published one: every word of the published name but "Instruct" is in
 * ours, or ours has the shape of the preset of that name. How it matches is said in *how: "by name", "by shape", "by shape, with
 * random weights". */
bool kvl_published_is_model(const char *model, const json_t *record, const char **how);

#ifdef __cplusplus
}
#endif
#endif
