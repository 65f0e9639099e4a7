/* Weight types to float32: blocks worked out by hand, every half, and gguf-py's values bit for bit
 * (tests/reference/dequant.py). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/dequant.h"
#include "tests/support/golden.h"

/* Every half against the definition: (-1)^s 2^(e-15) (1 + m/1024), without the 1 and with e = 1 for e = 0. */
static void test_every_half(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        int exponent = (int)(h >> 10 & 31), mantissa = (int)(h & 1023);
        float got = kvl_f16_to_f32((uint16_t)h);
        double expected;
        if (exponent == 31)
            expected = mantissa != 0 ? (double)NAN : (double)INFINITY;
        else if (exponent == 0)
            expected = ldexp(mantissa, -24);
        else
            expected = ldexp(1024 + mantissa, exponent - 25);
        assert_int_equal(signbit(got) != 0, h >> 15);
        if (isnan(expected))
            assert_true(isnan(got));
        else
            assert_true(fabs((double)got) == expected);
    }
}

static void test_q8_0_by_hand(void **state)
{
    (void)state;
    uint8_t block[34] = {0x00, 0x38, 0x80, 0x7f, 0xff}; /* d = 0.5; q = -128, 127, -1, 0, ... */
    float out[32];
    kvl_dequant(KVL_TENSOR_Q8_0, block, 32, out);
    assert_true(out[0] == -64.0f && out[1] == 63.5f && out[2] == -0.5f && out[3] == 0.0f && out[31] == 0.0f);
}

static void test_q4_0_by_hand(void **state)
{
    (void)state;
    uint8_t block[18] = {0x00, 0x40, 0xf0, 0x09}; /* d = 2; nibbles low 0, 9, 0..; high 15, 0, 0.. */
    float out[32];
    kvl_dequant(KVL_TENSOR_Q4_0, block, 32, out);
    assert_true(out[0] == -16.0f && out[1] == 2.0f && out[2] == -16.0f);
    assert_true(out[16] == 14.0f && out[17] == -16.0f && out[31] == -16.0f);
}

static void test_q4_1_by_hand(void **state)
{
    (void)state;
    uint8_t block[20] = {0x00, 0x40, 0x00, 0xbc, 0xf0, 0x09}; /* d = 2, m = -1 */
    float out[32];
    kvl_dequant(KVL_TENSOR_Q4_1, block, 32, out);
    assert_true(out[0] == -1.0f && out[1] == 17.0f && out[2] == -1.0f);
    assert_true(out[16] == 29.0f && out[17] == -1.0f && out[31] == -1.0f);
}

static void check_golden(const json_t *item)
{
    static const char *const NAMES[] = {"F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1"};
    const char *name = json_string_value(json_object_get(item, "type"));
    const char *hex = json_string_value(json_object_get(item, "bytes"));
    const json_t *bits = json_object_get(item, "bits");
    int type = 0;
    while (strcmp(name, NAMES[type]) != 0)
        type++;
    size_t n = json_array_size(bits), n_bytes = strlen(hex) / 2;
    assert_int_equal(kvl_tensor_bytes((enum kvl_tensor_type)type, (int64_t)n, 32), n_bytes);
    /* One byte in front, so that nothing is aligned. */
    uint8_t *data = malloc(n_bytes + 1);
    float *out = malloc(n * sizeof *out);
    for (size_t i = 0; i < n_bytes; i++)
        data[i + 1] = (uint8_t)strtoul((char[]){hex[2 * i], hex[2 * i + 1], '\0'}, NULL, 16);
    struct kvl_tensor tensor = {.type = (enum kvl_tensor_type)type, .n_dims = 2, .dims = {(int64_t)n / 32, 32}, .data = data + 1};
    kvl_tensor_rows(&tensor, 0, 3, out);
    kvl_tensor_rows(&tensor, 3, (int64_t)n / 32 - 3, out + 3 * 32);
    int n_nonzero = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t got;
        memcpy(&got, &out[i], sizeof got);
        if (got != (uint32_t)json_integer_value(json_array_get(bits, i)))
            fail_msg("%s, value %d: got bits %08x, expected %08x", name, (int)i, got,
                     (uint32_t)json_integer_value(json_array_get(bits, i)));
        n_nonzero += out[i] != 0.0f;
    }
    assert_true(n_nonzero > (int)n / 2);
    free(data);
    free(out);
}

static void test_golden(void **state)
{
    (void)state;
    json_t *root = golden_load("dequant.json");
    const json_t *cases = json_object_get(root, "cases");
    assert_int_equal(json_array_size(cases), 6);
    size_t i;
    json_t *item;
    json_array_foreach(cases, i, item)
        check_golden(item);
    json_decref(root);
}

static void test_bytes(void **state)
{
    (void)state;
    assert_int_equal(kvl_tensor_bytes(KVL_TENSOR_Q4_1, 64, 32), 40);
    assert_int_equal(kvl_tensor_bytes(KVL_TENSOR_Q4_1, 96, 48), -1); /* rows are no whole blocks */
    assert_int_equal(kvl_tensor_bytes(KVL_TENSOR_OTHER, 32, 32), -1);
    assert_int_equal(kvl_tensor_bytes(KVL_TENSOR_F32, (int64_t)1 << 62, 1), -1);
    assert_int_equal(kvl_tensor_count(2, (int64_t[]){3, 5}), 15);
    assert_int_equal(kvl_tensor_count(2, (int64_t[]){3, 0}), -1);
    assert_int_equal(kvl_tensor_count(3, (int64_t[]){1 << 30, 1 << 30, 1 << 30}), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_half),   cmocka_unit_test(test_q8_0_by_hand), cmocka_unit_test(test_q4_0_by_hand),
        cmocka_unit_test(test_q4_1_by_hand), cmocka_unit_test(test_golden),       cmocka_unit_test(test_bytes),
    };
    return test_result(cmocka_run_group_tests(tests, NULL, NULL));
}
