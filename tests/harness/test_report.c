/* The report on made-up records: its exact text, its ratios, and what is missing. */
#include "harness/command.h"
#include "tests/harness/made_up_report.h"

/* Three methods at 1k, two tasks and a bench. */
static const char *write_small(void)
{
    const char *path = new_file("small.jsonl");
    static const struct {
        const char *method;
        double rate, scores[2], errors[2], prefill, decode;
    } rows[] = {
        {"fastkv", 0.2, {1, 0.5}, {0, 0.15}, 500, 18},
        {"full", NAN, {1, 0.75}, {0, 0.125}, 1000, 21.5},
        {"snapkv", 0.2, {0.75, 0.25}, {0.1, 0.125}, 1025, 17.2},
    };
    for (size_t r = 0; r < 3; r++) {
        made_up_append(path, made_up_bench(rows[r].method, rows[r].rate, 1024, rows[r].prefill, rows[r].decode));
        made_up_append(path, made_up_eval(rows[r].method, rows[r].rate, 1024, "needle/multi_key", rows[r].scores[1],
                                          rows[r].errors[1]));
        made_up_append(path, made_up_eval(rows[r].method, rows[r].rate, 1024, "needle/single_noise", rows[r].scores[0],
                                          rows[r].errors[0]));
    }
    return path;
}

static void text(void **state)
{
    (void)state;
    assert_report(write_small(), KVL_TABLE_TEXT,
                  "Tiny-1M · cpu · bf16 · Model T · 2 threads · kvlab 0123456789\n"
                  "\n"
                  "Scores in percent: needle, 1k tokens\n"
                  "\n"
                  "method  KV rate   single_noise      multi_key          mean  prefill %   KV %   n\n"
                  "------  -------  -------------  -------------  ------------  ---------  -----  --\n"
                  "full          -  100.0 ± 0.0    75.0 ± 12.5    87.5 ± 6.2        100.0  100.0  12\n"
                  "snapkv      0.2  75.0 ± 10.0    25.0 ± 12.5    50.0 ± 8.0        100.0   20.0  12\n"
                  "fastkv      0.2  100.0 ± 0.0 ●  50.0 ± 15.0 ●  75.0 ± 7.5 ●       60.0   20.0  12\n"
                  "\n"
                  "Times and memory, 1k tokens\n"
                  "\n"
                  "method  KV rate  prefill ms  vs full  decode ms/token  vs full  KV MB  peak MB\n"
                  "------  -------  ----------  -------  ---------------  -------  -----  -------\n"
                  "full          -      1000.0    1.00x            21.50    1.00x  47.19      400\n"
                  "snapkv      0.2      1025.0    0.98x            17.20    1.25x   9.44      400\n"
                  "fastkv      0.2       500.0    2.00x            18.00    1.19x   9.44      400\n"
                  "\n"
                  "Scores: ± standard error of the mean, n samples per task; protocol plain, template smollm2, seed 1.\n"
                  "●: best, ○: second best of those with the same KV rate or budget; full does not compete.\n"
                  "prefill %: tokens times layers against full; KV %: bytes in the cache behind the prefill against full.\n"
                  "Times: medians; vs full: full's time over this one's, same model, context and run parameters; new tokens 32.\n");
}

static void markdown(void **state)
{
    (void)state;
    assert_report(write_small(), KVL_TABLE_MARKDOWN,
                  "Tiny-1M · cpu · bf16 · Model T · 2 threads · kvlab 0123456789\n"
                  "\n"
                  "**Scores in percent: needle, 1k tokens**\n"
                  "\n"
                  "| method | KV rate | single_noise | multi_key | mean | prefill % | KV % | n |\n"
                  "|---|---:|---:|---:|---:|---:|---:|---:|\n"
                  "| full | - | 100.0 ± 0.0 | 75.0 ± 12.5 | 87.5 ± 6.2 | 100.0 | 100.0 | 12 |\n"
                  "| snapkv | 0.2 | 75.0 ± 10.0 | 25.0 ± 12.5 | 50.0 ± 8.0 | 100.0 | 20.0 | 12 |\n"
                  "| fastkv | 0.2 | **100.0 ± 0.0** | **50.0 ± 15.0** | **75.0 ± 7.5** | 60.0 | 20.0 | 12 |\n"
                  "\n"
                  "**Times and memory, 1k tokens**\n"
                  "\n"
                  "| method | KV rate | prefill ms | vs full | decode ms/token | vs full | KV MB | peak MB |\n"
                  "|---|---:|---:|---:|---:|---:|---:|---:|\n"
                  "| full | - | 1000.0 | 1.00x | 21.50 | 1.00x | 47.19 | 400 |\n"
                  "| snapkv | 0.2 | 1025.0 | 0.98x | 17.20 | 1.25x | 9.44 | 400 |\n"
                  "| fastkv | 0.2 | 500.0 | 2.00x | 18.00 | 1.19x | 9.44 | 400 |\n"
                  "\n"
                  "Scores: ± standard error of the mean, n samples per task; protocol plain, template smollm2, seed 1.\n"
                  "\n"
                  "Bold: best, underlined: second best of those with the same KV rate or budget; full does not compete.\n"
                  "\n"
                  "prefill %: tokens times layers against full; KV %: bytes in the cache behind the prefill against full.\n"
                  "\n"
                  "Times: medians; vs full: full's time over this one's, same model, context and run parameters; new tokens 32.\n");
}

static void csv(void **state)
{
    (void)state;
    assert_report(write_small(), KVL_TABLE_CSV,
                  "context,method,KV rate,needle/single_noise,needle/single_noise error,needle/single_noise n,needle/multi_key,needle/multi_key error,needle/multi_key n,mean,mean error,prefill ms,prefill speedup,decode ms/token,decode speedup,KV MB,peak MB,KV %,prefill %\n"
                  "1024,full,,100,0,12,75,12.5,12,87.5,6.25,1000,1,21.5,1,47.1859,400,100,100\n"
                  "1024,snapkv,0.2,75,10,12,25,12.5,12,50,8.00391,1025,0.97561,17.2,1.25,9.43718,400,20,100\n"
                  "1024,fastkv,0.2,100,0,12,50,15,12,75,7.5,500,2,18,1.19444,9.43718,400,20,60\n");
}

static void latex(void **state)
{
    (void)state;
    char *text = report_of(write_small(), KVL_TABLE_LATEX);
    static const char *const parts[] = {
        "% needs \\usepackage{booktabs}\n\\begin{table}\n\\centering\n\\caption{Scores in percent: needle, 1k tokens. Tiny-1M $\\cdot$ cpu",
        "method & KV rate & single\\_noise & multi\\_key & mean & prefill \\% & KV \\% & n \\\\\n\\midrule\n",
        "full & - & 100.0 $\\pm$ 0.0 & 75.0 $\\pm$ 12.5 & 87.5 $\\pm$ 6.2 & 100.0 & 100.0 & 12 \\\\\n\\midrule\nsnapkv & 0.2",
        "fastkv & 0.2 & \\textbf{100.0 $\\pm$ 0.0} & \\textbf{50.0 $\\pm$ 15.0} & \\textbf{75.0 $\\pm$ 7.5} & 60.0",
        "\\bottomrule\n\\end{tabular}\n\\end{table}\n",
        "\\begin{flushleft}\\footnotesize\nScores: $\\pm$ standard error",
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strstr(text, parts[i]) == NULL)
            fail_msg("no \"%s\" in\n%s", parts[i], text);
    free(text);
}

/* ---- rows and columns ------------------------------------------------------------------------------------------------- */

static void accuracy_alone(void **state)
{
    (void)state;
    const char *path = new_file("accuracy.jsonl");
    made_up_append(path, made_up_eval("snapkv", 0.1, 1000, "needle/multi_key", 0.5, NAN)); /* one sample: no error */
    made_up_append(path, made_up_eval("snapkv", 0.1, 4096, "needle/multi_key", 0.25, 0.1));
    assert_report(path, KVL_TABLE_TEXT,
                  "Tiny-1M · cpu · bf16 · Model T · 2 threads · kvlab 0123456789\n"
                  "\n"
                  "Scores in percent: needle\n"
                  "\n"
                  "                 - 1000 --  --- 4k ----\n"
                  "method  KV rate  multi_key    multi_key  prefill %  KV %   n\n"
                  "------  -------  ---------  -----------  ---------  ----  --\n"
                  "snapkv      0.1       50.0  25.0 ± 10.0      100.0  10.0  12\n"
                  "\n"
                  "Scores: ± standard error of the mean, n samples per task; protocol plain, template smollm2, seed 1.\n"
                  "prefill %: tokens times layers against full; KV %: bytes in the cache behind the prefill against full.\n");
}

static void knobs_that_differ_become_columns(void **state)
{
    (void)state;
    const char *path = new_file("knobs.jsonl");
    static const double rates[] = {0.4, 0.1};
    for (int i = 0; i < 2; i++) {
        json_t *record = made_up_bench("fastkv", 0.1, 1024, 100 + i, 10);
        json_object_set_new(record, "params", json_pack("{s:f, s:i}", "tsp_rate", rates[i], "window", 8));
        json_object_set_new(record, "config_key", json_sprintf("key %d", i));
        made_up_append(path, record);
    }
    json_t *other = made_up_bench("snapkv", NAN, 1024, 120, 10);
    json_object_set_new(other, "profile", json_string("paper"));
    json_object_set_new(other, "kv_budget", json_integer(512));
    json_object_set_new(other, "params", json_pack("{s:i}", "window", 32));
    made_up_append(path, other);
    char *csv = report_of(path, KVL_TABLE_CSV);
    assert_cell(csv, 1, "method", "snapkv");
    assert_cell(csv, 1, "profile", "paper");
    assert_cell(csv, 1, "parameters", "");
    assert_cell(csv, 1, "KV rate", "");
    assert_cell(csv, 1, "KV budget", "512");
    assert_cell(csv, 2, "parameters", "tsp_rate=0.1");
    assert_cell(csv, 2, "KV budget", "");
    assert_cell(csv, 3, "parameters", "tsp_rate=0.4");
    assert_cell(csv, 3, "KV rate", "0.1");
    free(csv);
}

/* Methods in the order of their table, unknown ones behind them, rates ascending, contexts apart. */
static void rows_are_sorted(void **state)
{
    (void)state;
    const char *path = new_file("sorted.jsonl");
    static const char *const methods[] = {"newkv", "fastkv", "snapkv", "streamingllm", "full"};
    for (int context = 2048; context >= 1024; context /= 2)
        for (int m = 0; m < 5; m++)
            for (double rate = 0.2; rate > 0.05; rate -= 0.1)
                made_up_append(path, made_up_bench(methods[m], m < 4 ? rate : NAN, context, 10, 1));
    char *csv = report_of(path, KVL_TABLE_CSV);
    assert_cell(csv, 1, "context", "1024");
    assert_cell(csv, 9, "context", "1024");
    assert_cell(csv, 10, "context", "2048");
    for (int m = 0; m < 5; m++)
        assert_cell(csv, m == 0 ? 1 : 2 * m, "method", methods[4 - m]);
    assert_cell(csv, 2, "KV rate", "0.1");
    assert_cell(csv, 3, "KV rate", "0.2");
    free(csv);
}

/* Two tables of one machine and another: an accuracy belongs to both, a time to its own. */
static void eval_meets_every_bench(void **state)
{
    (void)state;
    const char *path = new_file("machines.jsonl");
    made_up_append(path, made_up_eval("full", NAN, 1024, "needle/multi_key", 0.5, 0.1));
    for (int threads = 1; threads <= 2; threads++) {
        json_t *record = made_up_bench("full", NAN, 1024, 100 / threads, 10);
        json_object_set_new(record, "threads", json_integer(threads));
        json_object_set_new(record, "config_key", json_sprintf("threads %d", threads));
        made_up_append(path, record);
    }
    char *csv = report_of(path, KVL_TABLE_CSV);
    for (int row = 1; row <= 2; row++) {
        assert_cell(csv, row, "threads", row == 1 ? "1" : "2");
        assert_cell(csv, row, "needle/multi_key", "50");
        assert_cell(csv, row, "prefill ms", row == 1 ? "100" : "50");
        assert_cell(csv, row, "prefill speedup", "1");
    }
    free(csv);
}

static void two_versions_of_a_task(void **state)
{
    (void)state;
    const char *path = new_file("versions.jsonl");
    for (int version = 1; version <= 2; version++) {
        json_t *record = made_up_eval("full", NAN, 1024, "needle/multi_key", 0.25 * version, 0.1);
        json_object_set_new(record, "task_version", json_integer(version));
        json_object_set_new(record, "config_key", json_sprintf("version %d", version));
        made_up_append(path, record);
    }
    char *csv = report_of(path, KVL_TABLE_CSV);
    assert_cell(csv, 1, "needle/multi_key v1", "25");
    assert_cell(csv, 1, "needle/multi_key v2", "50");
    free(csv);
}

/* ---- ratios ----------------------------------------------------------------------------------------------------------- */

/* A ratio needs full with the same model, context, backend, type and run parameters. */
static void ratios_only_to_the_same(void **state)
{
    (void)state;
    static const char *const keys[] = {"model", "backend", "dtype", "cpu", "threads", "new_tokens", "context"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *path = new_file("ratios.jsonl");
        json_t *other = made_up_bench("full", NAN, 1024, 100, 10);
        const json_t *value = json_object_get(other, keys[i]);
        json_object_set_new(other, keys[i], json_is_string(value) ? json_string("zz") : json_integer(4096));
        made_up_append(path, other);
        made_up_append(path, made_up_bench("snapkv", 0.1, 1024, 50, 5));
        char *csv = report_of(path, KVL_TABLE_CSV), *last = strrchr(csv, '\n');
        *last = '\0';
        int row = strstr(csv, ",snapkv,") > strstr(csv, ",full,") ? 2 : 1;
        assert_cell(csv, row, "prefill speedup", "");
        assert_cell(csv, 3 - row, "prefill speedup", "1");
        free(csv);
    }
}

static void ratio_prefers_the_same_run(void **state)
{
    (void)state;
    const char *path = new_file("runs.jsonl");
    json_t *other = made_up_bench("full", NAN, 1024, 400, 40);
    json_object_set_new(other, "run_id", json_string("run-2"));
    json_object_set_new(other, "time_utc", json_string("2026-02-01T00:00:00Z"));
    json_object_set_new(other, "config_key", json_string("another full"));
    made_up_append(path, made_up_bench("full", NAN, 1024, 100, 10));
    made_up_append(path, other);
    made_up_append(path, made_up_bench("snapkv", 0.1, 1024, 50, 5));
    char *csv = report_of(path, KVL_TABLE_CSV);
    assert_cell(csv, 1, "prefill ms", "400");
    assert_cell(csv, 2, "prefill speedup", "2");
    free(csv);
}

/* The bounds' ratio stands beside the times' of one run; of another run's machine it would say nothing. */
static void ideal_beside_ratio(void **state)
{
    (void)state;
    const char *path = new_file("ideal.jsonl");
    json_t *full = made_up_bench("full", NAN, 1024, 100, 10), *fastkv = made_up_bench("fastkv", 0.1, 1024, 60, 5);
    json_object_set_new(full, "prefill_bound_ns", json_real(80e6));
    json_object_set_new(fastkv, "prefill_bound_ns", json_real(40e6));
    json_t *other = made_up_bench("snapkv", 0.1, 1024, 100, 10);
    json_object_set_new(other, "run_id", json_string("run-2"));
    json_object_set_new(other, "prefill_bound_ns", json_real(80e6));
    made_up_append(path, full);
    made_up_append(path, fastkv);
    made_up_append(path, other);
    char *csv = report_of(path, KVL_TABLE_CSV);
    assert_cell(csv, 1, "prefill ideal", "1");
    assert_cell(csv, 2, "prefill ideal", "");
    assert_cell(csv, 2, "prefill speedup", "1");
    assert_cell(csv, 3, "prefill ideal", "2");
    assert_cell(csv, 3, "prefill speedup", "1.66667");
    assert_lacks(csv, "decode ideal");
    free(csv);
    char *table = report_of(path, KVL_TABLE_TEXT);
    assert_has(table, "prefill ms  vs full  ideal  decode ms/token  vs full");
    assert_has(table, "; ideal: the same of the bounds");
    free(table);
}

static void ratio_to_another_run_is_marked(void **state)
{
    (void)state;
    const char *path = new_file("crossed.jsonl");
    json_t *other = made_up_bench("full", NAN, 1024, 400, 40);
    json_object_set_new(other, "run_id", json_string("run-2"));
    made_up_append(path, other);
    made_up_append(path, made_up_bench("snapkv", 0.1, 1024, 50, 5));
    char *table = report_of(path, KVL_TABLE_TEXT);
    assert_non_null(strstr(table, "8.00x*"));
    assert_non_null(strstr(table, "\n*: full was measured in another run.\n"));
    free(table);
}

/* ---- what is missing -------------------------------------------------------------------------------------------------- */

static void missing_and_failed(void **state)
{
    (void)state;
    const char *path = new_file("missing.jsonl");
    made_up_append(path, made_up_eval("full", NAN, 1024, "needle/multi_key", 0.75, 0.125));
    made_up_append(path, made_up_eval("full", NAN, 1024, "needle/single_noise", 1, 0));
    made_up_append(path, made_up_failure(made_up_bench("full", NAN, 1024, 1, 1), "oom", "12 GB are needed"));
    made_up_append(path, made_up_eval("snapkv", 0.1, 1024, "needle/single_noise", 0.5, 0.15));
    made_up_append(path, made_up_failure(made_up_eval("fastkv", 0.1, 1024, "needle/single_noise", 1, 0), "failed", "no luck"));
    made_up_append(path, made_up_bench("fastkv", 0.1, 1024, 500, NAN));
    assert_report(path, KVL_TABLE_TEXT,
                  "Tiny-1M · cpu · bf16 · Model T · 2 threads · kvlab 0123456789\n"
                  "\n"
                  "Scores in percent: needle, 1k tokens\n"
                  "\n"
                  "method  KV rate  single_noise    multi_key        mean  prefill %   KV %   n\n"
                  "------  -------  ------------  -----------  ----------  ---------  -----  --\n"
                  "full          -   100.0 ± 0.0  75.0 ± 12.5  87.5 ± 6.2      100.0  100.0  12\n"
                  "snapkv      0.1   50.0 ± 15.0            -           -      100.0   10.0  12\n"
                  "fastkv      0.1        failed            -           -       60.0   10.0   -\n"
                  "\n"
                  "Times and memory, 1k tokens\n"
                  "\n"
                  "method  KV rate  prefill ms  KV MB  peak MB\n"
                  "------  -------  ----------  -----  -------\n"
                  "full          -         oom  47.19        -\n"
                  "fastkv      0.1       500.0   4.72      400\n"
                  "\n"
                  "Scores: ± standard error of the mean, n samples per task; protocol plain, template smollm2, seed 1.\n"
                  "prefill %: tokens times layers against full; KV %: bytes in the cache behind the prefill against full.\n"
                  "Times: medians; new tokens 32.\n"
                  "failed: fastkv, KV rate 0.1, context 1024, needle/single_noise: no luck\n"
                  "oom: full, context 1024, bench: 12 GB are needed\n");
}

static void phases_of_two_runs_meet(void **state)
{
    (void)state;
    const char *path = new_file("phases.jsonl");
    json_t *prefill = made_up_bench("full", NAN, 1024, 100, NAN), *decode = made_up_bench("full", NAN, 1024, NAN, 10);
    json_object_set_new(decode, "config_key", json_string("decode only"));
    made_up_append(path, prefill);
    made_up_append(path, decode);
    char *csv = report_of(path, KVL_TABLE_CSV);
    assert_cell(csv, 1, "prefill ms", "100");
    assert_cell(csv, 1, "decode ms/token", "10");
    free(csv);
}

static void newest_of_equal_knobs(void **state)
{
    (void)state;
    const char *path = new_file("equal.jsonl");
    json_t *old = made_up_eval("full", NAN, 1024, "needle/multi_key", 0.25, 0.1);
    json_object_set_new(old, "time_utc", json_string("2025-01-01T00:00:00Z"));
    json_object_set_new(old, "config_key", json_string("with fewer samples"));
    made_up_append(path, made_up_eval("full", NAN, 1024, "needle/multi_key", 0.75, 0.1));
    made_up_append(path, old);
    char *paths[] = {(char *)path};
    struct kvl_record_set set;
    struct kvl_report report;
    assert_ok(kvl_record_set_load(&set, paths, 1, NULL));
    assert_int_equal(set.n, 2);
    assert_ok(kvl_report_init(&report, &set, KVL_TABLE_TEXT, NULL));
    assert_int_equal(report.n_unused, 1);
    kvl_report_free(&report);
    kvl_record_set_free(&set);
    char *csv = report_of(path, KVL_TABLE_CSV);
    assert_cell(csv, 1, "needle/multi_key", "75");
    free(csv);
}

/* ---- the command ------------------------------------------------------------------------------------------------------ */

static enum kvl_status run(const char *input, const char *format, const char *output)
{
    char *files[] = {(char *)input};
    const struct kvl_options options = {.positional = {files, 1}, .format = format, .output = output};
    return kvl_command_report.run(&options);
}

static void command(void **state)
{
    (void)state;
    const char *input = write_small(), *output = made_up_path("report.csv");
    made_up_write(output, "before");
    assert_ok(run(input, "csv", output));
    char *csv = made_up_read(output), *expected = report_of(input, KVL_TABLE_CSV);
    assert_string_equal(csv, expected);
    free(csv);
    free(expected);
}

static void command_refuses(void **state)
{
    (void)state;
    const char *input = write_small(), *output = made_up_path("kept.csv");
    made_up_write(output, "before");
    assert_int_equal(run(input, "cvs", output), KVL_E_ARG);
    assert_non_null(strstr(kvl_last_error(), "did you mean 'csv'?"));
    assert_int_equal(run(made_up_path("missing.jsonl.gz"), "csv", output), KVL_E_IO);
    assert_non_null(strstr(kvl_last_error(), "missing.jsonl.gz"));
    assert_int_equal(run(input, "csv", "/dev/full"), KVL_E_IO);
    assert_non_null(strstr(kvl_last_error(), "/dev/full"));
    assert_int_equal(run(input, "csv", made_up_path("no/such/folder.csv")), KVL_E_IO);
    char *kept = made_up_read(output);
    assert_string_equal(kept, "before");
    free(kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text),
        cmocka_unit_test(markdown),
        cmocka_unit_test(csv),
        cmocka_unit_test(latex),
        cmocka_unit_test(accuracy_alone),
        cmocka_unit_test(knobs_that_differ_become_columns),
        cmocka_unit_test(rows_are_sorted),
        cmocka_unit_test(eval_meets_every_bench),
        cmocka_unit_test(two_versions_of_a_task),
        cmocka_unit_test(ratios_only_to_the_same),
        cmocka_unit_test(ratio_prefers_the_same_run),
        cmocka_unit_test(ideal_beside_ratio),
        cmocka_unit_test(ratio_to_another_run_is_marked),
        cmocka_unit_test(missing_and_failed),
        cmocka_unit_test(phases_of_two_runs_meet),
        cmocka_unit_test(newest_of_equal_knobs),
        cmocka_unit_test(command),
        cmocka_unit_test(command_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, made_up_remove);
}
