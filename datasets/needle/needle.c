#include "datasets/needle/needle.h"

#include <math.h>
#include <string.h>

#include "datasets/generator.h"
#include "datasets/needle/haystack.h"
#include "datasets/needle/sentence.h"
#include "datasets/needle/words.h"
#include "datasets/score/score.h"

/* How needles are announced and asked for. %s: what a value is ("number"), but the keys in question and answer prefix. */
struct wording {
    const char *introduction; /* twice what a value is */
    const char *question;     /* what a value is, keys */
    const char *answer_prefix; /* what a value is, keys */
};

/* One value is asked for: RULER's words, in the singular. */
static const struct wording one_value = {
    "A special magic %s is hidden within the following text. Make sure to memorize it. I will quiz you about the %s "
    "afterwards.\n",
    "\nWhat is the special magic %s for %s mentioned in the provided text?",
    " The special magic %s for %s mentioned in the provided text is",
};

/* Several: our own. */
static const struct wording several_values = {
    "Several special magic %ss are hidden in the text that follows. Remember every one of them: at the end you will be asked "
    "for the %ss.\n",
    "\nWhich special magic %ss does the text give for %s? Name all of them.",
    " The special magic %ss that the text gives for %s are",
};

/* What tells the tasks of the family apart. */
struct needle_config {
    const struct kvl_haystack_kind *haystack;
    const struct wording *wording;
    const char *noun;   /* what a value is called: "number", "uuid" */
    int n_needles;
    int n_asked;        /* the first of them are asked for */
    bool same_key;      /* all needles have one key; false: each its own */
    bool uuid_keys, uuid_values; /* false: two words; a number of seven digits */
    int64_t max_new_tokens;
    const char *stop;
};

enum { MAX_NEEDLES = 16 };

/* One sample while it is made. */
struct draft {
    const struct needle_config *config;
    struct kvl_text keys[MAX_NEEDLES], values[MAX_NEEDLES], sentences[MAX_NEEDLES];
    struct kvl_haystack_needle needles[MAX_NEEDLES]; /* the first is asked for */
    const char *reserved[2 * MAX_NEEDLES]; /* keys and values: nowhere else in the text */
    struct kvl_text asked_keys; /* as the question names them */
    struct kvl_haystack haystack;
    int64_t n_before_question;
    double depth; /* of the first needle */
};

static const struct kvl_text *key_of(const struct draft *draft, int i)
{
    return &draft->keys[draft->config->same_key ? 0 : i];
}

/* "A, B, C and D" */
static enum kvl_status list_asked_keys(struct draft *draft)
{
    int n = draft->config->same_key ? 1 : draft->config->n_asked;
    for (int i = 0; i < n; i++) {
        KVL_TRY(kvl_text_add(&draft->asked_keys, i == 0 ? "" : i == n - 1 ? " and " : ", "));
        KVL_TRY(kvl_text_add(&draft->asked_keys, draft->keys[i].data));
    }
    return KVL_OK;
}

static enum kvl_status add_item(struct kvl_text *text, bool uuid, enum kvl_status (*add)(struct kvl_text *text, int64_t i),
                                int64_t i, struct kvl_random *random)
{
    return uuid ? kvl_needle_add_uuid(text, random) : add(text, i);
}

/* Keys, values and depths. The depth of the first needle runs through the golden-ratio sequence from a place that the seed
 * draws, so that any number of neighbouring samples covers early and late evenly; the others lie anywhere. */
static enum kvl_status draw_needles(struct draft *draft, const struct kvl_task *task, const struct kvl_task_request *request,
                                    struct kvl_random *random)
{
    const struct needle_config *config = draft->config;
    struct kvl_random depths;
    int64_t keys[MAX_NEEDLES], values[MAX_NEEDLES];
    kvl_random_init(&depths, request->seed, task->name, -1);
    kvl_random_init(random, request->seed, task->name, request->index);
    kvl_random_sample(random, kvl_needle_n_keys(), config->n_needles, keys);
    kvl_random_sample(random, KVL_NEEDLE_N_NUMBERS, config->n_needles, values);
    for (int i = 0; i < config->n_needles; i++) {
        KVL_TRY(add_item(&draft->keys[i], config->uuid_keys, kvl_needle_add_key, keys[i], random));
        KVL_TRY(add_item(&draft->values[i], config->uuid_values, kvl_needle_add_number, values[i], random));
        KVL_TRY(kvl_needle_add_sentence(&draft->sentences[i], config->noun, key_of(draft, i)->data, draft->values[i].data));
        draft->needles[i] = (struct kvl_haystack_needle){draft->sentences[i].data, kvl_random_next(random)};
        draft->reserved[2 * i] = draft->keys[i].data;
        draft->reserved[2 * i + 1] = draft->values[i].data;
    }
    draft->needles[0].depth = kvl_random_next(&depths) + (uint64_t)request->index * 0x9e3779b97f4a7c15u;
    return list_asked_keys(draft);
}

/* Essays come from the user's folder where there is one. */
static enum kvl_status open_haystack(struct draft *draft, const struct kvl_task_request *request, struct kvl_random random)
{
    const struct kvl_haystack_kind *kind = draft->config->haystack;
    const char *folder = request->settings != NULL ? request->settings->haystack_dir : NULL;
    struct kvl_haystack_source source = {.folder = folder, .reserved = draft->reserved, .n_reserved = 2 * draft->config->n_needles};
    if (kind == &kvl_haystack_essay && folder != NULL) {
        kind = &kvl_haystack_folder;
        source.start = kvl_random_next(&random);
    }
    source.random = random;
    return kvl_haystack_init(&draft->haystack, kind, request->tokenizer, &source);
}

static enum kvl_status add_needles_alone(const struct draft *draft, struct kvl_text *user)
{
    for (int i = 0; i < draft->config->n_needles; i++)
        KVL_TRY(kvl_text_format(user, i > 0 ? " %s" : "%s", draft->needles[i].text));
    return KVL_OK;
}

static enum kvl_status add_haystack(struct draft *draft, const struct kvl_filler_room *room, struct kvl_text *user,
                                    int64_t *n_filler)
{
    struct kvl_haystack_cut cut;
    int64_t gaps[MAX_NEEDLES];
    KVL_TRY(kvl_haystack_find_cut(&draft->haystack, room->n_min, room->n_max, &cut));
    KVL_TRY(kvl_haystack_write(&draft->haystack, &cut, draft->needles, draft->config->n_needles, false, gaps, user));
    int64_t last = kvl_haystack_n_gaps(&draft->haystack, &cut) - 1;
    draft->depth = last > 0 ? (double)gaps[0] / (double)last : 0.0;
    *n_filler = cut.n_tokens;
    return KVL_OK;
}

static enum kvl_status write_user(void *context, const struct kvl_filler_room *room, struct kvl_text *user, int64_t *n_filler)
{
    struct draft *draft = context;
    const struct needle_config *config = draft->config;
    KVL_TRY(kvl_text_format(user, config->wording->introduction, config->noun, config->noun));
    KVL_TRY(room != NULL ? add_haystack(draft, room, user, n_filler) : add_needles_alone(draft, user));
    draft->n_before_question = user->n;
    return kvl_text_format(user, config->wording->question, config->noun, draft->asked_keys.data);
}

static void draft_free(struct draft *draft)
{
    for (int i = 0; i < draft->config->n_needles; i++) {
        kvl_text_free(&draft->keys[i]);
        kvl_text_free(&draft->values[i]);
        kvl_text_free(&draft->sentences[i]);
    }
    kvl_text_free(&draft->asked_keys);
    kvl_haystack_free(&draft->haystack);
}

static enum kvl_status needle_make(const struct kvl_task *task, const struct kvl_task_request *request,
                                   struct kvl_sample *sample)
{
    const struct needle_config *config = task->config;
    struct draft draft = {.config = config};
    struct kvl_text answer_prefix = {0}, user = {0};
    struct kvl_random random;
    enum kvl_status status;
    *sample = (struct kvl_sample){0};
    KVL_TRY(kvl_generator_check(task, request));
    KVL_TRY_OUT(draw_needles(&draft, task, request, &random));
    KVL_TRY_OUT(open_haystack(&draft, request, random));
    KVL_TRY_OUT(kvl_text_format(&answer_prefix, config->wording->answer_prefix, config->noun, draft.asked_keys.data));
    KVL_TRY_OUT(kvl_generator_fill(task, request, answer_prefix.data, write_user, &draft, &user));
    for (int i = 0; i < config->n_asked; i++)
        KVL_TRY_OUT(kvl_sample_add_answer(sample, draft.values[i].data));
    sample->user = kvl_text_take(&user);
    sample->answer_prefix = kvl_text_take(&answer_prefix);
    sample->n_before_question = draft.n_before_question;
    sample->depth = config->n_asked == 1 ? draft.depth : NAN;
    sample->max_new_tokens = config->max_new_tokens;
    sample->stop = config->stop;
out:
    kvl_text_free(&answer_prefix);
    kvl_text_free(&user);
    draft_free(&draft);
    if (status != KVL_OK)
        kvl_sample_free(sample);
    return status;
}

/* A number fits 16 tokens of any model. */
#define ONE .wording = &one_value, .n_asked = 1, .stop = "\n"
#define ONE_NUMBER ONE, .noun = "number", .max_new_tokens = 16
#define ONE_UUID ONE, .noun = "uuid", .uuid_values = true, .max_new_tokens = 128
#define FOUR_NUMBERS .wording = &several_values, .noun = "number", .n_needles = 4, .n_asked = 4, .max_new_tokens = 128
static const struct needle_config single_noise = {ONE_NUMBER, .haystack = &kvl_haystack_noise, .n_needles = 1};
static const struct needle_config single_essay = {ONE_NUMBER, .haystack = &kvl_haystack_essay, .n_needles = 1};
static const struct needle_config single_uuid = {ONE_UUID, .haystack = &kvl_haystack_essay, .n_needles = 1};
static const struct needle_config multi_key = {ONE_NUMBER, .haystack = &kvl_haystack_essay, .n_needles = 4};
static const struct needle_config multi_key_line = {ONE_NUMBER, .haystack = &kvl_haystack_number_lines, .n_needles = 1};
static const struct needle_config multi_key_uuid = {ONE_UUID, .haystack = &kvl_haystack_uuid_lines, .n_needles = 1,
                                                    .uuid_keys = true};
static const struct needle_config multi_value = {FOUR_NUMBERS, .haystack = &kvl_haystack_essay, .same_key = true};
static const struct needle_config multi_query = {FOUR_NUMBERS, .haystack = &kvl_haystack_essay};

/* Under the fastkv protocol as its authors ran RULER. */
#define NEEDLE                                                                                                     \
    .version = 1, .metric = "recall", .has_context = true, .make = needle_make, .score = kvl_score_recall,               \
    .fastkv = {.max_new_tokens = 64, .prefix_in_user = true}
static const struct kvl_task tasks[] = {
    {NEEDLE, .name = "needle/single_noise", .title = "One number in a repeated line", .min_context = 320,
     .source = "RULER niah_single_1, arXiv:2404.06654; singular wording", .config = &single_noise},
    {NEEDLE, .name = "needle/single_essay", .title = "One number in essays", .min_context = 320,
     .source = "RULER niah_single_2, arXiv:2404.06654; singular wording, composed essays", .config = &single_essay},
    {NEEDLE, .name = "needle/single_uuid", .title = "One uuid in essays", .min_context = 320,
     .source = "RULER niah_single_3, arXiv:2404.06654; singular wording, composed essays", .config = &single_uuid},
    {NEEDLE, .name = "needle/multi_key", .title = "One of four numbers in essays", .min_context = 512,
     .source = "RULER niah_multikey_1, arXiv:2404.06654; singular wording, composed essays", .config = &multi_key},
    {NEEDLE, .name = "needle/multi_key_line", .title = "One number among lines of numbers", .min_context = 320,
     .source = "RULER niah_multikey_2, arXiv:2404.06654; singular wording, own keys", .config = &multi_key_line},
    {NEEDLE, .name = "needle/multi_key_uuid", .title = "One uuid among lines of uuids", .min_context = 512,
     .source = "RULER niah_multikey_3, arXiv:2404.06654; singular wording", .config = &multi_key_uuid},
    {NEEDLE, .name = "needle/multi_value", .title = "Four numbers of one key in essays", .min_context = 512,
     .source = "RULER niah_multivalue, arXiv:2404.06654; own wording, composed essays", .config = &multi_value},
    {NEEDLE, .name = "needle/multi_query", .title = "Four numbers of four keys in essays", .min_context = 512,
     .source = "RULER niah_multiquery, arXiv:2404.06654; own wording, composed essays", .config = &multi_query},
};

const struct kvl_task *kvl_needle_task_at(int i)
{
    return i >= 0 && i < (int)(sizeof tasks / sizeof *tasks) ? &tasks[i] : NULL;
}
