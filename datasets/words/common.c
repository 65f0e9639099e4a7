#include "datasets/words/common.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/generator.h"
#include "datasets/random.h"
#include "datasets/words/vocabulary.h"

enum {
    N_COMMON = 10,
    N_UNCOMMON_MIN = 10,
    N_EXAMPLE_MAX = 40, /* words of the example, its common ones included */
    MAX_NEW_TOKENS = 120,
    MAX_DIGITS = 18,
};

/* How often words come in a context of n_context and more tokens: RULER's choice. */
struct frequencies {
    int64_t n_context;
    int common, uncommon;                 /* in the list */
    int n_example;                        /* different words in the example */
    int example_common, example_uncommon; /* in the example */
};
static const struct frequencies frequencies[] = {{4096, 30, 3, 40, 10, 3}, {0, 6, 1, 20, 3, 1}};

static const char introduction[] =
    "In the numbered list that follows, a few words are used again and again and all others seldom. Memorize the words that are "
    "used most.\n";
static const char question[] = "\nQuestion: Which 10 words are used most in the numbered list above?";
static const char answer_prefix[] = " Answer: The 10 words that are used most in the numbered list are:";

struct word {
    int64_t at;       /* of its text in the draft's */
    int64_t n_tokens; /* with the blank before it */
};

/* One sample while it is made. */
struct draft {
    const struct kvl_task *task;
    const struct kvl_task_request *request;
    const struct frequencies *frequencies;
    struct kvl_random_order words, compounds;
    int64_t n_drawn;          /* of both orders, one behind the other */
    struct kvl_random shuffle, example_shuffle;
    struct kvl_text text;     /* all words drawn so far, each with a NUL */
    struct word *drawn;       /* [n_words]: the common ones, the example's, the uncommon ones */
    int64_t n_words, n_allocated;
    int64_t number_tokens[MAX_DIGITS]; /* of " 1.", " 10.", " 100.", ...: numbers of as many digits have about as many tokens */
    int64_t *items;           /* scratch of a list: [n_items_allocated] */
    int64_t n_items_allocated;
    int64_t n_before_question;
    struct kvl_ids ids;       /* scratch */
};

static enum kvl_status count_tokens(struct draft *draft, const char *text, int64_t *n_tokens)
{
    draft->ids.n = 0;
    KVL_TRY(kvl_tokenizer_encode(draft->request->tokenizer, text, (int64_t)strlen(text), KVL_SPECIAL_PARSE, &draft->ids));
    *n_tokens = draft->ids.n;
    return KVL_OK;
}

static const char *word_at(const struct draft *draft, int64_t i)
{
    return draft->text.data + draft->drawn[i].at;
}

/* Appends the next word of the orders to draft->text; false: none at this place. */
static enum kvl_status add_candidate(struct draft *draft, bool *exists)
{
    int64_t i = draft->n_drawn++, n = kvl_vocabulary_n_words();
    KVL_REQUIRE(i - n < kvl_vocabulary_n_compounds(), "too long: there are %lld words for lists", (long long)i);
    *exists = true;
    if (i >= n)
        return kvl_vocabulary_add_compound(&draft->text, kvl_random_order_at(&draft->compounds, i - n), exists);
    return kvl_text_add(&draft->text, kvl_vocabulary_word(kvl_random_order_at(&draft->words, i)));
}

/* A common word must be found nowhere else: not within another word, and none within it while both are common. */
static bool clashes(const struct draft *draft, const char *word)
{
    bool is_common = draft->n_words < N_COMMON;
    for (int64_t i = 0; i < N_COMMON && i < draft->n_words; i++)
        if (strstr(word, word_at(draft, i)) || (is_common && strstr(word_at(draft, i), word)))
            return true;
    return false;
}

static enum kvl_status reserve_word(struct draft *draft)
{
    if (draft->n_words < draft->n_allocated)
        return KVL_OK;
    int64_t n = draft->n_allocated > 0 ? 2 * draft->n_allocated : 256;
    struct word *drawn = realloc(draft->drawn, (size_t)n * sizeof *drawn);
    if (!drawn)
        return kvl_fail(KVL_E_OOM, "no memory for a list of %lld words", (long long)n);
    draft->drawn = drawn;
    draft->n_allocated = n;
    return KVL_OK;
}

/* Draws word number n_words. */
static enum kvl_status draw_word(struct draft *draft)
{
    int64_t at = draft->text.n, n_tokens;
    bool exists;
    KVL_TRY(reserve_word(draft));
    do {
        draft->text.n = at;
        KVL_TRY(kvl_text_add(&draft->text, " "));
        KVL_TRY(add_candidate(draft, &exists));
    } while (!exists || clashes(draft, draft->text.data + at + 1));
    KVL_TRY(count_tokens(draft, draft->text.data + at, &n_tokens));
    KVL_TRY(kvl_text_append(&draft->text, "", 1));
    draft->drawn[draft->n_words++] = (struct word){at + 1, n_tokens};
    return KVL_OK;
}

static enum kvl_status draw(struct draft *draft)
{
    const struct kvl_task_request *request = draft->request;
    struct kvl_random random;
    kvl_random_init(&random, request->seed, draft->task->name, request->index);
    kvl_random_init(&draft->shuffle, request->seed, "words/common list", request->index);
    kvl_random_init(&draft->example_shuffle, request->seed, "words/common example", request->index);
    kvl_random_order_init(&draft->words, &random, kvl_vocabulary_n_words());
    kvl_random_order_init(&draft->compounds, &random, kvl_vocabulary_n_compounds());
    while (draft->n_words < N_COMMON + N_EXAMPLE_MAX)
        KVL_TRY(draw_word(draft));
    char number[MAX_DIGITS + 4] = " 1.";
    for (int i = 0; i < MAX_DIGITS; i++) {
        KVL_TRY(count_tokens(draft, number, &draft->number_tokens[i]));
        memcpy(number + 2 + i, "0.", 3);
    }
    return KVL_OK;
}

/* A shuffled list: N_COMMON words from `first` on come n_common times each, n_others from `others` on n_uncommon times. */
static enum kvl_status add_list(struct draft *draft, struct kvl_random random, int64_t first, int64_t n_common, int64_t others,
                                int64_t n_others, int64_t n_uncommon, struct kvl_text *text)
{
    int64_t n = N_COMMON * n_common + n_others * n_uncommon, *item;
    if (n > draft->n_items_allocated) {
        free(draft->items);
        draft->items = malloc((size_t)n * sizeof *draft->items);
        draft->n_items_allocated = draft->items ? n : 0;
        if (!draft->items)
            return kvl_fail(KVL_E_OOM, "no memory for a list of %lld words", (long long)n);
    }
    item = draft->items;
    for (int64_t i = 0; i < N_COMMON * n_common; i++)
        *item++ = first + i / n_common;
    for (int64_t i = 0; i < n_others * n_uncommon; i++)
        *item++ = others + i / n_uncommon;
    kvl_random_shuffle(&random, draft->items, n);
    for (int64_t i = 0; i < n; i++)
        KVL_TRY(kvl_text_format(text, "%s%lld. %s", i > 0 ? " " : "", (long long)(i + 1), word_at(draft, draft->items[i])));
    return KVL_OK;
}

/* The task once, solved, with other words and shorter. */
static enum kvl_status add_example(struct draft *draft, struct kvl_text *text)
{
    const struct frequencies *f = draft->frequencies;
    KVL_TRY(kvl_text_add(text, introduction));
    KVL_TRY(add_list(draft, draft->example_shuffle, N_COMMON, f->example_common, 2 * N_COMMON, f->n_example - N_COMMON,
                     f->example_uncommon, text));
    KVL_TRY(kvl_text_add(text, question));
    KVL_TRY(kvl_text_add(text, answer_prefix));
    for (int i = 0; i < N_COMMON; i++)
        KVL_TRY(kvl_text_format(text, " %d. %s", i + 1, word_at(draft, N_COMMON + i)));
    return kvl_text_add(text, "\n\n");
}

/* How many uncommon words fit into the room, adding up their tokens and those of the numbers before them. */
static enum kvl_status fit(struct draft *draft, const struct kvl_filler_room *room, int64_t *n_others, int64_t *n_tokens)
{
    const struct frequencies *f = draft->frequencies;
    int64_t n_entries = (int64_t)N_COMMON * f->common, power = 1, n = 0;
    int n_digits = 1;
    *n_tokens = 0;
    for (*n_others = 0;; ++*n_others) {
        if (N_COMMON + N_EXAMPLE_MAX + *n_others == draft->n_words)
            KVL_TRY(draw_word(draft));
        n += f->uncommon * draft->drawn[N_COMMON + N_EXAMPLE_MAX + *n_others].n_tokens;
        for (int i = 0; i < f->uncommon; i++) {
            for (n_entries++; n_entries / power >= 10; n_digits++)
                power *= 10;
            n += draft->number_tokens[n_digits - 1];
        }
        if (n > room->n_max)
            return KVL_OK;
        *n_tokens = n;
    }
}

static enum kvl_status write_user(void *context, const struct kvl_filler_room *room, struct kvl_text *user, int64_t *n_filler)
{
    struct draft *draft = context;
    const struct frequencies *f = draft->frequencies;
    int64_t n_others = 0;
    if (room != NULL) {
        KVL_TRY(fit(draft, room, &n_others, n_filler));
        KVL_REQUIRE(n_others >= N_UNCOMMON_MIN, "too short: room for %lld uncommon words of %d", (long long)n_others,
                    N_UNCOMMON_MIN);
    }
    KVL_TRY(add_example(draft, user));
    KVL_TRY(kvl_text_add(user, introduction));
    KVL_TRY(add_list(draft, draft->shuffle, 0, f->common, N_COMMON + N_EXAMPLE_MAX, n_others, f->uncommon, user));
    draft->n_before_question = user->n;
    return kvl_text_add(user, question);
}

static enum kvl_status finish(struct draft *draft, struct kvl_text *user, struct kvl_sample *sample)
{
    struct kvl_text prefix = {0};
    for (int i = 0; i < N_COMMON; i++)
        KVL_TRY(kvl_sample_add_answer(sample, word_at(draft, i)));
    KVL_TRY(kvl_text_add(&prefix, answer_prefix));
    sample->answer_prefix = kvl_text_take(&prefix);
    sample->user = kvl_text_take(user);
    sample->n_before_question = draft->n_before_question;
    sample->depth = NAN;
    sample->max_new_tokens = MAX_NEW_TOKENS;
    return KVL_OK;
}

enum kvl_status kvl_words_common_make(const struct kvl_task *task, const struct kvl_task_request *request,
                                      struct kvl_sample *sample)
{
    struct draft draft = {.task = task, .request = request, .frequencies = frequencies};
    struct kvl_text user = {0};
    enum kvl_status status;
    *sample = (struct kvl_sample){0};
    KVL_TRY(kvl_generator_check(task, request));
    while (request->n_context < draft.frequencies->n_context)
        draft.frequencies++;
    KVL_TRY_OUT(draw(&draft));
    KVL_TRY_OUT(kvl_generator_fill(task, request, answer_prefix, write_user, &draft, &user));
    KVL_TRY_OUT(finish(&draft, &user, sample));
out:
    kvl_text_free(&user);
    kvl_text_free(&draft.text);
    kvl_ids_free(&draft.ids);
    free(draft.drawn);
    free(draft.items);
    if (status != KVL_OK)
        kvl_sample_free(sample);
    return status;
}
