/* Where an analysis gets its prompts from: a task at a context, or texts of the user's own. */
#ifndef KVL_PROMPT_SOURCE_H
#define KVL_PROMPT_SOURCE_H

#include <jansson.h>

#include "datasets/task.h"
#include "harness/workbench.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Files of text, in the order of their names. */
struct kvl_texts {
    const char *path;  /* as given: a file, or a folder of them; borrowed */
    char **files;      /* [n] */
    int64_t n;
    char hash[65];     /* SHA-256 over what they hold */
};

/* Reads the folder (its regular files, hidden ones left out) or takes the one file. KVL_E_IO, KVL_E_FORMAT where a text is not
 * UTF-8 or there is none. */
enum kvl_status kvl_texts_init(struct kvl_texts *texts, const char *path);
void kvl_texts_free(struct kvl_texts *texts); /* leaves {0} */

struct kvl_prompt_source {
    const struct kvl_workbench *bench;
    const struct kvl_task *task;    /* or NULL */
    const struct kvl_texts *texts;  /* or NULL */
    int64_t n_context;              /* tokens of a prompt; of texts: their first ones, 0 for all */
    int64_t n_samples;
};

/* Tokens of the prompt that sample `index` is. A text gets no template. KVL_E_ARG where the task refuses the context or a text is
 * shorter than it. */
enum kvl_status kvl_prompt_source_ids(const struct kvl_prompt_source *source, int64_t index, struct kvl_ids *ids);

/* Fills in what a record says of its prompts. */
void kvl_prompt_source_describe(const struct kvl_prompt_source *source, json_t *record);

/* "needle/multi_key 2048", for progress and tables. */
void kvl_prompt_source_label(const struct kvl_prompt_source *source, char *label, size_t size);

#ifdef __cplusplus
}
#endif
#endif
