/* safetensors headers and shard indexes, honest and lying. */
#include <stdlib.h>
#include <string.h>

#include "core/safetensors.h"
#include "tests/support/golden.h"
#include "tests/support/model_folder.h"

enum { N_DATA = 96 };

static enum kvl_status parse(const char *header, long long claimed, struct kvl_tensors *tensors, struct bytes *file)
{
    *file = safetensors_write(header, claimed, N_DATA);
    *tensors = (struct kvl_tensors){0};
    enum kvl_status status = kvl_safetensors_parse(tensors, file->data, (int64_t)file->n, "t.safetensors");
    return status == KVL_OK ? kvl_tensors_sort(tensors) : status;
}

static void test_honest_file(void **state)
{
    (void)state;
    const char *header = "{\"__metadata__\": {\"format\": \"pt\"},"
                         "\"b\": {\"dtype\": \"BF16\", \"shape\": [2, 4], \"data_offsets\": [48, 64]},"
                         "\"a\": {\"dtype\": \"F32\", \"shape\": [3, 4], \"data_offsets\": [0, 48]},"
                         "\"c\": {\"dtype\": \"I64\", \"shape\": [4], \"data_offsets\": [64, 96]},"
                         "\"d\": {\"dtype\": \"F32\", \"shape\": [], \"data_offsets\": [0, 4]}}  ";
    struct kvl_tensors tensors;
    struct bytes file;
    assert_ok(parse(header, -1, &tensors, &file));
    assert_int_equal(tensors.n, 4);
    const struct kvl_tensor *a = kvl_tensors_find(&tensors, "a");
    assert_true(a->n_dims == 2 && a->dims[0] == 3 && a->dims[1] == 4 && a->bytes == 48 && a->type == KVL_TENSOR_F32);
    float row[4];
    kvl_tensor_rows(a, 1, 1, row);
    assert_true(row[0] == (float)(16 * 5 % 11 - 5) / 16);
    assert_int_equal(kvl_tensors_find(&tensors, "b")->type, KVL_TENSOR_BF16);
    assert_int_equal(kvl_tensors_find(&tensors, "c")->type, KVL_TENSOR_OTHER);
    assert_string_equal(kvl_tensors_find(&tensors, "c")->type_name, "I64");
    assert_int_equal(kvl_tensors_find(&tensors, "d")->type, KVL_TENSOR_OTHER);
    kvl_tensors_free(&tensors);
    bytes_free(&file);
}

static void test_header_length(void **state)
{
    (void)state;
    static const long long CLAIMS[] = {0, 1, 40, 1000, 99999999, 100000001, 1ll << 40, INT64_MAX};
    for (size_t i = 0; i < sizeof CLAIMS / sizeof *CLAIMS; i++) {
        struct kvl_tensors tensors;
        struct bytes file;
        assert_int_equal(parse("{\"a\": {\"dtype\": \"F32\", \"shape\": [4], \"data_offsets\": [0, 16]}}", CLAIMS[i], &tensors,
                               &file),
                         KVL_E_FORMAT);
        kvl_tensors_free(&tensors);
        bytes_free(&file);
    }
    for (int64_t n = 0; n < 8; n++) {
        struct kvl_tensors tensors = {0};
        assert_int_equal(kvl_safetensors_parse(&tensors, (const uint8_t *)"\1\0\0\0\0\0\0\0", n, "t"), KVL_E_FORMAT);
    }
    struct kvl_tensors tensors = {0};
    uint8_t all[8];
    memset(all, 0xff, sizeof all);
    assert_int_equal(kvl_safetensors_parse(&tensors, all, 8, "t"), KVL_E_FORMAT);
}

static void test_header_lies(void **state)
{
    (void)state;
    static const char *const ENTRIES[] = {
        "3", "null", "[]", "{}", "{\"dtype\": \"F32\"}", "{\"dtype\": \"F32\", \"shape\": [4]}",
        "{\"dtype\": 3, \"shape\": [4], \"data_offsets\": [0, 16]}",
        "{\"dtype\": \"F32\", \"shape\": 4, \"data_offsets\": [0, 16]}",
        "{\"dtype\": \"F32\", \"shape\": [4.0], \"data_offsets\": [0, 16]}",
        "{\"dtype\": \"F32\", \"shape\": [-4], \"data_offsets\": [0, 16]}",
        "{\"dtype\": \"F32\", \"shape\": [\"4\"], \"data_offsets\": [0, 16]}",
        "{\"dtype\": \"F32\", \"shape\": [0], \"data_offsets\": [0, 0]}",
        "{\"dtype\": \"F32\", \"shape\": [5], \"data_offsets\": [0, 16]}",
        "{\"dtype\": \"F32\", \"shape\": [3], \"data_offsets\": [0, 16]}",
        "{\"dtype\": \"BF16\", \"shape\": [4], \"data_offsets\": [0, 16]}",
        "{\"dtype\": \"F32\", \"shape\": [4], \"data_offsets\": [16, 0]}",
        "{\"dtype\": \"F32\", \"shape\": [4], \"data_offsets\": [-16, 0]}",
        "{\"dtype\": \"F32\", \"shape\": [4], \"data_offsets\": [0]}",
        "{\"dtype\": \"F32\", \"shape\": [4], \"data_offsets\": [0, 16, 32]}",
        "{\"dtype\": \"F32\", \"shape\": [4], \"data_offsets\": [0.0, 16.0]}",
        "{\"dtype\": \"F32\", \"shape\": [4], \"data_offsets\": [84, 100]}",
        "{\"dtype\": \"F32\", \"shape\": [4], \"data_offsets\": [1099511627776, 1099511627792]}",
        "{\"dtype\": \"F32\", \"shape\": [4], \"data_offsets\": [9223372036854775800, 9223372036854775807]}",
        "{\"dtype\": \"F32\", \"shape\": [4], \"data_offsets\": [0, 99999999999999999999]}",
        "{\"dtype\": \"F32\", \"shape\": [4611686018427387904, 4], \"data_offsets\": [0, 0]}",
        "{\"dtype\": \"F32\", \"shape\": [2147483648, 2147483648, 4], \"data_offsets\": [0, 16]}",
        "{\"dtype\": \"F32\", \"shape\": [9223372036854775807], \"data_offsets\": [0, 16]}",
    };
    for (size_t i = 0; i < sizeof ENTRIES / sizeof *ENTRIES; i++) {
        char header[512];
        struct kvl_tensors tensors;
        struct bytes file;
        snprintf(header, sizeof header, "{\"liar\": %s}", ENTRIES[i]);
        if (parse(header, -1, &tensors, &file) == KVL_OK)
            fail_msg("%s passed", ENTRIES[i]);
        if (strstr(kvl_last_error(), "liar") == NULL && strstr(kvl_last_error(), "JSON") == NULL)
            fail_msg("%s: '%s' names neither the tensor nor JSON", ENTRIES[i], kvl_last_error());
        kvl_tensors_free(&tensors);
        bytes_free(&file);
    }
}

static void test_index(void **state)
{
    (void)state;
    const char *text = "{\"metadata\": {}, \"weight_map\": {\"b\": \"two\", \"a\": \"one\", \"c\": \"two\"}}";
    struct kvl_shard_index index;
    assert_ok(kvl_shard_index_parse(&index, text, (int64_t)strlen(text)));
    assert_int_equal(index.n, 3);
    assert_int_equal(index.n_shards, 2);
    assert_string_equal(index.shards[0], "one");
    assert_string_equal(index.shards[1], "two");
    kvl_shard_index_free(&index);
    static const char *const BAD[] = {
        "", "{}", "[]", "{\"weight_map\": {}}", "{\"weight_map\": []}", "{\"weight_map\": {\"a\": 3}}",
        "{\"weight_map\": {\"a\": \"\"}}", "{\"weight_map\": {\"a\": \"..\"}}", "{\"weight_map\": {\"a\": \".\"}}",
        "{\"weight_map\": {\"a\": \"../one\"}}", "{\"weight_map\": {\"a\": \"/etc/passwd\"}}",
        "{\"weight_map\": {\"a\": \"x/one\"}}", "{\"weight_map\": {\"a\": \"one\", \"a\": \"two\"}}",
        "{\"weight_map\": {\"a\": null}}", "{\"weight_map\": {\"a\": \"o\\u0000ne\"}}",
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        if (kvl_shard_index_parse(&index, BAD[i], (int64_t)strlen(BAD[i])) != KVL_E_FORMAT)
            fail_msg("%s passed", BAD[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_honest_file), cmocka_unit_test(test_header_length),
                                       cmocka_unit_test(test_header_lies), cmocka_unit_test(test_index)};
    return test_result(cmocka_run_group_tests(tests, NULL, NULL));
}
