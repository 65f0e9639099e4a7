/* From sample to tokens: what each protocol does to template, BOS, answer prefix and long prompts. The task is made up here. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "datasets/prompt.h"
#include "tests/support/golden.h"

static const char context_text[] = "Alpha beta gamma. The code of the door is 4711. Delta epsilon zeta eta theta iota kappa.";
static const char question_text[] = "\nWhat is the code of the door?";
static const char prefix_text[] = " The code is";

static char *copy(const char *text)
{
    char *out = strdup(text);
    assert_non_null(out);
    return out;
}

/* index 0: context and question; 1: no question of its own; 2: a text to read on, n_forced 8; 3: the question stands in the
 * context, too. */
static enum kvl_status make(const struct kvl_task *task, const struct kvl_task_request *request, struct kvl_sample *sample)
{
    (void)task;
    char user[512];
    snprintf(user, sizeof user, "%s%s%s", request->index == 3 ? question_text + 1 : "", context_text,
             request->index == 1 ? "" : question_text);
    *sample = (struct kvl_sample){.user = copy(user), .answer_prefix = copy(request->index == 2 ? "" : prefix_text),
                                  .max_new_tokens = 30, .depth = NAN, .stop = "\n", .n_forced = request->index == 2 ? 8 : 0};
    if (request->index != 1)
        sample->n_before_question = (int64_t)(strlen(user) - strlen(question_text));
    return KVL_OK;
}

static struct kvl_task task_with(struct kvl_task_fastkv fastkv)
{
    return (struct kvl_task){.name = "made/up", .version = 1, .make = make, .fastkv = fastkv};
}

static const struct kvl_chat_template *chat_of(const char *name)
{
    const struct kvl_chat_template *chat;
    assert_int_equal(kvl_chat_template_find(name, &chat), KVL_OK);
    return chat;
}

static struct kvl_model *tiny(void)
{
    struct kvl_model *model;
    assert_int_equal(kvl_model_load_tokenizer(golden_path("models/llama-tiny"), &model), KVL_OK);
    assert_non_null(model->tokenizer);
    assert_true(kvl_tokenizer_bos(model->tokenizer) >= 0);
    return model;
}

struct given {
    const char *chat; /* NULL: none */
    struct kvl_task_settings settings;
    int64_t index, n_context;
    bool query_agnostic;
};

static enum kvl_status try_prompt(const struct kvl_model *model, const struct kvl_task *task, const struct given *given,
                                  struct kvl_prompt *prompt)
{
    const struct kvl_task_request request = {.tokenizer = model->tokenizer,
                                             .chat = given->chat != NULL ? chat_of(given->chat) : NULL,
                                             .index = given->index,
                                             .n_context = given->n_context,
                                             .settings = &given->settings};
    return kvl_prompt_make(prompt, task, &request, !given->query_agnostic);
}

static struct kvl_prompt make_prompt(const struct kvl_model *model, const struct kvl_task *task, struct given given)
{
    struct kvl_prompt prompt;
    if (try_prompt(model, task, &given, &prompt) != KVL_OK)
        fail_msg("%s", kvl_last_error());
    return prompt;
}

static char *text_of_ids(const struct kvl_model *model, const int32_t *ids, int64_t n)
{
    char *text;
    int64_t length;
    assert_int_equal(kvl_tokenizer_decode(model->tokenizer, ids, n, true, &text, &length), KVL_OK);
    return text;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), n_end = strlen(end);
    return n >= n_end && strcmp(text + n - n_end, end) == 0;
}

/* Plain: one BOS whoever asks for it. fastkv: the template's and the tokenizer's. */
static void test_bos(void **state)
{
    (void)state;
    struct kvl_model *model = tiny();
    struct kvl_task task = task_with((struct kvl_task_fastkv){0});
    bool add = kvl_tokenizer_add_bos(model->tokenizer);
    const struct {
        const char *chat;
        enum kvl_protocol protocol;
        int64_t n_bos;
    } cases[] = {
        {"llama-3", KVL_PROTOCOL_PLAIN, 1},      {"llama-3", KVL_PROTOCOL_FASTKV, 1 + add},
        {"chatml", KVL_PROTOCOL_PLAIN, 0},       {"chatml", KVL_PROTOCOL_FASTKV, add},
        {NULL, KVL_PROTOCOL_PLAIN, add},         {NULL, KVL_PROTOCOL_FASTKV, add},
        {"mistral-tekken", KVL_PROTOCOL_PLAIN, 1},
    };
    assert_true(add);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct kvl_prompt prompt = make_prompt(model, &task, (struct given){.chat = cases[i].chat,
                                                                            .settings.protocol = cases[i].protocol});
        if (prompt.n_bos != cases[i].n_bos)
            fail_msg("case %zu: %lld BOS, expected %lld", i, (long long)prompt.n_bos, (long long)cases[i].n_bos);
        kvl_prompt_free(&prompt);
    }
    kvl_model_free(model);
}

/* The answer prefix ends the prompt behind the assistant's header, or under fastkv the user's message. */
static void test_prefix_and_template(void **state)
{
    (void)state;
    struct kvl_model *model = tiny();
    static const char header[] = "<|start_header_id|>assistant<|end_header_id|>\n\n";
    const struct kvl_task_settings plain = {0}, fastkv = {.protocol = KVL_PROTOCOL_FASTKV};
    struct kvl_task ruler = task_with((struct kvl_task_fastkv){.max_new_tokens = 64, .prefix_in_user = true});
    struct kvl_task few_shot = task_with((struct kvl_task_fastkv){.no_template = true});
    struct kvl_task needle = task_with((struct kvl_task_fastkv){.no_template_family = "llama"});
    struct kvl_task bare = task_with((struct kvl_task_fastkv){0});
    bare.no_template = true;
    char end[128], in_user[128];
    snprintf(end, sizeof end, "%s%s", header, prefix_text);
    snprintf(in_user, sizeof in_user, "%s%s<|eot_id|>%s", question_text, prefix_text, header);
    const struct {
        const struct kvl_task *task;
        const struct kvl_task_settings *settings;
        const char *chat, *end;
        int64_t max_new;
        bool stops, has_template;
    } cases[] = {
        {&ruler, &plain, "llama-3", end, 30, true, true},
        {&ruler, &fastkv, "llama-3", in_user, 64, false, true},
        {&few_shot, &plain, "llama-3", end, 30, true, true},
        {&few_shot, &fastkv, "llama-3", " the door? The code is", 30, true, false},
        {&needle, &fastkv, "llama-3", " the door? The code is", 30, true, false},
        {&needle, &fastkv, "mistral-tekken", "[/INST] The code is", 30, true, true},
        {&bare, &plain, "llama-3", " the door? The code is", 30, true, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct kvl_prompt prompt = make_prompt(model, cases[i].task, (struct given){.chat = cases[i].chat,
                                                                                    .settings = *cases[i].settings});
        const struct kvl_task_request request = {.tokenizer = model->tokenizer, .chat = chat_of(cases[i].chat),
                                                 .settings = cases[i].settings};
        if (!ends_with(prompt.text, cases[i].end))
            fail_msg("case %zu: \"%s\" does not end in \"%s\"", i, prompt.text, cases[i].end);
        assert_int_equal(kvl_prompt_max_new_tokens(cases[i].task, &request, &prompt.sample), cases[i].max_new);
        assert_true((kvl_prompt_stop(cases[i].task, &request, &prompt.sample) != NULL) == cases[i].stops);
        assert_true((kvl_prompt_template(cases[i].task, &request) != NULL) == cases[i].has_template);
        struct kvl_ids scratch = {0};
        int64_t n;
        assert_int_equal(kvl_prompt_count(cases[i].task, &request, &prompt.sample, &scratch, &n), KVL_OK);
        assert_int_equal(n, prompt.ids.n);
        kvl_ids_free(&scratch);
        kvl_prompt_free(&prompt);
    }
    kvl_model_free(model);
}

/* Query-agnostic: the ids before the question are those of the text before it, and together they are the whole prompt. */
static void test_question_apart(void **state)
{
    (void)state;
    struct kvl_model *model = tiny();
    struct kvl_task task = task_with((struct kvl_task_fastkv){0});
    static const int64_t indices[] = {0, 3};
    for (size_t i = 0; i < sizeof indices / sizeof *indices; i++) {
        struct kvl_prompt prompt = make_prompt(model, &task, (struct given){.chat = "llama-3", .index = indices[i],
                                                                            .query_agnostic = true});
        char *before = text_of_ids(model, prompt.ids.data, prompt.n_before_question);
        char *after = text_of_ids(model, prompt.ids.data + prompt.n_before_question, prompt.ids.n - prompt.n_before_question);
        assert_true(ends_with(before, context_text));
        assert_ptr_equal(strstr(after, question_text), after);
        assert_true(ends_with(after, prefix_text));
        free(before);
        free(after);
        kvl_prompt_free(&prompt);
    }
    struct kvl_prompt prompt;
    assert_int_equal(try_prompt(model, &task, &(struct given){.index = 1, .query_agnostic = true}, &prompt), KVL_E_ARG);
    assert_non_null(strstr(kvl_last_error(), "--query-aware on"));
    prompt = make_prompt(model, &task, (struct given){.index = 0});
    assert_int_equal(prompt.n_before_question, 0);
    kvl_prompt_free(&prompt);
    kvl_model_free(model);
}

/* The user's message keeps its first and last half of the limit's tokens; what fits stays as it is. */
static void test_middle_cut(void **state)
{
    (void)state;
    enum { LIMIT = 40 };
    struct kvl_model *model = tiny();
    struct kvl_task task = task_with((struct kvl_task_fastkv){0});
    struct kvl_ids ids = {0};
    char user[512];
    snprintf(user, sizeof user, "%s%s", context_text, question_text);
    assert_int_equal(kvl_ids_push(&ids, kvl_tokenizer_bos(model->tokenizer)), KVL_OK);
    assert_int_equal(kvl_tokenizer_encode(model->tokenizer, user, (int64_t)strlen(user), KVL_SPECIAL_PARSE, &ids), KVL_OK);
    assert_true(ids.n > LIMIT + 10);
    char *head = text_of_ids(model, ids.data, LIMIT / 2), *tail = text_of_ids(model, ids.data + ids.n - LIMIT / 2, LIMIT / 2);
    char expected[512];
    snprintf(expected, sizeof expected, "%s%s", head, tail);
    struct given given = {.settings.max_prompt = LIMIT};
    struct kvl_prompt prompt = make_prompt(model, &task, given);
    assert_string_equal(prompt.sample.user, expected);
    assert_int_equal(prompt.n_uncut, ids.n);
    kvl_prompt_free(&prompt);
    given.settings.max_prompt = ids.n;
    prompt = make_prompt(model, &task, given);
    assert_string_equal(prompt.sample.user, user);
    assert_int_equal(prompt.n_uncut, 0);
    kvl_prompt_free(&prompt);
    /* FastKV's repository cuts what the template made: its special tokens are lost, and the second BOS. */
    given.settings.protocol = KVL_PROTOCOL_FASTKV;
    given.settings.max_prompt = LIMIT;
    given.chat = "llama-3";
    struct kvl_prompt whole = make_prompt(model, &task, (struct given){.chat = "llama-3", .settings.protocol = KVL_PROTOCOL_FASTKV});
    prompt = make_prompt(model, &task, given);
    free(head);
    free(tail);
    head = text_of_ids(model, whole.ids.data, LIMIT / 2);
    tail = text_of_ids(model, whole.ids.data + whole.ids.n - LIMIT / 2, LIMIT / 2);
    snprintf(expected, sizeof expected, "%s%s", head, tail);
    assert_string_equal(prompt.text, expected);
    assert_int_equal(prompt.n_uncut, whole.ids.n);
    assert_int_equal(whole.n_bos, 2);
    assert_int_equal(prompt.n_bos, 1);
    kvl_prompt_free(&whole);
    kvl_prompt_free(&prompt);
    given = (struct given){0};
    given.settings.max_prompt = 10; /* the question itself is cut: nothing to compress before it */
    given.query_agnostic = true;
    assert_int_equal(try_prompt(model, &task, &given, &prompt), KVL_E_ARG);
    free(head);
    free(tail);
    kvl_ids_free(&ids);
    kvl_model_free(model);
}

/* A text to read on: the first n_context tokens are the prompt, the next ones are fed. */
static void test_forced(void **state)
{
    (void)state;
    struct kvl_model *model = tiny();
    struct kvl_task task = task_with((struct kvl_task_fastkv){0});
    task.no_template = true;
    struct kvl_prompt whole = make_prompt(model, &task, (struct given){.index = 0});
    struct kvl_prompt prompt = make_prompt(model, &task, (struct given){.index = 2, .n_context = 20, .chat = "llama-3"});
    assert_int_equal(prompt.ids.n, 20);
    assert_int_equal(prompt.forced.n, 8);
    for (int64_t i = 0; i < 28; i++)
        assert_int_equal(i < 20 ? prompt.ids.data[i] : prompt.forced.data[i - 20], whole.ids.data[i]);
    kvl_prompt_free(&prompt);
    assert_int_equal(try_prompt(model, &task, &(struct given){.index = 2, .n_context = 100000}, &prompt), KVL_E_ARG);
    kvl_prompt_free(&whole);
    kvl_model_free(model);
}

static void test_settings(void **state)
{
    (void)state;
    struct kvl_task_settings settings = {0};
    assert_true(kvl_task_setting_family("longbench"));
    assert_false(kvl_task_setting_family("fastkv"));
    assert_int_equal(kvl_task_setting_parse(&settings, "longbench", "code_similarity", "levenshtein"), KVL_OK);
    assert_int_equal(settings.code_similarity, KVL_CODE_LEVENSHTEIN);
    assert_int_equal(kvl_task_setting_parse(&settings, "longbench", "code_similarity", "jaro"), KVL_E_ARG);
    assert_int_equal(kvl_task_setting_parse(&settings, "longbench", "code_similarty", "difflib"), KVL_E_ARG);
    assert_non_null(strstr(kvl_last_error(), "code_similarity"));
    assert_string_equal(kvl_protocol_name(KVL_PROTOCOL_PLAIN), "plain");
    assert_string_equal(kvl_protocol_name(KVL_PROTOCOL_FASTKV), "fastkv");
    assert_null(kvl_protocol_name(2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bos),        cmocka_unit_test(test_prefix_and_template), cmocka_unit_test(test_question_apart),
        cmocka_unit_test(test_middle_cut), cmocka_unit_test(test_forced),              cmocka_unit_test(test_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
