/* The commands as scripts use them, on a tiny model: what programs read (DESIGN.md), resuming, memory limits, broken outputs. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "datasets/task.h"
#include "methods/method.h"
#include "tests/support/golden.h"
#include "tests/support/model_folder.h"
#include "tests/support/process.h"
#include "tests/support/record_lines.h"

enum { N_LAYERS = 6, N_VOCAB = 320, EOS = 2 }; /* of llama-tiny */

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

static void run_process(struct process *process, const char *line)
{
    char model[1024];
    snprintf(model, sizeof model, "%s", golden_path("models/llama-tiny"));
    const char *const *words = process_split(line, model, folder.path);
    process->program = KVLAB_PROGRAM;
    process->folder = folder.path;
    process_run(process, words);
    free((void *)(uintptr_t)words);
}

/* Standard output of a line that must succeed; free() it. */
static char *run_with(const char *line, const char *in)
{
    struct process process = {.in = in, .n_in = strlen(in), .closed = -1};
    run_process(&process, line);
    if (process.code != 0)
        fail_msg("`%s`: exit code %d: %s", line, process.code, process.err);
    free(process.err);
    return process.out;
}

static char *run(const char *line)
{
    return run_with(line, "");
}

static json_t *parse(char *text)
{
    json_error_t error;
    json_t *value = json_loads(text, JSON_ALLOW_NUL, &error);
    if (value == NULL)
        fail_msg("%s in: %.200s", error.text, text);
    free(text);
    return value;
}

static json_t *load(const char *name)
{
    json_error_t error;
    json_t *value = json_load_file(model_folder_file(&folder, name), JSON_ALLOW_NUL, &error);
    if (value == NULL)
        fail_msg("%s: %s", name, error.text);
    return value;
}

static json_t *load_lines(const char *name)
{
    return record_lines_load(model_folder_file(&folder, name));
}

static int64_t integer(const json_t *object, const char *key)
{
    if (!json_is_integer(json_object_get(object, key)))
        fail_msg("%s is no integer", key);
    return json_integer_value(json_object_get(object, key));
}

static const char *text_of(const json_t *object, const char *key)
{
    if (!json_is_string(json_object_get(object, key)))
        fail_msg("%s is no text", key);
    return json_string_value(json_object_get(object, key));
}

/* ---- generate ---------------------------------------------------------------------------------------------------------- */

/* Not empty, ascending, below `end`. */
static void check_positions(const json_t *list, int64_t end)
{
    int64_t last = -1;
    for (size_t i = 0; i < json_array_size(list); i++) {
        int64_t position = json_integer_value(json_array_get(list, i));
        assert_true(json_is_integer(json_array_get(list, i)) && position > last);
        last = position;
    }
    assert_true(last < end && json_array_size(list) > 0);
}

static bool holds(const json_t *list, int64_t position)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_integer_value(json_array_get(list, i)) == position)
            return true;
    return false;
}

/* `n_end`: no position is beyond; n after the prefill, more after the last token. */
static void check_kept(const json_t *kept, const char *method, const char *profile, int64_t n, int64_t n_end)
{
    assert_int_equal(integer(kept, "n_prompt"), n);
    assert_string_equal(text_of(kept, "method"), method);
    assert_string_equal(text_of(kept, "profile"), profile);
    const json_t *layers = json_object_get(kept, "layers"), *restart = json_object_get(kept, "restart"), *layer, *list;
    assert_int_equal(json_array_size(layers), N_LAYERS);
    int64_t n_stored = integer(kept, "heads_stored"), n_in = n;
    if (restart != NULL) {
        assert_true(integer(restart, "layer") < N_LAYERS);
        check_positions(json_object_get(restart, "kept"), n);
        n_in = (int64_t)json_array_size(json_object_get(restart, "kept"));
    }
    size_t l, h;
    json_array_foreach(layers, l, layer) {
        const json_t *lists = json_object_get(layer, "kept"), *forward = json_object_get(layer, "forward");
        assert_int_equal(integer(layer, "layer"), l);
        assert_int_equal(integer(layer, "n_in"), n_in);
        assert_true(json_array_size(lists) == 1 || (int64_t)json_array_size(lists) == n_stored);
        json_array_foreach(lists, h, list) {
            check_positions(list, n_end);
            for (size_t i = 0; restart != NULL && i < json_array_size(list); i++)
                assert_true(json_integer_value(json_array_get(list, i)) >= n
                            || holds(json_object_get(restart, "kept"), json_integer_value(json_array_get(list, i))));
        }
        assert_non_null(forward);
        if (!json_is_null(forward)) {
            check_positions(forward, n);
            n_in = (int64_t)json_array_size(forward);
        }
    }
}

static int largest_logit(const char *name)
{
    size_t n;
    char *bytes = record_lines_text(model_folder_file(&folder, name), &n);
    assert_int_equal(n, N_VOCAB * sizeof(float));
    float *logits = malloc(n);
    memcpy(logits, bytes, n);
    int best = 0;
    for (int i = 1; i < N_VOCAB; i++)
        if (logits[i] > logits[best])
            best = i;
    free(logits);
    free(bytes);
    return best;
}

static void check_generate(const char *method, const char *profile)
{
    char line[512];
    snprintf(line, sizeof line, "generate $M --method %s --profile %s --prompt @$D/prompt.txt --new-tokens 12 --dtype f32 --json "
             "--kept $D/kept.json --kept-end $D/end.json --logits $D/logits.bin", method, profile);
    json_t *answer = parse(run(line)), *kept = load("kept.json"), *end = load("end.json");
    int64_t n = integer(answer, "n_prompt");
    const json_t *ids = json_object_get(answer, "ids"), *prompt_ids = json_object_get(answer, "prompt_ids");
    int64_t n_new = (int64_t)json_array_size(ids);
    assert_true(n > 200 && n == (int64_t)json_array_size(prompt_ids) && n_new <= 12);
    assert_non_null(text_of(answer, "text"));
    for (int64_t i = 0; i < n_new; i++)
        assert_int_not_equal(json_integer_value(json_array_get(ids, (size_t)i)), EOS);
    int first = n_new > 0 ? (int)json_integer_value(json_array_get(ids, 0)) : EOS;
    assert_int_equal(largest_logit("logits.bin"), first);
    check_kept(kept, method, profile, n, n);
    check_kept(end, method, profile, n, n + n_new);
    /* The token that came last but one is held by every layer's first list. */
    const json_t *layer = json_array_get(json_object_get(end, "layers"), N_LAYERS - 1);
    if (n_new > 1)
        assert_true(holds(json_array_get(json_object_get(layer, "kept"), 0), n + n_new - 2));
    json_decref(answer);
    json_decref(kept);
    json_decref(end);
}

static void write_prompt(void)
{
    char text[4096] = "";
    for (int i = 0; i < 12; i++)
        strcat(text, "the quick brown fox jumps over the lazy dog, ");
    model_folder_write_text(&folder, "prompt.txt", text);
}

static void test_generate(void **state)
{
    (void)state;
    write_prompt();
    for (int i = 0; kvl_method_at(i) != NULL; i++)
        for (int p = 0; p < KVL_N_PROFILES; p++) {
            printf("%s %s\n", kvl_method_at(i)->name, kvl_profile_name((enum kvl_profile)p));
            check_generate(kvl_method_at(i)->name, kvl_profile_name((enum kvl_profile)p));
        }
}

/* --raw: the text as it is, one BOS in front because this tokenizer adds one. A prompt comes from anywhere. */
static void test_prompts(void **state)
{
    (void)state;
    json_t *a = parse(run("generate $M --raw --new-tokens 3 --json --prompt 'hello there'"));
    json_t *b = parse(run_with("generate $M --raw --new-tokens 3 --json --prompt -", "hello there"));
    model_folder_write_text(&folder, "hello.txt", "hello there");
    json_t *c = parse(run("generate $M --raw --new-tokens 3 --json --prompt @$D/hello.txt"));
    json_t *ids = parse(run_with("tokenize $M --json", "\"hello there\""));
    assert_true(json_equal(a, b) && json_equal(a, c));
    json_array_insert_new(ids, 0, json_integer(1));
    assert_true(json_equal(json_object_get(a, "prompt_ids"), ids));
    char *table = run("generate $M --method fastkv --prompt @$D/prompt.txt --new-tokens 3");
    assert_non_null(strstr(table, "kept per head"));
    free(table);
    json_decref(a);
    json_decref(b);
    json_decref(c);
    json_decref(ids);
}

/* ---- tokenize, list, help ---------------------------------------------------------------------------------------------- */

static void test_tokenize(void **state)
{
    (void)state;
    static const char text[] = "the fox <|eos|> and\ttwo\nlines";
    json_t *ids = parse(run_with("tokenize $M --json", "\"the fox <|eos|> and\\ttwo\\nlines\"\n"));
    char *lines = run_with("tokenize $M", text), *at = lines;
    size_t n_eos = 0;
    for (size_t i = 0; i < json_array_size(ids); i++) {
        assert_int_equal(strtol(at, &at, 10), json_integer_value(json_array_get(ids, i)));
        n_eos += json_integer_value(json_array_get(ids, i)) == EOS;
    }
    assert_string_equal(at, "\n");
    assert_int_equal(n_eos, 1);
    char *as_text = run_with("tokenize $M --special text", text);
    assert_null(strstr(as_text, "\n2\n"));
    char *many = run_with("tokenize $M --json", "\"a\"\n\"\"\n\"a\\u0000b\"\n\"\\u00e9\"");
    json_t *arrays = record_lines_parse(many);
    assert_int_equal(json_array_size(arrays), 4);
    assert_int_equal(json_array_size(json_array_get(arrays, 1)), 0);
    char *none = run_with("tokenize $M", "");
    assert_string_equal(none, "");
    free(none);
    free(as_text);
    free(lines);
    json_decref(arrays);
    json_decref(ids);
}

static void test_list(void **state)
{
    (void)state;
    static const char *const kinds[] = {"models", "methods", "tasks", "figures", "experiments"};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        char line[64];
        snprintf(line, sizeof line, "list %s --json", kinds[k]);
        json_t *items = parse(run(line)), *item;
        snprintf(line, sizeof line, "list %s", kinds[k]);
        char *table = run(line);
        size_t i;
        json_array_foreach(items, i, item) {
            assert_non_null(strstr(table, text_of(item, "name")));
            text_of(item, "title");
            text_of(item, "source");
        }
        assert_true(i > 0 || strcmp(kinds[k], "experiments") == 0);
        free(table);
        json_decref(items);
    }
}

static void test_list_parameters(void **state)
{
    (void)state;
    json_t *methods = parse(run("list methods --json")), *method, *parameter;
    size_t i, p;
    json_array_foreach(methods, i, method) {
        const json_t *parameters = json_object_get(method, "parameters");
        assert_true(json_is_array(parameters));
        json_array_foreach(parameters, p, parameter) {
            text_of(parameter, "name");
            text_of(parameter, "type");
            assert_non_null(json_object_get(json_object_get(parameter, "default"), "paper"));
            assert_non_null(json_object_get(json_object_get(parameter, "default"), "fastkv"));
        }
    }
    for (int m = 0; kvl_method_at(m) != NULL; m++)
        assert_string_equal(text_of(json_array_get(methods, (size_t)m), "name"), kvl_method_at(m)->name);
    json_decref(methods);
}

static void test_help(void **state)
{
    (void)state;
    static const char *const lines[] = {"--help", "help", "list --help", "generate --help", "tokenize -h", "eval --help",
                                        "bench $M --help", "report --help", "plot --help"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char *text = run(lines[i]);
        assert_non_null(strstr(text, "Usage: kvlab"));
        free(text);
    }
}

/* ---- eval -------------------------------------------------------------------------------------------------------------- */

#define EVAL "eval $M --method full,streamingllm,fastkv --kv-rate 0.1,0.2 --task needle/single_noise --context 512,640 --samples 2 "
enum { N_RECORDS = 2 * (1 + 2 + 2), N_SAMPLES = 2 * N_RECORDS };

/* The fields of harness/record.h that DESIGN.md asks for. */
static const char *const fields[] = {
    "schema", "run_id", "time_utc", "kvlab_commit", "kvlab_dirty", "argv", "cpu", "gpu", "driver", "clock_mhz", "threads",
    "backend", "dtype", "model", "model_hash", "n_layer", "n_embd", "n_head", "n_kv", "head_size", "n_ff", "n_vocab",
    "method", "profile", "kv_rate", "kv_budget", "params", "task", "task_version", "seed", "context", "tokens_in_mean",
    "tokens_out_mean", "bos_count", "template", "truncated", "status", "reason", "score", "score_stderr", "n_scored",
    "kept_per_layer", "token_layers", "kv_bytes", "kv_bytes_full", "peak_bytes", "prefill_median_ns", "prefill_p05_ns",
    "prefill_p95_ns", "prefill_samples_ns", "selection_median_ns", "selection_p05_ns", "selection_p95_ns",
    "selection_samples_ns", "phases", "decode_token_median_ns", "decode_token_p05_ns", "decode_token_p95_ns",
    "decode_token_samples_ns", "e2e_median_ns", "e2e_p05_ns", "e2e_p95_ns", "e2e_samples_ns", "prefill_flops",
    "decode_token_bytes", "peak_flops_per_s", "peak_bytes_per_s", "prefill_bound_ns", "decode_token_bound_ns",
    "prefill_bound_share", "decode_bound_share", "logits_hash", "config_key", "build_type", "clock_end_mhz", "other_load_cpus",
    "machine_cpus", "prefill_median_ci95_ns", "decode_token_median_ci95_ns", "e2e_median_ci95_ns",
};

/* Every field is there, in both kinds; what is nested is an array or the object of parameters. */
static void check_fields(const json_t *record)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (json_object_get(record, fields[i]) == NULL)
            fail_msg("a record without %s", fields[i]);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)record, key, value)
        if (json_is_object(value) && strcmp(key, "params") != 0)
            fail_msg("%s is no flat value", key);
}

static void test_eval(void **state)
{
    (void)state;
    char *table = run(EVAL "-o $D/all.jsonl");
    assert_non_null(strstr(table, "fastkv"));
    free(table);
    json_t *records = load_lines("all.jsonl"), *samples = load_lines("all.samples.jsonl"), *record;
    assert_int_equal(json_array_size(records), N_RECORDS);
    assert_int_equal(json_array_size(samples), N_SAMPLES);
    size_t i;
    json_array_foreach(records, i, record) {
        check_fields(record);
        assert_string_equal(text_of(record, "status"), "ok");
        assert_int_equal(integer(record, "n_scored"), 2);
        assert_int_equal(integer(record, "bos_count"), 1);
        assert_int_equal(json_array_size(json_object_get(record, "kept_per_layer")), N_LAYERS);
    }
    json_array_foreach(samples, i, record) {
        text_of(record, "prediction");
        text_of(record, "prompt");
        assert_int_equal(json_array_size(json_object_get(record, "answers")), 1);
        assert_true(json_is_number(json_object_get(record, "score")));
    }
    json_t *printed = record_lines_parse(run(EVAL "--json"));
    record_lines_check_same(printed, records, "--json");
    json_decref(printed);
    json_decref(records);
    json_decref(samples);
}

static void check_summary(const json_t *line, int64_t n, double mean, const char *config_key)
{
    assert_int_equal(integer(line, "n"), n);
    assert_true(fabs(json_number_value(json_object_get(line, "mean")) - mean) < 1e-12);
    assert_string_equal(text_of(line, "config_key"), config_key);
}

/* Samples scored again without the model: the scores that they carry, and each configuration's mean as in its record. */
static void test_score_samples(void **state)
{
    (void)state;
    free(run("eval $M --method full,fastkv --task niah --context 512 --samples 3 -o $D/niah.jsonl"));
    json_t *records = load_lines("niah.jsonl"), *samples = load_lines("niah.samples.jsonl"), *record;
    json_t *lines = record_lines_parse(run("score niah $D/niah.samples.jsonl"));
    assert_int_equal(json_array_size(samples), 6);
    assert_int_equal(json_array_size(lines), 6 + 2);
    size_t i;
    json_array_foreach(samples, i, record)
        assert_true(json_equal(json_object_get(json_array_get(lines, i), "score"), json_object_get(record, "score")));
    json_array_foreach(records, i, record)
        check_summary(json_array_get(lines, 6 + i), 3, json_number_value(json_object_get(record, "score")),
                      text_of(record, "config_key"));
    json_decref(records);
    json_decref(samples);
    json_decref(lines);
}

/* Another engine's outputs: F1 of 1, 0 and 2/3 by hand. Outputs of two configurations have no mean together. */
static void test_score_outputs(void **state)
{
    (void)state;
    model_folder_write_text(&folder, "outputs.jsonl", "{\"pred\": \"Red fox.\", \"answers\": [\"no\", \"the red fox\"]}\n"
                                                      "{\"pred\": \"dog\", \"answers\": [\"fox\"]}\n"
                                                      "{\"pred\": \"a red fox\", \"answers\": [\"fox\"]}\n");
    json_t *lines = record_lines_parse(run("score longbench/qasper $D/outputs.jsonl"));
    const json_t *mean = json_array_get(lines, 3);
    assert_int_equal(json_array_size(lines), 4);
    assert_int_equal(integer(mean, "n"), 3);
    assert_true(fabs(json_number_value(json_object_get(mean, "mean")) - 5.0 / 9) < 1e-12);
    assert_null(json_object_get(mean, "config_key"));
    json_decref(lines);
    model_folder_write_text(&folder, "two.jsonl",
                            "{\"prediction\": \"fox\", \"answers\": [\"fox\"], \"config_key\": \"x\"}\n"
                            "{\"prediction\": \"fox\", \"answers\": [\"dog\"], \"config_key\": \"y\"}\n"
                            "{\"prediction\": \"red fox\", \"answers\": [\"fox\"], \"config_key\": \"x\"}\n");
    lines = record_lines_parse(run("score longbench/qasper $D/two.jsonl"));
    assert_int_equal(json_array_size(lines), 5);
    check_summary(json_array_get(lines, 3), 2, 5.0 / 6, "x");
    check_summary(json_array_get(lines, 4), 1, 0, "y");
    json_decref(lines);
}

/* A run made twice into one file has every sample twice: the later one counts, as in reports. */
static void test_score_repeated(void **state)
{
    (void)state;
    model_folder_write_text(&folder, "twice.jsonl",
                            "{\"prediction\": \"fox\", \"answers\": [\"fox\"], \"config_key\": \"x\", \"index\": 0}\n"
                            "{\"prediction\": \"fox\", \"answers\": [\"fox\"], \"config_key\": \"x\", \"index\": 1}\n"
                            "{\"prediction\": \"dog\", \"answers\": [\"fox\"], \"config_key\": \"x\", \"index\": 0}\n");
    struct process process = {.closed = -1};
    run_process(&process, "score longbench/qasper $D/twice.jsonl");
    assert_int_equal(process.code, 0);
    assert_non_null(strstr(process.err, "warning: 1 lines of "));
    free(process.err);
    json_t *lines = record_lines_parse(process.out);
    assert_int_equal(json_array_size(lines), 3);
    check_summary(json_array_get(lines, 2), 2, 0.5, "x");
    json_decref(lines);
}

/* 1,000 equal words score 1 here and 0 in Python, which gives up on its recursion: that is said. */
static void test_score_too_deep(void **state)
{
    (void)state;
    char line[16384] = "{\"prediction\": \"", words[8000] = "";
    for (int i = 0; i < 1000; i++)
        sprintf(words + strlen(words), "w%d ", i);
    sprintf(line + strlen(line), "%s\", \"answers\": [\"%s\"]}\n", words, words);
    model_folder_write_text(&folder, "deep.jsonl", line);
    struct process process = {.closed = -1};
    run_process(&process, "score longbench/gov_report $D/deep.jsonl");
    assert_int_equal(process.code, 0);
    assert_non_null(strstr(process.err, "note: 1 ROUGE-L pairs go beyond Python's recursion limit"));
    process_free(&process);
}

/* A broken line is named and nothing is printed; no output at all is no score. */
static void test_score_refused(void **state)
{
    (void)state;
    static const char good[] = "{\"prediction\": \"fox\", \"answers\": [\"fox\"]}\n";
    static const struct {
        const char *more, *said;
    } cases[] = {{"{\"prediction\": \"fox\", \"answers\": \"fox\"}\n", "score.jsonl, line 2: 'answers'"},
                 {"{\"answers\": [\"fox\"]}\n", "score.jsonl, line 2: 'prediction'"},
                 {"{\"prediction\": \n{}\n", "score.jsonl, line 2: malformed JSON"},
                 {NULL, "score.jsonl holds no output of longbench/qasper"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        snprintf(text, sizeof text, "%s%s", cases[i].more != NULL ? good : "", cases[i].more != NULL ? cases[i].more : "");
        model_folder_write_text(&folder, "score.jsonl", text);
        struct process process = {.closed = -1};
        run_process(&process, "score longbench/qasper $D/score.jsonl");
        assert_int_equal(process.code, 1);
        assert_int_equal(process.n_out, 0);
        assert_non_null(strstr(process.err, cases[i].said));
        process_free(&process);
    }
}

/* One prefill for all methods that leave it as it is gives what a prefill for each gives: records, scores, texts, logits. */
static void test_sharing(void **state)
{
    (void)state;
    static const char *const methods[] = {"full", "streamingllm", "h2o", "snapkv"};
#define SHARING "eval $M --task needle/single_essay --context 512 --samples 3 --kv-rate 0.1,0.3 --profile paper,fastkv "
    free(run(SHARING "--method full,streamingllm,h2o,snapkv -o $D/together.jsonl"));
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        for (int r = 0; r < 2; r++) {
            char line[256];
            snprintf(line, sizeof line, SHARING "--method %s -o $D/%s.jsonl --resume", methods[i], "apart");
            free(run(line));
        }
    json_t *together = load_lines("together.jsonl"), *apart = load_lines("apart.jsonl");
    json_t *samples = load_lines("together.samples.jsonl"), *samples_apart = load_lines("apart.samples.jsonl");
    assert_int_equal(json_array_size(together), 2 + 3 * 2 * 2);
    record_lines_check_same(apart, together, "records");
    record_lines_check_same(samples_apart, samples, "samples");
    json_decref(together);
    json_decref(apart);
    json_decref(samples);
    json_decref(samples_apart);
}

static void cut(const char *name, size_t n_off)
{
    size_t n;
    char *text = record_lines_text(model_folder_file(&folder, name), &n);
    model_folder_write(&folder, name, text, n > n_off ? n - n_off : 0);
    free(text);
}

static void check_resumed(const json_t *records, const json_t *samples)
{
    free(run(EVAL "-o $D/cut.jsonl --resume"));
    json_t *now = load_lines("cut.jsonl"), *samples_now = load_lines("cut.samples.jsonl");
    record_lines_check_same(now, records, "records");
    record_lines_check_same(samples_now, samples, "samples");
    json_decref(now);
    json_decref(samples_now);
}

/* A run that was killed leaves whole lines and perhaps a part of one; --resume ends with what an undisturbed run writes. */
static void test_resume(void **state)
{
    (void)state;
    free(run(EVAL "-o $D/whole.jsonl"));
    json_t *records = load_lines("whole.jsonl"), *samples = load_lines("whole.samples.jsonl");
    size_t n, n_samples;
    char *whole = record_lines_text(model_folder_file(&folder, "whole.jsonl"), &n), *whole_samples = record_lines_text(model_folder_file(&folder, "whole.samples.jsonl"), &n_samples);
    static const size_t lost[] = {0, 1, 2, 100, 3000, 10000, 1 << 20};
    for (size_t i = 0; i < sizeof lost / sizeof *lost; i++) {
        printf("%zu bytes lost\n", lost[i]);
        model_folder_write(&folder, "cut.jsonl", whole, n);
        model_folder_write(&folder, "cut.samples.jsonl", whole_samples, n_samples);
        cut("cut.jsonl", lost[i]);
        cut("cut.samples.jsonl", lost[i] > 1 << 16 ? lost[i] : lost[i] / 2);
        check_resumed(records, samples);
    }
    free(whole);
    free(whole_samples);
    json_decref(records);
    json_decref(samples);
}

static void test_kill(void **state)
{
    (void)state;
    free(run(EVAL "-o $D/whole2.jsonl"));
    json_t *records = load_lines("whole2.jsonl"), *samples = load_lines("whole2.samples.jsonl");
    static const int after_ms[] = {20, 60, 100, 140, 200, 300};
    for (size_t i = 0; i < sizeof after_ms / sizeof *after_ms; i++) {
        struct process process = {.closed = -1, .kill_after_ms = after_ms[i]};
        run_process(&process, EVAL "-o $D/cut.jsonl --resume");
        process_free(&process);
        if (i % 2 == 0)
            continue; /* killed a second time */
        check_resumed(records, samples);
        model_folder_remove(&folder, "cut.jsonl");
        model_folder_remove(&folder, "cut.samples.jsonl");
    }
    json_decref(records);
    json_decref(samples);
}

/* A malformed line that is not the last is no accident of a killed run. */
static void test_resume_malformed(void **state)
{
    (void)state;
    model_folder_write_text(&folder, "bad.jsonl", "{\"schema\":1\n{}\n");
    struct process process = {.closed = -1};
    run_process(&process, EVAL "-o $D/bad.jsonl --resume");
    assert_int_equal(process.code, 1);
    assert_true(process_is_sentence(process.err));
    assert_non_null(strstr(process.err, "line 1"));
    process_free(&process);
}

/* ---- memory ------------------------------------------------------------------------------------------------------------ */

static int64_t peak_of(const char *method)
{
    char line[256];
    snprintf(line, sizeof line, "bench $M --context 2k --phase prefill --samples 1 --warmup 0 --force --kv-rate 0.1 --json --method %s",
             method);
    json_t *records = record_lines_parse(run(line));
    int64_t peak = integer(json_array_get(records, 0), "peak_bytes");
    json_decref(records);
    return peak;
}

/* What does not fit is a record, what fits beside it runs, and the exit code is 0. */
static void test_memory(void **state)
{
    (void)state;
    int64_t little = peak_of("streamingllm"), much = peak_of("full");
    assert_true(much > little + 100000);
    static const char *const forms[] = {
        "eval $M --task needle/single_noise --context 2k --samples 2 --kv-rate 0.1 --json --method full,streamingllm,gemfilter",
        "bench $M --context 2k --samples 2 --warmup 0 --kv-rate 0.1 --json --force --new-tokens 2 --method full,streamingllm"};
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
        char line[256];
        snprintf(line, sizeof line, "%s --memory-limit %lld", forms[f], (long long)(little + (much - little) / 2));
        json_t *records = record_lines_parse(run(line)), *record;
        size_t i;
        json_array_foreach(records, i, record) {
            bool fits = strcmp(text_of(record, "method"), "full") != 0;
            assert_string_equal(text_of(record, "status"), fits ? "ok" : "oom");
            if (!fits)
                assert_non_null(strstr(text_of(record, "reason"), "memory limit"));
            assert_true(json_is_null(json_object_get(record, "reason")) == fits);
        }
        assert_true(i >= 2);
        json_decref(records);
    }
}

/* Methods that share a prefill do not take each other's memory: three that fit alone run also together. */
static void test_memory_shared(void **state)
{
    (void)state;
    char line[256];
    snprintf(line, sizeof line, "eval $M --task needle/single_noise --context 2k --samples 1 --kv-rate 0.1 --json "
             "--method full,snapkv,streamingllm,h2o --memory-limit %lld", (long long)peak_of("full") * 6 / 5);
    char *text = run(line);
    json_t *records = record_lines_parse(text), *record;
    size_t i;
    json_array_foreach(records, i, record)
        assert_string_equal(text_of(record, "status"), "ok");
    assert_int_equal(i, 4);
    json_decref(records);
}

/* ---- bench ------------------------------------------------------------------------------------------------------------- */

static void test_bench(void **state)
{
    (void)state;
    char *table = run("bench $M --method full,fastkv --context 128,256 --samples 2 --warmup 0 --new-tokens 4 --force "
                      "-o $D/bench.jsonl");
    assert_non_null(strstr(table, "fastkv"));
    free(table);
    json_t *records = load_lines("bench.jsonl"), *record;
    assert_int_equal(json_array_size(records), 4);
    size_t i;
    json_array_foreach(records, i, record) {
        check_fields(record);
        assert_string_equal(text_of(record, "status"), "ok");
        static const char *const times[] = {"prefill", "decode_token", "e2e"};
        for (int t = 0; t < 3; t++) {
            char key[64];
            snprintf(key, sizeof key, "%s_median_ns", times[t]);
            assert_true(json_number_value(json_object_get(record, key)) > 0);
            snprintf(key, sizeof key, "%s_samples_ns", times[t]);
            const json_t *samples = json_object_get(record, key);
            assert_int_equal(json_array_size(samples), 2);
            snprintf(key, sizeof key, "%s_median_ci95_ns", times[t]); /* of two samples: from one to the other */
            const json_t *interval = json_object_get(record, key);
            assert_int_equal(json_array_size(interval), 2);
            for (size_t s = 0; s < 2; s++) {
                double sample = json_number_value(json_array_get(samples, s));
                assert_true(json_number_value(json_array_get(interval, 0)) <= sample);
                assert_true(json_number_value(json_array_get(interval, 1)) >= sample);
            }
        }
        assert_true(json_number_value(json_object_get(record, "prefill_bound_share")) > 0);
    }
    assert_int_not_equal(access(model_folder_file(&folder, "bench.samples.jsonl"), F_OK), 0);
    json_decref(records);
}

/* Peak memory of a method does not depend on the others that it takes turns with. */
static void test_bench_memory(void **state)
{
    (void)state;
    json_t *alone = record_lines_parse(run("bench $M --method full --context 256 --samples 2 --warmup 0 --force --json"));
    json_t *others = record_lines_parse(
        run("bench $M --method full,streamingllm,h2o --profile paper --context 256 --samples 2 --warmup 1 --force --json"));
    static const char *const peaks[] = {"peak_bytes", "peak_prefill_bytes", "peak_decode_bytes"};
    for (int p = 0; p < 3; p++)
        assert_int_equal(integer(json_array_get(others, 0), peaks[p]), integer(json_array_get(alone, 0), peaks[p]));
    assert_true(integer(json_array_get(others, 1), "peak_bytes") != integer(json_array_get(alone, 0), "peak_bytes"));
    json_decref(alone);
    json_decref(others);
}

/* A time limit takes the rounds that it has no room for out of what is left to do. How many that are is a forecast, which a busy
 * machine may belie by the end. */
static void test_bench_time_limit(void **state)
{
    (void)state;
    struct process process = {.closed = -1};
    run_process(&process, "bench $M --method full,snapkv --context 128 --samples 1000 --time-limit 0.2 --new-tokens 2 --force "
                          "--json");
    assert_int_equal(process.code, 0);
    long long done = 0, total = 0, first_total = 0;
    for (const char *line = process.err; line != NULL && *line != '\0'; line = strchr(line, '\n'), line += line != NULL)
        if (sscanf(line, "%lld/%lld ", &done, &total) == 2 && done == 1)
            first_total = total;
    assert_int_equal(first_total, 2 * 1002);
    assert_true(done < first_total && done >= 2 * 3);
    assert_true(total >= done && total < first_total / 2);
    process_free(&process);
}

/* A phase that was not asked for is null, and another run's phases are no reason to leave these out. */
static void test_bench_phases(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) { /* the second time there is nothing to do */
        char line[256];
        snprintf(line, sizeof line, "bench $M --method full --context 64 --samples 2 --warmup 0 --new-tokens 2 --force "
                 "-o $D/phases.jsonl --resume --phase %s", i % 2 == 0 ? "decode" : "e2e");
        free(run(line));
    }
    json_t *records = load_lines("phases.jsonl");
    assert_int_equal(json_array_size(records), 2);
    const json_t *decode = json_array_get(records, 0), *e2e = json_array_get(records, 1);
    assert_true(json_is_null(json_object_get(decode, "prefill_median_ns")));
    assert_true(json_is_null(json_object_get(decode, "e2e_median_ns")));
    assert_true(json_is_null(json_object_get(e2e, "decode_token_median_ns")));
    assert_true(json_is_real(json_object_get(e2e, "e2e_median_ns")));
    json_decref(records);
}

/* Steps that copy the cache are another configuration, end with the same logits, and need its bytes three times. */
static void test_bench_copy_cache(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) { /* the second time there is nothing to do */
        char line[256];
        snprintf(line, sizeof line, "bench $M --method full --context 64 --samples 2 --warmup 0 --new-tokens 2 --force "
                 "-o $D/copy.jsonl --resume%s", i % 2 == 0 ? "" : " --copy-cache");
        free(run(line));
    }
    json_t *records = load_lines("copy.jsonl");
    assert_int_equal(json_array_size(records), 2);
    const json_t *plain = json_array_get(records, 0), *copying = json_array_get(records, 1);
    assert_true(json_is_null(json_object_get(plain, "copy_cache")) && json_is_true(json_object_get(copying, "copy_cache")));
    assert_string_equal(text_of(plain, "logits_hash"), text_of(copying, "logits_hash"));
    double weights = json_number_value(json_object_get(plain, "weight_bytes"));
    double cache = json_number_value(json_object_get(plain, "decode_token_bytes")) - weights;
    assert_true(cache > 0.0 && json_number_value(json_object_get(copying, "decode_token_bytes")) == weights + 3.0 * cache);
    char *table = run("report $D/copy.jsonl");
    assert_non_null(strstr(table, "copies the cache"));
    free(table);
    json_decref(records);
}

/* ---- outputs that break ------------------------------------------------------------------------------------------------ */

static const char *const printing[] = {
    "list methods", "list methods --json", "generate $M --prompt hi --new-tokens 2",
    "generate $M --prompt hi --new-tokens 2 --json", "tokenize $M", "--help", "eval --help",
};

static void test_broken_stdout(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof printing / sizeof *printing; i++)
        for (int closed = 0; closed < 2; closed++) {
            struct process process = {.in = "hi", .n_in = 2, .out_path = closed ? NULL : "/dev/full", .closed = closed ? 1 : -1};
            run_process(&process, printing[i]);
            if (process.code != 1 || !process_is_sentence(process.err))
                fail_msg("`%s`: exit code %d: %s", printing[i], process.code, process.err);
            process_free(&process);
        }
}

/* Where standard output is closed, the results file must not get its number and with it the table. */
static void test_closed_stdout(void **state)
{
    (void)state;
    struct process process = {.closed = 1};
    run_process(&process, EVAL "-o $D/closed.jsonl");
    assert_int_equal(process.code, 1);
    json_t *records = load_lines("closed.jsonl");
    assert_int_equal(json_array_size(records), N_RECORDS);
    json_decref(records);
    process_free(&process);
}

static void test_closed_stdin(void **state)
{
    (void)state;
    static const char *const lines[] = {"tokenize $M", "generate $M --prompt -"};
    for (int i = 0; i < 2; i++) {
        struct process process = {.closed = 0};
        run_process(&process, lines[i]);
        assert_int_equal(process.code, 1);
        assert_true(process_is_sentence(process.err));
        process_free(&process);
    }
}

/* The file is full after the work is done: a sentence, and no file of samples beside a device. */
static void test_full_output(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "eval $M --method full --task needle/single_noise --context 512 --samples 1 -o /dev/full",
        "bench $M --method full --context 64 --samples 2 --warmup 0 --force -o /dev/full"};
    for (int i = 0; i < 2; i++) {
        struct process process = {.closed = -1};
        run_process(&process, lines[i]);
        assert_int_equal(process.code, 1);
        assert_non_null(strstr(process.err, "\nkvlab: cannot write to /dev/full"));
        assert_int_equal(process.n_out, 0);
        process_free(&process);
    }
    assert_int_not_equal(access("/dev/full.samples.jsonl", F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_generate),      cmocka_unit_test(test_prompts),          cmocka_unit_test(test_tokenize),
        cmocka_unit_test(test_list),          cmocka_unit_test(test_list_parameters),  cmocka_unit_test(test_help),
        cmocka_unit_test(test_eval),          cmocka_unit_test(test_score_samples),    cmocka_unit_test(test_score_outputs),
        cmocka_unit_test(test_score_repeated), cmocka_unit_test(test_score_too_deep),
        cmocka_unit_test(test_score_refused), cmocka_unit_test(test_sharing),          cmocka_unit_test(test_resume),           cmocka_unit_test(test_kill),
        cmocka_unit_test(test_resume_malformed), cmocka_unit_test(test_memory),        cmocka_unit_test(test_memory_shared),
        cmocka_unit_test(test_bench),         cmocka_unit_test(test_bench_phases), cmocka_unit_test(test_bench_copy_cache),
        cmocka_unit_test(test_bench_memory),  cmocka_unit_test(test_bench_time_limit),
        cmocka_unit_test(test_broken_stdout),
        cmocka_unit_test(test_closed_stdout), cmocka_unit_test(test_closed_stdin),     cmocka_unit_test(test_full_output),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
