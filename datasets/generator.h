/* What the generators of our own families share: the checks of a request and the loop that fills a context. */
#ifndef KVL_GENERATOR_H
#define KVL_GENERATOR_H

#include "datasets/task.h"
#include "datasets/text.h"

#ifdef __cplusplus
extern "C" {
#endif

/* KVL_E_ARG where the context is out of bounds, the tokenizer is missing or the index is negative. */
enum kvl_status kvl_generator_check(const struct kvl_task *task, const struct kvl_task_request *request);

/* Tokens that the filler of a text (sentences, needles, words) may take. */
struct kvl_filler_room {
    int64_t n_min, n_max;
};

/* Writes a user's message into `user`, which is empty. With a room: as much filler as it allows, at least n_min tokens where the
 * filler's units let it; *n_filler: its tokens, each unit counted by itself. NULL: all but the filler. Called several times for
 * one sample, and each time must draw the same. KVL_E_ARG: "too short: WHY" or the like; task and context are put before it. */
typedef enum kvl_status (*kvl_generator_write)(void *draft, const struct kvl_filler_room *room, struct kvl_text *user,
                                               int64_t *n_filler);

/* Fills the context: `user` becomes a message that together with the answer prefix takes at most n_context tokens and at least
 * 98 % of them, template and BOS included. KVL_E_ARG where the context is too short for it. */
enum kvl_status kvl_generator_fill(const struct kvl_task *task, const struct kvl_task_request *request,
                                   const char *answer_prefix, kvl_generator_write write, void *draft, struct kvl_text *user);

/* Appends a copy of `answer` to sample->answers. */
enum kvl_status kvl_sample_add_answer(struct kvl_sample *sample, const char *answer);

#ifdef __cplusplus
}
#endif
#endif
