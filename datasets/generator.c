#include "datasets/generator.h"

#include <stdlib.h>
#include <string.h>

#include "datasets/prompt.h"

enum { MAX_ROUNDS = 12, MAX_CONTEXT = 1 << 26, FILL_PERCENT = 98 };

enum kvl_status kvl_generator_check(const struct kvl_task *task, const struct kvl_task_request *request)
{
    KVL_REQUIRE(request->n_context >= task->min_context, "a context of %lld tokens is too short for %s: at least %lld",
                (long long)request->n_context, task->name, (long long)task->min_context);
    KVL_REQUIRE(request->n_context <= MAX_CONTEXT, "a context of %lld tokens is too long for %s: at most %d",
                (long long)request->n_context, task->name, MAX_CONTEXT);
    KVL_REQUIRE(request->tokenizer, "%s needs the model's tokenizer, and this model has none", task->name);
    KVL_REQUIRE(request->index >= 0, "sample %lld of %s: the first is 0", (long long)request->index, task->name);
    return KVL_OK;
}

/* Who writes the message, and where to. */
struct writer {
    kvl_generator_write write;
    void *draft;
    struct kvl_text *user;
    struct kvl_ids ids; /* scratch */
};

/* The message with its filler (or without, room NULL), and its tokens as the model reads it. */
static enum kvl_status try_room(const struct kvl_task *task, const struct kvl_task_request *request, struct kvl_sample *sample,
                                struct writer *writer, const struct kvl_filler_room *room, int64_t *n_filler,
                                int64_t *n_tokens)
{
    writer->user->n = 0;
    enum kvl_status status = writer->write(writer->draft, room, writer->user, n_filler);
    if (status == KVL_E_ARG)
        return kvl_fail_prefix(status, "%s with %lld tokens", task->name, (long long)request->n_context);
    KVL_TRY(status);
    sample->user = writer->user->data;
    return kvl_prompt_count(task, request, sample, &writer->ids, n_tokens);
}

/* Tokens of units are added up, then the whole is counted, and the difference between the two, which is where units meet,
 * corrects the next round. Each round also aims one token lower, so that it ends. */
static enum kvl_status fill(const struct kvl_task *task, const struct kvl_task_request *request, struct kvl_sample *sample,
                            struct writer *writer)
{
    int64_t n = request->n_context, n_min = n * FILL_PERCENT / 100 + 2; /* rounded up, and the BOS may be left out */
    int64_t n_besides, n_filler = 0, n_tokens;
    KVL_TRY(try_room(task, request, sample, writer, NULL, &n_filler, &n_besides));
    KVL_REQUIRE(n_besides < n, "a context of %lld tokens is too short for %s: what must stand in it takes %lld of this model's",
                (long long)n, task->name, (long long)n_besides);
    for (int round = 0; round < MAX_ROUNDS; round++) {
        const struct kvl_filler_room room = {n_min - n_besides, n - n_besides - round};
        KVL_TRY(try_room(task, request, sample, writer, &room, &n_filler, &n_tokens));
        if (n_tokens >= n_min && n_tokens <= n)
            return KVL_OK;
        n_besides = n_tokens - n_filler;
    }
    return kvl_fail(KVL_E_ARG, "a context of %lld tokens is too short for %s: this tokenizer's words do not fill it to 2 %%",
                    (long long)n, task->name);
}

enum kvl_status kvl_generator_fill(const struct kvl_task *task, const struct kvl_task_request *request,
                                   const char *answer_prefix, kvl_generator_write write, void *draft, struct kvl_text *user)
{
    struct writer writer = {.write = write, .draft = draft, .user = user};
    struct kvl_text prefix = {0};
    enum kvl_status status = kvl_text_add(&prefix, answer_prefix);
    struct kvl_sample sample = {.answer_prefix = prefix.data};
    if (status == KVL_OK)
        status = fill(task, request, &sample, &writer);
    kvl_text_free(&prefix);
    kvl_ids_free(&writer.ids);
    return status;
}

enum kvl_status kvl_sample_add_answer(struct kvl_sample *sample, const char *answer)
{
    char **answers = realloc(sample->answers, (size_t)(sample->n_answers + 1) * sizeof *answers), *copy = strdup(answer);
    if (answers != NULL)
        sample->answers = answers;
    if (answers == NULL || copy == NULL) {
        free(copy);
        return kvl_fail(KVL_E_OOM, "no memory for the answers of a sample");
    }
    answers[sample->n_answers++] = copy;
    return KVL_OK;
}
