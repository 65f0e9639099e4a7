/* Analyses on the tiny models: masses, overlap, recall and distances against the NumPy implementation in
 * tests/reference/analysis.py, what must hold whatever the model, and the command as scripts use it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/layer_statistics.h"
#include "harness/token_mass.h"
#include "methods/method.h"
#include "tests/support/golden.h"
#include "tests/support/model_folder.h"
#include "tests/support/outcome.h"
#include "tests/support/process.h"

/* ---- against NumPy ----------------------------------------------------------------------------------------------------- */

struct bench {
    struct kvl_ctx *ctx;
    struct kvl_model *model;
    struct kvl_engine *engine;
};

static void bench_open(struct bench *b, const char *name, enum kvl_dtype dtype)
{
    char path[64];
    snprintf(path, sizeof path, "models/%s", name);
    b->ctx = open_cpu(0);
    b->model = load_model(b->ctx, golden_path(path), dtype);
    assert_ok(kvl_engine_init(&b->engine, b->model, 0));
}

static void bench_close(struct bench *b)
{
    kvl_engine_free(b->engine);
    kvl_model_free(b->model);
    b->ctx->be->close(b->ctx);
}

static double number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_number(value))
        fail_msg("%s is no number", key);
    return json_number_value(value);
}

static double item(const json_t *array, int64_t i)
{
    const json_t *value = json_array_get(array, (size_t)i);
    assert_true(json_is_number(value));
    return json_number_value(value);
}

/* Written so that NaN fails. */
static void assert_near(const char *what, double got, double expected, double tolerance)
{
    if (!(fabs(got - expected) <= tolerance * (1.0 + fabs(expected))))
        fail_msg("%s is %.9g, expected %.9g", what, got, expected);
}

static const json_t *row(const json_t *object, const char *key, int64_t i)
{
    return json_array_get(json_object_get(object, key), (size_t)i);
}

static void check_top(const json_t *top, const float *mass, int64_t n_layer, int64_t n, int64_t window)
{
    int64_t wanted = (int64_t)number(top, "k"), n_keys = n - window, k = wanted < n_keys ? wanted : n_keys;
    bool *chosen = malloc((size_t)(n_layer * n) * sizeof *chosen), *all = malloc((size_t)n * sizeof *all);
    for (int64_t l = 0; l < n_layer; l++) {
        assert_ok(kvl_top_tokens(mass + l * n, n_keys, k, chosen + l * n));
        assert_ok(kvl_top_tokens(mass + l * n, n, wanted, all));
        assert_near("recall", kvl_mass_recall(mass + l * n, all, n), item(json_object_get(top, "recall"), l), 1e-5);
    }
    for (int64_t a = 0; a < n_layer; a++)
        for (int64_t b = 0; b < n_layer; b++) /* counts over k: equal, or the choice differs */
            assert_near("overlap", kvl_token_overlap(chosen + a * n, chosen + b * n, n_keys, k), item(row(top, "overlap", a), b),
                        1e-7);
    free(chosen);
    free(all);
}

static void check_window(struct kvl_engine *engine, const json_t *window, const int32_t *ids, int64_t n)
{
    int64_t n_layer = kvl_engine_model(engine)->shape.n_layer, rows = (int64_t)number(window, "window");
    float *mass = malloc((size_t)(n_layer * n) * sizeof *mass);
    size_t i;
    const json_t *top;
    assert_ok(kvl_token_mass(engine, ids, n, rows, mass));
    for (int64_t l = 0; l < n_layer; l++) {
        double sum = 0.0;
        for (int64_t j = 0; j < n; j++) {
            assert_near("mass", mass[l * n + j], item(row(window, "mass", l), j), 2e-5);
            sum += (double)mass[l * n + j];
        }
        assert_near("the masses of a layer", sum, rows > 0 ? (double)rows : (double)n, 1e-5);
    }
    json_array_foreach (json_object_get(window, "tops"), i, top)
        check_top(top, mass, n_layer, n, rows);
    assert_true(i >= 4);
    free(mass);
}

/* Prefills and reads what it ends with. */
static struct kvl_output end_of(struct bench *b, const char *method, const char *settings, double rate, const int32_t *ids,
                                int64_t n)
{
    const struct kvl_shape *shape = &b->model->shape;
    struct kvl_output output = {malloc((size_t)shape->n_embd * sizeof(float)), malloc((size_t)shape->n_vocab * sizeof(float))};
    const struct job job = {.method = method, .profile = KVL_PROFILE_FASTKV, .budget = {.rate = rate}, .settings = settings};
    struct kvl_method_run *run = job_method(&job, shape);
    struct kvl_session session, *sessions[] = {&session};
    assert_ok(kvl_session_init(&session, b->engine, &run->policy, n, 0));
    assert_ok(kvl_engine_prefill(b->engine, &(struct kvl_prefill){.ids = ids, .n = n}, sessions, 1));
    assert_ok(kvl_engine_hidden(b->engine, output.hidden));
    assert_ok(kvl_session_logits(&session, output.logits));
    kvl_session_free(&session);
    free(run);
    return output;
}

static void output_free(struct kvl_output *output)
{
    free(output->hidden);
    free(output->logits);
}

/* The parameter of a method that says where it cuts. */
static const char *cut_param(const char *name)
{
    const struct kvl_method *method;
    assert_ok(kvl_method_find(name, &method));
    for (int i = 0; i < method->n_params; i++)
        if (method->params[i].cuts)
            return method->params[i].name;
    fail_msg("%s cuts at no layer", name);
    return NULL;
}

static void check_cut(struct bench *b, const struct kvl_output *full, const json_t *cut, const int32_t *ids, int64_t n)
{
    char settings[64];
    const char *method = json_string_value(json_object_get(cut, "method"));
    snprintf(settings, sizeof settings, "%s=%.0f", cut_param(method), number(cut, "layer"));
    struct kvl_output other = end_of(b, method, settings, 0.2, ids, n);
    struct kvl_output_distance d = kvl_output_compare(full, &other, b->model->shape.n_embd, b->model->shape.n_vocab);
    printf("%s %s: %.6f %.6f\n", method, settings, d.hidden_l2, d.logits_kl);
    assert_near("hidden_l2", d.hidden_l2, number(cut, "hidden_l2"), 2e-5);
    assert_near("hidden_squared", d.hidden_squared, number(cut, "hidden_squared"), 5e-5);
    assert_near("hidden_cosine", d.hidden_cosine, number(cut, "hidden_cosine"), 2e-5);
    assert_near("logits_l2", d.logits_l2, number(cut, "logits_l2"), 2e-5);
    assert_near("logits_kl", d.logits_kl, number(cut, "logits_kl"), 5e-5);
    assert_true(d.same_top == number(cut, "same_top"));
    output_free(&other);
}

static void test_golden(void **state)
{
    (void)state;
    json_t *root = golden_load("analysis.json");
    size_t c, i;
    const json_t *item_of, *one;
    json_array_foreach (json_object_get(root, "cases"), c, item_of) {
        struct bench b;
        int64_t n;
        int32_t *ids = golden_ids(json_object_get(item_of, "ids"), &n);
        bench_open(&b, json_string_value(json_object_get(item_of, "model")), KVL_F32);
        json_array_foreach (json_object_get(item_of, "windows"), i, one)
            check_window(b.engine, one, ids, n);
        assert_int_equal(i, 2);
        struct kvl_output full = end_of(&b, "full", NULL, 0.0, ids, n);
        json_array_foreach (json_object_get(item_of, "cuts"), i, one)
            check_cut(&b, &full, one, ids, n);
        assert_int_equal(i, 2 * b.model->shape.n_layer);
        output_free(&full);
        free(ids);
        bench_close(&b);
    }
    assert_int_equal(c, 2);
    json_decref(root);
}

/* ---- the engine's hidden state and the observer ------------------------------------------------------------------------ */

static void test_hidden(void **state)
{
    (void)state;
    enum { N = 65 };
    struct kvl_output outputs[2];
    int64_t n_embd = 0;
    for (int dtype = KVL_F32; dtype <= KVL_BF16; dtype++) {
        struct bench b;
        bench_open(&b, "llama-tiny", (enum kvl_dtype)dtype);
        float *early = malloc((size_t)b.model->shape.n_embd * sizeof *early);
        assert_int_equal(kvl_engine_hidden(b.engine, early), KVL_E_ARG);
        free(early);
        n_embd = b.model->shape.n_embd;
        int32_t *ids = random_ids(N, b.model->shape.n_vocab, 5);
        outputs[dtype] = end_of(&b, "full", NULL, 0.0, ids, N);
        free(ids);
        bench_close(&b);
    }
    struct kvl_output_distance d = kvl_output_compare(&outputs[KVL_F32], &outputs[KVL_BF16], n_embd, 320);
    assert_true(d.hidden_l2 > 0.0 && d.hidden_l2 < 0.05); /* bfloat16 has 8 bits */
    output_free(&outputs[0]);
    output_free(&outputs[1]);
}

static void test_observer(void **state)
{
    (void)state;
    enum { N = 40 };
    struct bench b;
    bench_open(&b, "mistral-tiny", KVL_F32);
    int32_t *ids = random_ids(N, b.model->shape.n_vocab, 6);
    float *mass = malloc((size_t)(b.model->shape.n_layer * N) * sizeof *mass);
    assert_int_equal(kvl_token_mass(b.engine, ids, N, N, mass), KVL_E_ARG);
    assert_int_equal(kvl_token_mass(b.engine, ids, N, -1, mass), KVL_E_ARG);
    struct kvl_output full = end_of(&b, "full", NULL, 0.0, ids, N), seen = end_of(&b, "full", NULL, 0.0, ids, N);
    int64_t held = b.ctx->memory.current;
    assert_ok(kvl_token_mass(b.engine, ids, N, 8, mass));
    assert_int_equal(b.ctx->memory.current, held);
    assert_ok(kvl_engine_hidden(b.engine, seen.hidden)); /* of the observed run: the full cache's, bit for bit */
    assert_memory_equal(seen.hidden, full.hidden, (size_t)b.model->shape.n_embd * sizeof(float));
    output_free(&full);
    output_free(&seen);
    free(mass);
    free(ids);
    bench_close(&b);
}

/* ---- the command ------------------------------------------------------------------------------------------------------- */

static struct model_folder folder, texts;

static int set_up(void **state)
{
    (void)state;
    static const char *const words[] = {"one", "two", "hello", "there", "7"};
    char text[4096];
    model_folder_init(&folder);
    model_folder_init(&texts);
    for (int i = 0; i < 3; i++) {
        char name[16];
        size_t n = 0;
        for (int w = 0; w < 200; w++)
            n += (size_t)snprintf(text + n, sizeof text - n, "%s ", words[(w * w + i * w) % 5]);
        snprintf(name, sizeof name, "%d.txt", i);
        model_folder_write_text(&texts, name, text);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    model_folder_free(&folder);
    model_folder_free(&texts);
    return 0;
}

/* $T in a line is the folder of texts. Standard output; free() it. */
static char *run(const char *line)
{
    char model[1024], with_texts[1024];
    const char *at = strstr(line, "$T");
    snprintf(with_texts, sizeof with_texts, "%.*s%s%s", at != NULL ? (int)(at - line) : (int)strlen(line), line,
             at != NULL ? texts.path : "", at != NULL ? at + 2 : "");
    snprintf(model, sizeof model, "%s", golden_path("models/llama-tiny"));
    const char *const *words = process_split(with_texts, model, folder.path);
    struct process process = {.program = KVLAB_PROGRAM, .folder = folder.path, .in = "", .closed = -1};
    process_run(&process, words);
    free((void *)(uintptr_t)words);
    if (process.code != 0)
        fail_msg("`%s`: exit code %d: %s", with_texts, process.code, process.err);
    free(process.err);
    return process.out;
}

static json_t *parse_lines(char *text)
{
    json_t *lines = json_array();
    for (char *rest = text, *line; (line = strtok_r(rest, "\n", &rest)) != NULL;) {
        json_t *value = json_loads(line, 0, NULL);
        if (value == NULL)
            fail_msg("no JSON: %.200s", line);
        json_array_append_new(lines, value);
    }
    free(text);
    return lines;
}

static json_t *run_json(const char *line)
{
    return parse_lines(run(line));
}

static json_t *load_lines(const char *name)
{
    char text[1 << 20];
    FILE *file = fopen(model_folder_file(&folder, name), "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return parse_lines(strdup(text));
}

static void test_overlap_command(void **state)
{
    (void)state;
    json_t *records = run_json("analyze overlap $M --task needle/single_noise --context 512 --samples 2 --top 0.1,1,40 --json");
    const json_t *record;
    size_t i;
    assert_int_equal(json_array_size(records), 3);
    json_array_foreach (records, i, record) {
        int64_t n_layer = (int64_t)number(record, "n_layer");
        assert_string_equal(json_string_value(json_object_get(record, "kind")), "analyze");
        assert_string_equal(json_string_value(json_object_get(record, "status")), "ok");
        double apart = 0.0;
        for (int64_t a = 0; a < n_layer; a++)
            for (int64_t b = 0; b < n_layer; b++) {
                double here = item(row(record, "overlap", a), b);
                assert_true(here >= 0.0 && here <= 1.0 && here == item(row(record, "overlap", b), a));
                assert_true(a != b || here == 1.0);
                apart += 1.0 - here;
            }
        assert_true(i == 1 ? apart == 0.0 : apart > 0.0); /* --top 1: all tokens */
        for (int64_t d = 0; d < n_layer; d++) {
            double sum = 0.0;
            for (int64_t a = 0; a + d < n_layer; a++)
                sum += item(row(record, "overlap", a), a + d);
            assert_near("a mean", item(json_object_get(record, "overlap_by_distance"), d), sum / (double)(n_layer - d), 1e-6);
        }
    }
    assert_true(number(json_array_get(records, 2), "top_tokens_mean") == 40.0);
    json_decref(records);
}

static void test_recall_command(void **state)
{
    (void)state;
    json_t *records = run_json("analyze recall $M --texts $T --context 200 --top 0.05,0.5,1 --window 0 --dtype f32 --json");
    const json_t *small = json_array_get(records, 0), *half = json_array_get(records, 1), *all = json_array_get(records, 2);
    assert_int_equal(json_array_size(records), 3);
    assert_int_equal(number(small, "n_samples"), 3); /* as many as there are texts */
    assert_true(number(small, "tokens_in_mean") == 200.0 && number(small, "top_tokens_mean") == 10.0);
    for (int64_t l = 0; l < 6; l++) {
        double a = item(json_object_get(small, "recall"), l), b = item(json_object_get(half, "recall"), l);
        assert_true(a > 0.05 && a < b && b < 1.0); /* more than chance, and more for more */
        assert_true(item(json_object_get(all, "recall"), l) == 1.0);
        assert_true(item(json_object_get(all, "recall_stderr"), l) == 0.0);
    }
    json_decref(records);
}

/* Nothing held back, and nothing left behind it: exactly the full cache. */
static void test_no_cut_is_no_distance(void **state)
{
    (void)state;
    json_t *records = run_json("analyze distance $M --method fastkv --set fastkv.tsp_rate=0.3,1 --texts $T --json");
    const json_t *record;
    size_t i;
    int n_zero = 0;
    assert_int_equal(json_array_size(records), 12);
    json_array_foreach (records, i, record) {
        bool whole = number(json_object_get(record, "params"), "tsp_rate") == 1.0, last = number(record, "layer") == 5.0;
        bool zero = number(record, "hidden_l2") == 0.0 && number(record, "logits_l2") == 0.0 && number(record, "logits_kl") == 0.0
                    && number(record, "same_top") == 1.0;
        assert_int_equal(zero, whole || last);
        n_zero += zero;
        assert_int_equal(json_array_size(json_object_get(record, "hidden_l2_samples")), 3);
    }
    assert_int_equal(n_zero, 7);
    json_decref(records);
}

/* The mean over all prompts of all sources decides, the earliest layer on a tie (behind tsp_rate 1 all are 0). */
static void test_layer_search(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "analyze tsp-layer $M --task needle/single_noise --context 400,512 --samples 2 --bound 3 --json",
        "analyze tsp-layer $M --task needle/single_noise --context 512 --samples 2 --set fastkv.tsp_rate=1 --bound 4 --json"};
    for (int i = 0; i < 2; i++) {
        int n_sources = i == 0 ? 2 : 1, n_layers = i == 0 ? 4 : 5;
        json_t *records = run_json(lines[i]);
        assert_int_equal(json_array_size(records), n_sources * n_layers + 1);
        const json_t *found = json_array_get(records, (size_t)(n_sources * n_layers));
        assert_string_equal(json_string_value(json_object_get(found, "analysis")), "tsp-layer");
        int best = -1;
        double least = INFINITY;
        for (int l = 0; l < n_layers; l++) {
            double sum = 0.0;
            for (int s = 0; s < n_sources; s++) {
                const json_t *record = json_array_get(records, (size_t)(s * n_layers + l));
                assert_true(number(record, "layer") == l);
                sum += number(record, "hidden_squared");
            }
            assert_near("a mean", item(json_object_get(found, "hidden_squared_means"), l), sum / n_sources, 1e-9);
            if (sum < least) {
                least = sum;
                best = l;
            }
        }
        char setting[64];
        snprintf(setting, sizeof setting, "fastkv.tsp_layer=%d", best);
        assert_int_equal(number(found, "layer"), best);
        assert_string_equal(json_string_value(json_object_get(found, "setting")), setting);
        if (i == 1)
            assert_int_equal(best, 0);
        json_decref(records);
    }
    char *table = run("analyze tsp-layer $M --task needle/single_noise --context 512 --samples 1");
    assert_non_null(strstr(table, "up to the bound 2"));
    assert_non_null(strstr(table, "\n  --set fastkv.tsp_layer="));
    assert_null(strstr(table, "gemfilter")); /* it begins again and has no TSP layer */
    free(table);
}

static void same_results(const json_t *a, const json_t *b)
{
    const char *name;
    json_t *value;
    json_object_foreach ((json_t *)a, name, value) {
        static const char *const may_differ[] = {"run_id", "time_utc", "argv", "clock_mhz"};
        bool differs = false;
        for (size_t i = 0; i < sizeof may_differ / sizeof *may_differ; i++)
            differs = differs || strcmp(name, may_differ[i]) == 0;
        if (!differs && !json_equal(value, json_object_get(b, name)))
            fail_msg("%s differs", name);
    }
}

/* A file that was cut off behind its third record is completed to what it would have been. */
static void test_resume(void **state)
{
    (void)state;
    static const char line[] = "analyze tsp-layer $M --task needle/single_noise --context 512 --samples 2 --bound 4 -o part.jsonl";
    char resume[256];
    snprintf(resume, sizeof resume, "%s --resume", line);
    free(run(line));
    json_t *whole = load_lines("part.jsonl");
    assert_int_equal(json_array_size(whole), 6);
    FILE *file = fopen(model_folder_file(&folder, "part.jsonl"), "w");
    for (size_t i = 0; i < 3; i++) {
        char *text = json_dumps(json_array_get(whole, i), JSON_COMPACT);
        fprintf(file, "%s\n", text);
        free(text);
    }
    fclose(file);
    free(run(resume));
    json_t *resumed = load_lines("part.jsonl");
    assert_int_equal(json_array_size(resumed), 6);
    for (size_t i = 0; i < 6; i++)
        same_results(json_array_get(whole, i), json_array_get(resumed, i));
    free(run(resume));
    json_t *again = load_lines("part.jsonl");
    assert_int_equal(json_array_size(again), 6); /* nothing is left to do */
    json_decref(whole);
    json_decref(resumed);
    json_decref(again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),          cmocka_unit_test(test_hidden),
        cmocka_unit_test(test_observer),        cmocka_unit_test(test_overlap_command),
        cmocka_unit_test(test_recall_command),  cmocka_unit_test(test_no_cut_is_no_distance),
        cmocka_unit_test(test_layer_search),    cmocka_unit_test(test_resume),
    };
    return test_result(cmocka_run_group_tests(tests, set_up, tear_down));
}
