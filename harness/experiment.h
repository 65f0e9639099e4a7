/* Experiment files: a sweep as JSON.
 *
 *   {"kvlab_experiment": 1, "title": "...", "description": "...",
 *    "model": ["PATH", ..],            one or a list; the command line may name others
 *    "options": {..},                  of every part that does not say otherwise
 *    "parts": [{"command": "eval", "method": ["full", "fastkv"], "kv-rate": [0.1, 0.2], "set": {"fastkv.tsp_rate": [0.2, 0.4]},
 *               "task": "needle/single_noise", "context": ["1k", "2k"], "seed": [1, 2]}, ..]}
 *
 * A part's keys are the long options of its command, so what `kvlab eval --help` says holds here. A list stands for its
 * product; a list of seeds makes a part for each. Errors name the path inside the file: "parts[0].context[1]". */
#ifndef KVL_EXPERIMENT_H
#define KVL_EXPERIMENT_H

#include <jansson.h>

#include "harness/command.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One part for one model and one seed. */
struct kvl_experiment_part {
    char where[64]; /* "parts[0]" */
    struct kvl_options options;
};

struct kvl_experiment {
    const char *file; /* borrowed from the options */
    json_t *root;
    struct kvl_words texts; /* values as the command line would write them; the options borrow them */
    struct kvl_experiment_part *parts; /* [n] models outermost, then as in the file */
    int n;
};

/* Reads and checks all of it. `given` are the options of `run`: its positional[0] is the file, the others replace the file's
 * models, and every option that the user gave replaces the file's. KVL_E_FORMAT or KVL_E_ARG with file and path. */
enum kvl_status kvl_experiment_load(struct kvl_experiment *experiment, const struct kvl_options *given);
void kvl_experiment_free(struct kvl_experiment *experiment); /* leaves {0} */

#ifdef __cplusplus
}
#endif
#endif
