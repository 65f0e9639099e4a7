/* niah: size, depth and what stands where, on composed essays and on a folder; the two scores. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/model.h"
#include "datasets/niah/niah.h"
#include "datasets/prompt.h"
#include "tests/support/data_folder.h"
#include "tests/support/task_kit.h"

#define FACT "eat a sandwich and sit in Dolores Park on a sunny day"
#define SENTENCE "The best thing to do in San Francisco is " FACT "."
#define QUESTION ".\n Based on the content of the book, Question: The best thing to do in San Francisco is: \nAnswer:"

static struct kvl_task_settings settings;

static struct kvl_tokenizer *tiny_tokenizer(void)
{
    struct kvl_tokenizer *tokenizer;
    assert_ok(kvl_tokenizer_load_json(&tokenizer, golden_path("models/llama-tiny"), 0));
    return tokenizer;
}

static const struct kvl_chat_template *find_chat(const char *name)
{
    const struct kvl_chat_template *chat;
    assert_ok(kvl_chat_template_find(name, &chat));
    return chat;
}

static const struct kvl_task *niah(void)
{
    const struct kvl_task *task;
    assert_ok(kvl_task_find("niah", &task));
    assert_ptr_equal(task, kvl_niah_task_at(0));
    assert_null(kvl_niah_task_at(1));
    return task;
}

static int64_t count_tokens(const struct kvl_tokenizer *tokenizer, const char *text, int64_t n)
{
    struct kvl_ids ids = {0};
    assert_ok(kvl_tokenizer_encode(tokenizer, text, n, KVL_SPECIAL_PARSE, &ids));
    int64_t n_tokens = ids.n;
    kvl_ids_free(&ids);
    return n_tokens;
}

/* The needle once, on lines of its own, behind a full stop; at most one sentence (`slack` tokens) before the depth's token. */
static void check_content(const struct kvl_tokenizer *tokenizer, const struct kvl_sample *sample, int percent, int64_t slack)
{
    const char *user = sample->user, *at = strstr(user, "\n" SENTENCE "\n");
    const char *begin = strstr(user, "<book> "), *end = strstr(user, " </book>");
    assert_true(at != NULL && begin != NULL && end != NULL && strstr(at + 2, SENTENCE) == NULL);
    begin += strlen("<book> ");
    int64_t n_before = count_tokens(tokenizer, begin, at - begin);
    int64_t n_behind = count_tokens(tokenizer, at + strlen(SENTENCE) + 2, end - at - (int64_t)strlen(SENTENCE) - 2);
    int64_t n_ideal = (n_before + n_behind) * percent / 100;
    if (n_before > n_ideal + 2 || n_before < n_ideal - slack)
        fail_msg("%d %%: %lld tokens before the needle, %lld behind it", percent, (long long)n_before, (long long)n_behind);
    assert_true(at == begin || percent == 100 || at[-1] == '.');
    assert_true(percent < 100 || n_behind == 0);
    assert_string_equal(user + sample->n_before_question, QUESTION);
    assert_true(memcmp(user + sample->n_before_question - 8, " </book>", 8) == 0);
    assert_true(sample->depth == percent / 100.0);
    assert_int_equal(sample->n_answers, 2);
    assert_string_equal(sample->answers[0], SENTENCE);
    assert_string_equal(sample->answers[1], FACT);
    assert_string_equal(sample->answer_prefix, "");
    assert_int_equal(sample->max_new_tokens, 30);
    assert_string_equal(sample->stop, "\n");
}

static void check(const struct kvl_task_request *request, int percent, int64_t slack)
{
    struct kvl_prompt prompt;
    assert_ok(kvl_prompt_make(&prompt, niah(), request, true));
    if (prompt.ids.n > request->n_context || 100 * prompt.ids.n < 98 * request->n_context)
        fail_msg("context %lld, sample %lld: %lld tokens", (long long)request->n_context, (long long)request->index,
                 (long long)prompt.ids.n);
    check_content(request->tokenizer, &prompt.sample, percent, slack);
    kvl_prompt_free(&prompt);
}

static const int depths[] = {0, 11, 22, 33, 44, 56, 67, 78, 89, 100};

static void check_grid(const struct kvl_tokenizer *tokenizer, const char *chat, const int64_t *contexts, int n_contexts,
                       int64_t slack)
{
    for (int c = 0; c < n_contexts; c++)
        for (int index = 0; index < 13; index++) {
            struct kvl_task_request request = {tokenizer, find_chat(chat), contexts[c], 3, index, &settings};
            settings.protocol = KVL_PROTOCOL_PLAIN;
            check(&request, depths[index % 10], slack);
            settings.protocol = KVL_PROTOCOL_FASTKV;
            check(&request, depths[index % 10], slack);
        }
    settings.protocol = KVL_PROTOCOL_PLAIN;
}

static void test_grid(void **state)
{
    (void)state;
    struct kvl_tokenizer *tokenizer = tiny_tokenizer();
    static const int64_t contexts[] = {1000, 2048, 8191};
    check_grid(tokenizer, "none", contexts, 3, 250);
    check_grid(tokenizer, "llama-3", contexts, 2, 250);
    check_grid(tokenizer, "mistral-tekken", contexts, 2, 250);
    kvl_tokenizer_free(tokenizer);
}

static void test_small_model_grid(void **state)
{
    (void)state;
    const char *path = getenv("KVLAB_SMALL_MODEL");
    if (path == NULL || access(path, R_OK) != 0)
        skip_because("KVLAB_SMALL_MODEL names no readable file");
    struct kvl_model *model;
    static const int64_t contexts[] = {256, 1024, 4096, 16384};
    assert_ok(kvl_model_load_tokenizer(path, &model));
    check_grid(model->tokenizer, "smollm2", contexts, 4, 80);
    kvl_model_free(model);
}

/* Same essays at every depth, others in the next round and for another seed; same request, same prompt. */
static void test_rounds(void **state)
{
    (void)state;
    struct kvl_tokenizer *tokenizer = tiny_tokenizer();
    struct kvl_task_request request = {tokenizer, NULL, 2000, 3, 0, &settings};
    struct kvl_sample first, other;
    const char *book = "<book> \n" SENTENCE "\n";
    assert_ok(niah()->make(niah(), &request, &first));
    assert_ok(niah()->make(niah(), &request, &other));
    assert_string_equal(first.user, other.user);
    kvl_sample_free(&other);
    const char *essay = strstr(first.user, book);
    assert_non_null(essay);
    essay += strlen(book);
    for (request.index = 1; request.index < 12; request.index++) {
        assert_ok(niah()->make(niah(), &request, &other));
        assert_true((memcmp(strstr(other.user, "<book> ") + 7 + (request.index == 10 ? strlen(book) - 7 : 0), essay, 60) == 0)
                    == (request.index < 10));
        kvl_sample_free(&other);
    }
    request.index = 0;
    request.seed = 4;
    assert_ok(niah()->make(niah(), &request, &other));
    assert_true(memcmp(strstr(other.user, book) + strlen(book), essay, 60) != 0);
    kvl_sample_free(&other);
    kvl_sample_free(&first);
    kvl_tokenizer_free(tokenizer);
}

/* A folder shorter than the context is read again; characters of several bytes are never cut. */
static void test_folder(void **state)
{
    (void)state;
    struct kvl_tokenizer *tokenizer = tiny_tokenizer();
    struct data_folder folder;
    data_folder_init(&folder);
    data_folder_write_text(&folder, "b.txt", "The barge went down the river. Nobody waved. It was late, and 木 was wet.\n\n"
                                             "The tide turned.\n");
    data_folder_write_text(&folder, "a.txt", "Æsc walked home. The käse was eaten… by mice. All of it.\n");
    settings.haystack_dir = folder.path;
    for (int64_t n_context = 1000; n_context < 1012; n_context++)
        for (int index = 0; index < 22; index++) {
            struct kvl_task_request request = {tokenizer, NULL, n_context, 5, index, &settings};
            struct kvl_sample sample;
            check(&request, depths[index % 10], 120);
            assert_ok(niah()->make(niah(), &request, &sample));
            assert_true(kvl_utf8_check(sample.user, (int64_t)strlen(sample.user)) < 0);
            assert_null(strstr(sample.user, "\xef\xbf\xbd"));
            assert_non_null(strstr(sample.user, "The barge went down the river."));
            assert_non_null(strstr(sample.user, "by mice. All of it."));
            kvl_sample_free(&sample);
        }
    data_folder_free(&folder);
    struct kvl_task_request request = {tokenizer, NULL, 1000, 5, 0, &settings};
    struct kvl_sample sample;
    assert_int_equal(niah()->make(niah(), &request, &sample), KVL_E_IO);
    assert_non_null(strstr(kvl_last_error(), folder.path));
    settings.haystack_dir = NULL;
    kvl_tokenizer_free(tokenizer);
}

/* LLaMA goes without a template under fastkv, others with it; the prompt then begins as the repository's. */
static void test_protocol(void **state)
{
    (void)state;
    struct kvl_tokenizer *tokenizer = tiny_tokenizer();
    static const struct {
        const char *chat;
        bool plain, fastkv; /* has a template */
    } cases[] = {{"llama-3.1", true, false}, {"llama-3", true, false}, {"mistral-tekken", true, true}, {"none", false, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int fastkv = 0; fastkv < 2; fastkv++) {
            struct kvl_task_request request = {tokenizer, find_chat(cases[i].chat), 1500, 5, 4, &settings};
            struct kvl_prompt prompt;
            settings.protocol = fastkv ? KVL_PROTOCOL_FASTKV : KVL_PROTOCOL_PLAIN;
            assert_ok(kvl_prompt_make(&prompt, niah(), &request, true));
            assert_true((kvl_prompt_template(niah(), &request) != NULL) == (fastkv ? cases[i].fastkv : cases[i].plain));
            const char *begin = fastkv ? "<|im_start|> This is a very long story book: <book> "
                                       : "This is a very long story book: <book> ";
            assert_memory_equal(prompt.sample.user, begin, strlen(begin));
            assert_string_equal(kvl_prompt_stop(niah(), &request, &prompt.sample), "\n");
            assert_int_equal(kvl_prompt_max_new_tokens(niah(), &request, &prompt.sample), 30);
            kvl_prompt_free(&prompt);
            assert_ok(kvl_prompt_make(&prompt, niah(), &request, false));
            assert_true(prompt.n_before_question > 1300 && prompt.n_before_question < prompt.ids.n);
            kvl_prompt_free(&prompt);
        }
    settings.protocol = KVL_PROTOCOL_PLAIN;
    kvl_tokenizer_free(tokenizer);
}

static double score_of(kvl_score_function function, const char *prediction, int n_answers)
{
    const char *const answers[] = {SENTENCE, FACT};
    double score;
    assert_ok(function(&(struct kvl_scoring){.prediction = prediction, .answers = answers, .n_answers = n_answers}, &score));
    return score;
}

/* The fact alone is 12 of the sentence's 21 words: F = 2 * 12 / (12 + 21). */
static void test_scores(void **state)
{
    (void)state;
    const struct kvl_task *task = niah();
    assert_true(score_of(task->score, SENTENCE, 2) == 1 && score_of(task->second_score, SENTENCE, 2) == 1);
    double fact = score_of(task->score, FACT ".", 2);
    assert_true(fact > 24.0 / 33 - 1e-12 && fact < 24.0 / 33 + 1e-12);
    assert_true(score_of(task->second_score, " " FACT, 2) == 1);
    assert_true(score_of(task->score, "", 2) == 0 && score_of(task->second_score, "", 2) == 0);
    assert_true(score_of(task->second_score, "eat a sandwich", 2) == 0);
    assert_true(score_of(task->score, "eat a sandwich", 2) > 0);
    /* Stored outputs of another engine may have the sentence only. */
    assert_true(score_of(task->score, SENTENCE, 1) == 1 && score_of(task->second_score, SENTENCE, 1) == 1);
    assert_true(score_of(task->score, SENTENCE, 0) == 0 && score_of(task->second_score, SENTENCE, 0) == 0);
}

/* A prompt that changes needs a new version of the task. */
static void test_prompt_stays_as_it_is(void **state)
{
    (void)state;
    assert_true(kit_is_golden("niah", 1, 2000, UINT64_C(0x8ebb6b072dfcf7dc)));
}

static void test_bad_requests(void **state)
{
    (void)state;
    struct kvl_tokenizer *tokenizer = tiny_tokenizer();
    static const struct {
        int64_t n_context, index;
        const char *chat;
        bool tokenizer;
        const char *sentence;
    } cases[] = {
        {255, 0, "none", true, "too short for niah: at least 256"},
        {256, 0, "llama-3.1", true, "too short for niah: what must stand in it takes"}, /* of this tokenizer's short tokens */
        {1000, -1, "none", true, "sample -1 of niah"},
        {1000, 0, "none", false, "needs the model's tokenizer"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct kvl_task_request request = {cases[i].tokenizer ? tokenizer : NULL, find_chat(cases[i].chat), cases[i].n_context, 1,
                                           cases[i].index, NULL};
        struct kvl_sample sample;
        assert_int_equal(niah()->make(niah(), &request, &sample), KVL_E_ARG);
        if (strstr(kvl_last_error(), cases[i].sentence) == NULL)
            fail_msg("'%s' and not '%s'", kvl_last_error(), cases[i].sentence);
        assert_null(sample.user);
    }
    kvl_tokenizer_free(tokenizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grid),   cmocka_unit_test(test_small_model_grid), cmocka_unit_test(test_rounds),
        cmocka_unit_test(test_folder), cmocka_unit_test(test_protocol),         cmocka_unit_test(test_scores),
        cmocka_unit_test(test_prompt_stays_as_it_is), cmocka_unit_test(test_bad_requests),
    };
    return test_result(cmocka_run_group_tests(tests, NULL, NULL));
}
