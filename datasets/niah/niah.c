/* Sentence, question and prompt are the test's own (Kamradt's needle in a haystack, as the FastKV repository runs it): constants
 * of the protocol, like the place of the needle. It is planted behind the last full stop before the depth's token. */
#include "datasets/niah/niah.h"

#include <stdlib.h>
#include <string.h>

#include "datasets/generator.h"
#include "datasets/needle/haystack.h"
#include "datasets/score/score.h"

enum { MAX_NEW_TOKENS = 30 };

#define FACT "eat a sandwich and sit in Dolores Park on a sunny day"
#define SENTENCE "The best thing to do in San Francisco is " FACT "."
static const char needle[] = "\n" SENTENCE "\n";
static const char before_context[] = "This is a very long story book: <book> ";
static const char after_context[] = " </book>";
static const char question[] =
    ".\n Based on the content of the book, Question: The best thing to do in San Francisco is: \nAnswer:";
/* What the FastKV repository's prompt begins with, for every model: text in most, ChatML's special token in others. */
static const char fastkv_opening[] = "<|im_start|> ";

/* Depths in percent. The FastKV repository rounds ten equal steps. */
static const int depths[] = {0, 11, 22, 33, 44, 56, 67, 78, 89, 100};

/* One sample while it is made. */
struct draft {
    const struct kvl_task_request *request;
    bool fastkv;
    int depth;           /* percent */
    int32_t full_stop;   /* the token; -1: this tokenizer has none */
    struct kvl_text text; /* the haystack: at least n_context tokens of it */
    struct kvl_ids ids;   /* the same, encoded */
    int64_t n_before_question;
};

/* Every depth has the same essays; each further round through the depths has others. */
static enum kvl_status read_haystack(struct draft *draft, int64_t round)
{
    const struct kvl_task_request *request = draft->request;
    const char *dir = request->settings != NULL ? request->settings->haystack_dir : NULL;
    struct kvl_haystack_source source = {.folder = dir};
    struct kvl_haystack haystack = {0};
    struct kvl_haystack_cut cut;
    enum kvl_status status;
    kvl_random_init(&source.random, request->seed, "niah", round);
    if (dir != NULL)
        source.start = kvl_random_next(&source.random);
    KVL_TRY_OUT(kvl_haystack_init(&haystack, dir != NULL ? &kvl_haystack_folder : &kvl_haystack_essay, request->tokenizer,
                                  &source));
    for (int64_t n = request->n_context; draft->ids.n < request->n_context; n += request->n_context) {
        draft->text.n = draft->ids.n = 0;
        KVL_TRY_OUT(kvl_haystack_find_cut(&haystack, n, n, &cut));
        KVL_TRY_OUT(kvl_haystack_write(&haystack, &cut, NULL, 0, false, NULL, &draft->text));
        KVL_TRY_OUT(kvl_tokenizer_encode(request->tokenizer, draft->text.data, draft->text.n, KVL_SPECIAL_PARSE, &draft->ids));
    }
out:
    kvl_haystack_free(&haystack);
    return status;
}

/* The text of some of the haystack's tokens. A character that the end cuts through is left out. */
static enum kvl_status add_tokens(const struct draft *draft, int64_t first, int64_t n, struct kvl_text *user)
{
    static const char replaced[] = "\xef\xbf\xbd";
    char *text;
    int64_t n_text;
    KVL_TRY(kvl_tokenizer_decode(draft->request->tokenizer, draft->ids.data + first, n, true, &text, &n_text));
    if (n_text >= 3 && memcmp(text + n_text - 3, replaced, 3) == 0)
        n_text -= 3;
    enum kvl_status status = kvl_text_append(user, text, n_text);
    free(text);
    return status;
}

/* The first n tokens of the haystack with the needle among them. */
static enum kvl_status add_context(const struct draft *draft, int64_t n, struct kvl_text *user)
{
    int64_t at = n * draft->depth / 100;
    while (draft->depth < 100 && at > 0 && draft->ids.data[at - 1] != draft->full_stop)
        at--;
    KVL_TRY(add_tokens(draft, 0, at, user));
    KVL_TRY(kvl_text_add(user, needle));
    return add_tokens(draft, at, n - at, user);
}

static enum kvl_status write_user(void *data, const struct kvl_filler_room *room, struct kvl_text *user, int64_t *n_filler)
{
    struct draft *draft = data;
    int64_t n = room == NULL ? 0 : room->n_max < draft->ids.n ? room->n_max : draft->ids.n;
    *n_filler = n > 0 ? n : 0;
    KVL_TRY(kvl_text_add(user, draft->fastkv ? fastkv_opening : ""));
    KVL_TRY(kvl_text_add(user, before_context));
    KVL_TRY(add_context(draft, *n_filler, user));
    KVL_TRY(kvl_text_add(user, after_context));
    draft->n_before_question = user->n;
    return kvl_text_add(user, question);
}

static enum kvl_status make(const struct kvl_task *task, struct draft *draft, struct kvl_sample *sample)
{
    const struct kvl_task_request *request = draft->request;
    int64_t n_depths = (int64_t)(sizeof depths / sizeof *depths);
    struct kvl_text user = {0}, prefix = {0};
    enum kvl_status status;
    draft->depth = depths[request->index % n_depths];
    draft->full_stop = kvl_tokenizer_find(request->tokenizer, ".");
    KVL_TRY_OUT(read_haystack(draft, request->index / n_depths));
    KVL_TRY_OUT(kvl_generator_fill(task, request, "", write_user, draft, &user));
    KVL_TRY_OUT(kvl_text_add(&prefix, ""));
    KVL_TRY_OUT(kvl_sample_add_answer(sample, SENTENCE));
    KVL_TRY_OUT(kvl_sample_add_answer(sample, FACT));
    sample->user = kvl_text_take(&user);
    sample->answer_prefix = kvl_text_take(&prefix);
    sample->n_before_question = draft->n_before_question;
    sample->depth = draft->depth / 100.0;
    sample->max_new_tokens = MAX_NEW_TOKENS;
    sample->stop = "\n";
out:
    kvl_text_free(&user);
    kvl_text_free(&prefix);
    return status;
}

static enum kvl_status niah_make(const struct kvl_task *task, const struct kvl_task_request *request, struct kvl_sample *sample)
{
    struct draft draft = {
        .request = request,
        .fastkv = kvl_task_is_fastkv(request),
    };
    *sample = (struct kvl_sample){0};
    KVL_TRY(kvl_generator_check(task, request));
    enum kvl_status status = make(task, &draft, sample);
    kvl_text_free(&draft.text);
    kvl_ids_free(&draft.ids);
    if (status != KVL_OK)
        kvl_sample_free(sample);
    return status;
}

/* The first answer is the planted sentence, the last what the question asks for. */
static enum kvl_status score_sentence(const struct kvl_scoring *scoring, double *score)
{
    struct kvl_scoring first = *scoring;
    first.n_answers = scoring->n_answers > 0 ? 1 : 0;
    return kvl_score_rouge_1(&first, score);
}

static enum kvl_status score_fact(const struct kvl_scoring *scoring, double *score)
{
    struct kvl_scoring last = *scoring;
    last.n_answers = scoring->n_answers > 0 ? 1 : 0;
    last.answers += scoring->n_answers - last.n_answers;
    return kvl_score_contains(&last, score);
}

static const struct kvl_task task = {
    .name = "niah",
    .version = 1,
    .title = "One sentence in essays, at eleven depths",
    .source = "G. Kamradt's needle in a haystack, as the FastKV repository runs it",
    .metric = "rouge_1 (the FastKV repository gives it x10)",
    .score = score_sentence,
    .second_metric = "contains",
    .second_score = score_fact,
    .has_context = true,
    .min_context = 256,
    .fastkv = {.no_template_family = "llama"},
    .make = niah_make,
};

const struct kvl_task *kvl_niah_task_at(int i)
{
    return i == 0 ? &task : NULL;
}
