/* Generating by a rule: what ends an answer, and what may not begin it. */
#include <stdlib.h>

#include "harness/command.h"
#include "harness/workbench.h"
#include "tests/support/golden.h"

enum { N_PROMPT = 24, N_NEW = 6 };

static struct kvl_workbench bench;
static struct kvl_options options;
static char model_path[1024];

static int set_up(void **state)
{
    (void)state;
    static char *words[1];
    snprintf(model_path, sizeof model_path, "%s", golden_path("models/llama-tiny"));
    words[0] = model_path;
    kvl_options_init(&options, &kvl_command_generate, 0, NULL);
    options.positional = (struct kvl_words){words, 1};
    options.dtype = KVL_F32;
    options.raw = true;
    if (kvl_workbench_init(&bench, &options, true) != KVL_OK)
        fail_msg("%s", kvl_last_error());
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    kvl_workbench_free(&bench);
    return 0;
}

/* A prefilled session of the reference method on a fixed prompt; *grid owns the method. */
static void open_session(struct kvl_session *session, struct kvl_grid *grid)
{
    int32_t ids[N_PROMPT];
    for (int i = 0; i < N_PROMPT; i++)
        ids[i] = 3 + (i * 37) % 250;
    assert_int_equal(kvl_grid_init_reference(grid, &bench.model->shape), KVL_OK);
    assert_int_equal(kvl_session_init(session, bench.engine, &grid->configs[0].run->policy, N_PROMPT, N_NEW), KVL_OK);
    struct kvl_session *sessions[] = {session};
    assert_int_equal(kvl_engine_prefill(bench.engine, &(struct kvl_prefill){.ids = ids, .n = N_PROMPT}, sessions, 1), KVL_OK);
}

static struct kvl_generation generate(struct kvl_answer_rule rule)
{
    struct kvl_session session;
    struct kvl_grid grid;
    struct kvl_generation out;
    open_session(&session, &grid);
    assert_int_equal(kvl_workbench_generate(&bench, &session, rule, &out), KVL_OK);
    kvl_session_free(&session);
    kvl_grid_free(&grid);
    return out;
}

/* The most likely token of the prompt that is neither of the two. */
static int32_t best_but(int32_t a, int32_t b)
{
    struct kvl_session session;
    struct kvl_grid grid;
    int64_t n = bench.model->shape.n_vocab;
    float *logits = malloc((size_t)n * sizeof *logits);
    open_session(&session, &grid);
    assert_int_equal(kvl_session_logits(&session, logits), KVL_OK);
    int32_t best = -1;
    for (int32_t i = 0; i < n; i++)
        if (i != a && i != b && (best < 0 || logits[i] > logits[best]))
            best = i;
    free(logits);
    kvl_session_free(&session);
    kvl_grid_free(&grid);
    return best;
}

static void test_length(void **state)
{
    (void)state;
    struct kvl_generation long_one = generate((struct kvl_answer_rule){.max_new = N_NEW});
    struct kvl_generation short_one = generate((struct kvl_answer_rule){.max_new = 2});
    assert_int_equal(long_one.ids.n, N_NEW);
    assert_int_equal(short_one.ids.n, 2);
    assert_false(long_one.ended);
    assert_memory_equal(short_one.ids.data, long_one.ids.data, 2 * sizeof(int32_t));
    kvl_generation_free(&long_one);
    kvl_generation_free(&short_one);
}

/* The text of the first token as `stop` ends the answer there; with min_one_token it cannot begin it. */
static void test_stop_and_first_token(void **state)
{
    (void)state;
    struct kvl_generation free_one = generate((struct kvl_answer_rule){.max_new = 1});
    struct kvl_ids again = {0};
    assert_int_equal(kvl_tokenizer_encode(bench.model->tokenizer, free_one.text, free_one.text_length, KVL_SPECIAL_TEXT, &again),
                     KVL_OK);
    assert_int_equal(again.n, 1); /* the token is its own text, so that the test means something */
    assert_int_equal(again.data[0], free_one.ids.data[0]);
    assert_true(strspn(free_one.text, " \t\r\n") < strlen(free_one.text));
    struct kvl_generation stopped = generate((struct kvl_answer_rule){.max_new = N_NEW, .stop = free_one.text});
    assert_true(stopped.ended);
    assert_int_equal(stopped.ids.n, 1);
    struct kvl_generation held = generate((struct kvl_answer_rule){.max_new = 1, .stop = free_one.text, .min_one_token = true});
    assert_int_equal(held.ids.n, 1);
    assert_int_equal(held.ids.data[0], best_but(free_one.ids.data[0], kvl_tokenizer_eos(bench.model->tokenizer)));
    kvl_ids_free(&again);
    kvl_generation_free(&free_one);
    kvl_generation_free(&stopped);
    kvl_generation_free(&held);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_length), cmocka_unit_test(test_stop_and_first_token)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
