/* The trace tasks: size, and the chain followed by a reader of the text that knows nothing of the generator. */
#include "tests/support/task_kit.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_VARIABLES = 5 };

static char *upper_of(const char *text)
{
    char *copy = strdup(text);
    for (char *c = copy; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    return copy;
}

/* Reads `let NAME = ..` line by line in [begin, end) and follows it; names[0..n) are all that hold a value in the end. */
static int follow(const char *begin, const char *end, char names[][8], long long values[])
{
    int n = 0;
    for (const char *line = begin; line != NULL && line < end; line = strchr(line, '\n'), line += line != NULL) {
        char from[16];
        if (strncmp(line, "let ", 4) != 0)
            continue;
        assert_true(n < N_VARIABLES);
        assert_int_equal(sscanf(line, "let %7[A-Z] = %15[A-Z0-9]", names[n], from), 2);
        for (int i = 0; i < n; i++)
            assert_string_not_equal(names[i], names[n]);
        values[n] = 0;
        if (isdigit((unsigned char)from[0]))
            values[n] = atoll(from);
        else
            for (int i = 0; i < n; i++) /* only what stands before it has a value */
                if (strcmp(names[i], from) == 0)
                    values[n] = values[i];
        assert_true(values[n] >= 10000 && values[n] <= 99999);
        n++;
    }
    return n;
}

/* Example and task: two chains of their own, each closed; the answers are the second one's variables, in order. */
static void check_chain(const struct kvl_task *task, const struct kvl_task_request *request, const struct kvl_sample *sample,
                        const char *prompt)
{
    (void)task, (void)request;
    static const char question[] = "\nQuestion: Which variables have the value ";
    char names[2][N_VARIABLES][8], text[1024];
    long long values[2][N_VARIABLES];
    const char *first = strstr(sample->user, question), *second = sample->user + sample->n_before_question;
    assert_non_null(first);
    assert_true(first < second && strncmp(second, question, strlen(question)) == 0);
    assert_int_equal(follow(sample->user, first, names[0], values[0]), N_VARIABLES);
    assert_int_equal(follow(first, second, names[1], values[1]), N_VARIABLES);
    for (int chain = 0; chain < 2; chain++)
        for (int i = 1; i < N_VARIABLES; i++)
            assert_true(values[chain][i] == values[chain][0]);
    assert_true(values[0][0] != values[1][0]);
    char *noise = strndup(sample->user, (size_t)(first - sample->user));
    assert_int_equal(kit_count_of(noise, "\nThe grass is green. The sky is blue. The sun is yellow. Here we go. There and back again.\nlet "), 4);
    free(noise);
    snprintf(text, sizeof text, "%s%lld after all assignments of the text above? Answer: After all assignments, 5 variables have "
             "the value %lld: %s, %s, %s, %s, %s\n\n", question, values[0][0], values[0][0], names[0][0], names[0][1], names[0][2],
             names[0][3], names[0][4]);
    assert_int_equal(strncmp(first, text, strlen(text)), 0);
    snprintf(text, sizeof text, "%s%lld after all assignments of the text above?", question, values[1][0]);
    assert_string_equal(second, text);
    snprintf(text, sizeof text, " Answer: After all assignments, 5 variables have the value %lld:", values[1][0]);
    assert_string_equal(sample->answer_prefix, text);
    snprintf(text, sizeof text, "%lld", values[1][0]);
    assert_int_equal(kit_count_of(prompt, text), 3); /* its assignment, the question, the answer prefix */
    assert_int_equal(sample->n_answers, N_VARIABLES);
    char *upper = upper_of(prompt);
    for (int i = 0; i < N_VARIABLES; i++) {
        assert_string_equal(sample->answers[i], names[1][i]);
        assert_int_equal(strlen(sample->answers[i]), 5);
        assert_int_equal(kit_count_of(upper, sample->answers[i]), i < N_VARIABLES - 1 ? 2 : 1); /* set, and read by the next */
    }
    free(upper);
    assert_int_equal(sample->max_new_tokens, 30);
    assert_null(sample->stop);
    assert_true(isnan(sample->depth));
}

static void test_small_tokenizers(void **state)
{
    (void)state;
    kit_sweep_small("trace/variables", 2000, check_chain);
}

static void test_real_tokenizers(void **state)
{
    (void)state;
    kit_sweep_real("trace/variables", check_chain);
}

static void test_determinism(void **state)
{
    (void)state;
    kit_check_determinism("trace/variables", 3000, 8000);
}

static void test_prompts_stay_as_they_are(void **state)
{
    (void)state;
    assert_true(kit_is_golden("trace/variables", 1, 3000, UINT64_C(0xa0643ca78dafe311)));
}

static void test_refusals(void **state)
{
    (void)state;
    kit_check_refusals("trace/variables");
}

/* Over many samples, the first and the last assignment stand where the least and the greatest of five uniform depths are: a
 * sixth from each end on average. */
static void test_depths(void **state)
{
    (void)state;
    enum { N = 200 };
    const struct kvl_task *task = kit_task("trace/variables");
    struct kvl_tokenizer *tokenizer = kit_byte_tokenizer(true);
    double first = 0, last = 0;
    for (int index = 0; index < N; index++) {
        struct kvl_sample sample;
        char text[32];
        assert_ok(task->make(task, &(struct kvl_task_request){tokenizer, NULL, 16384, 1, index, NULL}, &sample));
        const char *begin = strstr(sample.user, "\n\nVariables are assigned");
        const char *end = sample.user + sample.n_before_question;
        snprintf(text, sizeof text, "let %s = ", sample.answers[0]);
        first += (double)(strstr(begin, text) - begin) / (double)(end - begin) / N;
        snprintf(text, sizeof text, "let %s = ", sample.answers[4]);
        last += (double)(strstr(begin, text) - begin) / (double)(end - begin) / N;
        kvl_sample_free(&sample);
    }
    assert_true(fabs(first - 1.0 / 6) < 0.05 && fabs(last - 5.0 / 6) < 0.05); /* 5 standard deviations */
    kvl_tokenizer_free(tokenizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_tokenizers),
        cmocka_unit_test(test_real_tokenizers),
        cmocka_unit_test(test_determinism),
        cmocka_unit_test(test_prompts_stay_as_they_are),
        cmocka_unit_test(test_depths),
        cmocka_unit_test(test_refusals),
    };
    return test_result(cmocka_run_group_tests(tests, NULL, NULL));
}
