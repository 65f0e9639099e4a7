/* A task: makes prompts with known answers and scores a model's text.
 *
 * A new task is one row of a family's table. Any change to what `make` or `score` return bumps the version. */
#ifndef KVL_TASK_H
#define KVL_TASK_H

#include "core/chat_template.h"
#include "core/tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a prompt is made for: the model's words and the place that they have in the context. */
struct kvl_task_request {
    const struct kvl_tokenizer *tokenizer;
    const struct kvl_chat_template *chat; /* NULL: no template */
    int64_t n_context; /* tokens of the whole prompt, template, BOS and answer prefix included: never more, at most 2 % less */
    uint64_t seed;
    int64_t index;     /* 0, 1, ...: the sample of this (task, context, seed) */
};

struct kvl_sample {
    char *user;          /* the user's message */
    char *answer_prefix; /* begins the assistant's answer; "" if none */
    char **answers;      /* [n_answers] */
    int n_answers;
    int64_t max_new_tokens;
    const char *stop;    /* generation ends when the text holds it after its first non-blank character; NULL: none */
};

struct kvl_task {
    const char *name;    /* "needle/single_noise" */
    int version;
    const char *title;
    const char *source;  /* what it is modelled on */
    const char *metric;  /* "recall": share of the answers found in the text, case ignored */
    int64_t min_context; /* the shortest n_context that makes sense */

    /* Deterministic in (tokenizer, chat, n_context, seed, index, version). KVL_E_ARG if n_context is too short. */
    enum kvl_status (*make)(const struct kvl_task *task, const struct kvl_task_request *request, struct kvl_sample *sample);

    /* Score in 0..1 of the model's text (without the answer prefix). */
    double (*score)(const char *prediction, const char *const *answers, int n_answers);

    const void *config; /* the family's own parameters of this row */
};

/* The i-th task of all families, NULL past the end. */
const struct kvl_task *kvl_task_at(int i);

/* By name; KVL_E_ARG with the near name if there is none. */
enum kvl_status kvl_task_find(const char *name, const struct kvl_task **out);

/* The full text that goes to the tokenizer: template, user message, answer prefix. malloc'd. */
enum kvl_status kvl_task_prompt(const struct kvl_task_request *request, const struct kvl_sample *sample, char **text);

void kvl_sample_free(struct kvl_sample *sample); /* leaves {0} */

#ifdef __cplusplus
}
#endif
#endif
