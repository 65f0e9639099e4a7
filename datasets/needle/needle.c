#include "datasets/needle/needle.h"

#include <stdlib.h>
#include <string.h>

#include "datasets/needle/haystack.h"
#include "datasets/needle/words.h"
#include "datasets/prompt.h"
#include "datasets/recall.h"

/* What tells the tasks of the family apart. */
struct needle_config {
    const struct kvl_haystack_kind *haystack;
    int n_keys; /* needles, each with a key and a value of its own; one is asked for */
};

enum {
    MAX_KEYS = 16,
    MAX_NEW_TOKENS = 16,
    MAX_ROUNDS = 12,
    MAX_CONTEXT = 1 << 26,
    FILL_PERCENT = 98,
    VALUE_FIRST = 1000000, /* values have seven digits */
    N_VALUES = 9000000,
};

/* RULER's words, in the singular. */
static const char introduction[] =
    "A special magic number is hidden within the following text. Make sure to memorize it. I will quiz you about the number "
    "afterwards.\n";
static const char sentence_format[] = "One of the special magic numbers for %s is: %s.";
static const char question_format[] = "\nWhat is the special magic number for %s mentioned in the provided text?";
static const char answer_prefix_format[] = " The special magic number for %s mentioned in the provided text is";

/* One sample while it is made. */
struct draft {
    const struct kvl_task *task;
    const struct kvl_task_request *request;
    struct kvl_sample *sample;
    int n_keys;
    struct kvl_text keys[MAX_KEYS], values[MAX_KEYS], sentences[MAX_KEYS];
    struct kvl_haystack_needle needles[MAX_KEYS]; /* the first is asked for */
    struct kvl_haystack haystack;
    struct kvl_text user;
    int64_t n_before_question;
    double depth; /* of the needle that is asked for */
    struct kvl_ids ids; /* scratch */
};

/* The text that the draft owns becomes the sample's. */
static char *hand_over(struct kvl_text *text)
{
    char *data = text->data;
    *text = (struct kvl_text){0};
    return data;
}

/* Keys, values and depths. The depth of the needle asked for runs through the golden-ratio sequence from a place that the
 * seed draws, so that any number of neighbouring samples covers early and late evenly; the others lie anywhere. */
static enum kvl_status draw_needles(struct draft *draft)
{
    const struct kvl_task_request *request = draft->request;
    struct kvl_random depths, random;
    int64_t keys[MAX_KEYS], values[MAX_KEYS];
    kvl_random_init(&depths, request->seed, draft->task->name, -1);
    kvl_random_init(&random, request->seed, draft->task->name, request->index);
    kvl_random_sample(&random, kvl_needle_n_keys(), draft->n_keys, keys);
    kvl_random_sample(&random, N_VALUES, draft->n_keys, values);
    for (int i = 0; i < draft->n_keys; i++) {
        KVL_TRY(kvl_needle_add_key(&draft->keys[i], keys[i]));
        KVL_TRY(kvl_text_format(&draft->values[i], "%lld", (long long)(VALUE_FIRST + values[i])));
        KVL_TRY(kvl_text_format(&draft->sentences[i], sentence_format, draft->keys[i].data, draft->values[i].data));
        draft->needles[i].text = draft->sentences[i].data;
        draft->needles[i].depth = kvl_random_next(&random);
    }
    draft->needles[0].depth = kvl_random_next(&depths) + (uint64_t)request->index * 0x9e3779b97f4a7c15u;
    return kvl_haystack_init(&draft->haystack, ((const struct needle_config *)draft->task->config)->haystack,
                             request->tokenizer, random);
}

/* The user's message with the haystack up to `cut`, or with the needles alone. */
static enum kvl_status write_user(struct draft *draft, const struct kvl_haystack_cut *cut)
{
    int64_t gaps[MAX_KEYS];
    draft->user.n = 0;
    KVL_TRY(kvl_text_add(&draft->user, introduction));
    if (cut) {
        KVL_TRY(kvl_haystack_write(&draft->haystack, cut, draft->needles, draft->n_keys, gaps, &draft->user));
        int64_t last = kvl_haystack_n_gaps(&draft->haystack, cut) - 1;
        draft->depth = last > 0 ? (double)gaps[0] / (double)last : 0.0;
    }
    for (int i = 0; !cut && i < draft->n_keys; i++)
        KVL_TRY(kvl_text_format(&draft->user, i > 0 ? " %s" : "%s", draft->needles[i].text));
    draft->n_before_question = draft->user.n;
    return kvl_text_format(&draft->user, question_format, draft->keys[0].data);
}

/* Tokens of the whole prompt as it goes to the model. */
static enum kvl_status count_tokens(struct draft *draft, int64_t *n_tokens)
{
    struct kvl_sample sample = {.user = draft->user.data, .answer_prefix = draft->sample->answer_prefix};
    return kvl_prompt_count(draft->task, draft->request, &sample, &draft->ids, n_tokens);
}

/* Fills the context: tokens of sentences are added up, then the whole is counted, and the difference between the two, which
 * is where sentences meet, corrects the next round. Each round also aims one token lower, so that it ends. */
static enum kvl_status fill(struct draft *draft)
{
    int64_t n = draft->request->n_context, n_min = n * FILL_PERCENT / 100 + 2; /* rounded up, and the BOS may be left out */
    int64_t n_besides, n_tokens;
    KVL_TRY(write_user(draft, NULL));
    KVL_TRY(count_tokens(draft, &n_besides));
    KVL_REQUIRE(n_besides < n, "a context of %lld tokens is too short for %s: needles and question alone take %lld of this model's",
                (long long)n, draft->task->name, (long long)n_besides);
    for (int round = 0; round < MAX_ROUNDS; round++) {
        struct kvl_haystack_cut cut;
        int64_t room = n - n_besides - round;
        KVL_TRY(kvl_haystack_find_cut(&draft->haystack, n_min - n_besides, room, &cut));
        int64_t n_gaps = kvl_haystack_n_gaps(&draft->haystack, &cut);
        KVL_REQUIRE(n_gaps >= draft->n_keys, "a context of %lld tokens is too short for %s: %lld places for %d needles",
                    (long long)n, draft->task->name, (long long)n_gaps, draft->n_keys);
        KVL_TRY(write_user(draft, &cut));
        KVL_TRY(count_tokens(draft, &n_tokens));
        if (n_tokens >= n_min && n_tokens <= n)
            return KVL_OK;
        n_besides = n_tokens - cut.n_tokens;
    }
    return kvl_fail(KVL_E_ARG, "a context of %lld tokens is too short for %s: this tokenizer's words do not fill it to 2 %%",
                    (long long)n, draft->task->name);
}

static enum kvl_status finish(struct draft *draft)
{
    struct kvl_sample *sample = draft->sample;
    sample->answers = calloc(1, sizeof *sample->answers);
    if (!sample->answers)
        return kvl_fail(KVL_E_OOM, "no memory for the answers of a sample");
    sample->user = hand_over(&draft->user);
    sample->n_before_question = draft->n_before_question;
    sample->depth = draft->depth;
    sample->answers[sample->n_answers++] = hand_over(&draft->values[0]);
    sample->max_new_tokens = MAX_NEW_TOKENS;
    sample->stop = "\n";
    return KVL_OK;
}

static void draft_free(struct draft *draft)
{
    for (int i = 0; i < draft->n_keys; i++) {
        kvl_text_free(&draft->keys[i]);
        kvl_text_free(&draft->values[i]);
        kvl_text_free(&draft->sentences[i]);
    }
    kvl_haystack_free(&draft->haystack);
    kvl_text_free(&draft->user);
    kvl_ids_free(&draft->ids);
}

static enum kvl_status needle_make(const struct kvl_task *task, const struct kvl_task_request *request,
                                   struct kvl_sample *sample)
{
    const struct needle_config *config = task->config;
    struct draft draft = {.task = task, .request = request, .sample = sample, .n_keys = config->n_keys};
    struct kvl_text answer_prefix = {0};
    enum kvl_status status;
    *sample = (struct kvl_sample){0};
    KVL_REQUIRE(request->n_context >= task->min_context, "a context of %lld tokens is too short for %s: at least %lld",
                (long long)request->n_context, task->name, (long long)task->min_context);
    KVL_REQUIRE(request->n_context <= MAX_CONTEXT, "a context of %lld tokens is too long for %s: at most %d",
                (long long)request->n_context, task->name, MAX_CONTEXT);
    KVL_REQUIRE(request->tokenizer, "%s needs the model's tokenizer, and this model has none", task->name);
    KVL_REQUIRE(request->index >= 0, "sample %lld of %s: the first is 0", (long long)request->index, task->name);
    KVL_TRY_OUT(draw_needles(&draft));
    KVL_TRY_OUT(kvl_text_format(&answer_prefix, answer_prefix_format, draft.keys[0].data));
    sample->answer_prefix = hand_over(&answer_prefix);
    KVL_TRY_OUT(fill(&draft));
    KVL_TRY_OUT(finish(&draft));
out:
    kvl_text_free(&answer_prefix);
    draft_free(&draft);
    if (status != KVL_OK)
        kvl_sample_free(sample);
    return status;
}

static const struct needle_config single_noise = {.haystack = &kvl_haystack_noise, .n_keys = 1};
static const struct needle_config single_essay = {.haystack = &kvl_haystack_essay, .n_keys = 1};
static const struct needle_config multi_key = {.haystack = &kvl_haystack_essay, .n_keys = 4};

/* Under the fastkv protocol as its authors ran RULER. */
#define NEEDLE                                                                                                     \
    .version = 1, .metric = "recall", .has_context = true, .make = needle_make, .score = kvl_recall,               \
    .fastkv = {.max_new_tokens = 64, .prefix_in_user = true}
static const struct kvl_task tasks[] = {
    {NEEDLE, .name = "needle/single_noise", .title = "One number in a repeated line", .min_context = 256,
     .source = "RULER niah_single_1, arXiv:2404.06654; singular wording", .config = &single_noise},
    {NEEDLE, .name = "needle/single_essay", .title = "One number in essays", .min_context = 256,
     .source = "RULER niah_single_2, arXiv:2404.06654; singular wording, composed essays", .config = &single_essay},
    {NEEDLE, .name = "needle/multi_key", .title = "One of four numbers in essays", .min_context = 512,
     .source = "RULER niah_multikey_1, arXiv:2404.06654; singular wording, composed essays", .config = &multi_key},
};

const struct kvl_task *kvl_needle_task_at(int i)
{
    return i >= 0 && i < (int)(sizeof tasks / sizeof *tasks) ? &tasks[i] : NULL;
}
