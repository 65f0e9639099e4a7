/* From a task's sample to the text and the tokens that a model reads, by the protocol: template, answer prefix, BOS, cut. */
#ifndef KVL_PROMPT_H
#define KVL_PROMPT_H

#include "datasets/task.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kvl_prompt {
    struct kvl_sample sample;
    char *text;          /* what is tokenized; BOS tokens are not in it unless the template writes one */
    struct kvl_ids ids;  /* the prompt; with a fidelity task the forced tokens are not in it */
    struct kvl_ids forced; /* [sample.n_forced] */
    int64_t n_before_question; /* ids[0..n) are compressed before the rest is fed, in a query-agnostic run; 0 otherwise */
    int64_t n_bos;       /* BOS tokens at the beginning of ids */
    int64_t n_uncut;     /* tokens before the middle was cut, of the user's message (plain) or of the whole (fastkv); 0:
                          * nothing was cut */
};

/* The template that the protocol leaves to a task's prompts; NULL: none. */
const struct kvl_chat_template *kvl_prompt_template(const struct kvl_task *task, const struct kvl_task_request *request);

/* Makes, renders, cuts and tokenizes sample request->index of the task. `query_aware` false: context and question are
 * tokenized apart and n_before_question is set; KVL_E_ARG where the task has no question of its own. */
enum kvl_status kvl_prompt_make(struct kvl_prompt *prompt, const struct kvl_task *task,
                                const struct kvl_task_request *request, bool query_aware);
void kvl_prompt_free(struct kvl_prompt *prompt); /* leaves {0} */

/* For generators that size a prompt: the tokens that a sample takes as the model reads it, BOS included. `user`,
 * `answer_prefix` are all of the sample that is read. *ids is scratch and is overwritten. */
enum kvl_status kvl_prompt_count(const struct kvl_task *task, const struct kvl_task_request *request,
                                 const struct kvl_sample *sample, struct kvl_ids *ids, int64_t *n_tokens);

/* Tokens that a sample's answer may have: the task's own number or the protocol's. */
int64_t kvl_prompt_max_new_tokens(const struct kvl_task *task, const struct kvl_task_request *request,
                                  const struct kvl_sample *sample);

/* The text that ends its answer, NULL: none. */
const char *kvl_prompt_stop(const struct kvl_task *task, const struct kvl_task_request *request, const struct kvl_sample *sample);

#ifdef __cplusplus
}
#endif
#endif
