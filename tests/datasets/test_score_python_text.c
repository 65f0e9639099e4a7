/* Python's idea of characters and strings, for every code point (tests/reference/python_text.py). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/unicode.h"
#include "datasets/score/python_text.h"
#include "tests/support/golden.h"

enum { SPACE = 1, DIGIT = 2, WORD = 4, PUNCTUATION = 8, IGNORABLE = 16, CASED = 32, N_CODES = 0x110000 };

static json_int_t integer(const json_t *row, size_t i)
{
    return json_integer_value(json_array_get(row, i));
}

static struct kvl_text_part part_of(const json_t *text)
{
    return (struct kvl_text_part){json_string_value(text), (int64_t)json_string_length(text)};
}

/* Whether lower() makes a final sigma of the capital one behind `before` and the character. */
static bool makes_final(const char *before, uint32_t code)
{
    char text[32], *lower;
    int64_t n = (int64_t)strlen(before), n_lower;
    memcpy(text, before, (size_t)n);
    n += kvl_utf8_put(code, text + n);
    strcpy(text + n, "\xce\xa3");
    assert_ok(kvl_python_lower(kvl_text_part_of(text), &lower, &n_lower));
    assert_int_equal(n_lower, strlen(lower));
    bool final = strcmp(lower + n_lower - 2, "\xcf\x82") == 0;
    free(lower);
    return final;
}

static int class_of(uint32_t code)
{
    bool behind = makes_final("A", code), alone = makes_final("", code);
    return (kvl_python_is_space(code) ? SPACE : 0) | (kvl_python_is_digit(code) ? DIGIT : 0)
           | (kvl_python_is_word(code) ? WORD : 0) | (code < 0x80 && kvl_python_is_punctuation((char)code) ? PUNCTUATION : 0)
           | (behind && !alone ? IGNORABLE : 0) | (alone ? CASED : 0);
}

static void test_every_class(void **state)
{
    (void)state;
    json_t *golden = golden_load("python_text.json"), *runs = json_object_get(golden, "classes");
    size_t run = 0, n_runs = json_array_size(runs);
    int n_seen[6] = {0}, n_wrong = 0;
    for (uint32_t code = 1; code < N_CODES; code++) {
        if (code >= 0xD800 && code <= 0xDFFF)
            continue;
        while (run < n_runs && (json_int_t)code > integer(json_array_get(runs, run), 1))
            run++;
        const json_t *row = json_array_get(runs, run);
        int expected = run < n_runs && (json_int_t)code >= integer(row, 0) ? (int)integer(row, 2) : 0, got = class_of(code);
        for (int bit = 0; bit < 6; bit++)
            n_seen[bit] += got >> bit & 1;
        if (got != expected && n_wrong++ < 20)
            print_error("U+%04X: %d, Python says %d\n", code, got, expected);
    }
    assert_int_equal(n_wrong, 0);
    print_message("space %d, digit %d, word %d, punctuation %d, ignorable %d, cased %d\n", n_seen[0], n_seen[1], n_seen[2],
                  n_seen[3], n_seen[4], n_seen[5]);
    for (int bit = 0; bit < 6; bit++)
        assert_true(n_seen[bit] > 20);
    json_decref(golden);
}

static void test_every_lower(void **state)
{
    (void)state;
    json_t *golden = golden_load("python_text.json"), *runs = json_object_get(golden, "lower"), *row;
    uint32_t *lower = calloc(N_CODES, sizeof *lower);
    size_t i, n_changed = 0;
    for (uint32_t code = 0; code < N_CODES; code++)
        lower[code] = code;
    json_array_foreach(runs, i, row)
        for (json_int_t code = integer(row, 0); code <= integer(row, 1); code += integer(row, 2)) {
            lower[code] = (uint32_t)(code + integer(row, 3));
            n_changed++;
        }
    assert_true(n_changed > 1000);
    json_array_foreach(json_object_get(golden, "lower_long"), i, row)
        lower[integer(row, 0)] = 0;
    int n_wrong = 0;
    for (uint32_t code = 1; code < N_CODES; code++) {
        char text[4], expected[4], *got;
        int64_t n_got;
        if ((code >= 0xD800 && code <= 0xDFFF) || lower[code] == 0)
            continue;
        int n = kvl_utf8_put(code, text), n_expected = kvl_utf8_put(lower[code], expected);
        assert_ok(kvl_python_lower((struct kvl_text_part){text, n}, &got, &n_got));
        if ((n_got != n_expected || memcmp(got, expected, (size_t)n_expected) != 0) && n_wrong++ < 20)
            print_error("U+%04X: \"%s\", Python says U+%04X\n", code, got, lower[code]);
        free(got);
    }
    assert_int_equal(n_wrong, 0);
    json_array_foreach(json_object_get(golden, "lower_long"), i, row) {
        char text[4], *got;
        int64_t n_got;
        int n = kvl_utf8_put((uint32_t)integer(row, 0), text);
        assert_ok(kvl_python_lower((struct kvl_text_part){text, n}, &got, &n_got));
        assert_string_equal(got, json_string_value(json_array_get(row, 1)));
        free(got);
    }
    free(lower);
    json_decref(golden);
}

static void same(struct kvl_text_part got, const json_t *expected)
{
    struct kvl_text_part want = part_of(expected);
    if (got.n != want.n || memcmp(got.data, want.data, (size_t)got.n) != 0)
        fail_msg("\"%.*s\", Python says \"%s\"", (int)got.n, got.data, want.data);
}

static void same_runs(struct kvl_text_part rest, bool (*is_one)(uint32_t code), const json_t *expected)
{
    struct kvl_text_part run;
    for (size_t i = 0; i < json_array_size(expected); i++) {
        assert_true(kvl_python_next_run(&rest, is_one, &run));
        same(run, json_array_get(expected, i));
    }
    assert_false(kvl_python_next_run(&rest, is_one, &run));
}

static void test_strings(void **state)
{
    (void)state;
    json_t *golden = golden_load("python_text.json"), *rows = json_object_get(golden, "strings"), *row;
    size_t i, k;
    assert_true(json_array_size(rows) >= 300);
    json_array_foreach(rows, i, row) {
        struct kvl_text_part text = part_of(json_array_get(row, 0)), rest = text, word;
        json_t *words = json_array_get(row, 3), *expected;
        char *lower;
        int64_t n;
        assert_ok(kvl_python_lower(text, &lower, &n));
        same((struct kvl_text_part){lower, n}, json_array_get(row, 1));
        free(lower);
        same(kvl_python_strip(text), json_array_get(row, 2));
        json_array_foreach(words, k, expected) {
            assert_true(kvl_python_next_word(&rest, &word));
            same(word, expected);
        }
        assert_false(kvl_python_next_word(&rest, &word));
        same_runs(text, kvl_python_is_digit, json_array_get(row, 4));
        same_runs(text, kvl_python_is_word, json_array_get(row, 5));
    }
    json_decref(golden);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_class),
        cmocka_unit_test(test_every_lower),
        cmocka_unit_test(test_strings),
    };
    return test_result(cmocka_run_group_tests(tests, NULL, NULL));
}
