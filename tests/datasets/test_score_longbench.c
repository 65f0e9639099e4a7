/* Real predictions for LongBench's 16 English tasks: our mean is the official result to the second decimal. The data is not part of
 * the repository: it lies below $KVLAB_SHARED_DATA, else in ../shared/data beside the source folder. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "datasets/score/score.h"
#include "tests/support/golden.h"

enum { MAX_TEXTS = 256 };

static const struct task {
    const char *name;
    kvl_score_function score;
    double levenshtein; /* code tasks: the official mean with python-Levenshtein installed; 0: none */
} tasks[] = {
    {"narrativeqa", kvl_score_qa_f1, 0},
    {"qasper", kvl_score_qa_f1, 0},
    {"multifieldqa_en", kvl_score_qa_f1, 0},
    {"hotpotqa", kvl_score_qa_f1, 0},
    {"2wikimqa", kvl_score_qa_f1, 0},
    {"musique", kvl_score_qa_f1, 0},
    {"gov_report", kvl_score_rouge_l, 0},
    {"qmsum", kvl_score_rouge_l, 0},
    {"multi_news", kvl_score_rouge_l, 0},
    {"trec", kvl_score_first_line_class, 0},
    {"triviaqa", kvl_score_first_line_qa_f1, 0},
    {"samsum", kvl_score_first_line_rouge_l, 0},
    {"passage_count", kvl_score_count, 0},
    {"passage_retrieval_en", kvl_score_retrieval, 0},
    {"lcc", kvl_score_code, 56.88},
    {"repobench-p", kvl_score_code, 51.60},
};

static const char *data_path(const char *name, const char *ending)
{
    static char path[1024];
    const char *base = getenv("KVLAB_SHARED_DATA");
    snprintf(path, sizeof path, "%s/longbench/predictions/%s%s",
             base != NULL && *base != '\0' ? base : KVLAB_GOLDEN_DIR "/../../../shared/data", name, ending);
    return path;
}

static int strings_of(const json_t *array, const char *texts[MAX_TEXTS])
{
    size_t i;
    json_t *text;
    assert_true(json_array_size(array) <= MAX_TEXTS);
    json_array_foreach(array, i, text)
        texts[i] = json_string_value(text);
    return (int)json_array_size(array);
}

/* round(100 * mean, 2) of a file, as eval.py prints it. */
static double official_mean(const struct task *task, const struct kvl_task_settings *settings)
{
    FILE *file = fopen(data_path(task->name, ".jsonl"), "rb");
    double sum = 0;
    int n = 0;
    char *line = NULL;
    size_t room = 0;
    ssize_t n_line;
    assert_non_null(file);
    while ((n_line = getline(&line, &room, file)) > 0) {
        const char *answers[MAX_TEXTS], *classes[MAX_TEXTS];
        json_error_t error;
        json_t *record = json_loadb(line, (size_t)n_line, JSON_ALLOW_NUL, &error);
        double score;
        if (record == NULL)
            fail_msg("%s line %d: %s", task->name, n + 1, error.text);
        const struct kvl_scoring scoring = {
            .prediction = json_string_value(json_object_get(record, "pred")),
            .answers = answers, .n_answers = strings_of(json_object_get(record, "answers"), answers),
            .classes = classes, .n_classes = strings_of(json_object_get(record, "all_classes"), classes),
            .settings = settings,
        };
        assert_non_null(scoring.prediction);
        assert_ok(task->score(&scoring, &score));
        sum += score;
        n++;
        json_decref(record);
    }
    free(line);
    fclose(file);
    assert_true(n >= 150);
    return rint(100 * (100 * sum / n)) / 100;
}

static void test_official_means(void **state)
{
    (void)state;
    json_error_t error;
    const char *path = data_path("result", ".json");
    if (access(path, R_OK) != 0)
        skip_because("%s is not there; KVLAB_SHARED_DATA can name the folder of the reference data", path);
    json_t *result = json_load_file(path, 0, &error);
    assert_non_null(result);
    const struct kvl_task_settings levenshtein = {.code_similarity = KVL_CODE_LEVENSHTEIN};
    int n_wrong = 0;
    for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++) {
        clock_t start = clock();
        double expected = json_number_value(json_object_get(result, tasks[i].name)), got = official_mean(&tasks[i], NULL);
        assert_true(expected > 0);
        print_message("%-22s %6.2f, official %6.2f, %.3f s\n", tasks[i].name, got, expected,
                      (double)(clock() - start) / CLOCKS_PER_SEC);
        n_wrong += !(fabs(got - expected) < 1e-6);
        if (tasks[i].levenshtein > 0) {
            got = official_mean(&tasks[i], &levenshtein);
            print_message("%-22s %6.2f, official %6.2f with python-Levenshtein\n", "", got, tasks[i].levenshtein);
            n_wrong += !(fabs(got - tasks[i].levenshtein) < 1e-6);
        }
    }
    print_message("%lld ROUGE-L pairs too deep for Python\n", (long long)kvl_score_rouge_l_too_deep());
    assert_int_equal(n_wrong, 0);
    json_decref(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_official_means)};
    return test_result(cmocka_run_group_tests(tests, NULL, NULL));
}
