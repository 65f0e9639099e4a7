/* UTF-8, the byte alphabet and normal forms, against cases worked out by hand and properties that must hold. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/tokenizer.h"
#include "core/unicode.h"
#include "tests/support/golden.h"

static void test_check(void **state)
{
    static const struct {
        const char *text;
        int64_t n, bad;
    } CASES[] = {
        {"", 0, -1}, {"abc", 3, -1}, {"a\0b", 3, -1}, {"\xC3\xA9", 2, -1}, {"\xF4\x8F\xBF\xBF", 4, -1}, {"\xEF\xBF\xBE", 3, -1},
        {"\x80", 1, 0}, {"ab\xFF", 3, 2}, {"a\xC3", 2, 1}, {"\xC0\xAF", 2, 0}, {"\xE0\x9F\xBF", 3, 0}, {"x\xED\xA0\x80", 4, 1},
        {"\xF4\x90\x80\x80", 4, 0}, {"\xF0\x8F\xBF\xBF", 4, 0}, {"\xF5\x80\x80\x80", 4, 0}, {"\xE2\x82\xAC\xE2\x82", 5, 3},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        assert_int_equal(kvl_utf8_check(CASES[i].text, CASES[i].n), CASES[i].bad);
}

/* One U+FFFD for every longest piece that could have begun a character, as Rust's from_utf8_lossy. '?' stands for it. */
static void test_repair(void **state)
{
    static const char *const CASES[][2] = {
        {"abc", "abc"}, {"\xF0\x9F\x98", "?"}, {"\xF0\x9F\x98x", "?x"}, {"\xE2\x82(", "?("}, {"\xC0\xAF", "??"}, {"\xED\xA0\x80", "???"},
        {"a\xFF\xC3\xA9", "a?\xC3\xA9"}, {"\xE0\x80\x80", "???"}, {"\xF0\x9F\xF0\x9F\x98\x80", "?\xF0\x9F\x98\x80"}, {"\xC3", "?"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        char got[64], expected[64], *to = expected;
        int64_t n = kvl_utf8_repair(CASES[i][0], (int64_t)strlen(CASES[i][0]), got);
        for (const char *c = CASES[i][1]; *c; c++)
            to += *c == '?' ? kvl_utf8_put(0xFFFD, to) : (*to = *c, 1);
        assert_int_equal(n, to - expected);
        assert_memory_equal(got, expected, (size_t)n);
        assert_int_equal(kvl_utf8_check(got, n), -1);
    }
}

static void test_every_character(void **state)
{
    (void)state;
    for (uint32_t code = 0; code <= 0x10FFFF; code++) {
        char text[4];
        int size = kvl_utf8_put(code, text), got, before;
        if (code >= 0xD800 && code <= 0xDFFF) {
            assert_int_equal(kvl_utf8_check(text, size), 0);
            continue;
        }
        if (kvl_utf8_check(text, size) != -1 || kvl_utf8_get(text, 0, size, &got) != code || got != size
            || kvl_utf8_get_before(text, size, &before) != code || before != size)
            fail_msg("U+%04X", code);
    }
}

static void test_byte_alphabet(void **state)
{
    struct kvl_byte_alphabet a;
    char out[16];
    (void)state;
    kvl_byte_alphabet_init(&a);
    assert_int_equal(a.symbol['A'], 'A');
    assert_int_equal(a.symbol[0], 0x100);
    assert_int_equal(a.symbol['\n'], 0x10A);
    assert_int_equal(a.symbol[' '], 0x120);
    assert_int_equal(a.symbol[0x7F], 0x121);
    assert_int_equal(a.symbol[0xA0], 0x142);
    assert_int_equal(a.symbol[0xAD], 0x143);
    assert_int_equal(a.symbol[0xFF], 0xFF);
    for (int b = 0; b < 256; b++)
        assert_int_equal(a.byte[a.symbol[b]], b);
    assert_int_equal(kvl_byte_alphabet_decode(&a, "\xC4\xA0the\xC4\x8A", 7, out), 5);
    assert_memory_equal(out, " the\n", 5);
    assert_int_equal(kvl_byte_alphabet_decode(&a, "a b", 3, out), -1);
    assert_int_equal(kvl_byte_alphabet_decode(&a, "\xE4\xBA\xBA", 3, out), -1);
}

static void assert_normal(const char *form_name, const char *text, const char *expected)
{
    enum kvl_normal_form form;
    char *got;
    int64_t n;
    assert_true(kvl_normal_form_find(form_name, &form));
    assert_ok(kvl_normalize(form, text, (int64_t)strlen(text), &got, &n));
    if (n != (int64_t)strlen(expected) || memcmp(got, expected, (size_t)n) != 0)
        fail_msg("%s of \"%s\" is \"%.*s\", not \"%s\"", form_name, text, (int)n, got, expected);
    free(got);
}

static void test_normal_forms(void **state)
{
    enum kvl_normal_form form;
    (void)state;
    assert_false(kvl_normal_form_find("nfx", &form));
    assert_normal("none", "e\u0301", "e\u0301");
    assert_normal("nfc", "", "");
    assert_normal("nfc", "e\u0301x", "\u00E9x");
    assert_normal("nfd", "\u00E9", "e\u0301");
    assert_normal("nfc", "\u212B", "\u00C5");                      /* Angstrom sign */
    assert_normal("nfc", "a\u0323\u0302", "\u1EAD");
    assert_normal("nfc", "a\u0302\u0323", "\u1EAD");               /* marks in order of their class */
    assert_normal("nfd", "a\u0302\u0323", "a\u0323\u0302");
    assert_normal("nfc", "\u0958", "\u0915\u093C");                /* excluded from composition */
    assert_normal("nfc", "\u1100\u1161\u11A8", "\uAC01");          /* Hangul */
    assert_normal("nfd", "\uAC01", "\u1100\u1161\u11A8");
    assert_normal("nfc", "\uFB01", "\uFB01");
    assert_normal("nfkc", "\uFB01 \u00BD", "fi 1\u20442");
    assert_normal("nfkd", "\uFF21\u00E9", "Ae\u0301");
}

/* 200,000 marks of two classes, worst for a sort of neighbours: linear here. */
static void test_many_marks(void **state)
{
    enum { N_MARKS = 200000 };
    char *text = malloc(2 * N_MARKS + 1), *got, *again;
    int64_t n, n_again;
    (void)state;
    for (int i = 0; i < N_MARKS; i++)
        memcpy(text + 2 * i, i % 2 ? "\u0323" : "\u0301", 2);
    clock_t start = clock();
    assert_ok(kvl_normalize(KVL_FORM_NFC, text, 2 * N_MARKS, &got, &n));
    assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 2.0);
    assert_int_equal(n, 2 * N_MARKS);
    assert_memory_equal(got, "\u0323\u0323", 4);
    assert_memory_equal(got + n - 4, "\u0301\u0301", 4);
    assert_ok(kvl_normalize(KVL_FORM_NFC, got, n, &again, &n_again));
    assert_int_equal(n_again, n);
    assert_memory_equal(again, got, (size_t)n);
    free(text);
    free(got);
    free(again);
}

static void test_classes(void **state)
{
    (void)state;
    assert_true(kvl_is_white_space(0x85) && kvl_is_white_space(0x3000) && kvl_is_white_space('\v') && kvl_is_white_space(0x202F));
    assert_false(kvl_is_white_space(0x180E) || kvl_is_white_space(0x200B) || kvl_is_white_space(0x1F) || kvl_is_white_space('x'));
    assert_true(kvl_is_word('_') && kvl_is_word('7') && kvl_is_word(0xE9) && kvl_is_word(0x301) && kvl_is_word(0x200D) && kvl_is_word(0x24B6));
    assert_false(kvl_is_word('-') || kvl_is_word(' ') || kvl_is_word(0x1F600) || kvl_is_word(0xBD));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check),        cmocka_unit_test(test_repair),     cmocka_unit_test(test_every_character),
        cmocka_unit_test(test_byte_alphabet), cmocka_unit_test(test_normal_forms), cmocka_unit_test(test_many_marks),
        cmocka_unit_test(test_classes),
    };
    return test_result(cmocka_run_group_tests(tests, NULL, NULL));
}
