/* The metric by hand, and RULER's clean-up of the text before it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "datasets/recall.h"

static void test_cases(void **state)
{
    (void)state;
    static const struct {
        const char *prediction;
        const char *answers[4];
        int n_answers;
        double score;
    } cases[] = {
        {" 1234567.", {"1234567"}, 1, 1},
        {" 123456.", {"1234567"}, 1, 0},
        {"12345 67", {"1234567"}, 1, 0},
        {"81234567", {"1234567"}, 1, 1}, /* containment, not words */
        {"", {"1234567"}, 1, 0},
        {"1234567", {"1234567"}, 1, 1},
        {"The Blue FOX", {"blue fox"}, 1, 1},
        {"the blue fox", {"Blue Fox"}, 1, 1},
        {"a b", {"a", "b", "c", "d"}, 4, 0.5},
        {"a b", {"a", "a", "c"}, 3, 2.0 / 3},
        {"anything", {""}, 1, 1},
        {"", {""}, 1, 1},
        {"anything", {NULL}, 0, 0},
        {"caf\xc3\xa9", {"CAF\xc3\xa9"}, 1, 1},
        {"aab", {"ab"}, 1, 1}, /* a false start */
        /* Control characters are newlines, and blanks at the ends are gone, before the comparison; answers stay as they are. */
        {"a\tb", {"a\nb"}, 1, 1},
        {"a\x1f" "b", {"a\nb"}, 1, 1},
        {"a\tb", {"a\tb"}, 1, 0},
        {"a b", {"a\nb"}, 1, 0},
        {"\x01 x \x1f\n", {" x"}, 1, 0},
        {"\x01 x \x1f\n", {"x "}, 1, 0},
        {"y x \n", {" x"}, 1, 1},
        {" \t\n", {" "}, 1, 0},
        {"x\x7f", {"x\x7f"}, 1, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double score;
        assert_int_equal(kvl_recall(&(struct kvl_scoring){.prediction = cases[i].prediction, .answers = cases[i].answers,
                                                          .n_answers = cases[i].n_answers}, &score), KVL_OK);
        if (!(score >= cases[i].score - 1e-12 && score <= cases[i].score + 1e-12))
            fail_msg("case %zu, \"%s\": %g, expected %g", i, cases[i].prediction, score, cases[i].score);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
