/* Scores of a report: means over tasks and categories, marks, paired differences, and what must not be averaged. */
#include "tests/harness/made_up_report.h"
#include "tests/support/skipping.h"

/* ---- categories ------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *task, *category;
    double full, fastkv, snapkv;
} longbench[] = {
    {"longbench/a", "QA", 0.5, 0.25, 0.5}, {"longbench/c", "code", 0.75, 0.5, 0.25}, {"longbench/b", "QA", 0.25, 0.25, 0.125},
};

/* Tasks without a size of their own, as LongBench's are. */
static const char *write_longbench(void)
{
    const char *path = new_file("longbench.jsonl");
    for (size_t i = 0; i < sizeof longbench / sizeof *longbench; i++) {
        const double scores[] = {longbench[i].full, longbench[i].fastkv, longbench[i].snapkv};
        static const char *const methods[] = {"full", "fastkv", "snapkv"};
        for (int m = 0; m < 3; m++) {
            json_t *record = made_up_eval(methods[m], m > 0 ? 0.1 : NAN, 0, longbench[i].task, scores[m], 0.01);
            json_object_set_new(record, "category", json_string(longbench[i].category));
            made_up_append(path, record);
        }
    }
    return path;
}

/* QA: (a + b) / 2; over tasks (a + b + c) / 3; over categories (QA + code) / 2. */
static void categories_and_both_averages(void **state)
{
    (void)state;
    char *csv = report_of(write_longbench(), KVL_TABLE_CSV);
    assert_cell(csv, 1, "method", "full");
    assert_lacks(csv, "context");
    assert_cell(csv, 1, "longbench/b", "25");
    assert_cell(csv, 1, "QA", "37.5");
    assert_cell(csv, 1, "code", "75");
    assert_cell(csv, 1, "mean of tasks", "50");
    assert_cell(csv, 1, "mean of categories", "56.25");
    assert_cell(csv, 3, "method", "fastkv");
    assert_cell(csv, 3, "mean of tasks", "33.3333");
    assert_cell(csv, 3, "mean of categories", "37.5");
    assert_cell(csv, 3, "mean of tasks error", "0.57735"); /* sqrt(3) * 1 % / 3 */
    assert_cell(csv, 3, "mean of categories error", "0.612372"); /* sqrt(1/16 + 1/16 + 1/4) % */
    free(csv);
}

static void categories_for_people(void **state)
{
    (void)state;
    char *text = report_of(write_longbench(), KVL_TABLE_TEXT);
    assert_has(text, "Scores in percent: longbench\n"
                     "\n"
                     "                 ----------- QA -----------  --- code ---\n"
                     "method  KV rate             a             b             c  mean of tasks  mean of categories  prefill %   KV %   n\n"
                     "------  -------  ------------  ------------  ------------  -------------  ------------------  ---------  -----  --\n"
                     "full          -  50.0 ± 1.0    25.0 ± 1.0    75.0 ± 1.0     50.0 ± 0.6          56.2 ± 0.6        100.0  100.0  12\n"
                     "snapkv      0.1  50.0 ± 1.0 ●  12.5 ± 1.0    25.0 ± 1.0     29.2 ± 0.6          28.1 ± 0.6        100.0   10.0  12\n"
                     "fastkv      0.1  25.0 ± 1.0    25.0 ± 1.0 ●  50.0 ± 1.0 ●   33.3 ± 0.6 ●        37.5 ± 0.6 ●       60.0   10.0  12\n");
    assert_has(text, "Categories in percent: longbench\n\nmethod  KV rate            QA          code  mean of tasks");
    free(text);
}

/* A row that lacks one task has neither average, but its own numbers. */
static void no_mean_of_other_tasks(void **state)
{
    (void)state;
    const char *path = write_longbench();
    made_up_append(path, made_up_with(made_up_eval("h2o", 0.1, 0, "longbench/a", 0.5, 0.01), "category", json_string("QA")));
    char *csv = report_of(path, KVL_TABLE_CSV);
    assert_cell(csv, 2, "method", "h2o");
    assert_cell(csv, 2, "longbench/a", "50");
    assert_cell(csv, 2, "QA", "");
    assert_cell(csv, 2, "mean of tasks", "");
    assert_cell(csv, 2, "mean of categories", "");
    free(csv);
}

/* Means stay within a family: RULER's and LongBench's are different things. */
static void families_stay_apart(void **state)
{
    (void)state;
    const char *path = write_longbench();
    made_up_append(path, made_up_eval("full", NAN, 4096, "ruler/cwe", 0.5, 0.01));
    made_up_append(path, made_up_eval("full", NAN, 4096, "ruler/vt", 1, 0.01));
    char *csv = report_of(path, KVL_TABLE_CSV);
    assert_cell(csv, 1, "longbench mean of tasks", "50");
    assert_cell(csv, 1, "ruler mean", "");
    assert_cell(csv, 4, "context", "4096");
    assert_cell(csv, 4, "ruler mean", "75");
    assert_cell(csv, 4, "longbench mean of tasks", "");
    free(csv);
    char *text = report_of(path, KVL_TABLE_TEXT);
    assert_has(text, "Scores in percent: ruler, 4k tokens\n");
    assert_has(text, "Scores in percent: longbench\n");
    free(text);
}

/* ---- marks ------------------------------------------------------------------------------------------------------------ */

static void append_scored(const char *path, const char *method, double rate, double score)
{
    made_up_append(path, made_up_eval(method, rate, 1024, "needle/vt", score, NAN));
}

/* By what is printed: 70.04 and 70.0 are the same. The full cache and other rates do not compete. */
static void best_and_second_with_ties(void **state)
{
    (void)state;
    const char *path = new_file("marks.jsonl");
    append_scored(path, "full", NAN, 1);
    append_scored(path, "streamingllm", 0.1, 0.5);
    append_scored(path, "h2o", 0.1, 0.7004);
    append_scored(path, "snapkv", 0.1, 0.7);
    append_scored(path, "fastkv", 0.1, 0.6);
    append_scored(path, "snapkv", 0.2, 0.4);
    append_scored(path, "fastkv", 0.2, 0.4);
    append_scored(path, "snapkv", 0.3, 0.9);
    char *text = report_of(path, KVL_TABLE_MARKDOWN);
    static const char *const lines[] = {
        "| full | - | 100.0 |", "| streamingllm | 0.1 | 50.0 |", "| h2o | 0.1 | **70.0** |", "| snapkv | 0.1 | **70.0** |",
        "| fastkv | 0.1 | <u>60.0</u> |", "| snapkv | 0.2 | 40.0 |", "| fastkv | 0.2 | 40.0 |", "| snapkv | 0.3 | 90.0 |",
    };
    const char *before = text;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        assert_has(before, lines[i]); /* in this order */
        before = strstr(before, lines[i]);
    }
    free(text);
}

/* ---- differences on the same samples ---------------------------------------------------------------------------------- */

/* The pairs of test_paired.c, the reference's in another order and with a sample more: scipy.stats.ttest_rel. */
static const char *write_pairs(void)
{
    static const double ours[] = {1, 0, 1, 0.5, 0.25, 1, 0, 0.75}, full[] = {0.5, 1, 1, 0.5, 0.75, 0.125, 1, 1, 0.5};
    static const int indices[] = {7, 0, 1, 2, 3, 99, 4, 5, 6};
    const char *path = new_file("pairs.jsonl");
    made_up_append(path, made_up_samples(made_up_eval("full", NAN, 1024, "needle/vt", 0, 0), full, indices, 9));
    made_up_append(path, made_up_samples(made_up_eval("snapkv", 0.1, 1024, "needle/vt", 0, 0), ours, NULL, 8));
    return path;
}

static void differences_as_scipy(void **state)
{
    (void)state;
    const char *path = write_pairs();
    char *csv = report_of(path, KVL_TABLE_CSV);
    assert_cell(csv, 2, "needle/vt difference", "-21.875");
    assert_cell(csv, 2, "needle/vt difference low", "-64.3242");
    assert_cell(csv, 2, "needle/vt difference high", "20.5742");
    assert_cell(csv, 1, "needle/vt difference", "");
    free(csv);
    char *text = report_of(path, KVL_TABLE_TEXT);
    assert_has(text, "Differences in points: needle, 1k tokens\n"
                     "\n"
                     "method  KV rate                   vt\n"
                     "------  -------  -------------------\n"
                     "snapkv      0.1  -21.9 [-64.3, 20.6]\n");
    assert_has(text, "to full on the same samples");
    free(text);
}

/* Records of before there were lists of numbers hold the samples 0, 1, .. in order. */
static void differences_without_indices(void **state)
{
    (void)state;
    static const double ours[] = {0, 0.5, 1}, full[] = {0.5, 1, 1};
    const char *path = new_file("old.jsonl");
    json_t *records[] = {made_up_samples(made_up_eval("full", NAN, 1024, "needle/vt", 0, 0), full, NULL, 3),
                         made_up_samples(made_up_eval("snapkv", 0.1, 1024, "needle/vt", 0, 0), ours, NULL, 3)};
    for (int i = 0; i < 2; i++) {
        json_object_del(records[i], "sample_indices");
        made_up_append(path, records[i]);
    }
    char *csv = report_of(path, KVL_TABLE_CSV);
    assert_cell(csv, 2, "needle/vt difference", "-33.3333");
    free(csv);
}

/* Nothing to compare with: full at another protocol, seed, context, or with none of the samples. */
static void differences_only_to_the_same(void **state)
{
    (void)state;
    static const double scores[] = {0.5, 1, 0.25};
    static const int others[] = {10, 11, 12};
    static const char *const keys[] = {"protocol", "seed", "context", "query_aware", "task_version", "sample_indices"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *path = new_file("same.jsonl");
        bool moved = strcmp(keys[i], "sample_indices") == 0;
        json_t *full = made_up_samples(made_up_eval("full", NAN, 1024, "needle/vt", 0, 0), scores, moved ? others : NULL, 3);
        if (strcmp(keys[i], "query_aware") == 0)
            json_object_set_new(full, keys[i], json_false());
        else if (!moved)
            json_object_set_new(full, keys[i], strcmp(keys[i], "protocol") == 0 ? json_string("fastkv") : json_integer(4096));
        made_up_append(path, full);
        made_up_append(path, made_up_samples(made_up_eval("snapkv", 0.1, 1024, "needle/vt", 0, 0), scores, NULL, 3));
        char *csv = report_of(path, KVL_TABLE_CSV);
        assert_lacks(csv, "difference");
        free(csv);
    }
}

/* An interval of no width would pretend to know. */
static void equal_samples_have_no_interval(void **state)
{
    (void)state;
    static const double scores[] = {0.5, 1, 0.25};
    const char *path = new_file("equal.jsonl");
    made_up_append(path, made_up_samples(made_up_eval("full", NAN, 1024, "needle/vt", 0, 0), scores, NULL, 3));
    made_up_append(path, made_up_samples(made_up_eval("snapkv", 0.1, 1024, "needle/vt", 0, 0), scores, NULL, 3));
    char *text = report_of(path, KVL_TABLE_MARKDOWN);
    assert_has(text, "| snapkv | 0.1 | +0.0 |\n");
    free(text);
}

/* ---- what must not be averaged ---------------------------------------------------------------------------------------- */

/* Two tasks that were run under different protocols (or what else) stand in two rows that say so, and there is no mean. */
static void protocols_stay_apart(void **state)
{
    (void)state;
    static const struct {
        const char *key, *title, *plain, *other;
    } knobs[] = {{"protocol", "protocol", "plain", "fastkv"}, {"query_aware", "query aware", "on", "off"},
                 {"template", "template", "smollm2", "chatml"}, {"max_prompt", "max prompt", "", "7950"}};
    for (size_t i = 0; i < sizeof knobs / sizeof *knobs; i++) {
        const char *path = new_file("protocols.jsonl");
        json_t *plain = made_up_eval("full", NAN, 1024, "needle/vt", 0.5, 0.1);
        json_t *other = made_up_eval("full", NAN, 1024, "needle/cwe", 0.75, 0.1);
        if (strcmp(knobs[i].key, "query_aware") == 0)
            json_object_set_new(plain, knobs[i].key, json_true());
        made_up_append(path, plain);
        made_up_append(path, made_up_with(other, knobs[i].key, strcmp(knobs[i].key, "query_aware") == 0 ? json_false()
                                          : strcmp(knobs[i].key, "max_prompt") == 0 ? json_integer(7950)
                                                                                    : json_string(knobs[i].other)));
        char *csv = report_of(path, KVL_TABLE_CSV);
        int row = 0;
        char cell[64];
        for (int r = 1; r <= 2; r++) {
            assert_lacks(csv, "mean");
            int column = 0;
            while (csv_cell(csv, 0, column, cell, sizeof cell) && strcmp(cell, knobs[i].title) != 0)
                column++;
            assert_true(csv_cell(csv, r, column, cell, sizeof cell));
            row = strcmp(cell, knobs[i].plain) == 0 ? r : row;
        }
        assert_true(row > 0);
        assert_cell(csv, row, "needle/vt", "50");
        assert_cell(csv, row, "needle/cwe", "");
        assert_cell(csv, 3 - row, knobs[i].title, knobs[i].other);
        assert_cell(csv, 3 - row, "needle/cwe", "75");
        free(csv);
    }
}

/* Where the protocol itself leaves the template out for some tasks, they are of one row, and the notes say which. */
static void a_protocol_picks_templates(void **state)
{
    (void)state;
    const char *path = new_file("templates.jsonl");
    json_t *with = made_up_eval("full", NAN, 0, "longbench/qasper", 0.5, 0.1);
    json_t *without = made_up_eval("full", NAN, 0, "longbench/trec", 0.75, 0.1);
    json_object_set_new(with, "protocol", json_string("fastkv"));
    json_object_set_new(without, "protocol", json_string("fastkv"));
    json_object_set_new(without, "template", json_null());
    made_up_append(path, with);
    made_up_append(path, without);
    char *text = report_of(path, KVL_TABLE_TEXT);
    assert_has(text, "full    50.0 ± 10.0  75.0 ± 10.0  62.5 ± 7.1");
    assert_has(text, "template smollm2");
    assert_has(text, "Without a template: longbench/trec.\n");
    free(text);
    json_t *again = made_up_eval("full", NAN, 0, "longbench/trec", 0.25, 0.1); /* a second template for one task: two rows */
    json_object_set_new(again, "protocol", json_string("fastkv"));
    made_up_append(path, made_up_with(again, "template", json_string("smollm2")));
    char *csv = report_of(path, KVL_TABLE_CSV);
    assert_cell(csv, 1, "template", "");
    assert_cell(csv, 1, "longbench/trec", "75");
    assert_cell(csv, 1, "mean", "");
    assert_cell(csv, 2, "template", "smollm2");
    assert_cell(csv, 2, "mean", "37.5");
    free(csv);
}

static void cut_prompts_are_told(void **state)
{
    (void)state;
    const char *path = new_file("cut.jsonl");
    made_up_append(path, made_up_with(made_up_eval("h2o", 0.1, 0, "longbench/a", 0.5, 0.1), "truncated", json_integer(3)));
    made_up_append(path, made_up_with(made_up_eval("h2o", 0.1, 0, "longbench/b", 0.5, 0.1), "truncated", json_integer(4)));
    made_up_append(path, made_up_with(made_up_eval("full", NAN, 0, "longbench/b", 0.5, 0.1), "truncated", json_integer(0)));
    made_up_append(path, made_up_with(made_up_eval("fastkv", 0.1, 0, "longbench/b", 0.5, 0.1), "truncated", json_true()));
    char *text = report_of(path, KVL_TABLE_TEXT);
    assert_has(text, "Prompts cut in the middle: h2o 7, fastkv.\n");
    free(text);
}

/* ---- more columns ----------------------------------------------------------------------------------------------------- */

static void second_scores(void **state)
{
    (void)state;
    static const double scores[] = {1, 0.5, 0.75, 0.75};
    const char *path = new_file("second.jsonl");
    json_t *record = made_up_samples(made_up_eval("full", NAN, 1024, "niah", 0, 0), scores, NULL, 4);
    json_object_set_new(record, "second_metric", json_string("contains"));
    json_object_set_new(record, "second_score", json_real(0.75));
    json_object_set_new(record, "second_scores", json_pack("[f, f, f, f]", 1.0, 1.0, 0.0, 1.0));
    made_up_append(path, record);
    char *text = report_of(path, KVL_TABLE_MARKDOWN);
    assert_has(text, "| method | niah | niah contains |");
    assert_has(text, "| full | 75.0 ± 10.2 | 75.0 ± 25.0 |"); /* s^2 = 1/24, 1/4 */
    free(text);
}

static void fidelity(void **state)
{
    (void)state;
    const char *path = new_file("fidelity.jsonl");
    static const struct {
        const char *method;
        double kl, nll, top1;
    } rows[] = {{"snapkv", 0.5, 0.25, 0.75}, {"fastkv", 0.125, -0.0625, 0.5}}; /* fields as eval writes them */
    for (int i = 0; i < 2; i++) {
        json_t *record = made_up_eval(rows[i].method, 0.1, 2048, "fidelity/text", rows[i].top1, 0.03125);
        json_object_set_new(record, "metric", json_string("top1_agreement"));
        json_object_set_new(record, "kl_mean", json_real(rows[i].kl));
        json_object_set_new(record, "kl_stderr", json_real(0.0625));
        json_object_set_new(record, "nll_difference_mean", json_real(rows[i].nll));
        json_object_set_new(record, "nll_difference_stderr", json_real(0.25));
        made_up_append(path, record);
    }
    char *text = report_of(path, KVL_TABLE_MARKDOWN);
    assert_has(text, "**Fidelity to full: fidelity, 2k tokens**");
    assert_has(text, "| method | KV rate | text<br>KL | text<br>ΔNLL | text<br>top-1 % |");
    assert_has(text, "| snapkv | 0.1 | 0.5000 ± 0.0625 | 0.2500 ± 0.2500 | **75.0 ± 3.1** |");
    assert_has(text, "| fastkv | 0.1 | **0.1250 ± 0.0625** | **-0.0625 ± 0.2500** | 50.0 ± 3.1 |"); /* less is better */
    assert_lacks(text, "Scores");
    free(text);
    char *csv = report_of(path, KVL_TABLE_CSV);
    assert_cell(csv, 1, "fidelity/text kl_mean", "0.5");
    assert_cell(csv, 1, "fidelity/text kl_mean error", "0.0625");
    assert_cell(csv, 2, "fidelity/text top1_agreement", "50");
    assert_cell(csv, 2, "fidelity/text top1_agreement error", "3.125");
    assert_cell(csv, 2, "fidelity/text n", "12");
    free(csv);
}

/* Budgets in entries are other shares at other contexts. */
static void shares_that_differ(void **state)
{
    (void)state;
    const char *path = new_file("shares.jsonl");
    for (int context = 1024; context <= 2048; context *= 2) {
        json_t *record = made_up_with(made_up_eval("snapkv", NAN, context, "needle/vt", 0.5, 0.1), "kv_budget", json_integer(512));
        json_object_set_new(record, "kv_bytes", json_integer(46080 * 512));
        made_up_append(path, record);
    }
    char *text = report_of(path, KVL_TABLE_MARKDOWN);
    assert_has(text, "| 100.0 | 25.0-50.0 | 12 |");
    free(text);
}

/* Many contexts of many tasks: the means side by side, then each context in a table of its own. */
static void many_contexts(void **state)
{
    (void)state;
    static const char *const tasks[] = {"ruler/cwe", "ruler/fwe", "ruler/vt", "ruler/qa_1"};
    const char *path = new_file("many.jsonl");
    for (int context = 4096; context <= 32768; context *= 2)
        for (int t = 0; t < 4; t++)
            made_up_append(path, made_up_eval("full", NAN, context, tasks[t], 0.25 * (t + 1), 0.02));
    char *text = report_of(path, KVL_TABLE_TEXT);
    assert_has(text, "Mean scores in percent: ruler\n"
                     "\n"
                     "        --- 4k ---  --- 8k ---  -- 16k ---  -- 32k ---\n"
                     "method        mean        mean        mean        mean  prefill %   KV %   n\n");
    assert_has(text, "full    62.5 ± 1.0  62.5 ± 1.0  62.5 ± 1.0  62.5 ± 1.0");
    assert_has(text, "Scores in percent: ruler, 4k tokens\n\nmethod          vt         cwe         fwe         qa_1        mean");
    assert_has(text, "Scores in percent: ruler, 32k tokens\n");
    free(text);
}

/* ---- LaTeX ------------------------------------------------------------------------------------------------------------ */

static void latex_compiles(void **state)
{
    (void)state;
    if (system("command -v pdflatex >/dev/null 2>&1 && kpsewhich booktabs.sty >/dev/null 2>&1") != 0)
        skip_because("pdflatex with booktabs is not installed");
    const char *path = write_longbench();
    json_t *odd = made_up_eval("full", NAN, 0, "other/a_b", 0.5, 0.1);
    json_object_set_new(odd, "template", json_string("50% & #1 {x}~^\\ <a|b> $"));
    made_up_append(path, made_up_with(odd, "profile", json_string("_under_")));
    char *body = report_of(path, KVL_TABLE_LATEX), *document, command[600];
    size_t n;
    FILE *stream = open_memstream(&document, &n);
    fprintf(stream, "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}\n%s\\end{document}\n", body);
    fclose(stream);
    made_up_write(made_up_path("report.tex"), document);
    snprintf(command, sizeof command, "cd %s && pdflatex -halt-on-error -interaction=batchmode report.tex >/dev/null 2>&1",
             made_up_folder());
    assert_int_equal(system(command), 0);
    assert_int_equal(access(made_up_path("report.pdf"), R_OK), 0);
    free(document);
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(categories_and_both_averages),
        cmocka_unit_test(categories_for_people),
        cmocka_unit_test(no_mean_of_other_tasks),
        cmocka_unit_test(families_stay_apart),
        cmocka_unit_test(best_and_second_with_ties),
        cmocka_unit_test(differences_as_scipy),
        cmocka_unit_test(differences_without_indices),
        cmocka_unit_test(differences_only_to_the_same),
        cmocka_unit_test(equal_samples_have_no_interval),
        cmocka_unit_test(protocols_stay_apart),
        cmocka_unit_test(a_protocol_picks_templates),
        cmocka_unit_test(cut_prompts_are_told),
        cmocka_unit_test(second_scores),
        cmocka_unit_test(fidelity),
        cmocka_unit_test(shares_that_differ),
        cmocka_unit_test(many_contexts),
        cmocka_unit_test(latex_compiles),
    };
    return test_result(cmocka_run_group_tests(tests, NULL, made_up_remove));
}
