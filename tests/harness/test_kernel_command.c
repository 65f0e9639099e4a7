/* `kvlab bench --kernels` as scripts use it: records, resuming, the tables, compare, and as a part of an experiment. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/golden.h"
#include "tests/support/model_folder.h"
#include "tests/support/process.h"
#include "tests/support/record_lines.h"

#define BENCH "bench random:tiny-mistral --kernels --backend cpu --samples 2 --warmup 0 --force "

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

/* Standard output of a line that must succeed; free() it. */
static char *run(const char *line)
{
    struct process process = {.program = KVLAB_PROGRAM, .folder = folder.path, .closed = -1};
    const char *const *words = process_split(line, golden_path("models/llama-tiny"), folder.path);
    process_run(&process, words);
    free((void *)(uintptr_t)words);
    if (process.code != 0)
        fail_msg("`%s`: exit code %d: %s", line, process.code, process.err);
    free(process.err);
    return process.out;
}

static void assert_prints(const char *line, const char *const *parts, int n)
{
    char *out = run(line);
    for (int i = 0; i < n; i++)
        if (strstr(out, parts[i]) == NULL)
            fail_msg("`%s` does not print \"%s\":\n%s", line, parts[i], out);
    free(out);
}

static const char *text_of(const json_t *record, const char *key)
{
    const char *text = json_string_value(json_object_get(record, key));
    return text != NULL ? text : "";
}

static json_t *load(const char *name)
{
    return record_lines_load(model_folder_file(&folder, name));
}

/* A context that has part of its operations finished is gone on with. */
static void resumes(void **state)
{
    (void)state;
    free(run(BENCH "--context 64 --op norm,top_k -o $D/k.jsonl"));
    json_t *first = load("k.jsonl");
    assert_int_equal(json_array_size(first), 3); /* norm of a prompt and of one row */
    free(run(BENCH "--context 64,32 --op norm,top_k,gather -o $D/k.jsonl --resume"));
    json_t *all = load("k.jsonl");
    assert_int_equal(json_array_size(all), 3 + 1 + 4);
    assert_string_equal(text_of(json_array_get(all, 3), "operation"), "gather");
    free(run(BENCH "--context 64,32 --op norm,top_k,gather -o $D/k.jsonl --resume"));
    json_t *same = load("k.jsonl");
    assert_true(json_equal(all, same));
    json_decref(first);
    json_decref(all);
    json_decref(same);
    model_folder_remove(&folder, "k.jsonl");
}

static void records(void **state)
{
    (void)state;
    char *out = run(BENCH "--op range --dtype f32 --seed 3 --json"); /* at 2,048 tokens unless told */
    json_t *lines = record_lines_parse(out);
    assert_int_equal(json_array_size(lines), 1);
    const json_t *record = json_array_get(lines, 0);
    assert_string_equal(text_of(record, "kind"), "kernel");
    assert_string_equal(text_of(record, "status"), "ok");
    assert_string_equal(text_of(record, "phase"), "prefill");
    assert_string_equal(text_of(record, "dtype"), "f32");
    assert_true(json_is_null(json_object_get(record, "method")) && json_is_null(json_object_get(record, "params")));
    assert_int_equal(json_integer_value(json_object_get(record, "context")), 2048);
    assert_int_equal(json_integer_value(json_object_get(record, "seed")), 3);
    assert_int_equal(json_integer_value(json_object_get(record, "n_embd")), 64);
    double bound = 2 * 2048 * 4 / json_number_value(json_object_get(record, "peak_bytes_per_s")) * 1e9;
    assert_true(fabs(json_number_value(json_object_get(record, "bound_ns")) - bound) < 1e-9 * bound);
    json_decref(lines);
}

/* A folder or a file gives the shapes; none of its weights is needed. */
static void shapes_of_a_folder(void **state)
{
    (void)state;
    char *out = run("bench $M --kernels --op linear --context 16 --samples 2 --warmup 0 --force --backend cpu --json");
    json_t *lines = record_lines_parse(out);
    assert_int_equal(json_array_size(lines), 9);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(lines, 0), "weight_bytes")), 0);
    assert_string_equal(text_of(json_array_get(lines, 0), "status"), "ok");
    json_decref(lines);
}

static void tables(void **state)
{
    (void)state;
    static const char *const text[] = {"tiny-mistral", "Operations, 64 tokens", "Operations, 1k tokens", "% of limit",
                                       "top_k      tenth", "Check error"},
                             *const markdown[] = {"**Operations, 64 tokens**", "| top_k | tenth | prefill |",
                                                  "| norm | rows | decode |"},
                             *const latex[] = {"\\caption{Operations, 64 tokens.", "top\\_k & tenth & prefill"},
                             *const csv[] = {"model,backend,dtype,context,operation,case,phase,shape,status",
                                             "tiny-mistral,cpu,bf16,64,top_k,tenth,prefill,rows=2 cols=64 k=6,ok,"},
                             *const same[] = {"0 regression, 0 missing, 0 unclear, 0 improvement, 0 new, 6 unchanged"};
    assert_prints(BENCH "--context 64,1k --op norm,top_k -o $D/t.jsonl", text, 6);
    assert_prints("report $D/t.jsonl", text, 6);
    assert_prints("report $D/t.jsonl --format markdown", markdown, 3);
    assert_prints("report $D/t.jsonl --format latex", latex, 2);
    assert_prints("report $D/t.jsonl --format csv", csv, 2);
    assert_prints("compare $D/t.jsonl $D/t.jsonl", same, 1);
    model_folder_remove(&folder, "t.jsonl");
}

/* Beside methods, in one file: tables of both; CSV has place for the methods alone. */
static void beside_methods(void **state)
{
    (void)state;
    static const char *const text[] = {"Times and memory", "Operations, 64 tokens: tiny-mistral", "top_k"},
                             *const csv[] = {"prefill ms"};
    model_folder_write_text(&folder, "x.json",
                            "{\"kvlab_experiment\": 1, \"model\": \"random:tiny-mistral\","
                            " \"options\": {\"context\": 64, \"samples\": 2, \"warmup\": 0, \"backend\": \"cpu\"},"
                            " \"parts\": [{\"command\": \"bench\", \"kernels\": true, \"op\": [\"norm\", \"top_k\"]},"
                            "             {\"command\": \"bench\", \"method\": \"full\", \"new-tokens\": 2}]}");
    free(run("run $D/x.json -o $D/x.jsonl --force"));
    json_t *all = load("x.jsonl");
    assert_int_equal(json_array_size(all), 4);
    json_decref(all);
    assert_prints("report $D/x.jsonl", text, 3);
    assert_prints("report $D/x.jsonl --format csv", csv, 1);
    char *out = run("report $D/x.jsonl --format csv");
    assert_null(strstr(out, "top_k"));
    free(out);
    model_folder_remove(&folder, "x.json");
    model_folder_remove(&folder, "x.jsonl");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resumes), cmocka_unit_test(records), cmocka_unit_test(shapes_of_a_folder), cmocka_unit_test(tables),
        cmocka_unit_test(beside_methods),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
