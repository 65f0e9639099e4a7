#include "datasets/prompt.h"

#include <stdlib.h>
#include <string.h>

#include "datasets/text.h"

enum { FASTKV_MAX_PROMPT = 127500 };

static const struct kvl_task_settings no_settings = {0};

static const struct kvl_task_settings *settings_of(const struct kvl_task_request *request)
{
    return request->settings != NULL ? request->settings : &no_settings;
}

const struct kvl_chat_template *kvl_prompt_template(const struct kvl_task *task, const struct kvl_task_request *request)
{
    const struct kvl_chat_template *chat = request->chat;
    if (chat == NULL || task->no_template)
        return NULL;
    if (!kvl_task_is_fastkv(request))
        return chat;
    const char *family = task->fastkv.no_template_family;
    return task->fastkv.no_template || (family != NULL && strcmp(family, chat->family) == 0) ? NULL : chat;
}

static int64_t bos_of_tokenizer(const struct kvl_task_request *request)
{
    return kvl_tokenizer_add_bos(request->tokenizer) && kvl_tokenizer_bos(request->tokenizer) >= 0;
}

/* BOS tokens that go before the text: one at most, but under fastkv one of the template and one of the tokenizer. */
static int64_t bos_before(const struct kvl_task *task, const struct kvl_task_request *request)
{
    const struct kvl_chat_template *chat = kvl_prompt_template(task, request);
    int64_t of_template = chat != NULL && chat->wants_bos && kvl_tokenizer_bos(request->tokenizer) >= 0;
    if (kvl_task_is_fastkv(request))
        return of_template + bos_of_tokenizer(request);
    return chat != NULL ? of_template : bos_of_tokenizer(request);
}

static enum kvl_status encode(const struct kvl_task_request *request, const char *text, int64_t n, struct kvl_ids *ids)
{
    return kvl_tokenizer_encode(request->tokenizer, text, n, KVL_SPECIAL_PARSE, ids);
}

static enum kvl_status push_bos(const struct kvl_task_request *request, int64_t n, struct kvl_ids *ids)
{
    for (int64_t i = 0; i < n; i++)
        KVL_TRY(kvl_ids_push(ids, kvl_tokenizer_bos(request->tokenizer)));
    return KVL_OK;
}

/* The user's message as the protocol has it, malloc'd: with or without the answer prefix. */
static enum kvl_status write_user(const struct kvl_task *task, const struct kvl_task_request *request,
                                  const struct kvl_sample *sample, char **user, const char **prefix)
{
    bool inside = kvl_task_is_fastkv(request) && task->fastkv.prefix_in_user;
    struct kvl_text text = {0};
    enum kvl_status status = kvl_text_add(&text, sample->user);
    if (status == KVL_OK)
        status = kvl_text_add(&text, inside ? sample->answer_prefix : "");
    *user = text.data;
    *prefix = inside ? "" : sample->answer_prefix;
    return status;
}

static enum kvl_status render(const struct kvl_task *task, const struct kvl_task_request *request,
                              const struct kvl_sample *sample, char **text)
{
    char *user = NULL;
    const char *prefix;
    enum kvl_status status = write_user(task, request, sample, &user, &prefix);
    if (status == KVL_OK)
        status = kvl_chat_template_render(kvl_prompt_template(task, request), NULL, user, prefix, text);
    free(user);
    return status;
}

/* Ids without the middle: the first and the last half, as text again. LongBench's own way, special tokens lost. */
static enum kvl_status join_halves(const struct kvl_task_request *request, const struct kvl_ids *ids, int64_t half, char **out)
{
    char *head = NULL, *tail = NULL;
    int64_t n_head, n_tail;
    struct kvl_text joined = {0};
    enum kvl_status status;
    KVL_TRY_OUT(kvl_tokenizer_decode(request->tokenizer, ids->data, half, true, &head, &n_head));
    KVL_TRY_OUT(kvl_tokenizer_decode(request->tokenizer, ids->data + ids->n - half, half, true, &tail, &n_tail));
    KVL_TRY_OUT(kvl_text_append(&joined, head, n_head));
    KVL_TRY_OUT(kvl_text_append(&joined, tail, n_tail));
    *out = joined.data;
    joined = (struct kvl_text){0};
out:
    free(head);
    free(tail);
    kvl_text_free(&joined);
    return status;
}

/* Tokens that a prompt may have before it loses its middle; 0: any number. */
static int64_t limit_of(const struct kvl_task_request *request)
{
    const struct kvl_task_settings *settings = settings_of(request);
    return settings->max_prompt > 0 ? settings->max_prompt : kvl_task_is_fastkv(request) ? FASTKV_MAX_PROMPT : 0;
}

/* *text without its middle where it has more than the limit's tokens, n_bos of BOS in front counted; *n_uncut is 0 otherwise. */
static enum kvl_status cut_middle(const struct kvl_task_request *request, int64_t n_bos, char **text, int64_t *n_uncut)
{
    int64_t limit = limit_of(request);
    struct kvl_ids ids = {0};
    char *cut = NULL;
    enum kvl_status status;
    *n_uncut = 0;
    if (limit == 0)
        return KVL_OK;
    KVL_TRY_OUT(push_bos(request, n_bos, &ids));
    KVL_TRY_OUT(encode(request, *text, (int64_t)strlen(*text), &ids));
    if (ids.n <= limit)
        goto out;
    KVL_TRY_OUT(join_halves(request, &ids, limit / 2, &cut));
    *n_uncut = ids.n;
    free(*text);
    *text = cut;
out:
    kvl_ids_free(&ids);
    return status;
}

/* LongBench cuts the user's message and puts the template round it. */
static enum kvl_status cut_user(struct kvl_prompt *prompt, const struct kvl_task_request *request)
{
    struct kvl_sample *sample = &prompt->sample;
    int64_t n_question = (int64_t)strlen(sample->user) - sample->n_before_question;
    KVL_TRY(cut_middle(request, bos_of_tokenizer(request), &sample->user, &prompt->n_uncut));
    int64_t n_user = (int64_t)strlen(sample->user);
    if (prompt->n_uncut > 0 && sample->n_before_question > 0)
        sample->n_before_question = n_user > n_question ? n_user - n_question : 0;
    return KVL_OK;
}

/* Where the question begins in the rendered text: its last occurrence, since only the template's end and the answer prefix
 * follow it. */
static enum kvl_status find_question(const struct kvl_task *task, const struct kvl_prompt *prompt, int64_t *at)
{
    const struct kvl_sample *sample = &prompt->sample;
    KVL_REQUIRE(sample->n_before_question > 0, "%s has no question apart from its text%s: run it with --query-aware on",
                task->name, prompt->n_uncut > 0 ? " once the middle is cut" : "");
    const char *question = sample->user + sample->n_before_question;
    int64_t n = (int64_t)strlen(question);
    while (n > 0 && strchr(" \t\r\n", question[n - 1]) != NULL)
        n--;
    for (*at = (int64_t)strlen(prompt->text) - n; *at > 0; (*at)--)
        if (memcmp(prompt->text + *at, question, (size_t)n) == 0)
            return KVL_OK;
    return prompt->n_uncut > 0
               ? kvl_fail(KVL_E_ARG, "the cut took the question of %s: give a larger --max-prompt or --query-aware on", task->name)
               : kvl_fail(KVL_E_INTERNAL, "the question of %s is not in its rendered prompt", task->name);
}

/* A text that is read, not answered: the first n_context tokens are the prompt, the next n_forced are fed. */
static enum kvl_status split_forced(struct kvl_prompt *prompt, const struct kvl_task *task,
                                    const struct kvl_task_request *request)
{
    int64_t n = request->n_context, n_forced = prompt->sample.n_forced;
    KVL_REQUIRE(prompt->ids.n >= n + n_forced, "the text of %s has %lld tokens, and %lld + %lld are needed: give a longer one or "
                "a shorter context", task->name, (long long)prompt->ids.n, (long long)n, (long long)n_forced);
    for (int64_t i = 0; i < n_forced; i++)
        KVL_TRY(kvl_ids_push(&prompt->forced, prompt->ids.data[n + i]));
    prompt->ids.n = n;
    return KVL_OK;
}

static enum kvl_status tokenize(struct kvl_prompt *prompt, const struct kvl_task *task, const struct kvl_task_request *request,
                                bool query_aware, int64_t n_bos)
{
    int64_t n = (int64_t)strlen(prompt->text), at = 0;
    KVL_TRY(push_bos(request, n_bos, &prompt->ids));
    if (!query_aware) {
        KVL_TRY(find_question(task, prompt, &at));
        KVL_TRY(encode(request, prompt->text, at, &prompt->ids));
        prompt->n_before_question = prompt->ids.n;
    }
    KVL_TRY(encode(request, prompt->text + at, n - at, &prompt->ids));
    if (prompt->sample.n_forced > 0)
        KVL_TRY(split_forced(prompt, task, request));
    while (prompt->n_bos < prompt->ids.n && prompt->ids.data[prompt->n_bos] == kvl_tokenizer_bos(request->tokenizer))
        prompt->n_bos++;
    return KVL_OK;
}

static enum kvl_status make(struct kvl_prompt *prompt, const struct kvl_task *task, const struct kvl_task_request *request,
                            bool query_aware)
{
    int64_t n_bos = bos_before(task, request);
    KVL_TRY(task->make(task, request, &prompt->sample));
    if (!kvl_task_is_fastkv(request))
        KVL_TRY(cut_user(prompt, request));
    KVL_TRY(render(task, request, &prompt->sample, &prompt->text));
    if (kvl_task_is_fastkv(request)) /* the FastKV repository cuts what the template made; special tokens and their BOS are lost */
        KVL_TRY(cut_middle(request, n_bos, &prompt->text, &prompt->n_uncut));
    bool lost_bos = kvl_task_is_fastkv(request) && prompt->n_uncut > 0;
    return tokenize(prompt, task, request, query_aware, lost_bos ? bos_of_tokenizer(request) : n_bos);
}

enum kvl_status kvl_prompt_make(struct kvl_prompt *prompt, const struct kvl_task *task,
                                const struct kvl_task_request *request, bool query_aware)
{
    *prompt = (struct kvl_prompt){0};
    enum kvl_status status = make(prompt, task, request, query_aware);
    if (status != KVL_OK)
        kvl_prompt_free(prompt);
    return status;
}

void kvl_prompt_free(struct kvl_prompt *prompt)
{
    kvl_sample_free(&prompt->sample);
    free(prompt->text);
    kvl_ids_free(&prompt->ids);
    kvl_ids_free(&prompt->forced);
    *prompt = (struct kvl_prompt){0};
}

enum kvl_status kvl_prompt_count(const struct kvl_task *task, const struct kvl_task_request *request,
                                 const struct kvl_sample *sample, struct kvl_ids *ids, int64_t *n_tokens)
{
    char *text = NULL;
    ids->n = 0;
    enum kvl_status status = render(task, request, sample, &text);
    if (status == KVL_OK)
        status = encode(request, text, (int64_t)strlen(text), ids);
    *n_tokens = ids->n + bos_before(task, request);
    free(text);
    return status;
}

int64_t kvl_prompt_max_new_tokens(const struct kvl_task *task, const struct kvl_task_request *request,
                                  const struct kvl_sample *sample)
{
    return kvl_task_is_fastkv(request) && task->fastkv.max_new_tokens > 0 ? task->fastkv.max_new_tokens : sample->max_new_tokens;
}

const char *kvl_prompt_stop(const struct kvl_task *task, const struct kvl_task_request *request, const struct kvl_sample *sample)
{
    return kvl_task_is_fastkv(request) && task->fastkv.prefix_in_user ? NULL : sample->stop;
}
