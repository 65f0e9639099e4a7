/* LongBench from a user's copy: prompts as Python's str.format makes them (tests/golden/prompt_format.json), what the official
 * scripts do per task, and every file and record that is refused. Records and prompts here are made up. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/longbench/format.h"
#include "datasets/longbench/longbench.h"
#include "datasets/prompt.h"
#include "tests/support/data_folder.h"
#include "tests/support/golden.h"

enum { N_TASKS = 16 };
static const struct {
    const char *name, *category, *metric;
    bool no_template;
} expected_tasks[N_TASKS] = {
    {"narrativeqa", "single-doc QA", "qa_f1", false},
    {"qasper", "single-doc QA", "qa_f1", false},
    {"multifieldqa_en", "single-doc QA", "qa_f1", false},
    {"hotpotqa", "multi-doc QA", "qa_f1", false},
    {"2wikimqa", "multi-doc QA", "qa_f1", false},
    {"musique", "multi-doc QA", "qa_f1", false},
    {"gov_report", "summarization", "rouge_l", false},
    {"qmsum", "summarization", "rouge_l", false},
    {"multi_news", "summarization", "rouge_l", false},
    {"trec", "few-shot", "first_line_class", true},
    {"triviaqa", "few-shot", "first_line_qa_f1", true},
    {"samsum", "few-shot", "first_line_rouge_l", true},
    {"passage_count", "synthetic", "count", false},
    {"passage_retrieval_en", "synthetic", "retrieval", false},
    {"lcc", "code", "code", true},
    {"repobench-p", "code", "code", true},
};

static struct data_folder folder;
static struct kvl_task_settings settings;

static const struct kvl_task *find(const char *name)
{
    const struct kvl_task *task;
    char full[64];
    snprintf(full, sizeof full, "longbench/%s", name);
    assert_ok(kvl_task_find(full, &task));
    return task;
}

static struct kvl_task_request request_of(int64_t index)
{
    return (struct kvl_task_request){.index = index, .settings = &settings};
}

/* A prompt and a length for every task, in `place` ("" or "config/"). */
static void write_tables(const char *place)
{
    json_t *prompts = json_object(), *lengths = json_object();
    char name[64];
    for (int i = 0; i < N_TASKS; i++) {
        json_object_set_new(prompts, expected_tasks[i].name, json_sprintf("%s {{x}}\n{context}\nQ: {input}\nA:",
                                                                            expected_tasks[i].name));
        json_object_set_new(lengths, expected_tasks[i].name, json_integer(20 + i));
    }
    char *prompt_text = json_dumps(prompts, 0), *length_text = json_dumps(lengths, 0);
    snprintf(name, sizeof name, "%sdataset2prompt.json", place);
    data_folder_write_text(&folder, name, prompt_text);
    snprintf(name, sizeof name, "%sdataset2maxlen.json", place);
    data_folder_write_text(&folder, name, length_text);
    free(prompt_text);
    free(length_text);
    json_decref(prompts);
    json_decref(lengths);
}

static void write_records(const char *task, const char *place, const char *text)
{
    char name[64];
    snprintf(name, sizeof name, "%s%s.jsonl", place, task);
    data_folder_write_text(&folder, name, text);
}

#define RECORD(more) "{\"context\": \"The {kiln} was cold.\", \"input\": \"Was it?\", \"length\": 9, " more "}\n"
/* Good for every task. */
#define GOOD RECORD("\"answers\": [\"Paragraph 3\", \"Paragraph 12\"], \"all_classes\": [\"yes\", \"no\"]")

static void test_table(void **state)
{
    (void)state;
    for (int i = 0; i < N_TASKS; i++) {
        const struct kvl_task *task = kvl_longbench_task_at(i);
        assert_non_null(task);
        assert_ptr_equal(task, find(expected_tasks[i].name));
        assert_string_equal(task->category, expected_tasks[i].category);
        assert_string_equal(task->metric, expected_tasks[i].metric);
        assert_true(task->fastkv.no_template == expected_tasks[i].no_template);
        assert_true(task->count && task->score && !task->has_context && !task->no_template);
        assert_true(task->fastkv.max_new_tokens == 0 && !task->fastkv.prefix_in_user);
    }
    assert_null(kvl_longbench_task_at(N_TASKS));
}

/* Texts equal Python's; what Python refuses, we refuse. */
static void test_format_golden(void **state)
{
    (void)state;
    json_t *golden = golden_load("prompt_format.json"), *record = json_object_get(golden, "record");
    json_t *cases = json_object_get(golden, "cases"), *refused = json_object_get(golden, "refused"), *one;
    size_t i;
    assert_true(json_array_size(cases) >= 10 && json_array_size(refused) >= 8);
    json_array_foreach(cases, i, one) {
        struct kvl_text text = {0};
        int64_t after = -1;
        assert_ok(kvl_format(json_string_value(json_object_get(one, "format")), record, "context", &text, &after));
        assert_string_equal(text.data != NULL ? text.data : "", json_string_value(json_object_get(one, "text")));
        assert_int_equal(after, json_integer_value(json_object_get(one, "after")));
        kvl_text_free(&text);
    }
    json_array_foreach(refused, i, one) {
        struct kvl_text text = {0};
        int64_t after;
        assert_int_equal(kvl_format(json_string_value(one), record, "context", &text, &after), KVL_E_FORMAT);
        kvl_text_free(&text);
    }
    /* Python takes these, and kvlab does not. */
    static const char *const more[] = {"{input!r}", "{input:>9}", "{input.x}", "{input[0]}", "{all_classes}"};
    for (i = 0; i < sizeof more / sizeof *more; i++) {
        struct kvl_text text = {0};
        int64_t after;
        assert_int_equal(kvl_format(more[i], record, "context", &text, &after), KVL_E_FORMAT);
        assert_non_null(strstr(kvl_last_error(), i < 4 ? more[i] : "all_classes is missing"));
        kvl_text_free(&text);
    }
    json_decref(golden);
}

static void test_samples(void **state)
{
    (void)state;
    write_tables("");
    for (int i = 0; i < N_TASKS; i++) {
        const struct kvl_task *task = find(expected_tasks[i].name);
        struct kvl_task_request request = request_of(1);
        struct kvl_sample sample;
        char user[256];
        int64_t n;
        write_records(expected_tasks[i].name, i % 2 ? "data/" : "", GOOD GOOD);
        assert_ok(task->count(task, &request, &n));
        assert_int_equal(n, 2);
        assert_ok(task->make(task, &request, &sample));
        snprintf(user, sizeof user, "%s {x}\nThe {kiln} was cold.\nQ: Was it?\nA:", expected_tasks[i].name);
        assert_string_equal(sample.user, user);
        assert_string_equal(sample.user + sample.n_before_question, "\nQ: Was it?\nA:");
        assert_string_equal(sample.answer_prefix, "");
        assert_int_equal(sample.n_answers, 2);
        assert_string_equal(sample.answers[0], "Paragraph 3");
        assert_string_equal(sample.answers[1], "Paragraph 12");
        assert_int_equal(sample.n_classes, 2);
        assert_string_equal(sample.classes[1], "no");
        assert_int_equal(sample.max_new_tokens, 20 + i);
        assert_true(isnan(sample.depth) && sample.n_forced == 0);
        bool one_line = strcmp(expected_tasks[i].name, "samsum") == 0;
        assert_true(one_line ? strcmp(sample.stop, "\n") == 0 : sample.stop == NULL);
        kvl_sample_free(&sample);
        settings.protocol = KVL_PROTOCOL_FASTKV;
        assert_ok(task->make(task, &request, &sample));
        assert_null(sample.stop);
        kvl_sample_free(&sample);
        settings.protocol = KVL_PROTOCOL_PLAIN;
        request.index = 2;
        assert_int_equal(task->make(task, &request, &sample), KVL_E_ARG);
        assert_non_null(strstr(kvl_last_error(), "has 2 records"));
    }
}

/* The template by protocol. */
static void test_prompts(void **state)
{
    (void)state;
    struct kvl_tokenizer *tokenizer;
    const struct kvl_chat_template *chat;
    assert_ok(kvl_tokenizer_load_json(&tokenizer, golden_path("models/llama-tiny"), 0));
    assert_ok(kvl_chat_template_find("llama-3", &chat));
    write_tables("");
    for (int i = 0; i < N_TASKS; i++)
        for (int protocol = 0; protocol < 2; protocol++) {
            const struct kvl_task *task = find(expected_tasks[i].name);
            struct kvl_task_request request = request_of(0);
            struct kvl_prompt prompt;
            request.tokenizer = tokenizer;
            request.chat = chat;
            settings.protocol = protocol == 0 ? KVL_PROTOCOL_PLAIN : KVL_PROTOCOL_FASTKV;
            write_records(expected_tasks[i].name, "", GOOD);
            assert_ok(kvl_prompt_make(&prompt, task, &request, true));
            bool bare = protocol == 1 && expected_tasks[i].no_template;
            assert_true((kvl_prompt_template(task, &request) != NULL) == !bare);
            assert_true((strcmp(prompt.text, prompt.sample.user) == 0) == bare);
            assert_int_equal(kvl_prompt_max_new_tokens(task, &request, &prompt.sample), 20 + i);
            kvl_prompt_free(&prompt);
        }
    settings.protocol = KVL_PROTOCOL_PLAIN;
    kvl_tokenizer_free(tokenizer);
}

static void expect(enum kvl_status status, enum kvl_status expected, const char *sentence)
{
    if (status != expected || strstr(kvl_last_error(), sentence) == NULL)
        fail_msg("%s: '%s' and not '%s'", kvl_status_name(status), kvl_last_error(), sentence);
}

/* Through `count` and, the file broken or not there, through `make`. */
static void expect_both(const struct kvl_task *task, const struct kvl_task_request *request, enum kvl_status expected,
                        const char *sentence)
{
    struct kvl_sample sample;
    int64_t n = 3;
    expect(task->count(task, request, &n), expected, sentence);
    assert_int_equal(n, 0);
    expect(task->make(task, request, &sample), expected, sentence);
    assert_null(sample.user);
}

static void test_places(void **state)
{
    (void)state;
    struct data_folder before = folder;
    const struct kvl_task *task = find("qasper");
    struct kvl_task_request request = request_of(0);
    struct kvl_sample sample;
    data_folder_init(&folder);
    settings.longbench_dir = folder.path;
    expect_both(task, &request, KVL_E_IO, "tried qasper.jsonl, data/qasper.jsonl");
    write_records("qasper", "data/", GOOD);
    expect_both(task, &request, KVL_E_IO, "tried dataset2prompt.json, config/dataset2prompt.json");
    data_folder_write_text(&folder, "config/dataset2prompt.json", "{\"qasper\": \"{context}\"}");
    expect_both(task, &request, KVL_E_IO, "tried dataset2maxlen.json, config/dataset2maxlen.json");
    write_tables("config/");
    assert_ok(task->make(task, &request, &sample));
    kvl_sample_free(&sample);
    data_folder_free(&folder);
    expect_both(task, &request, KVL_E_IO, "is not a folder");
    folder = before;
    settings.longbench_dir = NULL;
    expect_both(task, &request, KVL_E_ARG, "--longbench DIR");
    request.settings = NULL;
    expect_both(task, &request, KVL_E_ARG, "--longbench DIR");
    settings.longbench_dir = folder.path;
}

static void test_broken_records(void **state)
{
    (void)state;
    static const struct {
        const char *task, *line, *sentence;
    } cases[] = {
        {"qasper", "{\"input\": \"x\", \"answers\": [\"a\"]}", "context is missing"},
        {"qasper", "{\"context\": \"x\", \"answers\": [\"a\"]}", "input is missing"},
        {"qasper", "{\"context\": [\"x\"], \"input\": \"x\", \"answers\": [\"a\"]}", "context is [\"x\"]; a string is needed"},
        {"qasper", "{\"context\": \"x\", \"input\": \"x\"}", "answers is missing"},
        {"qasper", RECORD("\"answers\": \"a\""), "answers is not a list of strings"},
        {"qasper", RECORD("\"answers\": [\"a\", null]"), "answers[1] is not a string"},
        {"qasper", RECORD("\"answers\": [\"a\"], \"input\": \"again\""), "duplicate object key near '\"input\"'"},
        {"trec", RECORD("\"answers\": [\"a\"], \"all_classes\": null"), "all_classes is missing"},
        {"trec", RECORD("\"answers\": [\"a\"], \"all_classes\": [1]"), "all_classes[0] is not a string"},
        {"passage_retrieval_en", RECORD("\"answers\": [\"7\"]"), "Paragraph"},
        {"lcc", "{\"context\": \"x", "malformed JSON at column"},
        {"lcc", "{\"context\": \"\xc0\x80\"}", "is not UTF-8 at byte 14"},
        {"lcc", "\n{}", "is empty, and records follow it"},
    };
    write_tables("");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct kvl_task *task = find(cases[i].task);
        struct kvl_task_request request = request_of(0);
        char text[1024], sentence[512];
        snprintf(text, sizeof text, "%s%s", GOOD GOOD, cases[i].line);
        write_records(cases[i].task, "", text);
        snprintf(sentence, sizeof sentence, "/%s.jsonl, line 3: ", cases[i].task);
        expect_both(task, &request, KVL_E_FORMAT, sentence);
        expect_both(task, &request, KVL_E_FORMAT, cases[i].sentence);
    }
}

/* An empty list of answers is data: every metric gives it 0. */
static void test_no_answers(void **state)
{
    (void)state;
    write_tables("");
    for (int i = 0; i < N_TASKS; i++) {
        const struct kvl_task *task = find(expected_tasks[i].name);
        struct kvl_task_request request = request_of(0);
        struct kvl_sample sample;
        write_records(expected_tasks[i].name, "", RECORD("\"answers\": [], \"all_classes\": [\"a\"]"));
        assert_ok(task->make(task, &request, &sample));
        assert_int_equal(sample.n_answers, 0);
        kvl_sample_free(&sample);
    }
}

static void test_broken_tables(void **state)
{
    (void)state;
    static const struct {
        const char *file, *text, *sentence;
    } cases[] = {
        {"dataset2prompt.json", "{\"trec\": \"{context}\"}", "dataset2prompt.json: qasper is missing"},
        {"dataset2prompt.json", "{\"qasper\": 1}", "dataset2prompt.json: qasper is 1; a string is needed"},
        {"dataset2prompt.json", "{\"qasper\": \"\"}", "dataset2prompt.json: qasper is empty"},
        {"dataset2prompt.json", "{\"qasper\": \"{context\"}", "dataset2prompt.json: the prompt has a '{' without '}'"},
        {"dataset2prompt.json", "{\"qasper\": \"}\"}", "dataset2prompt.json: the prompt has a '}' without '{'"},
        {"dataset2prompt.json", "{\"qasper\": \"{context!r}\"}", "dataset2prompt.json: the prompt's \"{context!r}\" is more than {name}"},
        {"dataset2prompt.json", "{\"qasper\": \"{title}\"}", "line 1: "},
        {"dataset2prompt.json", "{\"qasper\": \"{title}\"}", "dataset2prompt.json: title is missing, and the prompt needs it"},
        {"dataset2prompt.json", "{\"qasper\": ", "dataset2prompt.json: malformed JSON at line 1"},
        {"dataset2maxlen.json", "{\"trec\": 5}", "dataset2maxlen.json: qasper is missing"},
        {"dataset2maxlen.json", "{\"qasper\": \"5\"}", "dataset2maxlen.json: qasper is \"5\"; a whole number is needed"},
        {"dataset2maxlen.json", "{\"qasper\": 0}", "dataset2maxlen.json: qasper is 0; 1 to"},
        {"dataset2maxlen.json", "{\"qasper\": 100000}", "dataset2maxlen.json: qasper is 100000; 1 to"},
        {"dataset2maxlen.json", "[]", "dataset2maxlen.json: holds no JSON object"},
    };
    const struct kvl_task *task = find("qasper");
    struct kvl_task_request request = request_of(0);
    write_records("qasper", "", GOOD);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_tables("");
        data_folder_write_text(&folder, cases[i].file, cases[i].text);
        expect_both(task, &request, KVL_E_FORMAT, cases[i].sentence);
    }
    write_tables("");
}

/* The official prompt with its one field replaced by hand. */
static char *replaced(const char *format, const char *context)
{
    const char *at = strstr(format, "{context}");
    assert_non_null(at);
    size_t n = strlen(format) + strlen(context) + 1;
    char *text = malloc(n);
    snprintf(text, n, "%.*s%s%s", (int)(at - format), format, context, at + strlen("{context}"));
    return text;
}

static void test_official_files(void **state)
{
    (void)state;
    static char dir[1024];
    char path[1100], line[1 << 18];
    snprintf(dir, sizeof dir, "%s", shared_data_folder("longbench"));
    settings.longbench_dir = dir;
    snprintf(path, sizeof path, "%s/dataset2prompt.json", dir);
    json_t *prompts = json_load_file(path, 0, NULL);
    json_t *made_up = json_pack("{s:s, s:s}", "context", "CONTEXT", "input", "INPUT");
    assert_non_null(prompts);
    for (int i = 0; i < N_TASKS; i++) {
        struct kvl_text text = {0};
        int64_t after = 0;
        const char *format = json_string_value(json_object_get(prompts, expected_tasks[i].name));
        assert_ok(kvl_format(format, made_up, "context", &text, &after));
        assert_true(after > 7 && after < text.n && memcmp(text.data + after - 7, "CONTEXT", 7) == 0);
        assert_null(strpbrk(text.data, "{}"));
        kvl_text_free(&text);
    }
    snprintf(path, sizeof path, "%s/multi_news.jsonl", dir);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    const struct kvl_task *task = find("multi_news");
    struct kvl_task_request request = request_of(0);
    int64_t n;
    assert_ok(task->count(task, &request, &n));
    assert_int_equal(n, 12);
    for (; fgets(line, sizeof line, file) != NULL; request.index++) {
        json_t *record = json_loads(line, 0, NULL);
        struct kvl_sample sample;
        assert_ok(task->make(task, &request, &sample));
        char *expected = replaced(json_string_value(json_object_get(prompts, "multi_news")),
                                  json_string_value(json_object_get(record, "context")));
        assert_string_equal(sample.user, expected);
        assert_int_equal(sample.max_new_tokens, 512);
        assert_int_equal(sample.n_answers, 1);
        assert_string_equal(sample.answers[0], json_string_value(json_array_get(json_object_get(record, "answers"), 0)));
        assert_null(sample.classes);
        free(expected);
        kvl_sample_free(&sample);
        json_decref(record);
    }
    assert_int_equal(request.index, 12);
    fclose(file);
    json_decref(prompts);
    json_decref(made_up);
    settings.longbench_dir = folder.path;
}

static int set_up(void **state)
{
    (void)state;
    data_folder_init(&folder);
    settings.longbench_dir = folder.path;
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
        cmocka_unit_test(test_format_golden),
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_prompts),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_broken_records),
        cmocka_unit_test(test_no_answers),
        cmocka_unit_test(test_broken_tables),
        cmocka_unit_test(test_official_files),
    };
    return test_result(cmocka_run_group_tests(tests, set_up, tear_down));
}
