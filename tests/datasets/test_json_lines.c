/* Files of JSON lines: what is read, and every broken line with its number. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "datasets/json_lines.h"
#include "tests/support/data_folder.h"
#include "tests/support/golden.h"

static struct data_folder folder;

/* Asks for "x"; *context counts the records that it saw. */
static enum kvl_status wants_x(const json_t *record, const void *context)
{
    int64_t x;
    ++*(int *)(uintptr_t)context;
    return kvl_json_integer(record, "x", true, &x);
}

static int n_checked;

static struct kvl_json_lines file_of(const char *name)
{
    return (struct kvl_json_lines){data_folder_file(&folder, name), wants_x, &n_checked};
}

static int64_t x_of(const struct kvl_json_lines *file, int64_t index)
{
    json_t *record;
    int64_t x = -1;
    assert_ok(kvl_json_lines_read(file, index, &record));
    assert_ok(kvl_json_integer(record, "x", true, &x));
    json_decref(record);
    return x;
}

static void test_reads(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int n;
    } files[] = {
        {"{\"x\": 0}\n{\"x\": 1}\n{\"x\": 2}\n", 3},
        {"{\"x\": 0}\n{\"x\": 1}", 2},                        /* no newline at the end */
        {"{\"x\": 0}\r\n{\"x\": 1}\r\n\r\n", 2},               /* written on Windows */
        {"{\"x\": 0, \"s\": \"a\\nb\"}\n{\"x\": 1}\n\n\n  \n", 2}, /* empty lines at the end */
    };
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        int64_t n;
        data_folder_write_text(&folder, "good.jsonl", files[f].text);
        struct kvl_json_lines file = file_of("good.jsonl");
        assert_ok(kvl_json_lines_count(&file, &n));
        assert_int_equal(n, files[f].n);
        for (int64_t i = n - 1; i >= 0; i--)
            assert_int_equal(x_of(&file, i), i);
        json_t *record;
        assert_int_equal(kvl_json_lines_read(&file, n, &record), KVL_E_ARG);
        assert_null(record);
        assert_non_null(strstr(kvl_last_error(), "good.jsonl has"));
        assert_int_equal(kvl_json_lines_read(&file, -1, &record), KVL_E_ARG);
    }
}

/* All of a file is checked once; a file that changed, or another check, again. */
static void test_remembers(void **state)
{
    (void)state;
    int64_t n;
    enum { N = 300 };
    char text[N * 16] = "";
    for (int i = 0; i < N; i++)
        sprintf(text + strlen(text), "{\"x\": %d}\n", i);
    data_folder_write_text(&folder, "long.jsonl", text);
    struct kvl_json_lines file = file_of("long.jsonl"), unchecked = file;
    unchecked.check = NULL;
    n_checked = 0;
    assert_ok(kvl_json_lines_count(&file, &n));
    assert_int_equal(n, N);
    assert_int_equal(n_checked, N);
    assert_int_equal(x_of(&file, 7), 7);
    assert_int_equal(x_of(&file, N - 1), N - 1);
    assert_int_equal(n_checked, N + 2);
    assert_ok(kvl_json_lines_count(&unchecked, &n));
    assert_int_equal(n_checked, N + 2);
    data_folder_write_text(&folder, "long.jsonl", "{\"x\": 10}\n{\"x\": 11}\n");
    assert_ok(kvl_json_lines_count(&file, &n));
    assert_int_equal(n, 2);
    assert_int_equal(n_checked, N + 4);
    assert_int_equal(x_of(&file, 1), 11);
    /* The same size, another time. */
    data_folder_write_text(&folder, "long.jsonl", "{\"x\": 20}\n{\"y\": 21}\n");
    assert_int_equal(utimensat(0, file.path, (const struct timespec[2]){{.tv_sec = 1}, {.tv_sec = 1}}, 0), 0);
    json_t *record;
    assert_int_equal(kvl_json_lines_read(&file, 0, &record), KVL_E_FORMAT);
    assert_non_null(strstr(kvl_last_error(), "long.jsonl, line 2: x is missing"));
    /* More files than are remembered. */
    for (int i = 0; i < 100; i++) {
        char name[32];
        snprintf(name, sizeof name, "many%d.jsonl", i);
        data_folder_write_text(&folder, name, "{\"x\": 3}\n");
        struct kvl_json_lines one = file_of(name);
        assert_int_equal(x_of(&one, 0), 3);
    }
}

static void test_broken(void **state)
{
    (void)state;
    static const struct {
        const char *text, *sentence;
    } files[] = {
        {"{\"x\": 0}\n{\"x\": 1\n{\"x\": 2}\n", "bad.jsonl, line 2: malformed JSON at column 7: '}' expected near end of file"},
        {"{\"x\": 0}\n{\"x\": 1}\n{\"x\"", "bad.jsonl, line 3: malformed JSON"},
        {"{\"x\": 0}\n\n{\"x\": 2}\n", "bad.jsonl, line 2: is empty, and records follow it"},
        {"\n{\"x\": 2}\n", "bad.jsonl, line 1: is empty"},
        {"{\"x\": 0}\n[1]\n", "bad.jsonl, line 2: holds no JSON object"},
        {"{\"x\": 0} {\"x\": 1}\n", "bad.jsonl, line 1: malformed JSON at column"},
        {"{\"x\": 0}\n{\"x\": 1, \"x\": 2}\n", "bad.jsonl, line 2: malformed JSON at column 12: duplicate object key near '\"x\"'"},
        {"{\"x\": 0}\n{\"s\": \"a\xff\", \"x\": 1}\n", "bad.jsonl, line 2: is not UTF-8 at byte 9 of the line"},
        {"\xef\xbb\xbf{\"x\": 0}\n", "bad.jsonl, line 1: malformed JSON"},
        {"{\"x\": 0}\n{}\n", "bad.jsonl, line 2: x is missing"},
        {"{\"x\": 0}\n{\"x\": null}\n", "bad.jsonl, line 2: x is missing"},
        {"{\"x\": 0}\n{\"x\": 1}\n{\"x\": \"2\"}\n", "bad.jsonl, line 3: x is \"2\"; a whole number is needed"},
        {"\n \n", "bad.jsonl: holds no record"},
        {"", "bad.jsonl: is empty"},
    };
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        int64_t n = 7;
        json_t *record;
        data_folder_write_text(&folder, "bad.jsonl", files[f].text);
        struct kvl_json_lines file = file_of("bad.jsonl");
        for (int twice = 0; twice < 2; twice++) {
            assert_int_equal(kvl_json_lines_count(&file, &n), KVL_E_FORMAT);
            if (strstr(kvl_last_error(), files[f].sentence) == NULL)
                fail_msg("'%s' and not '%s'", kvl_last_error(), files[f].sentence);
            assert_int_equal(n, 0);
            assert_int_equal(kvl_json_lines_read(&file, 0, &record), KVL_E_FORMAT);
            assert_null(record);
        }
    }
    struct kvl_json_lines none = file_of("none.jsonl");
    int64_t n;
    assert_int_equal(kvl_json_lines_count(&none, &n), KVL_E_IO);
    assert_non_null(strstr(kvl_last_error(), "none.jsonl: No such file"));
}

static void test_strings(void **state)
{
    (void)state;
    json_t *record = json_loads("{\"a\": [\"x\", \"\", \"\\u00e9\"], \"none\": [], \"null\": null, \"one\": \"x\", "
                                "\"mixed\": [\"x\", 2]}", 0, NULL);
    char **list;
    int n;
    assert_ok(kvl_json_lines_strings(record, "a", true, &list, &n));
    assert_int_equal(n, 3);
    assert_string_equal(list[0], "x");
    assert_string_equal(list[1], "");
    assert_string_equal(list[2], "\xc3\xa9");
    for (int i = 0; i < n; i++)
        free(list[i]);
    free(list);
    assert_ok(kvl_json_lines_strings(record, "none", true, &list, &n));
    assert_int_equal(n, 0);
    free(list);
    assert_ok(kvl_json_lines_strings(record, "null", false, &list, &n));
    assert_null(list);
    static const struct {
        const char *key, *sentence;
    } wrong[] = {{"null", "null is missing"}, {"nowhere", "nowhere is missing"}, {"one", "one is not a list of strings"},
                 {"mixed", "mixed[1] is not a string"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(kvl_json_lines_strings(record, wrong[i].key, true, &list, &n), KVL_E_FORMAT);
        assert_string_equal(kvl_last_error(), wrong[i].sentence);
        assert_null(list);
        assert_int_equal(n, 0);
    }
    json_decref(record);
}

static int set_up(void **state)
{
    (void)state;
    data_folder_init(&folder);
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
        cmocka_unit_test(test_reads),
        cmocka_unit_test(test_remembers),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_strings),
    };
    return test_result(cmocka_run_group_tests(tests, set_up, tear_down));
}
