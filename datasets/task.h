/* A task: makes prompts with known answers and scores a model's text.
 *
 * A new task is one row of a family's table. Any change to what `make` or `score` return bumps the version. How a sample
 * becomes the text and the tokens that a model reads is the same for all and stands in datasets/prompt.h. */
#ifndef KVL_TASK_H
#define KVL_TASK_H

#include "core/chat_template.h"
#include "core/tokenizer.h"
#include "datasets/task_settings.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a prompt is made for: the model's words and the place that they have in the context. */
struct kvl_task_request {
    const struct kvl_tokenizer *tokenizer;
    const struct kvl_chat_template *chat; /* NULL: no template */
    int64_t n_context; /* sized tasks: tokens of the whole prompt, template, BOS and answer prefix included: never more, at most
                        * 2 % less; ruler: which folder of files; else unused */
    uint64_t seed;
    int64_t index;     /* 0, 1, ...: the sample of this (task, context, seed) */
    const struct kvl_task_settings *settings; /* NULL: all defaults */
};

/* Whether --protocol fastkv holds for a request. */
bool kvl_task_is_fastkv(const struct kvl_task_request *request);

struct kvl_sample {
    char *user;            /* the user's message */
    int64_t n_before_question; /* bytes of `user` that a query-agnostic run compresses before the rest is seen; 0: the task has
                                * no question of its own */
    char *answer_prefix;   /* begins the assistant's answer; "" if none */
    char **answers;        /* [n_answers] */
    int n_answers;
    char **classes;        /* [n_classes]: labels to choose from; NULL where there are none */
    int n_classes;
    double depth;          /* where the needle lies, 0 (start) to 1 (end); NAN: no single place */
    int64_t max_new_tokens;
    int64_t n_forced;      /* > 0: nothing is generated; the last n_forced tokens of the text are fed one by one (fidelity) */
    const char *stop;      /* generation ends when the text holds it after its first non-blank character; NULL: none */
    bool min_one_token;    /* the first token is neither end-of-sequence nor `stop` (the official scripts' min_length) */
};

/* What a score is made of. */
struct kvl_scoring {
    const char *prediction;     /* the model's text without the answer prefix, valid UTF-8 */
    const char *const *answers; /* [n_answers] */
    int n_answers;
    const char *const *classes; /* [n_classes] */
    int n_classes;
    const struct kvl_task_settings *settings; /* NULL: all defaults */
};

/* Score in 0..1. KVL_E_FORMAT where the answers are not what the metric needs, KVL_E_OOM. */
typedef enum kvl_status (*kvl_score_function)(const struct kvl_scoring *scoring, double *score);

/* What --protocol fastkv changes for a task (PROTOCOL.md); {0}: nothing but the second BOS. */
struct kvl_task_fastkv {
    int64_t max_new_tokens;    /* > 0: in place of the task's own */
    bool prefix_in_user;       /* the answer prefix ends the user's message, and nothing stops the answer early */
    bool no_template;          /* the prompt goes without one */
    const char *no_template_family; /* the same, for templates of this family ("llama"); NULL: for none */
};

struct kvl_task {
    const char *name;    /* "needle/single_noise" */
    int version;
    const char *title;
    const char *source;  /* what it is modelled on */
    const char *category; /* of a paper's table ("few-shot"); NULL: none */
    const char *metric;  /* "recall": share of the answers found in the text, case ignored */
    kvl_score_function score;
    const char *second_metric; /* beside the first; NULL: none */
    kvl_score_function second_score;
    bool has_context;    /* --context says how long or which files; false: samples have the length they have */
    int64_t min_context; /* the shortest n_context that makes sense */
    bool no_template;    /* the text goes to the model as it is, under every protocol */
    struct kvl_task_fastkv fastkv;

    /* Samples that there are for this request (its index is not read); NULL: as many as one likes. Data that is missing or
     * malformed: an error that names file and line. */
    enum kvl_status (*count)(const struct kvl_task *task, const struct kvl_task_request *request, int64_t *n);

    /* Deterministic in (tokenizer, chat, n_context, seed, index, settings, version). KVL_E_ARG if n_context is too short. */
    enum kvl_status (*make)(const struct kvl_task *task, const struct kvl_task_request *request, struct kvl_sample *sample);

    const void *config; /* the family's own parameters of this row */
};

/* The i-th task of all families, NULL past the end. */
const struct kvl_task *kvl_task_at(int i);

/* By name; KVL_E_ARG with the near name if there is none. */
enum kvl_status kvl_task_find(const char *name, const struct kvl_task **out);

void kvl_sample_free(struct kvl_sample *sample); /* leaves {0} */

#ifdef __cplusplus
}
#endif
#endif
