/* RULER's files: both formats, every place where a file may lie, every record that is refused, and, where the shared reference
 * data is, files of the official generator. The records here are made up; only the templates' fixed words are RULER's. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/model.h"
#include "datasets/json_lines.h"
#include "datasets/prompt.h"
#include "datasets/ruler/ruler.h"
#include "tests/support/data_folder.h"
#include "tests/support/golden.h"

static const struct {
    const char *name;
    int max_new_tokens;
    const char *metric;
} expected_tasks[] = {
    {"ruler/niah_single_1", 128, "recall"},   {"ruler/niah_single_2", 128, "recall"},   {"ruler/niah_single_3", 128, "recall"},
    {"ruler/niah_multikey_1", 128, "recall"}, {"ruler/niah_multikey_2", 128, "recall"}, {"ruler/niah_multikey_3", 128, "recall"},
    {"ruler/niah_multivalue", 128, "recall"}, {"ruler/niah_multiquery", 128, "recall"}, {"ruler/vt", 30, "recall"},
    {"ruler/cwe", 120, "recall"},             {"ruler/fwe", 50, "recall"},              {"ruler/qa_1", 32, "recall_any"},
    {"ruler/qa_2", 32, "recall_any"},
};
enum { N_TASKS = sizeof expected_tasks / sizeof *expected_tasks };

/* One record of each template: what stands before the question, the question, the prefix. */
static const struct made_up {
    const char *task, *context, *question, *prefix;
    const char *answers[2];
} made_up[] = {
    {"ruler/niah_single_1",
     "A special magic number is hidden within the following text. Keep it.\nThe number for calm-river is: 71.\nRain fell.",
     "\nWhat is the special magic number for calm-river mentioned in the provided text?",
     " The special magic number for calm-river mentioned in the provided text is", {"71", NULL}},
    {"ruler/niah_multiquery",
     "Some special magic numbers are hidden within the following text. The number for calm-river is: 71. For old-barn: 93.",
     "\nWhat are all the special magic numbers for calm-river, and old-barn mentioned in the provided text?",
     " The special magic numbers for calm-river, and old-barn mentioned in the provided text are", {"71", "93"}},
    {"ruler/vt",
     "Memorize and track the chain(s) of variable assignment below.\n\nVAR A = 9\nQuestion: Find all variables that hold 9. "
     "Answer: According to the chain(s) above, they are: A\nMemorize and track the chain(s) of variable assignment below.\n\n"
     "VAR B = 7\nVAR C = B",
     "\nQuestion: Find all variables that are assigned the value 7 in the text above.",
     " Answer: According to the chain(s) of variable assignment in the text above, 2 variables have it, they are: ", {"B", "C"}},
    {"ruler/cwe",
     "Below is a numbered list of words. 1. oak 2. elm\nQuestion: What are the 10 most common words in it? Answer: The top 10 "
     "words that are in the list are: oak\nBelow is a numbered list of words. 1. fir 2. ash 3. fir",
     "\nQuestion: What are the 10 most common words in the above list?",
     " Answer: The top 10 words that appear most often in the list are:", {"fir", "ash"}},
    {"ruler/fwe", "Read the following coded text and count. ... abc ... abc ... xyz",
     "\nQuestion: Do not provide any explanation. What are the three most frequently appeared words in the above coded text?",
     " Answer: According to the coded text above, the three most frequently appeared words are:", {"abc", "xyz"}},
    {"ruler/qa_1",
     "Answer the question based on the given documents. Be brief.\n\nDocument 1:\nMilo keeps bees. Question: who? Answer: Milo.\n\n"
     "Answer the question based on the given documents. Be brief.",
     "\n\nQuestion: What does Milo keep?", " Answer:", {"bees", "a bee"}},
};
enum { N_MADE_UP = sizeof made_up / sizeof *made_up };

static struct data_folder folder;
static struct kvl_task_settings settings;

static const struct kvl_task *find(const char *name)
{
    const struct kvl_task *task;
    assert_ok(kvl_task_find(name, &task));
    return task;
}

/* One line of a file. `with_prefix`: the new format. */
static char *line_of(const struct made_up *m, bool with_prefix)
{
    char input[2048];
    snprintf(input, sizeof input, "%s%s%s", m->context, m->question, with_prefix ? "" : m->prefix);
    json_t *outputs = json_array(), *record = json_object();
    for (int i = 0; i < 2 && m->answers[i] != NULL; i++)
        json_array_append_new(outputs, json_string(m->answers[i]));
    json_object_set_new(record, "index", json_integer(5));
    json_object_set_new(record, "input", json_string(input));
    json_object_set_new(record, "outputs", outputs);
    json_object_set_new(record, "length", json_integer(200));
    if (with_prefix)
        json_object_set_new(record, "answer_prefix", json_string(m->prefix));
    char *line = json_dumps(record, JSON_COMPACT);
    json_decref(record);
    return line;
}

/* NAME of "ruler/NAME". */
static const char *short_name(const char *task)
{
    return strchr(task, '/') + 1;
}

static void write_file(const char *pattern, const char *task, const char *text)
{
    char name[128];
    snprintf(name, sizeof name, pattern, short_name(task));
    data_folder_write_text(&folder, name, text);
}

static struct kvl_task_request request_of(int64_t n_context, int64_t index)
{
    return (struct kvl_task_request){.n_context = n_context, .index = index, .settings = &settings};
}

static void check_sample(const struct kvl_sample *sample, const struct made_up *m)
{
    int64_t n = sample->n_before_question;
    char user[2048];
    snprintf(user, sizeof user, "%s%s", m->context, m->question);
    assert_string_equal(sample->user, user);
    assert_string_equal(sample->answer_prefix, m->prefix);
    /* One blank or newline before the question belongs to it. */
    assert_string_equal(sample->user + n, m->question[1] == '\n' ? m->question + 1 : m->question);
    assert_int_equal(sample->n_answers, m->answers[1] != NULL ? 2 : 1);
    for (int i = 0; i < sample->n_answers; i++)
        assert_string_equal(sample->answers[i], m->answers[i]);
    assert_true(isnan(sample->depth));
    assert_null(sample->stop);
    assert_null(sample->classes);
    assert_int_equal(sample->n_forced, 0);
}

static void test_table(void **state)
{
    (void)state;
    for (int i = 0; i < N_TASKS; i++) {
        const struct kvl_task *task = kvl_ruler_task_at(i);
        assert_non_null(task);
        assert_string_equal(task->name, expected_tasks[i].name);
        assert_string_equal(task->metric, expected_tasks[i].metric);
        assert_ptr_equal(find(task->name), task);
        assert_true(task->has_context && task->count && task->score && !task->no_template);
        assert_true(task->fastkv.max_new_tokens == 64 && task->fastkv.prefix_in_user && !task->fastkv.no_template);
    }
    assert_null(kvl_ruler_task_at(N_TASKS));
    assert_null(kvl_ruler_task_at(-1));
}

/* Both formats give the same sample. */
static void test_formats(void **state)
{
    (void)state;
    for (int i = 0; i < N_MADE_UP; i++)
        for (int format = 0; format < 2; format++) {
            const struct kvl_task *task = find(made_up[i].task);
            struct kvl_task_request request = request_of(512, 0);
            struct kvl_sample sample;
            int64_t n;
            char *line = line_of(&made_up[i], format);
            write_file("512/%s.jsonl", task->name, line);
            assert_ok(task->count(task, &request, &n));
            assert_int_equal(n, 1);
            assert_ok(task->make(task, &request, &sample));
            check_sample(&sample, &made_up[i]);
            for (int t = 0; t < N_TASKS; t++)
                if (strcmp(expected_tasks[t].name, task->name) == 0)
                    assert_int_equal(sample.max_new_tokens, expected_tasks[t].max_new_tokens);
            kvl_sample_free(&sample);
            request.index = 1;
            assert_int_equal(task->make(task, &request, &sample), KVL_E_ARG);
            assert_null(sample.user);
            free(line);
        }
}

static void test_places(void **state)
{
    (void)state;
    static const char *const patterns[] = {"101/%s.jsonl", "102/%s/validation.jsonl", "103/data/%s/validation.jsonl",
                                           "synthetic/104/data/%s/validation.jsonl"};
    const struct kvl_task *task = find("ruler/vt");
    char *line = line_of(&made_up[2], true);
    struct kvl_sample sample;
    for (int i = 0; i < 4; i++) {
        struct kvl_task_request request = request_of(101 + i, 0);
        write_file(patterns[i], task->name, line);
        assert_ok(task->make(task, &request, &sample));
        check_sample(&sample, &made_up[2]);
        kvl_sample_free(&sample);
    }
    free(line);
    struct kvl_task_request request = request_of(105, 0);
    int64_t n;
    assert_int_equal(task->count(task, &request, &n), KVL_E_IO);
    for (int i = 0; i < 4; i++) {
        char place[64];
        snprintf(place, sizeof place, patterns[i], "vt");
        memcpy(strstr(place, "10"), "105", 3);
        if (strstr(kvl_last_error(), place) == NULL)
            fail_msg("%s is not in '%s'", place, kvl_last_error());
    }
    assert_non_null(strstr(kvl_last_error(), "ruler/vt at 105 tokens"));
    settings.ruler_dir = "/nowhere";
    assert_int_equal(task->make(task, &request, &sample), KVL_E_IO);
    assert_non_null(strstr(kvl_last_error(), "/nowhere is not a folder"));
    settings.ruler_dir = NULL;
    assert_int_equal(task->make(task, &request, &sample), KVL_E_ARG);
    assert_non_null(strstr(kvl_last_error(), "--ruler DIR"));
    request.settings = NULL;
    assert_int_equal(task->count(task, &request, &n), KVL_E_ARG);
    settings.ruler_dir = folder.path;
}

/* The prompt ends with the prefix behind the assistant's header, or, under fastkv, has it in the user's turn. */
static void test_prompts(void **state)
{
    (void)state;
    struct kvl_tokenizer *tokenizer;
    const struct kvl_chat_template *chat;
    assert_ok(kvl_tokenizer_load_json(&tokenizer, golden_path("models/llama-tiny"), 0));
    assert_ok(kvl_chat_template_find("llama-3", &chat));
    for (int i = 0; i < N_MADE_UP; i++) {
        const struct kvl_task *task = find(made_up[i].task);
        char *line = line_of(&made_up[i], i % 2), plain[4096], fastkv[4096];
        write_file("512/%s.jsonl", task->name, line);
        free(line);
        struct kvl_task_request request = request_of(512, 0);
        request.tokenizer = tokenizer;
        request.chat = chat;
        struct kvl_prompt prompt;
        snprintf(plain, sizeof plain, "%s%s<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n%s", made_up[i].context,
                 made_up[i].question, made_up[i].prefix);
        assert_ok(kvl_prompt_make(&prompt, task, &request, true));
        assert_non_null(strstr(prompt.text, plain));
        assert_string_equal(strstr(prompt.text, plain), plain);
        assert_int_equal(kvl_prompt_max_new_tokens(task, &request, &prompt.sample), prompt.sample.max_new_tokens);
        kvl_prompt_free(&prompt);
        assert_ok(kvl_prompt_make(&prompt, task, &request, false));
        char *text;
        int64_t n_text;
        assert_ok(kvl_tokenizer_decode(tokenizer, prompt.ids.data, prompt.n_before_question, true, &text, &n_text));
        assert_true(n_text > 0 && strstr(text, made_up[i].context) != NULL);
        assert_string_equal(strstr(text, made_up[i].context), strncmp(made_up[i].question, "\n\n", 2) == 0
                            ? strcat(strcpy(plain, made_up[i].context), "\n") : made_up[i].context);
        free(text);
        kvl_prompt_free(&prompt);
        settings.protocol = KVL_PROTOCOL_FASTKV;
        /* LLaMA's template cuts white space off the end of a user's message. */
        int n_prefix = (int)strlen(made_up[i].prefix);
        while (made_up[i].prefix[n_prefix - 1] == ' ')
            n_prefix--;
        snprintf(fastkv, sizeof fastkv, "%s%.*s<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n", made_up[i].question,
                 n_prefix, made_up[i].prefix);
        assert_ok(kvl_prompt_make(&prompt, task, &request, true));
        assert_non_null(strstr(prompt.text, fastkv));
        assert_string_equal(strstr(prompt.text, fastkv), fastkv);
        assert_int_equal(kvl_prompt_max_new_tokens(task, &request, &prompt.sample), 64);
        kvl_prompt_free(&prompt);
        settings.protocol = KVL_PROTOCOL_PLAIN;
    }
    kvl_tokenizer_free(tokenizer);
}

static void test_broken(void **state)
{
    (void)state;
#define GOOD                                                                                                               \
    "{\"input\": \"A special magic number. One is 71.\\nWhat is the special magic number for x mentioned in the provided text?\", "
#define PREFIX "\"answer_prefix\": \" The special magic number for x mentioned in the provided text is\""
    static const struct {
        const char *line, *sentence;
    } cases[] = {
        {"{\"outputs\": [\"71\"], " PREFIX "}", "input is missing"},
        {"{\"input\": 3, \"outputs\": [\"71\"], " PREFIX "}", "input is 3; a string is needed"},
        {GOOD PREFIX "}", "outputs is missing"},
        {GOOD PREFIX ", \"outputs\": \"71\"}", "outputs is not a list of strings"},
        {GOOD PREFIX ", \"outputs\": [71]}", "outputs[0] is not a string"},
        {GOOD PREFIX ", \"outputs\": []}", "outputs has no answer"},
        {GOOD PREFIX ", \"outputs\": [\"71\", \"\"]}", "outputs has an empty answer"},
        {GOOD "\"outputs\": [\"71\"]}", "has no answer_prefix, and input does not end with RULER's (\" The special magic ...\")"},
        {GOOD "\"answer_prefix\": \"\", \"outputs\": [\"71\"]}", "has no answer_prefix"},
        {GOOD "\"answer_prefix\": 1, \"outputs\": [\"71\"]}", "answer_prefix is 1; a string is needed"},
        {GOOD "\"answer_prefix\": \" It is\", \"outputs\": [\"71\"]}", "its answer prefix \" It is\" is not RULER's"},
        {"{\"input\": \"[INST] A special magic number. 71\\nWhat is the special magic number for x? [/INST] The special magic "
         "number for x mentioned in the provided text is\", \"outputs\": [\"71\"]}",
         "input does not begin with \"A special magic \": is it of this task, and made with RULER's model template `base`?"},
        {"{\"input\": \"A special magic number is 71.\", \"outputs\": [\"71\"], " PREFIX "}", "input has no question"},
        {GOOD PREFIX ", \"outputs\": [\"71\"]", "malformed JSON at column"},
        {GOOD PREFIX ", \"input\": \"\", \"outputs\": [\"71\"]}", "duplicate object key near '\"input\"'"},
        {GOOD PREFIX ", \"outputs\": [\"7\xff\"]}", "is not UTF-8 at byte"},
        {"\n{}", "is empty, and records follow it"},
    };
    const struct kvl_task *task = find("ruler/niah_single_1");
    struct kvl_task_request request = request_of(64, 0);
    char *good = line_of(&made_up[0], true), text[4096];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct kvl_sample sample;
        int64_t n;
        snprintf(text, sizeof text, "%s\n%s\n%s\n", good, good, cases[i].line);
        write_file("64/%s.jsonl", task->name, text);
        assert_int_equal(task->count(task, &request, &n), KVL_E_FORMAT);
        if (strstr(kvl_last_error(), "/64/niah_single_1.jsonl, line 3: ") == NULL
            || strstr(kvl_last_error(), cases[i].sentence) == NULL)
            fail_msg("'%s' and not line 3: '%s'", kvl_last_error(), cases[i].sentence);
        assert_int_equal(task->make(task, &request, &sample), KVL_E_FORMAT);
        assert_null(sample.user);
    }
    free(good);
}

/* The tokens that the official generator counted: prompt without a template, and room for the answer. */
static void check_length(const struct kvl_model *model, const struct kvl_sample *sample, int64_t length, const char *path)
{
    struct kvl_ids ids = {0};
    char *text;
    assert_ok(kvl_chat_template_render(NULL, NULL, sample->user, sample->answer_prefix, &text));
    assert_ok(kvl_tokenizer_encode(model->tokenizer, text, (int64_t)strlen(text), KVL_SPECIAL_PARSE, &ids));
    if (ids.n + sample->max_new_tokens != length)
        fail_msg("%s: %lld tokens and %lld new ones, and not %lld", path, (long long)ids.n, (long long)sample->max_new_tokens,
                 (long long)length);
    kvl_ids_free(&ids);
    free(text);
}

static void check_official(const struct kvl_task *task, int64_t n_context, const struct kvl_model *model, int *n_read)
{
    char path[1200];
    struct kvl_task_request request = request_of(n_context, 0);
    snprintf(path, sizeof path, "%s/%lld/%s.jsonl", settings.ruler_dir, (long long)n_context, short_name(task->name));
    struct kvl_json_lines file = {.path = path};
    int64_t n;
    assert_ok(task->count(task, &request, &n));
    assert_int_equal(n, 5);
    for (request.index = 0; request.index < n; request.index++) {
        struct kvl_sample sample;
        json_t *record;
        int64_t length = 0;
        assert_ok(task->make(task, &request, &sample));
        assert_ok(kvl_json_lines_read(&file, request.index, &record));
        assert_string_equal(sample.user, json_string_value(json_object_get(record, "input")));
        assert_string_equal(sample.answer_prefix, json_string_value(json_object_get(record, "answer_prefix")));
        assert_ok(kvl_json_integer(record, "length", true, &length));
        assert_true(sample.n_before_question > 0 && sample.user[sample.n_before_question] == '\n');
        assert_true(strlen(sample.user + sample.n_before_question) < 300);
        for (int i = 0; i < sample.n_answers; i++)
            assert_non_null(strstr(sample.user, sample.answers[i]));
        if (model != NULL)
            check_length(model, &sample, length, path);
        json_decref(record);
        kvl_sample_free(&sample);
    }
    ++*n_read;
}

static void test_official_files(void **state)
{
    (void)state;
    static char dir[1024];
    const char *path = getenv("KVLAB_SMALL_MODEL");
    struct kvl_model *model = NULL;
    int n_read = 0;
    snprintf(dir, sizeof dir, "%s", shared_data_folder("ruler"));
    if (path != NULL && access(path, R_OK) == 0)
        assert_ok(kvl_model_load_tokenizer(path, &model));
    settings.ruler_dir = dir;
    for (int64_t n_context = 1024; n_context <= 4096; n_context *= 2)
        for (int i = 0; i < N_TASKS; i++)
            if (strncmp(expected_tasks[i].name, "ruler/qa", 8) != 0)
                check_official(find(expected_tasks[i].name), n_context, model, &n_read);
    assert_int_equal(n_read, 33);
    settings.ruler_dir = folder.path;
    kvl_model_free(model);
    if (model == NULL)
        skip_because("KVLAB_SMALL_MODEL names no readable file, so the official token counts were not compared");
}

static int set_up(void **state)
{
    (void)state;
    data_folder_init(&folder);
    settings.ruler_dir = folder.path;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    data_folder_free(&folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_prompts),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_official_files),
    };
    return test_result(cmocka_run_group_tests(tests, set_up, tear_down));
}
