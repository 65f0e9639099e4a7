/* Records on disk: appended whole, read back, mended after a kill. */
#include <sys/stat.h>

#include "harness/json_text.h"
#include "tests/harness/made_up.h"

static void assert_file(const char *path, const char *expected)
{
    char *text = made_up_read(path);
    assert_string_equal(text, expected);
    free(text);
}

/* Reads a file and checks how many records it holds. */
static void assert_holds(const char *path, size_t n, bool truncated)
{
    json_t *records;
    bool cut;
    assert_ok(kvl_records_read(path, &records, &cut));
    assert_int_equal(json_array_size(records), n);
    assert_int_equal(cut, truncated);
    json_decref(records);
}

static void assert_refused(const char *path, enum kvl_status status, const char *sentence)
{
    json_t *records;
    bool cut;
    assert_int_equal(kvl_records_read(path, &records, &cut), status);
    assert_null(records);
    if (strstr(kvl_last_error(), sentence) == NULL || strstr(kvl_last_error(), path) == NULL)
        fail_msg("\"%s\" does not name %s and \"%s\"", kvl_last_error(), path, sentence);
}

static void append_and_read(void **state)
{
    (void)state;
    const char *path = made_up_path("append.jsonl");
    made_up_append(path, json_pack("{s:i, s:f, s:n}", "a", 1, "b", 0.1, "c"));
    made_up_append(path, json_pack("{s:s}", "d", "line\nbreak \\ \" 0.10000000000000001 é"));
    assert_file(path, "{\"a\":1,\"b\":0.1,\"c\":null}\n{\"d\":\"line\\nbreak \\\\ \\\" 0.10000000000000001 é\"}\n");
    assert_holds(path, 2, false);
}

static void reals_read_back_the_same(void **state)
{
    (void)state;
    const double values[] = {0.1, 1.0 / 3, 1e300, -2.5e-310, 5e-324, 123456789012345678.0, -0.0, 1, 1e22,
                             0.30000000000000004};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        json_t *value = json_real(values[i]);
        char *text = kvl_json_line(value);
        json_t *again = json_loads(text, JSON_DECODE_ANY, NULL);
        assert_true(json_is_real(again));
        assert_true(json_real_value(again) == values[i]);
        json_decref(again);
        free(text);
        json_decref(value);
    }
}

static void empty_file_and_missing_file(void **state)
{
    (void)state;
    const char *path = made_up_path("empty.jsonl");
    made_up_write(path, "");
    assert_holds(path, 0, false);
    assert_refused(made_up_path("missing.jsonl"), KVL_E_IO, "No such file");
    assert_refused(made_up_folder(), KVL_E_IO, "directory");
}

static void truncated_last_line(void **state)
{
    (void)state;
    const char *path = made_up_path("truncated.jsonl");
    made_up_write(path, "{\"a\":1}\n{\"a\":2,\"b\":\"\xc3");
    assert_holds(path, 1, true);
    made_up_write(path, "{\"a\":1}\n{\"a\":2}"); /* only its newline is missing */
    assert_holds(path, 2, false);
    made_up_write(path, "{\"a\"");
    assert_holds(path, 0, true);
}

static void malformed_lines(void **state)
{
    (void)state;
    const char *path = made_up_path("malformed.jsonl");
    made_up_write(path, "{\"a\":1}\n{\"a\":\n{\"a\":3}\n");
    assert_refused(path, KVL_E_FORMAT, "line 2");
    made_up_write(path, "{\"a\":1}\n{\"a\":2\n");
    assert_refused(path, KVL_E_FORMAT, "line 2");
    made_up_write(path, "{\"a\":1}\n\n{\"a\":2}\n");
    assert_refused(path, KVL_E_FORMAT, "line 2");
    made_up_write(path, "[1]\n");
    assert_refused(path, KVL_E_FORMAT, "no JSON object");
    made_up_write(path, "{\"a\":1}\n[2]");
    assert_refused(path, KVL_E_FORMAT, "no JSON object");
    made_up_write(path, "{\"a\":1,\"a\":2}\n");
    assert_refused(path, KVL_E_FORMAT, "duplicate");
    made_up_write(path, "{\"a\":1} {\"a\":2}\n");
    assert_refused(path, KVL_E_FORMAT, "line 1");
}

/* A run that was killed while writing is resumed: the part of a line goes, a whole one only gets its newline. */
static void append_mends_the_end(void **state)
{
    (void)state;
    const char *path = made_up_path("mended.jsonl");
    made_up_write(path, "{\"a\":1}\n{\"a\":2,\"b");
    made_up_append(path, json_pack("{s:i}", "a", 3));
    assert_file(path, "{\"a\":1}\n{\"a\":3}\n");
    made_up_write(path, "{\"a\":1}\n{\"a\":2}");
    made_up_append(path, json_pack("{s:i}", "a", 3));
    assert_file(path, "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n");
    made_up_write(path, "{\"a");
    made_up_append(path, json_pack("{s:i}", "a", 3));
    assert_file(path, "{\"a\":3}\n");
}

/* The part of a line may be longer than what is read at once. */
static void append_mends_a_long_line(void **state)
{
    (void)state;
    const char *path = made_up_path("long.jsonl");
    FILE *file = fopen(path, "w");
    fputs("{\"a\":1}\n{\"b\":\"", file);
    for (int i = 0; i < 20000; i++)
        putc('x', file);
    fclose(file);
    made_up_append(path, json_pack("{s:i}", "a", 3));
    assert_file(path, "{\"a\":1}\n{\"a\":3}\n");
}

static void assert_append_fails(const char *path, const char *sentence)
{
    json_t *record = json_pack("{s:i}", "a", 1);
    assert_int_equal(kvl_record_append(path, record), KVL_E_IO);
    if (strstr(kvl_last_error(), path) == NULL || strstr(kvl_last_error(), sentence) == NULL)
        fail_msg("\"%s\" does not name %s and \"%s\"", kvl_last_error(), path, sentence);
    json_decref(record);
}

static void unwritable(void **state)
{
    (void)state;
    assert_append_fails("/dev/full", "No space left");
    assert_append_fails(made_up_path("no/such/folder.jsonl"), "No such file");
    assert_append_fails(made_up_folder(), "directory");
}

static void appends_to_a_device(void **state)
{
    (void)state;
    made_up_append("/dev/null", json_pack("{s:i}", "a", 1));
}

/* ---- sets of records -------------------------------------------------------------------------------------------------- */

static char *load_notes(struct kvl_record_set *set, char **paths, int n_paths)
{
    char *notes = NULL;
    size_t n;
    FILE *stream = open_memstream(&notes, &n);
    assert_ok(kvl_record_set_load(set, paths, n_paths, stream));
    fclose(stream);
    return notes;
}

static void newest_of_a_configuration(void **state)
{
    (void)state;
    char *paths[] = {strdup(made_up_path("old.jsonl")), strdup(made_up_path("new.jsonl"))};
    json_t *old = made_up_bench("full", NAN, 1024, 10, 1), *new = made_up_bench("full", NAN, 1024, 20, 1);
    json_object_set_new(old, "time_utc", json_string("2025-12-31T23:59:59Z"));
    made_up_append(paths[0], new);
    made_up_append(paths[1], old);
    made_up_append(paths[1], made_up_bench("full", NAN, 2048, 30, 1));
    struct kvl_record_set set;
    char *notes = load_notes(&set, paths, 2);
    assert_int_equal(set.n, 2);
    assert_true(kvl_record_number(set.records[0], "prefill_median_ns") == 30e6); /* equal times: the later in the files */
    assert_true(kvl_record_number(set.records[1], "prefill_median_ns") == 20e6);
    assert_non_null(strstr(notes, "1 older record is left out"));
    free(notes);
    kvl_record_set_free(&set);
    free(paths[0]);
    free(paths[1]);
}

static void left_out_with_a_note(void **state)
{
    (void)state;
    char *paths[] = {strdup(made_up_path("mixed.jsonl")), strdup(made_up_path("mixed.samples.jsonl"))};
    json_t *other = made_up_record("analysis", "full", NAN, 1024);
    made_up_append(paths[0], other);
    made_up_append(paths[0], made_up_bench("full", NAN, 1024, 20, 1));
    FILE *file = fopen(paths[0], "a");
    fputs("{\"schema\":1,", file);
    fclose(file);
    made_up_write(paths[1], "{\"prediction\":\"x\"}\n");
    struct kvl_record_set set;
    char *notes = load_notes(&set, paths, 2);
    assert_int_equal(set.n, 1);
    assert_non_null(strstr(notes, "mixed.jsonl is cut off"));
    assert_non_null(strstr(notes, "1 records of other kinds"));
    assert_non_null(strstr(notes, "it holds samples"));
    free(notes);
    kvl_record_set_free(&set);
    free(paths[0]);
    free(paths[1]);
}

static void assert_not_loaded(const char *key, json_t *value, const char *sentence)
{
    char *paths[] = {(char *)made_up_path("wrong.jsonl")};
    made_up_write(paths[0], "");
    made_up_append(paths[0], made_up_bench("full", NAN, 1024, 20, 1));
    json_t *wrong = made_up_bench("snapkv", 0.1, 1024, 20, 1);
    json_object_set_new(wrong, key, value);
    made_up_append(paths[0], wrong);
    struct kvl_record_set set;
    assert_int_equal(kvl_record_set_load(&set, paths, 1, NULL), KVL_E_FORMAT);
    if (strstr(kvl_last_error(), "wrong.jsonl, line 2") == NULL || strstr(kvl_last_error(), sentence) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", kvl_last_error(), sentence);
}

static void fields_of_the_wrong_type(void **state)
{
    (void)state;
    assert_not_loaded("schema", json_integer(99), "schema 99");
    assert_not_loaded("schema", json_null(), "no schema number");
    assert_not_loaded("method", json_null(), "method must be text");
    assert_not_loaded("kv_rate", json_string("0.1"), "kv_rate must be a number or null");
    assert_not_loaded("params", json_array(), "params must be an object or null");
}

static void nothing_to_load(void **state)
{
    (void)state;
    char *paths[] = {(char *)made_up_path("nothing.jsonl")};
    made_up_write(paths[0], "");
    struct kvl_record_set set;
    assert_int_equal(kvl_record_set_load(&set, paths, 1, NULL), KVL_E_FORMAT);
    assert_non_null(strstr(kvl_last_error(), "no record of eval, bench or analyze"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(append_and_read),
        cmocka_unit_test(reals_read_back_the_same),
        cmocka_unit_test(empty_file_and_missing_file),
        cmocka_unit_test(truncated_last_line),
        cmocka_unit_test(malformed_lines),
        cmocka_unit_test(append_mends_the_end),
        cmocka_unit_test(append_mends_a_long_line),
        cmocka_unit_test(unwritable),
        cmocka_unit_test(appends_to_a_device),
        cmocka_unit_test(newest_of_a_configuration),
        cmocka_unit_test(left_out_with_a_note),
        cmocka_unit_test(fields_of_the_wrong_type),
        cmocka_unit_test(nothing_to_load),
    };
    return cmocka_run_group_tests(tests, NULL, made_up_remove);
}
