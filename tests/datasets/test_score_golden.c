/* The metrics against the official scorers (tests/reference/scorers.py), by hand, and where they refuse. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/score/porter.h"
#include "datasets/score/score.h"
#include "tests/support/golden.h"

enum { MAX_ANSWERS = 32, MIN_PAIRS = 300 };

static const struct kvl_task_settings levenshtein = {.code_similarity = KVL_CODE_LEVENSHTEIN};

static const struct metric {
    const char *column;
    kvl_score_function score;
    const struct kvl_task_settings *settings;
} metrics[] = {
    {"recall", kvl_score_recall, NULL},
    {"recall_any", kvl_score_recall_any, NULL},
    {"qa_f1", kvl_score_qa_f1, NULL},
    {"rouge_l", kvl_score_rouge_l, NULL},
    {"class", kvl_score_class, NULL},
    {"retrieval", kvl_score_retrieval, NULL},
    {"count", kvl_score_count, NULL},
    {"code", kvl_score_code, NULL},
    {"code_levenshtein", kvl_score_code, &levenshtein},
    {"first_line_qa_f1", kvl_score_first_line_qa_f1, NULL},
    {"first_line_rouge_l", kvl_score_first_line_rouge_l, NULL},
    {"first_line_class", kvl_score_first_line_class, NULL},
    {"rouge_1", kvl_score_rouge_1, NULL},
    {"contains", kvl_score_contains, NULL},
};

/* The n words of [seed, n, vocabulary, stop]; see scorers.py. */
static void write_words(FILE *out, const json_t *part)
{
    int64_t x = json_integer_value(json_array_get(part, 0)), n = json_integer_value(json_array_get(part, 1));
    int64_t vocabulary = json_integer_value(json_array_get(part, 2)), stop = json_integer_value(json_array_get(part, 3));
    for (int64_t i = 0; i < n; i++) {
        x = (x * 1103515245 + 12345) % ((int64_t)1 << 31);
        fprintf(out, "w%lld%s ", (long long)((x >> 8) % vocabulary), stop > 0 && (i + 1) % stop == 0 ? "." : "");
    }
}

/* A text of the golden file, written out. */
static char *text_of(const json_t *rule)
{
    char *text;
    size_t n, i;
    json_t *part;
    if (json_is_string(rule))
        return strdup(json_string_value(rule));
    FILE *out = open_memstream(&text, &n);
    json_array_foreach(rule, i, part) {
        if (json_is_string(part))
            fputs(json_string_value(part), out);
        else if (json_array_size(part) == 4)
            write_words(out, part);
        else
            for (json_int_t k = json_integer_value(json_array_get(part, 1)); k > 0; k--)
                fputs(json_string_value(json_array_get(part, 0)), out);
    }
    fclose(out);
    return text;
}

/* Texts of an array; returns how many. */
static int texts_of(const json_t *rules, char *texts[MAX_ANSWERS])
{
    size_t i;
    json_t *rule;
    assert_true(json_array_size(rules) <= MAX_ANSWERS);
    json_array_foreach(rules, i, rule)
        texts[i] = text_of(rule);
    return (int)json_array_size(rules);
}

static void free_all(char **texts, int n)
{
    for (int i = 0; i < n; i++)
        free(texts[i]);
}

struct tally {
    int n, n_wrong;
};

static void check(const struct metric *metric, const struct kvl_scoring *scoring, const json_t *expected, size_t row,
                  struct tally *tally)
{
    struct kvl_scoring one = *scoring;
    double score = NAN;
    one.settings = metric->settings;
    if (json_is_null(expected) && one.n_answers > 0)
        return; /* the official one does not apply */
    enum kvl_status status = metric->score(&one, &score);
    bool right = json_is_string(expected) ? status == KVL_E_FORMAT
                                          : status == KVL_OK && fabs(score - json_number_value(expected)) <= 1e-9;
    tally->n++;
    if (!right && tally->n_wrong++ < 5)
        print_error("%s, row %zu: %.17g (%s), expected %.17g\n  prediction \"%.300s\"\n  answer     \"%.300s\"\n", metric->column,
                    row, score, kvl_status_name(status), json_number_value(expected), one.prediction,
                    one.n_answers > 0 ? one.answers[0] : "");
}

/* Scoring ROUGE-L once counts the pairs that Python's recursion limit would strike. */
static void check_too_deep(const struct kvl_scoring *scoring, const json_t *expected, size_t row, struct tally *tally)
{
    int64_t before = kvl_score_rouge_l_too_deep(), n_expected = 0;
    double score;
    size_t i;
    json_t *deep;
    assert_ok(kvl_score_rouge_l(scoring, &score));
    json_array_foreach(expected, i, deep)
        n_expected += json_is_true(deep);
    if (kvl_score_rouge_l_too_deep() - before != n_expected)
        fail_msg("row %zu: %lld pairs too deep for Python, expected %lld", row,
                 (long long)(kvl_score_rouge_l_too_deep() - before), (long long)n_expected);
    tally->n += n_expected > 0;
}

static size_t column_of(const json_t *columns, const char *name)
{
    size_t i;
    json_t *column;
    json_array_foreach(columns, i, column)
        if (strcmp(json_string_value(column), name) == 0)
            return i;
    fail_msg("no column %s", name);
    return 0;
}

static void test_golden(void **state)
{
    (void)state;
    json_t *golden = golden_load("scores.json"), *columns = json_object_get(golden, "columns"), *row;
    struct tally tallies[sizeof metrics / sizeof *metrics] = {{0, 0}}, deep = {0, 0};
    size_t i, n_wrong = 0;
    assert_int_equal(json_array_size(columns), sizeof metrics / sizeof *metrics + 1);
    json_array_foreach(json_object_get(golden, "rows"), i, row) {
        char *answers[MAX_ANSWERS], *classes[MAX_ANSWERS], *prediction = text_of(json_array_get(row, 0));
        int n_answers = texts_of(json_array_get(row, 1), answers), n_classes = texts_of(json_array_get(row, 2), classes);
        const json_t *scores = json_array_get(row, 3);
        const struct kvl_scoring scoring = {.prediction = prediction, .answers = (const char *const *)answers,
                                            .n_answers = n_answers, .classes = (const char *const *)classes,
                                            .n_classes = n_classes};
        for (size_t m = 0; m < sizeof metrics / sizeof *metrics; m++)
            check(&metrics[m], &scoring, json_array_get(scores, column_of(columns, metrics[m].column)), i, &tallies[m]);
        check_too_deep(&scoring, json_array_get(scores, column_of(columns, "rouge_l_deep")), i, &deep);
        free(prediction);
        free_all(answers, n_answers);
        free_all(classes, n_classes);
    }
    for (size_t m = 0; m < sizeof metrics / sizeof *metrics; m++) {
        print_message("%-20s %4d scores, %d wrong\n", metrics[m].column, tallies[m].n, tallies[m].n_wrong);
        assert_true(tallies[m].n >= MIN_PAIRS);
        n_wrong += (size_t)tallies[m].n_wrong;
    }
    assert_true(deep.n >= 8);
    assert_int_equal(n_wrong, 0);
    json_decref(golden);
}

static void test_porter(void **state)
{
    (void)state;
    json_t *golden = golden_load("porter.json"), *stems = json_object_get(golden, "stems"), *stem;
    const char *word;
    int n = 0, n_wrong = 0;
    json_object_foreach(stems, word, stem) {
        char got[64];
        size_t n_word = strlen(word);
        assert_true(n_word < sizeof got);
        memcpy(got, word, n_word + 1);
        got[kvl_porter_stem(got, (int64_t)n_word)] = '\0';
        n++;
        if (strcmp(got, json_string_value(stem)) != 0 && n_wrong++ < 20)
            print_error("%s: %s, nltk says %s\n", word, got, json_string_value(stem));
    }
    print_message("%d words\n", n);
    assert_true(n > 5000);
    assert_int_equal(n_wrong, 0);
    json_decref(golden);
}

static void test_by_hand(void **state)
{
    (void)state;
    static const struct {
        const char *metric, *prediction, *answers[3], *classes[5];
        double score;
    } cases[] = {
        {"qa_f1", "The cat, sat!", {"a cat sat"}, {NULL}, 1},
        {"qa_f1", "cat cat dog", {"cat bird"}, {NULL}, 0.4}, /* 1 of 3, 1 of 2 */
        {"qa_f1", "cat", {"dog", "cat mouse"}, {NULL}, 2.0 / 3},
        {"qa_f1", "the", {"the"}, {NULL}, 0}, /* nothing is left */
        {"rouge_l", "a b c. d", {"a b c d"}, {NULL}, 0.999999995},
        {"rouge_l", "a b c d", {"b a"}, {NULL}, 2 * (0.25 * 0.5 / (0.75 + 1e-8))},
        {"rouge_l", "...", {"a"}, {NULL}, 0},
        {"class", "x red", {"red"}, {"red", "blue"}, 1},
        {"class", "red or blue", {"red"}, {"red", "blue"}, 0.5},
        {"class", "dark red", {"dark red"}, {"dark", "dark red", "red"}, 1},
        {"class", "dark red", {"dark red"}, {"dark", "red", "dark red"}, 0.5}, /* "red" is skipped when "dark" goes */
        {"class", "green", {"red"}, {"red", "blue"}, 0},
        {"retrieval", "Paragraph 5 or 6", {"Paragraph 5"}, {NULL}, 0.5},
        {"retrieval", "05", {"Paragraph 5"}, {NULL}, 0},
        {"count", "7, 7 and 8", {"7"}, {NULL}, 2.0 / 3},
        {"count", "none", {"7"}, {NULL}, 0},
        {"code", "tide", {"diet"}, {NULL}, 0.25}, /* the example of difflib's manual: not symmetric */
        {"code", "diet", {"tide"}, {NULL}, 0.5},
        {"code_levenshtein", "tide", {"diet"}, {NULL}, 0.5},
        {"code", "\n# x\nint i;\nint j;", {"int i;"}, {NULL}, 1},
        {"code", "# x", {""}, {NULL}, 1},
        {"code", "x", {""}, {NULL}, 0},
        {"first_line_qa_f1", "\n\ncat\ndog", {"cat"}, {NULL}, 1},
        {"first_line_rouge_l", "cat\ndog", {"cat"}, {NULL}, 0.999999995},
        {"first_line_class", "red\nblue", {"red"}, {"red", "blue"}, 1},
        {"rouge_1", "Eating sandwiches", {"eat a sandwich"}, {NULL}, 0.8}, /* 2 of 2, 2 of 3 */
        {"contains", "Eat it", {"eat", "it"}, {NULL}, 1},
        {"contains", "Eat it", {"eat"}, {NULL}, 0},
        {"recall_any", "a b", {"B", "c"}, {NULL}, 1},
        {"recall", "a b", {"B", "c"}, {NULL}, 0.5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct kvl_scoring scoring = {.prediction = cases[i].prediction, .answers = cases[i].answers, .classes = cases[i].classes};
        while (scoring.n_answers < 3 && cases[i].answers[scoring.n_answers] != NULL)
            scoring.n_answers++;
        while (scoring.n_classes < 5 && cases[i].classes[scoring.n_classes] != NULL)
            scoring.n_classes++;
        size_t m = 0;
        while (strcmp(metrics[m].column, cases[i].metric) != 0)
            m++;
        double score = NAN;
        scoring.settings = metrics[m].settings;
        assert_ok(metrics[m].score(&scoring, &score));
        if (!(fabs(score - cases[i].score) <= 1e-9))
            fail_msg("%s of \"%s\": %.12g, expected %.12g", cases[i].metric, cases[i].prediction, score, cases[i].score);
    }
}

static void test_no_paragraph(void **state)
{
    (void)state;
    const char *answers[] = {"Paragraph 3", "Paragraph three"};
    double score;
    assert_int_equal(kvl_score_retrieval(&(struct kvl_scoring){.prediction = "3", .answers = answers, .n_answers = 2}, &score),
                     KVL_E_FORMAT);
    assert_non_null(strstr(kvl_last_error(), "Paragraph three"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_porter),
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_no_paragraph),
    };
    return test_result(cmocka_run_group_tests(tests, NULL, NULL));
}
