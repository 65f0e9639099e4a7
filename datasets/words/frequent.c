#include "datasets/words/frequent.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/codeword.h"
#include "datasets/generator.h"
#include "datasets/random.h"

enum {
    N_ASKED = 3,
    N_LETTERS = 6,
    TOKENS_PER_WORD = 50, /* of the context, for each rank: RULER's choice */
    MAX_NEW_TOKENS = 50,
};

static const char noise[] = "...";
static const char introduction[] =
    "The text below is written in code words with dots between them. Count how often each code word comes.\n";
static const char question[] =
    "\nQuestion: Which three code words come most often in the text above? Leave the dots aside and explain nothing.";
static const char answer_prefix[] = " Answer: The three code words that come most often in the text above are:";

/* One sample while it is made. Rank 0 is the noise. */
struct draft {
    const struct kvl_task *task;
    const struct kvl_task_request *request;
    struct kvl_random shuffle;
    int64_t n_ranks;
    struct kvl_text text; /* the words by rank, each with a NUL; the first N_ASKED words after the noise are the answers */
    int64_t *at;          /* [n_ranks]: of a word in `text` */
    int64_t *n_tokens;    /* [n_ranks]: of a word and the blank before it */
    int64_t *counts;      /* [n_ranks] */
    int64_t *items;       /* scratch: [n_items_allocated] ranks */
    int64_t n_items_allocated;
    int64_t n_before_question;
    struct kvl_ids ids;   /* scratch */
};

static const char *word_at(const struct draft *draft, int64_t rank)
{
    return draft->text.data + draft->at[rank];
}

static enum kvl_status allocate(int64_t **out, int64_t n)
{
    free(*out);
    *out = malloc((size_t)n * sizeof **out);
    return *out ? KVL_OK : kvl_fail(KVL_E_OOM, "no memory for %lld code words", (long long)n);
}

static enum kvl_status draw(struct draft *draft)
{
    const struct kvl_task_request *request = draft->request;
    struct kvl_random random;
    struct kvl_random_order words;
    kvl_random_init(&random, request->seed, draft->task->name, request->index);
    kvl_random_init(&draft->shuffle, request->seed, "words/frequent text", request->index);
    kvl_random_order_init(&words, &random, kvl_codeword_count(N_LETTERS));
    draft->n_ranks = request->n_context / TOKENS_PER_WORD;
    KVL_TRY(allocate(&draft->at, draft->n_ranks));
    KVL_TRY(allocate(&draft->n_tokens, draft->n_ranks));
    KVL_TRY(allocate(&draft->counts, draft->n_ranks));
    for (int64_t rank = 0; rank < draft->n_ranks; rank++) {
        KVL_TRY(kvl_text_add(&draft->text, " "));
        draft->at[rank] = draft->text.n;
        KVL_TRY(rank == 0 ? kvl_text_add(&draft->text, noise)
                          : kvl_codeword_add(&draft->text, kvl_random_order_at(&words, rank - 1), N_LETTERS, 'a'));
        draft->ids.n = 0;
        KVL_TRY(kvl_tokenizer_encode(request->tokenizer, word_at(draft, rank) - 1, draft->text.n - draft->at[rank] + 1,
                                     KVL_SPECIAL_PARSE, &draft->ids));
        draft->n_tokens[rank] = draft->ids.n;
        KVL_TRY(kvl_text_append(&draft->text, "", 1));
    }
    return KVL_OK;
}

/* Rank k (from 0) comes floor(n / (zeta(2) (k + 1)^2)) times; returns the tokens of all. */
static int64_t count_words(const struct draft *draft, int64_t n)
{
    static const double share_of_first = 0.60792710185402662866; /* 1 / zeta(2) = 6 / pi^2 */
    int64_t n_tokens = 0;
    for (int64_t rank = 0; rank < draft->n_ranks; rank++) {
        double k = (double)(rank + 1);
        draft->counts[rank] = (int64_t)((double)n * share_of_first / (k * k));
        n_tokens += draft->counts[rank] * draft->n_tokens[rank];
    }
    return n_tokens;
}

/* The largest text of at most n_max tokens; what is left, since many counts may grow at once, becomes noise. */
static enum kvl_status fit(struct draft *draft, const struct kvl_filler_room *room, int64_t *n_tokens)
{
    int64_t low = 0, high = 8 * draft->request->n_context; /* words: fits, does not */
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (count_words(draft, middle) <= room->n_max)
            low = middle;
        else
            high = middle;
    }
    *n_tokens = count_words(draft, low);
    KVL_REQUIRE(draft->counts[N_ASKED] > draft->counts[N_ASKED + 1] && draft->counts[N_ASKED + 1] > 0,
                "too short: the third and the fourth code word come %lld and %lld times", (long long)draft->counts[N_ASKED],
                (long long)draft->counts[N_ASKED + 1]);
    int64_t n_more = (room->n_max - *n_tokens) / draft->n_tokens[0];
    draft->counts[0] += n_more;
    *n_tokens += n_more * draft->n_tokens[0];
    return KVL_OK;
}

static enum kvl_status add_words(struct draft *draft, struct kvl_text *user)
{
    struct kvl_random random = draft->shuffle;
    int64_t n = 0;
    for (int64_t rank = 0; rank < draft->n_ranks; rank++)
        n += draft->counts[rank];
    if (n > draft->n_items_allocated) {
        draft->n_items_allocated = 0;
        KVL_TRY(allocate(&draft->items, n));
        draft->n_items_allocated = n;
    }
    int64_t *item = draft->items;
    for (int64_t rank = 0; rank < draft->n_ranks; rank++)
        for (int64_t i = 0; i < draft->counts[rank]; i++)
            *item++ = rank;
    kvl_random_shuffle(&random, draft->items, n);
    for (int64_t i = 0; i < n; i++) {
        KVL_TRY(kvl_text_add(user, i > 0 ? " " : ""));
        KVL_TRY(kvl_text_add(user, word_at(draft, draft->items[i])));
    }
    return KVL_OK;
}

static enum kvl_status write_user(void *context, const struct kvl_filler_room *room, struct kvl_text *user, int64_t *n_filler)
{
    struct draft *draft = context;
    KVL_TRY(kvl_text_add(user, introduction));
    if (room != NULL) {
        KVL_TRY(fit(draft, room, n_filler));
        KVL_TRY(add_words(draft, user));
    }
    draft->n_before_question = user->n;
    return kvl_text_add(user, question);
}

static enum kvl_status finish(struct draft *draft, struct kvl_text *user, struct kvl_sample *sample)
{
    struct kvl_text prefix = {0};
    for (int64_t rank = 1; rank <= N_ASKED; rank++)
        KVL_TRY(kvl_sample_add_answer(sample, word_at(draft, rank)));
    KVL_TRY(kvl_text_add(&prefix, answer_prefix));
    sample->answer_prefix = kvl_text_take(&prefix);
    sample->user = kvl_text_take(user);
    sample->n_before_question = draft->n_before_question;
    sample->depth = NAN;
    sample->max_new_tokens = MAX_NEW_TOKENS;
    return KVL_OK;
}

enum kvl_status kvl_words_frequent_make(const struct kvl_task *task, const struct kvl_task_request *request,
                                        struct kvl_sample *sample)
{
    struct draft draft = {.task = task, .request = request};
    struct kvl_text user = {0};
    enum kvl_status status;
    *sample = (struct kvl_sample){0};
    KVL_TRY(kvl_generator_check(task, request));
    KVL_TRY_OUT(draw(&draft));
    KVL_TRY_OUT(kvl_generator_fill(task, request, answer_prefix, write_user, &draft, &user));
    KVL_TRY_OUT(finish(&draft, &user, sample));
out:
    kvl_text_free(&user);
    kvl_text_free(&draft.text);
    kvl_ids_free(&draft.ids);
    free(draft.at);
    free(draft.n_tokens);
    free(draft.counts);
    free(draft.items);
    if (status != KVL_OK)
        kvl_sample_free(sample);
    return status;
}
