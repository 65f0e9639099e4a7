/* The GGUF parser on files made in memory. */
#include <stdlib.h>
#include <string.h>

#include "core/gguf.h"
#include "tests/support/gguf_builder.h"
#include "tests/support/golden.h"

static enum kvl_status parse(struct gguf_builder *b, struct kvl_gguf *gguf, struct bytes *file)
{
    *file = gguf_builder_write(b);
    return kvl_gguf_parse(gguf, file->data, (int64_t)file->n, "test.gguf");
}

/* Writes and parses what the builder holds; it must fail with a sentence that contains `part`. Frees the builder. */
static void must_fail(struct gguf_builder *b, const char *part)
{
    struct kvl_gguf gguf;
    struct bytes file;
    assert_int_not_equal(parse(b, &gguf, &file), KVL_OK);
    if (strstr(kvl_last_error(), part) == NULL)
        fail_msg("'%s' does not contain '%s'", kvl_last_error(), part);
    assert_null(gguf.values);
    assert_null(gguf.tensors.all);
    bytes_free(&file);
    gguf_builder_free(b);
}

static void test_honest_file(void **state)
{
    (void)state;
    for (uint32_t version = 2; version <= 3; version++) {
        struct gguf_builder b;
        struct kvl_gguf gguf;
        struct bytes file;
        gguf_builder_init(&b);
        b.version = version;
        assert_ok(parse(&b, &gguf, &file));
        assert_int_equal(gguf.n_values, b.n_keys);
        assert_int_equal(gguf.tensors.n, b.n_tensors);
        const struct kvl_tensor *tensor = kvl_tensors_find(&gguf.tensors, "blk.0.ffn_down.weight");
        assert_non_null(tensor);
        assert_int_equal(tensor->n_dims, 2);
        assert_int_equal(tensor->dims[0], 32); /* outermost first */
        assert_int_equal(tensor->dims[1], 64);
        assert_int_equal(tensor->bytes, 4 * 32 * 64);
        float row[64];
        kvl_tensor_rows(tensor, 1, 1, row);
        assert_true(row[0] == (float)((64 * 7 % 13) - 6) / 16);
        assert_null(kvl_tensors_find(&gguf.tensors, "blk.0.ffn_down"));
        assert_null(kvl_gguf_find(&gguf, "general.nam"));
        kvl_gguf_free(&gguf);
        bytes_free(&file);
        gguf_builder_free(&b);
    }
}

static void test_values(void **state)
{
    (void)state;
    static const struct {
        uint32_t type;
        uint64_t bits;
        int n_bytes;
        int64_t expected;
    } INTEGERS[] = {
        {0, 200, 1, 200},        {1, 0xff, 1, -1},          {2, 65535, 2, 65535},   {3, 0x8000, 2, -32768},
        {4, 4000000000, 4, 4000000000}, {5, 0xffffffff, 4, -1}, {10, 1ull << 40, 8, 1ll << 40},
        {10, UINT64_MAX, 8, INT64_MAX}, {11, UINT64_MAX, 8, -1},
    };
    struct gguf_builder b;
    struct kvl_gguf gguf;
    struct bytes file;
    gguf_builder_init(&b);
    for (int i = 0; i < (int)(sizeof INTEGERS / sizeof *INTEGERS); i++) {
        char key[] = {'i', (char)('0' + i), '\0'};
        gguf_builder_number(&b, key, INTEGERS[i].type, INTEGERS[i].bits, INTEGERS[i].n_bytes);
    }
    gguf_builder_f32(&b, "f32", -2.5f);
    gguf_builder_number(&b, "f64", 12, 0x3ff8000000000000, 8);
    gguf_builder_number(&b, "yes", 7, 1, 1);
    gguf_builder_number(&b, "odd", 7, 2, 1);
    gguf_builder_u32s(&b, "list", (uint32_t[]){7, 8, 9}, 3);
    gguf_builder_u32s(&b, "empty", NULL, 0);
    assert_ok(parse(&b, &gguf, &file));
    int64_t integer;
    for (int i = 0; i < (int)(sizeof INTEGERS / sizeof *INTEGERS); i++) {
        char key[] = {'i', (char)('0' + i), '\0'};
        assert_ok(kvl_gguf_integer(kvl_gguf_find(&gguf, key), &integer));
        assert_true(integer == INTEGERS[i].expected);
    }
    double real;
    assert_ok(kvl_gguf_real(kvl_gguf_find(&gguf, "f32"), &real));
    assert_true(real == -2.5);
    assert_ok(kvl_gguf_real(kvl_gguf_find(&gguf, "f64"), &real));
    assert_true(real == 1.5);
    bool flag = false;
    assert_ok(kvl_gguf_bool(kvl_gguf_find(&gguf, "yes"), &flag));
    assert_true(flag);
    assert_int_equal(kvl_gguf_bool(kvl_gguf_find(&gguf, "odd"), &flag), KVL_E_FORMAT);
    struct kvl_gguf_string text;
    assert_ok(kvl_gguf_text(kvl_gguf_find(&gguf, "general.name"), &text));
    assert_true(text.n == 5 && memcmp(text.data, "built", 5) == 0);
    assert_int_equal(kvl_gguf_integer(kvl_gguf_find(&gguf, "f32"), &integer), KVL_E_FORMAT);
    assert_non_null(strstr(kvl_last_error(), "f32"));
    assert_int_equal(kvl_gguf_text(kvl_gguf_find(&gguf, "i0"), &text), KVL_E_FORMAT);
    assert_int_equal(kvl_gguf_real(kvl_gguf_find(&gguf, "list"), &real), KVL_E_FORMAT);
    const struct kvl_gguf_value *list = kvl_gguf_find(&gguf, "list");
    assert_true(list->n == 3 && kvl_gguf_item(list, 0) == 7 && kvl_gguf_item(list, 2) == 9);
    assert_int_equal(kvl_gguf_find(&gguf, "empty")->n, 0);
    const struct kvl_gguf_value *tokens = kvl_gguf_find(&gguf, "tokenizer.ggml.tokens");
    const uint8_t *at = tokens->data;
    assert_int_equal(tokens->n, 8);
    for (int i = 0; i < 8; i++)
        text = kvl_gguf_next_string(&at);
    assert_true(text.n == 2 && memcmp(text.data, "ab", 2) == 0);
    kvl_gguf_free(&gguf);
    bytes_free(&file);
    gguf_builder_free(&b);
}

static void test_alignment(void **state)
{
    (void)state;
    struct gguf_builder b;
    struct kvl_gguf gguf;
    struct bytes file;
    gguf_builder_init(&b);
    b.alignment = 256;
    gguf_builder_u32(&b, "general.alignment", 256);
    assert_ok(parse(&b, &gguf, &file));
    assert_int_equal((kvl_tensors_find(&gguf.tensors, "output_norm.weight")->data - file.data) % 256, 0);
    kvl_gguf_free(&gguf);
    bytes_free(&file);
    static const uint32_t BAD[] = {0, 3, 48, 1u << 21, UINT32_MAX};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        struct gguf_builder bad;
        gguf_builder_init(&bad);
        gguf_builder_u32(&bad, "general.alignment", BAD[i]);
        must_fail(&bad, "general.alignment");
    }
    gguf_builder_free(&b);
}

/* Every file that ends early is refused, wherever it ends. */
static void test_every_truncation(void **state)
{
    (void)state;
    struct gguf_builder b;
    gguf_builder_init(&b);
    struct bytes file = gguf_builder_write(&b);
    size_t data_begins = b.marks[b.n_marks - 2 * b.n_tensors + 1];
    for (size_t n = 0; n < file.n; n += n < data_begins + 64 ? 1 : 509) {
        uint8_t *exact = malloc(n + 1); /* of its own, so that a sanitizer sees a read past the end */
        memcpy(exact, file.data, n);
        uint8_t *fitted = realloc(exact, n > 0 ? n : 1);
        struct kvl_gguf gguf;
        assert_int_equal(kvl_gguf_parse(&gguf, fitted, (int64_t)n, "test.gguf"), KVL_E_FORMAT);
        assert_true(strlen(kvl_last_error()) > 10);
        free(fitted);
    }
    bytes_free(&file);
    gguf_builder_free(&b);
}

static void test_header_lies(void **state)
{
    (void)state;
    struct gguf_builder b;
    gguf_builder_init(&b);
    memcpy(b.magic, "GGML", 5);
    must_fail(&b, "not a GGUF file");
    static const uint32_t VERSIONS[] = {0, 1, 4, 0x03000000, UINT32_MAX};
    for (size_t i = 0; i < sizeof VERSIONS / sizeof *VERSIONS; i++) {
        gguf_builder_init(&b);
        b.version = VERSIONS[i];
        must_fail(&b, "kvlab reads");
    }
    static const uint64_t COUNTS[] = {1000, 1u << 20, 1ull << 40, 1ull << 61, INT64_MAX, UINT64_MAX - 1};
    for (size_t i = 0; i < sizeof COUNTS / sizeof *COUNTS; i++) {
        gguf_builder_init(&b);
        b.claimed_tensors = COUNTS[i];
        must_fail(&b, "");
        gguf_builder_init(&b);
        b.claimed_keys = COUNTS[i];
        must_fail(&b, "");
        gguf_builder_init(&b);
        b.keys[3].name_bytes = COUNTS[i] + 1000000;
        must_fail(&b, "the length of a key");
    }
}

static void test_key_lies(void **state)
{
    (void)state;
    struct gguf_builder b;
    static const uint64_t COUNTS[] = {10000000, 1ull << 40, 1ull << 61, UINT64_MAX};
    for (size_t i = 0; i < sizeof COUNTS / sizeof *COUNTS; i++)
        for (uint32_t item = 0; item <= 12; item++) {
            gguf_builder_init(&b);
            gguf_builder_u32s(&b, "list", NULL, 0);
            struct bytes *value = &gguf_builder_key(&b, "list")->value;
            value->n = 0;
            bytes_put_number(value, item, 4);
            bytes_put_number(value, COUNTS[i], 8);
            must_fail(&b, "list");
        }
    gguf_builder_init(&b);
    gguf_builder_string(&b, "text", "x");
    memset(gguf_builder_key(&b, "text")->value.data, 0xff, 8);
    must_fail(&b, "text");
    gguf_builder_init(&b);
    gguf_builder_number(&b, "strange", 13, 0, 4);
    must_fail(&b, "strange");
    gguf_builder_init(&b);
    gguf_builder_u32(&b, "twin", 1);
    snprintf(gguf_builder_key(&b, "general.name")->name, 64, "twin");
    must_fail(&b, "key twin occurs twice");
    gguf_builder_init(&b);
    gguf_builder_u32(&b, "", 1);
    must_fail(&b, "without a name");
    gguf_builder_init(&b);
    gguf_builder_string(&b, "general.alignment", "32");
    must_fail(&b, "general.alignment");
}

static void test_tensor_lies(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        int dim; /* which to set, -1: none */
        uint64_t value;
        uint32_t n_dims, type;
        uint64_t offset;
        const char *part;
    } ROWS[] = {
        {"no dimensions", -1, 0, 0, 0, UINT64_MAX, "dimensions"},
        {"five dimensions", -1, 0, 5, 0, UINT64_MAX, "dimensions"},
        {"2^32 - 1 dimensions", -1, 0, UINT32_MAX, 0, UINT64_MAX, "dimensions"},
        {"a dimension of 0", 0, 0, 2, 0, UINT64_MAX, "dimension of 0"},
        {"a dimension of 2^64 - 1", 0, UINT64_MAX, 2, 0, UINT64_MAX, "dimension of"},
        {"a dimension of 2^63 - 1", 0, INT64_MAX, 2, 0, UINT64_MAX, "product"},
        {"bytes that overflow", 0, 1ull << 57, 2, 0, UINT64_MAX, "rows of"},
        {"twice the rows", 1, 64, 2, 0, UINT64_MAX, "overlap"},
        {"more rows than the file has", 1, 1 << 20, 2, 0, UINT64_MAX, "truncated"},
        {"rows that are no blocks", 0, 33, 2, 8, UINT64_MAX, "do not fit type Q8_0"},
        {"an offset between alignments", -1, 0, 2, 0, 16, "alignment"},
        {"an offset at another tensor", -1, 0, 2, 0, 0, "overlap"},
        {"an offset at the end", -1, 0, 2, 0, 38272, "truncated"},
        {"an offset past the end", -1, 0, 2, 0, 1ull << 40, "past the end"},
        {"an offset of 2^64 - 32", -1, 0, 2, 0, UINT64_MAX - 31, "past the end"},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct gguf_builder b;
        gguf_builder_init(&b);
        struct built_tensor *tensor = gguf_builder_tensor(&b, "blk.0.attn_q.weight");
        if (ROWS[i].dim >= 0)
            tensor->dims[ROWS[i].dim] = ROWS[i].value;
        tensor->n_dims = ROWS[i].n_dims;
        tensor->type = ROWS[i].type;
        tensor->offset = ROWS[i].offset;
        print_message("%s\n", ROWS[i].what);
        must_fail(&b, ROWS[i].part);
    }
    struct gguf_builder b;
    gguf_builder_init(&b);
    snprintf(gguf_builder_tensor(&b, "blk.0.attn_q.weight")->name, 64, "blk.0.attn_k.weight");
    must_fail(&b, "tensor blk.0.attn_k.weight occurs twice");
    gguf_builder_init(&b);
    gguf_builder_tensor(&b, "blk.0.attn_q.weight")->name[0] = '\0';
    must_fail(&b, "tensor name");
}

/* A type that we do not read is no error until somebody needs the tensor. */
static void test_unknown_type(void **state)
{
    (void)state;
    static const struct {
        uint32_t type;
        const char *shown;
    } TYPES[] = {{12, "12 (Q4_K)"}, {4, "4 (Q4_2)"}, {31, "31"}, {1000, "1000"}, {UINT32_MAX, "4294967295"}};
    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++) {
        struct gguf_builder b;
        struct kvl_gguf gguf;
        struct bytes file;
        gguf_builder_init(&b);
        gguf_builder_tensor(&b, "blk.0.attn_q.weight")->type = TYPES[i].type;
        assert_ok(parse(&b, &gguf, &file));
        const struct kvl_tensor *tensor = kvl_tensors_find(&gguf.tensors, "blk.0.attn_q.weight");
        assert_int_equal(tensor->type, KVL_TENSOR_OTHER);
        assert_string_equal(tensor->type_name, TYPES[i].shown);
        assert_null(tensor->data);
        kvl_gguf_free(&gguf);
        bytes_free(&file);
        gguf_builder_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_honest_file), cmocka_unit_test(test_values),      cmocka_unit_test(test_alignment),
        cmocka_unit_test(test_every_truncation), cmocka_unit_test(test_header_lies), cmocka_unit_test(test_key_lies),
        cmocka_unit_test(test_tensor_lies), cmocka_unit_test(test_unknown_type),
    };
    return test_result(cmocka_run_group_tests(tests, NULL, NULL));
}
