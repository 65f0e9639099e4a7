/* Split patterns: pieces worked out by hand (and equal to Hugging Face's), patterns that are refused, hostile patterns. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/oniguruma.h"
#include "core/pretokenizer.h"
#include "core/split_pattern.h"
#include "core/tokenizer.h"
#include "tests/support/golden.h"

#define NEL "\xC2\x85" /* U+0085, for which C has no escape */

/* Pieces of a text joined by '|'. */
static void assert_pieces(const char *regex, const char *text, const char *expected)
{
    struct kvl_split_pattern *pattern;
    struct kvl_spans pieces = {0};
    char got[256] = "";
    assert_ok(kvl_split_pattern_init(&pattern, regex, "test"));
    assert_ok(kvl_split_pattern_apply(pattern, text, 0, (int64_t)strlen(text), &pieces));
    for (int64_t i = 0; i < pieces.n; i++)
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%.*s", i ? "|" : "", (int)pieces.data[i].n,
                 text + pieces.data[i].start);
    if (strcmp(got, expected) != 0)
        fail_msg("%s on \"%s\": \"%s\", not \"%s\"", regex, text, got, expected);
    kvl_spans_free(&pieces);
    kvl_split_pattern_free(pattern);
}

static void test_pieces(void **state)
{
    const char *const *llama3, *const *tekken;
    int n;
    bool ignore;
    (void)state;
    assert_ok(kvl_pretokenizer_by_name("llama3", &llama3, &n, &ignore));
    assert_ok(kvl_pretokenizer_by_name("tekken", &tekken, &n, &ignore));
    assert_pieces(KVL_SPLIT_GPT2, "", "");
    assert_pieces(KVL_SPLIT_GPT2, "Hello  you're 123!\n\n x", "Hello| | you|'re| 123|!|\n\n| x");
    assert_pieces(KVL_SPLIT_DIGIT, "a12\u0663\u00BD", "a|1|2|\u0663|\u00BD");
    assert_pieces(KVL_SPLIT_DIGITS, "a12 3", "a|12| |3");
    assert_pieces(llama3[0], "12345 it'S 'RE x\r\n\r\n  y", "123|45| it|'S| '|RE| x|\r\n\r\n| | y");
    assert_pieces(llama3[0], "it'\u017Ft", "it|'\u017F|t"); /* long s, an s when case is ignored */
    assert_pieces(tekken[0], "HelloWorld42/\n", "Hello|World|4|2|/\n");
    assert_pieces("x", "axxb", "a|x|x|b");
    assert_pieces("x*", "axxb", "a|xx|b");      /* empty matches split but make no piece */
    assert_pieces("(?=b)", "abab", "a|ba|b");
    assert_pieces("(?<=a)b", "bab", "ba|b");
    assert_pieces("a{2}", "aaaaa", "aa|aa|a");
    assert_pieces("a{,2}b", "aaab", "a|aab");
    assert_pieces("a{x", "a{xa", "a{x|a");
    assert_pieces("(?i)STOP", "xstopx", "x|stop|x");
    assert_pieces(".", "a\nb", "a|\n|b");
    assert_pieces("\\x41|\\u0042|\\x{43}|\\t", "A.B.C.\t", "A|.|B|.|C|.|\t");
}

/* Where PCRE2 by itself would do something else. */
static void test_characters(void **state)
{
    (void)state;
    assert_pieces("\\s+", "a\u180Eb", "a\u180Eb");
    assert_pieces("\\s+", "a" NEL "\u2028b", "a|" NEL "\u2028|b");
    assert_pieces("[\\s]", "a\u180E" NEL "b", "a\u180E|" NEL "|b");
    assert_pieces("[^\\S\\n]+", "a \t\n \u180E", "a| \t|\n| |\u180E");
    assert_pieces("[^\\s\\p{L}]+", "a\u180E!b", "a|\u180E!|b");
    assert_pieces("\\S+", " \u180E ", " |\u180E| ");
    assert_pieces("\\p{L}+", "!\U00031350\U00013460!", "!|\U00031350\U00013460|!"); /* letters since Unicode 15 and 16 */
    assert_pieces("\\P{L}+", "!\U00031350!", "!|\U00031350|!");
    assert_pieces("[\\p{N}]", "x\U00010D40", "x|\U00010D40");
    assert_pieces("\\d", "1\u00BD", "1|\u00BD");
    assert_pieces("\\w+", "a_\u0301-b", "a_\u0301|-|b");
    assert_pieces("\\p{Han}+", "a\u4EBA\u3005b", "a|\u4EBA\u3005|b");
    assert_pieces("[a\\-c]+", "a-b", "a-|b");
    assert_pieces("[\\s-a]+", "x -ay", "x| -a|y"); /* a minus beside a set is itself */
    assert_pieces("[a-\\s]+", "x -ay", "x| -a|y");
    assert_pieces("[!#-&\\[\\]^]+", "x#$%&!y[^]", "x|#$%&!|y|[^]");
    assert_pieces("[\u4E00-\u9FA5]+", "a\u4EBAb", "a|\u4EBA|b");
}

static void test_refused(void **state)
{
    static const struct {
        const char *pattern;
        enum kvl_status status;
        const char *says;
    } CASES[] = {
        {"^a", KVL_E_UNSUPPORTED, "^ and $"}, {"a$", KVL_E_UNSUPPORTED, "^ and $"}, {"\\bword", KVL_E_UNSUPPORTED, "escape"},
        {"(a)\\1", KVL_E_UNSUPPORTED, "escape"}, {"\\Qa", KVL_E_UNSUPPORTED, "escape"}, {"a\\", KVL_E_FORMAT, "backslash"},
        {"[a[b]]", KVL_E_UNSUPPORTED, "classes"}, {"[[:alpha:]]", KVL_E_UNSUPPORTED, "classes"}, {"[a&&b]", KVL_E_UNSUPPORTED, "classes"},
        {"[]", KVL_E_FORMAT, "class"}, {"[abc", KVL_E_FORMAT, "class"}, {"[^]", KVL_E_FORMAT, "class"}, {"[z-a]", KVL_E_FORMAT, "backwards"},
        {"[\\W]", KVL_E_UNSUPPORTED, "\\W"}, {"(?<x>a)", KVL_E_UNSUPPORTED, "group"}, {"(?m:a)", KVL_E_UNSUPPORTED, "group"},
        {"a(?i)b", KVL_E_UNSUPPORTED, "group"}, {"(?#x)", KVL_E_UNSUPPORTED, "group"}, {"(?R)", KVL_E_UNSUPPORTED, "group"},
        {"(a", KVL_E_FORMAT, "regular expression"}, {"a)", KVL_E_FORMAT, "regular expression"}, {"*a", KVL_E_FORMAT, "regular expression"},
        {"(*VERB)", KVL_E_FORMAT, "regular expression"}, {"a{2}+", KVL_E_UNSUPPORTED, "interval"}, {"a{99999}", KVL_E_FORMAT, "regular expression"},
        {"\\p{Nonsense}", KVL_E_FORMAT, "regular expression"}, {"\\pL", KVL_E_UNSUPPORTED, "braces"}, {"\\p{^L}", KVL_E_UNSUPPORTED, "property"},
        {"\\p{", KVL_E_UNSUPPORTED, "property"}, {"\\x{110000}", KVL_E_UNSUPPORTED, "code"}, {"\\ud800", KVL_E_UNSUPPORTED, "code"},
        {"\\xFF", KVL_E_UNSUPPORTED, "code"}, {"\\x", KVL_E_UNSUPPORTED, "code"}, {"\xFF", KVL_E_FORMAT, "UTF-8"},
        {"(?<=a*)b", KVL_E_FORMAT, "regular expression"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct kvl_split_pattern *pattern;
        enum kvl_status status = kvl_split_pattern_init(&pattern, CASES[i].pattern, "the/file");
        if (status != CASES[i].status || !strstr(kvl_last_error(), CASES[i].says) || !strstr(kvl_last_error(), "the/file"))
            fail_msg("%s: %s, \"%s\"", CASES[i].pattern, kvl_status_name(status), kvl_last_error());
        assert_null(pattern);
    }
}

/* Very long and very deep patterns, and ones that explode when they are compiled. */
static void test_hostile_patterns(void **state)
{
    enum { N = 20000 };
    static const char *const UNITS[] = {"(", "[", "\\p{L}", "(a|", "a{1000}", "((a{1000}){1000}){1000}", "(?=", "x?"};
    (void)state;
    for (size_t i = 0; i < sizeof UNITS / sizeof UNITS[0]; i++) {
        char *text = calloc(N + 64, 1);
        struct kvl_split_pattern *pattern;
        for (size_t n = 0; n < N; n += strlen(UNITS[i]))
            strcpy(text + n, UNITS[i]);
        assert_int_not_equal(kvl_split_pattern_init(&pattern, text, "test"), KVL_OK);
        text[15000] = 0;
        if (kvl_split_pattern_init(&pattern, text, "test") == KVL_OK)
            kvl_split_pattern_free(pattern);
        free(text);
    }
}

/* Exponential search: an error, not a hang. Deep recursion on a long text: an answer or an error, not a crash. */
static void test_hostile_searches(void **state)
{
    enum { N = 1000000 };
    char *text = malloc(N + 1);
    static const char *const PATTERNS[] = {"(a|a)*[bc]",         "(a*)*[bc]",       "(?:a|b|ab)*c",
                                           "(?:(?=(a+))a)*[bc]", "(?:.|\\n)*?[yz]", "(?:a|b)+"};
    int n_errors = 0;
    (void)state;
    memset(text, 'a', N);
    for (size_t i = 0; i < sizeof PATTERNS / sizeof PATTERNS[0]; i++) {
        struct kvl_split_pattern *pattern;
        struct kvl_spans pieces = {0};
        assert_ok(kvl_split_pattern_init(&pattern, PATTERNS[i], "test"));
        enum kvl_status status = kvl_split_pattern_apply(pattern, text, 0, i == 5 ? N : 2000, &pieces);
        assert_true(status == KVL_OK || status == KVL_E_UNSUPPORTED || status == KVL_E_OOM);
        if (status != KVL_OK)
            assert_non_null(strstr(kvl_last_error(), "too much work"));
        n_errors += status != KVL_OK;
        kvl_spans_free(&pieces);
        kvl_split_pattern_free(pattern);
    }
    assert_true(n_errors >= 2);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),           cmocka_unit_test(test_characters),       cmocka_unit_test(test_refused),
        cmocka_unit_test(test_hostile_patterns), cmocka_unit_test(test_hostile_searches),
    };
    return test_result(cmocka_run_group_tests(tests, NULL, NULL));
}
