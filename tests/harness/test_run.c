/* `kvlab run` on a tiny model: what an experiment file may say, shards, and runs that are killed at any point. */
#include <stdio.h>
#include <stdlib.h>

#include "datasets/random.h"
#include "tests/support/golden.h"
#include "tests/support/model_folder.h"
#include "tests/support/process.h"
#include "tests/support/record_lines.h"

static struct model_folder folder;

static int set_up(void **state)
{
    (void)state;
    model_folder_init(&folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    model_folder_free(&folder);
    return 0;
}

/* Writes DIR/x.json with the model's path in place of $M. */
static void write_experiment(const char *text)
{
    char whole[8192];
    const char *mark = strstr(text, "$M");
    if (mark == NULL)
        snprintf(whole, sizeof whole, "%s", text);
    else
        snprintf(whole, sizeof whole, "%.*s%s%s", (int)(mark - text), text, golden_path("models/llama-tiny"), mark + 2);
    model_folder_write_text(&folder, "x.json", whole);
}

/* Runs `kvlab run $D/x.json` with `options`; kills it after some time where kill_after_ms > 0. The exit code. */
static int run(const char *options, int kill_after_ms, char **err)
{
    char line[512], model[1024];
    struct process process = {.program = KVLAB_PROGRAM, .folder = folder.path, .closed = -1, .kill_after_ms = kill_after_ms};
    snprintf(line, sizeof line, "run $D/x.json %s", options);
    snprintf(model, sizeof model, "%s", golden_path("models/llama-tiny"));
    const char *const *words = process_split(line, model, folder.path);
    process_run(&process, words);
    free((void *)(uintptr_t)words);
    int code = process.code;
    if (err != NULL) {
        *err = process.err;
        process.err = NULL;
    }
    process_free(&process);
    return code;
}

static void run_well(const char *options)
{
    char *err;
    int code = run(options, 0, &err);
    if (code != 0)
        fail_msg("`run x.json %s`: exit code %d: %s", options, code, err);
    free(err);
}

static json_t *load(const char *name)
{
    return record_lines_load(model_folder_file(&folder, name));
}

static void remove_both(const char *stem)
{
    char name[64];
    snprintf(name, sizeof name, "%s.jsonl", stem);
    model_folder_remove(&folder, name);
    snprintf(name, sizeof name, "%s.samples.jsonl", stem);
    model_folder_remove(&folder, name);
}

#define SWEEP                                                                                                            \
    "{\"kvlab_experiment\": 1, \"title\": \"t\", \"model\": \"$M\","                                                     \
    " \"options\": {\"method\": [\"full\", \"streamingllm\", \"gemfilter\"], \"kv-rate\": [0.1, 0.2], \"samples\": 2},"  \
    " \"parts\": [{\"command\": \"eval\", \"task\": [\"needle/single_noise\", \"needle/single_essay\"],"                 \
    "              \"context\": [512, \"0.75k\"], \"seed\": [1, 2]},"                                                    \
    "             {\"command\": \"eval\", \"task\": \"needle/single_noise\", \"context\": 512, \"method\": \"fastkv\","  \
    "              \"set\": {\"fastkv.tsp_rate\": [0.2, 0.5], \"fastkv.window\": 4}}]}"
enum { N_RECORDS = 2 * 4 * (1 + 2 + 2) + 2 * 2, N_SAMPLES = 2 * N_RECORDS };

/* A product as the command line has it, for every seed; what was run is not run again. */
static void test_sweep(void **state)
{
    (void)state;
    write_experiment(SWEEP);
    run_well("-o $D/all.jsonl");
    json_t *records = load("all.jsonl"), *samples = load("all.samples.jsonl");
    assert_int_equal(json_array_size(records), N_RECORDS);
    assert_int_equal(json_array_size(samples), N_SAMPLES);
    int n_tsp[2] = {0};
    size_t i;
    json_t *record;
    json_array_foreach(records, i, record) {
        assert_string_equal(json_string_value(json_object_get(record, "status")), "ok");
        double rate = json_number_value(json_object_get(json_object_get(record, "params"), "tsp_rate"));
        n_tsp[0] += rate == 0.2;
        n_tsp[1] += rate == 0.5;
    }
    assert_int_equal(n_tsp[0], 2);
    assert_int_equal(n_tsp[1], 2);
    run_well("-o $D/all.jsonl");
    json_t *again = load("all.jsonl");
    assert_int_equal(json_array_size(again), N_RECORDS);
    json_decref(again);
    json_decref(records);
    json_decref(samples);
}

/* Shards share no job and leave none out, whether they write to files of their own or to one. */
static void test_shards(void **state)
{
    (void)state;
    enum { N_SHARDS = 4 };
    write_experiment(SWEEP);
    run_well("-o $D/whole.jsonl");
    json_t *whole = load("whole.jsonl"), *merged = json_array();
    size_t largest = 0;
    for (int i = 1; i <= N_SHARDS; i++) {
        char options[64], name[32];
        snprintf(options, sizeof options, "-o $D/part%d.jsonl --shard %d/%d", i, i, N_SHARDS);
        run_well(options);
        snprintf(name, sizeof name, "part%d.jsonl", i);
        json_t *part = load(name);
        largest = json_array_size(part) > largest ? json_array_size(part) : largest;
        json_array_extend(merged, part);
        json_decref(part);
        snprintf(options, sizeof options, "-o $D/one.jsonl --shard %d/%d", i, N_SHARDS);
        run_well(options);
    }
    record_lines_check_same(merged, whole, "shards in files of their own");
    assert_true(largest < json_array_size(whole) / 2);
    json_t *one = load("one.jsonl");
    record_lines_check_same(one, whole, "shards in one file");
    json_decref(one);
    json_decref(merged);
    json_decref(whole);
}

/* SIGKILL at random points, until 50 have struck: what was written stays, and the end is what an undisturbed run writes. */
static void test_killed_at_random(void **state)
{
    (void)state;
    enum { N_KILLS = 50, SEED = 11 };
    struct kvl_random random;
    kvl_random_init(&random, SEED, "kills", 0);
    write_experiment(SWEEP);
    run_well("-o $D/calm.jsonl");
    json_t *records = load("calm.jsonl"), *samples = load("calm.samples.jsonl");
    int n_killed = 0, n_runs = 0;
    while (n_killed < N_KILLS) {
        int code = run("-o $D/hit.jsonl", 1 + (int)kvl_random_below(&random, 250), NULL);
        n_killed += code == 128 + 9;
        if (code == 128 + 9)
            continue;
        assert_int_equal(code, 0);
        json_t *got = load("hit.jsonl"), *got_samples = load("hit.samples.jsonl");
        record_lines_check_same(got, records, "records after kills");
        record_lines_check_same(got_samples, samples, "samples after kills");
        json_decref(got);
        json_decref(got_samples);
        remove_both("hit");
        n_runs++;
    }
    run_well("-o $D/hit.jsonl");
    json_t *got = load("hit.jsonl"), *got_samples = load("hit.samples.jsonl");
    record_lines_check_same(got, records, "records in the end");
    record_lines_check_same(got_samples, samples, "samples in the end");
    json_decref(got_samples);
    printf("seed %d: %d kills, %d runs came to their end in between\n", (int)SEED, n_killed, n_runs);
    json_decref(got);
    json_decref(records);
    json_decref(samples);
}

/* A sample that was finished is taken over, not run again: planted scores come back. */
static void test_samples_are_kept(void **state)
{
    (void)state;
    write_experiment("{\"kvlab_experiment\": 1, \"model\": \"$M\", \"parts\": [{\"command\": \"eval\", \"method\": \"full\","
                     " \"task\": \"needle/single_noise\", \"context\": 512, \"samples\": 3}]}");
    run_well("-o $D/kept.jsonl");
    json_t *samples = load("kept.samples.jsonl");
    assert_int_equal(json_array_size(samples), 3);
    model_folder_remove(&folder, "kept.jsonl");
    model_folder_remove(&folder, "kept.samples.jsonl");
    json_object_set_new(json_array_get(samples, 0), "score", json_real(0.25));
    FILE *file = fopen(model_folder_file(&folder, "kept.samples.jsonl"), "w");
    assert_non_null(file);
    json_dumpf(json_array_get(samples, 0), file, JSON_COMPACT);
    fputc('\n', file);
    fclose(file);
    run_well("-o $D/kept.jsonl");
    json_t *records = load("kept.jsonl");
    json_t *scores = json_object_get(json_array_get(records, 0), "scores");
    assert_int_equal(json_array_size(scores), 3);
    assert_true(json_real_value(json_array_get(scores, 0)) == 0.25);
    json_decref(records);
    json_decref(samples);
}

/* What is wrong is said in one sentence with the path inside the file; nothing is run and nothing written. */
static void test_wrong_files(void **state)
{
    (void)state;
    static const struct {
        const char *text, *sentence;
    } cases[] = {
        {"{", "x.json"},
        {"[]", "x.json"},
        {"{\"title\": 1}", "kvlab_experiment"},
        {"{\"kvlab_experiment\": 2, \"parts\": [{}]}", "kvlab_experiment"},
        {"{\"kvlab_experiment\": 1, \"model\": \"$M\"}", "parts"},
        {"{\"kvlab_experiment\": 1, \"model\": \"$M\", \"parts\": []}", "parts"},
        {"{\"kvlab_experiment\": 1, \"model\": \"$M\", \"parts\": [1]}", "parts[0]"},
        {"{\"kvlab_experiment\": 1, \"modle\": \"$M\", \"parts\": [{}]}", "'model'"},
        {"{\"kvlab_experiment\": 1, \"parts\": [{\"command\": \"bench\", \"method\": \"full\", \"context\": 9}]}", "model"},
        {"{\"kvlab_experiment\": 1, \"model\": \"$M\", \"parts\": [{\"method\": \"full\"}]}", "parts[0].command"},
        {"{\"kvlab_experiment\": 1, \"model\": \"$M\", \"parts\": [{\"command\": \"list\"}]}", "parts[0].command"},
        {"{\"kvlab_experiment\": 1, \"model\": \"$M\", \"options\": {\"contxt\": 1}, \"parts\": [{\"command\": \"eval\"}]}",
         "options.contxt"},
        {"{\"kvlab_experiment\": 1, \"model\": \"$M\", \"options\": {\"output\": \"y\"}, \"parts\": [{\"command\": \"eval\"}]}",
         "options.output"},
        {"{\"kvlab_experiment\": 1, \"model\": \"$M\", \"parts\": [{\"command\": \"eval\", \"method\": [\"full\", \"fastvk\"]}]}",
         "parts[0].method[1]"},
        {"{\"kvlab_experiment\": 1, \"model\": \"$M\", \"parts\": [{\"command\": \"eval\", \"method\": []}]}", "parts[0].method"},
        {"{\"kvlab_experiment\": 1, \"model\": \"$M\", \"parts\": [{\"command\": \"eval\", \"samples\": [1, 2]}]}",
         "parts[0].samples"},
        {"{\"kvlab_experiment\": 1, \"model\": \"$M\", \"parts\": [{\"command\": \"eval\", \"raw\": \"yes\"}]}",
         "parts[0].raw"},
        {"{\"kvlab_experiment\": 1, \"model\": \"$M\", \"parts\": [{\"command\": \"eval\", \"context\": [{}]}]}",
         "parts[0].context[0]"},
        {"{\"kvlab_experiment\": 1, \"model\": \"$M\", \"parts\": [{\"command\": \"eval\", \"method\": \"full\","
         " \"task\": \"needle/single_noise\"}]}", "parts[0]"},
        {"{\"kvlab_experiment\": 1, \"model\": \"$M\", \"parts\": [{\"command\": \"eval\", \"method\": \"fastkv\","
         " \"task\": \"needle/single_noise\", \"context\": 512, \"set\": {\"fastkv.windw\": 3}}]}", "parts[0]"},
        {"{\"kvlab_experiment\": 1, \"model\": \"$M\", \"parts\": [{\"command\": \"eval\", \"method\": \"full\","
         " \"task\": \"needle/single_noise\", \"context\": 512, \"seed\": [1, -1]}]}", "parts[0].seed[1]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *err;
        write_experiment(cases[i].text);
        int code = run("-o $D/none.jsonl", 0, &err);
        if ((code != 1 && code != 2) || !process_is_sentence(err) || strstr(err, cases[i].sentence) == NULL)
            fail_msg("case %zu: exit code %d: %s", i, code, err);
        free(err);
        FILE *file = fopen(model_folder_file(&folder, "none.jsonl"), "r");
        if (file != NULL)
            fail_msg("case %zu left a file", i);
    }
}

/* The files for a GPU load on any machine: the first thing amiss is the model that this test names (--force: debug builds too). */
static void test_gpu_experiments_load(void **state)
{
    (void)state;
    static const char *const names[] = {"gpu-sweep-llama", "gpu-sweep-ministral", "gpu-long"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char line[1024];
        struct process process = {.program = KVLAB_PROGRAM, .folder = folder.path, .closed = -1};
        snprintf(line, sizeof line, "run %s/../../harness/experiments/%s.json random:none --backend cpu --force -o $D/gpu.jsonl",
                 KVLAB_GOLDEN_DIR, names[i]);
        const char *const *words = process_split(line, "", folder.path);
        process_run(&process, words);
        free((void *)(uintptr_t)words);
        if (process.code == 0 || strstr(process.err, "no such preset") == NULL)
            fail_msg("%s: exit code %d: %s", names[i], process.code, process.err);
        process_free(&process);
    }
}

/* One file holds one experiment's models at one version. */
static void test_no_mixing(void **state)
{
    (void)state;
    char *err;
    write_experiment(SWEEP);
    model_folder_write_text(&folder, "mixed.jsonl", "{\"kvlab_commit\":\"0000\",\"model_source\":\"a\",\"status\":\"ok\","
                                                    "\"config_key\":\"k\",\"kind\":\"eval\"}\n");
    assert_int_equal(run("-o $D/mixed.jsonl", 0, &err), 2);
    assert_non_null(strstr(err, "kvlab 0000"));
    free(err);
    assert_int_equal(run("-o $D/mixed.jsonl --force", 0, &err), 2);
    assert_non_null(strstr(err, "the model a, which is not in this experiment"));
    free(err);
    json_t *records = load("mixed.jsonl");
    assert_int_equal(json_array_size(records), 1);
    json_decref(records);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sweep),       cmocka_unit_test(test_shards),   cmocka_unit_test(test_killed_at_random),
        cmocka_unit_test(test_samples_are_kept), cmocka_unit_test(test_wrong_files), cmocka_unit_test(test_no_mixing),
        cmocka_unit_test(test_gpu_experiments_load),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
