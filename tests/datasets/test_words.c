/* The words tasks: size, and the words counted by a reader of the text that knows nothing of the generator. */
#include "tests/support/task_kit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/words/vocabulary.h"

enum { MAX_WORDS = 100000, MAX_LETTERS = 12 };

struct tally {
    char word[MAX_LETTERS];
    int64_t n;
};

static int by_word(const void *a, const void *b)
{
    return strcmp(a, b);
}
static int by_count(const void *a, const void *b)
{
    const struct tally *x = a, *y = b;
    return x->n != y->n ? (x->n < y->n) - (x->n > y->n) : strcmp(x->word, y->word);
}

/* words[0..n) sorted and counted; tallies[] by descending count. Returns how many differ. */
static int64_t tally(char words[][MAX_LETTERS], int64_t n, struct tally *tallies)
{
    int64_t n_tallies = 0;
    qsort(words, (size_t)n, sizeof *words, by_word);
    for (int64_t i = 0; i < n; i++) {
        if (i == 0 || strcmp(words[i], words[i - 1]) != 0) {
            tallies[n_tallies] = (struct tally){.n = 0};
            strcpy(tallies[n_tallies++].word, words[i]);
        }
        tallies[n_tallies - 1].n++;
    }
    qsort(tallies, (size_t)n_tallies, sizeof *tallies, by_count);
    return n_tallies;
}

static bool is_answer(const struct kvl_sample *sample, const char *word)
{
    for (int i = 0; i < sample->n_answers; i++)
        if (strcmp(sample->answers[i], word) == 0)
            return true;
    return false;
}

static char words[MAX_WORDS][MAX_LETTERS];
static struct tally tallies[MAX_WORDS];

/* "1. ash 2. fox ..", numbered without a gap, up to the end of its line. Returns the number of words. */
static int64_t read_list(const char *at, const char **end)
{
    int64_t n = 0;
    for (*end = strchr(at, '\n'); at < *end; n++) {
        int length = 0;
        long long number;
        assert_true(n < MAX_WORDS);
        assert_int_equal(sscanf(at, "%lld. %11[a-z]%n", &number, words[n], &length), 2);
        assert_true(number == n + 1);
        at += length;
        assert_true(*at == ' ' || at == *end);
        at += *at == ' ';
    }
    return n;
}

/* Ten words come `common` times and all the others `uncommon` times. */
static int64_t check_list(const char *at, int common, int uncommon, const char **end)
{
    int64_t n = tally(words, read_list(at, end), tallies);
    assert_true(n >= 20);
    for (int64_t i = 0; i < n; i++)
        assert_true(tallies[i].n == (i < 10 ? common : uncommon));
    return n;
}

static void check_common(const struct kvl_task *task, const struct kvl_task_request *request, const struct kvl_sample *sample,
                         const char *prompt)
{
    (void)task;
    bool large = request->n_context >= 4096;
    static const char question[] = "\nQuestion: Which 10 words are used most in the numbered list above?";
    const char *first = strchr(sample->user, '\n') + 1, *end, *rest;
    assert_int_equal(check_list(first, large ? 10 : 3, large ? 3 : 1, &end), large ? 40 : 20);
    assert_int_equal(strncmp(end, question, strlen(question)), 0);
    /* The example's answer names its ten common words. */
    const char *solved = strstr(end, " are: 1. ") + 6, *solved_end = strstr(solved, "\n\n");
    char solution[512];
    assert_true(solved_end - solved < (long)sizeof solution);
    snprintf(solution, sizeof solution, "%.*s ", (int)(solved_end - solved), solved);
    for (int i = 0; i < 10; i++) {
        char item[32];
        assert_false(is_answer(sample, tallies[i].word));
        snprintf(item, sizeof item, ". %.11s ", tallies[i].word);
        assert_int_equal(kit_count_of(solution, item), 1);
    }
    /* The list: the answers are its ten common words, and stand nowhere else. */
    const char *list = strchr(solved_end + 2, '\n') + 1;
    check_list(list, large ? 30 : 6, large ? 3 : 1, &rest);
    assert_ptr_equal(rest, sample->user + sample->n_before_question);
    assert_string_equal(rest, question);
    assert_int_equal(sample->n_answers, 10);
    for (int i = 0; i < 10; i++) {
        assert_true(is_answer(sample, tallies[i].word));
        assert_int_equal(kit_count_of(prompt, sample->answers[i]), large ? 30 : 6);
    }
    assert_int_equal(sample->max_new_tokens, 120);
    assert_null(sample->stop);
    assert_true(isnan(sample->depth));
}

/* The three answers in the order of their counts, each more often than the next word; the counts fall like 1 / k^2. */
static void check_frequent(const struct kvl_task *task, const struct kvl_task_request *request, const struct kvl_sample *sample,
                           const char *prompt)
{
    (void)task, (void)request;
    int64_t n = 0, n_dots = 0;
    const char *at = strchr(sample->user, '\n') + 1, *end = sample->user + sample->n_before_question;
    for (int length = 0; at < end; at += length + (at[length] == ' ')) {
        assert_int_equal(sscanf(at, "%11s%n", words[n], &length), 1);
        if (strcmp(words[n], "...") == 0) {
            n_dots++;
            continue;
        }
        assert_int_equal(strspn(words[n], "bcdfghjklmnpqrstvwxz"), 6);
        assert_int_equal(strlen(words[n]), 6);
        assert_true(++n < MAX_WORDS);
    }
    int64_t n_words = tally(words, n, tallies);
    assert_true(n_words >= 4 && sample->n_answers == 3);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(sample->answers[i], tallies[i].word);
        assert_true(tallies[i].n > tallies[i + 1].n);
        assert_int_equal(kit_count_of(prompt, sample->answers[i]), tallies[i].n);
        double total = (double)(tallies[0].n + 1) * 4; /* tallies[0] is rank 2: floor(total / 4) */
        double expected = total / ((i + 2) * (i + 2));
        assert_true((double)tallies[i].n <= expected && (double)tallies[i].n > expected - 2);
    }
    assert_true(n_dots >= 4 * tallies[0].n);
    assert_int_equal(sample->max_new_tokens, 50);
    assert_null(sample->stop);
    assert_true(isnan(sample->depth));
}

/* A compound that two pairs of words give would be two words of a list and one of its text. */
static void test_vocabulary(void **state)
{
    (void)state;
    int64_t n = kvl_vocabulary_n_words(), n_compounds = 0;
    struct kvl_text text = {0};
    char (*all)[MAX_LETTERS] = malloc((size_t)(n + kvl_vocabulary_n_compounds()) * sizeof *all);
    assert_non_null(all);
    for (int64_t i = 0; i < n; i++) {
        const char *word = kvl_vocabulary_word(i);
        assert_true(strlen(word) >= 3 && strlen(word) < MAX_LETTERS);
        assert_int_equal(strspn(word, "abcdefghijklmnopqrstuvwxyz"), strlen(word));
        strcpy(all[i], word);
    }
    for (int64_t i = 0; i < kvl_vocabulary_n_compounds(); i++) {
        bool exists;
        text.n = 0;
        assert_ok(kvl_vocabulary_add_compound(&text, i, &exists));
        if (!exists)
            continue;
        assert_true(text.n >= 6 && text.n < MAX_LETTERS);
        strcpy(all[n + n_compounds++], text.data);
    }
    assert_true(n > 1000 && n_compounds > 100000);
    qsort(all, (size_t)(n + n_compounds), sizeof *all, by_word);
    for (int64_t i = 1; i < n + n_compounds; i++)
        assert_string_not_equal(all[i - 1], all[i]);
    free(all);
    kvl_text_free(&text);
}

static void test_small_tokenizers(void **state)
{
    (void)state;
    kit_sweep_small("words/common", 8192, check_common);
    kit_sweep_small("words/frequent", 2000, check_frequent);
}

static void test_common_with_real_tokenizers(void **state)
{
    (void)state;
    kit_sweep_real("words/common", check_common);
}

static void test_frequent_with_real_tokenizers(void **state)
{
    (void)state;
    kit_sweep_real("words/frequent", check_frequent);
}

static void test_determinism(void **state)
{
    (void)state;
    kit_check_determinism("words/common", 3500, 16384);
    kit_check_determinism("words/frequent", 3000, 8000);
}

static void test_prompts_stay_as_they_are(void **state)
{
    (void)state;
    int n_changed = !kit_is_golden("words/common", 1, 3500, UINT64_C(0x1e3ae07ccf394c2a));
    n_changed += !kit_is_golden("words/common", 1, 16384, UINT64_C(0x50eda7d4e9897dfb));
    n_changed += !kit_is_golden("words/frequent", 1, 3000, UINT64_C(0x3b925fd51e6aa03d));
    assert_int_equal(n_changed, 0);
}

static void test_refusals(void **state)
{
    (void)state;
    kit_check_refusals("words/common");
    kit_check_refusals("words/frequent");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vocabulary),
        cmocka_unit_test(test_small_tokenizers),
        cmocka_unit_test(test_common_with_real_tokenizers),
        cmocka_unit_test(test_frequent_with_real_tokenizers),
        cmocka_unit_test(test_determinism),
        cmocka_unit_test(test_prompts_stay_as_they_are),
        cmocka_unit_test(test_refusals),
    };
    return test_result(cmocka_run_group_tests(tests, NULL, NULL));
}
