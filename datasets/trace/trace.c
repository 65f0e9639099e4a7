#include "datasets/trace/trace.h"

#include <math.h>

#include "datasets/codeword.h"
#include "datasets/generator.h"
#include "datasets/needle/haystack.h"
#include "datasets/score/score.h"

/* What tells the tasks of the family apart. */
struct trace_config {
    const struct kvl_haystack_kind *haystack;
    int n_hops; /* assignments from variable to variable; one more gives the first its number */
    int64_t max_new_tokens;
};

enum {
    MAX_VARIABLES = 16,
    N_LETTERS = 5,
    VALUE_FIRST = 10000, /* values have five digits */
    N_VALUES = 90000,
};

static const char introduction[] =
    "Variables are assigned in the text below: one gets a number, others get the value of another variable. Keep track of who "
    "has which number.\n\n";
static const char question_format[] = "\nQuestion: Which variables have the value %lld after all assignments of the text above?";
static const char answer_prefix_format[] = " Answer: After all assignments, %d variables have the value %lld:";

/* One chain: the first variable gets the value, each further one what the one before it has. */
struct chain {
    long long value;
    int n_variables;
    struct kvl_text names[MAX_VARIABLES], lines[MAX_VARIABLES];
};

/* One sample while it is made. */
struct draft {
    struct chain example, chain; /* the one that is shown solved; the one that is asked for */
    const struct trace_config *config;
    struct kvl_haystack_needle needles[MAX_VARIABLES];
    struct kvl_haystack haystack;
    int64_t n_before_question;
};

static enum kvl_status draw_chain(struct chain *chain, int n_variables, int64_t value, const struct kvl_random_order *names,
                                  int64_t first_name)
{
    chain->value = VALUE_FIRST + value;
    chain->n_variables = n_variables;
    for (int i = 0; i < n_variables; i++) {
        KVL_TRY(kvl_codeword_add(&chain->names[i], kvl_random_order_at(names, first_name + i), N_LETTERS, 'A'));
        KVL_TRY(i == 0 ? kvl_text_format(&chain->lines[i], "let %s = %lld", chain->names[i].data, chain->value)
                       : kvl_text_format(&chain->lines[i], "let %s = %s", chain->names[i].data, chain->names[i - 1].data));
    }
    return KVL_OK;
}

static enum kvl_status draw(struct draft *draft, const struct kvl_task *task, const struct kvl_task_request *request)
{
    struct kvl_random random;
    struct kvl_random_order names;
    int64_t values[2];
    int n_variables = draft->config->n_hops + 1;
    kvl_random_init(&random, request->seed, task->name, request->index);
    kvl_random_order_init(&names, &random, kvl_codeword_count(N_LETTERS));
    kvl_random_sample(&random, N_VALUES, 2, values);
    KVL_TRY(draw_chain(&draft->chain, n_variables, values[0], &names, 0));
    KVL_TRY(draw_chain(&draft->example, n_variables, values[1], &names, n_variables));
    for (int i = 0; i < n_variables; i++)
        draft->needles[i] = (struct kvl_haystack_needle){draft->chain.lines[i].data, kvl_random_next(&random)};
    return kvl_haystack_init(&draft->haystack, draft->config->haystack, request->tokenizer,
                             &(struct kvl_haystack_source){.random = random});
}

static enum kvl_status add_lines(struct kvl_text *text, const struct chain *chain)
{
    for (int i = 0; i < chain->n_variables; i++)
        KVL_TRY(kvl_text_format(text, i > 0 ? "\n%s" : "%s", chain->lines[i].data));
    return KVL_OK;
}

/* The task once, solved, with one paragraph of the haystack between two assignments. */
static enum kvl_status add_example(struct draft *draft, struct kvl_text *text)
{
    const struct chain *chain = &draft->example;
    struct kvl_haystack_needle needles[MAX_VARIABLES];
    struct kvl_haystack_cut cut;
    int64_t gaps[MAX_VARIABLES];
    for (int i = 0; i < chain->n_variables; i++)
        needles[i] = (struct kvl_haystack_needle){chain->lines[i].data, 0};
    KVL_TRY(kvl_text_add(text, introduction));
    KVL_TRY(kvl_haystack_first_paragraphs(&draft->haystack, chain->n_variables - 1, &cut));
    KVL_TRY(kvl_haystack_write(&draft->haystack, &cut, needles, chain->n_variables, true, gaps, text));
    KVL_TRY(kvl_text_format(text, question_format, chain->value));
    KVL_TRY(kvl_text_format(text, answer_prefix_format, chain->n_variables, chain->value));
    for (int i = 0; i < chain->n_variables; i++)
        KVL_TRY(kvl_text_format(text, i > 0 ? ", %s" : " %s", chain->names[i].data));
    return kvl_text_add(text, "\n\n");
}

static enum kvl_status add_haystack(struct draft *draft, const struct kvl_filler_room *room, struct kvl_text *user,
                                    int64_t *n_filler)
{
    struct kvl_haystack_cut cut;
    int64_t gaps[MAX_VARIABLES];
    KVL_TRY(kvl_haystack_find_cut(&draft->haystack, room->n_min, room->n_max, &cut));
    *n_filler = cut.n_tokens;
    return kvl_haystack_write(&draft->haystack, &cut, draft->needles, draft->chain.n_variables, true, gaps, user);
}

static enum kvl_status write_user(void *context, const struct kvl_filler_room *room, struct kvl_text *user, int64_t *n_filler)
{
    struct draft *draft = context;
    KVL_TRY(add_example(draft, user));
    KVL_TRY(kvl_text_add(user, introduction));
    KVL_TRY(room != NULL ? add_haystack(draft, room, user, n_filler) : add_lines(user, &draft->chain));
    draft->n_before_question = user->n;
    return kvl_text_format(user, question_format, draft->chain.value);
}

static void chain_free(struct chain *chain)
{
    for (int i = 0; i < chain->n_variables; i++) {
        kvl_text_free(&chain->names[i]);
        kvl_text_free(&chain->lines[i]);
    }
}

static enum kvl_status trace_make(const struct kvl_task *task, const struct kvl_task_request *request,
                                  struct kvl_sample *sample)
{
    struct draft draft = {.config = task->config};
    struct kvl_text answer_prefix = {0}, user = {0};
    enum kvl_status status;
    *sample = (struct kvl_sample){0};
    KVL_TRY(kvl_generator_check(task, request));
    KVL_TRY_OUT(draw(&draft, task, request));
    KVL_TRY_OUT(kvl_text_format(&answer_prefix, answer_prefix_format, draft.chain.n_variables, draft.chain.value));
    KVL_TRY_OUT(kvl_generator_fill(task, request, answer_prefix.data, write_user, &draft, &user));
    for (int i = 0; i < draft.chain.n_variables; i++)
        KVL_TRY_OUT(kvl_sample_add_answer(sample, draft.chain.names[i].data));
    sample->user = kvl_text_take(&user);
    sample->answer_prefix = kvl_text_take(&answer_prefix);
    sample->n_before_question = draft.n_before_question;
    sample->depth = NAN;
    sample->max_new_tokens = draft.config->max_new_tokens;
out:
    kvl_text_free(&answer_prefix);
    kvl_text_free(&user);
    chain_free(&draft.example);
    chain_free(&draft.chain);
    kvl_haystack_free(&draft.haystack);
    if (status != KVL_OK)
        kvl_sample_free(sample);
    return status;
}

static const struct trace_config variables = {.haystack = &kvl_haystack_noise, .n_hops = 4, .max_new_tokens = 30};

static const struct kvl_task tasks[] = {
    {.name = "trace/variables", .version = 1, .title = "A chain of assignments in a repeated line",
     .source = "RULER vt (1 chain, 4 hops), arXiv:2404.06654; own wording", .metric = "recall", .score = kvl_score_recall,
     .has_context = true, .min_context = 512, .make = trace_make, .config = &variables,
     .fastkv = {.max_new_tokens = 64, .prefix_in_user = true}},
};

const struct kvl_task *kvl_trace_task_at(int i)
{
    return i >= 0 && i < (int)(sizeof tasks / sizeof *tasks) ? &tasks[i] : NULL;
}
