/* Published numbers: the files, the match of models, and the table beside ours. */
#include <sys/stat.h>

#include "harness/published.h"
#include "tests/harness/made_up_report.h"

/* ---- the files of results/published ----------------------------------------------------------------------------------- */

static double value_of(const struct kvl_published *published, const char *model, const char *method, double rate,
                       const char *measure, double context)
{
    for (int r = 0; r < published->n_rows; r++) {
        const struct kvl_published_row *row = &published->rows[r];
        if (strcmp(row->model, model) != 0 || strcmp(row->method, method) != 0
            || !(row->kv_rate == rate || (isnan(rate) && isnan(row->kv_rate))))
            continue;
        for (int c = 0; c < published->n_columns; c++)
            if (strcmp(published->columns[c].measure, measure) == 0
                && (published->columns[c].context == context || (isnan(context) && isnan(published->columns[c].context))))
                return row->values[c];
    }
    fail_msg("no %s of %s for %s", measure, method, model);
    return NAN;
}

/* A few cells of the papers' tables, one of each file's shape. */
static void the_files(void **state)
{
    (void)state;
    static const struct {
        const char *name, *model, *method;
        double rate;
        const char *measure;
        double context, value;
    } cells[] = {
        {"longbench", "LLaMA-3.1-8B-Instruct", "fastkv", 0.1, "trec", NAN, 73.0},
        {"longbench", "Ministral-8B-Instruct", "full", NAN, "category_mean", NAN, 51.87},
        {"ruler", "LLaMA-3.1-8B-Instruct", "snapkv", 0.1, "task_mean", 131072, 67.7},
        {"ruler", "LLaMA-3.1-8B-Instruct", "pyramidinfer", 0.6, "task_mean", 16384, NAN},
        {"ruler_official", "LLaMA-3.1-8B-Instruct", "full", NAN, "task_mean", 4096, 95.5},
        {"ruler_asl", "Llama-3.1-8B-UL", "fastkv", NAN, "task_mean", 8192, 85.8},
        {"needle", "LLaMA-3.1-8B-Instruct", "gemfilter", 0.1, "task_mean", NAN, 95.8},
        {"latency", "LLaMA-3.1-8B-Instruct", "fastkv", NAN, "prefill_s", 65536, 5.55},
        {"latency", "LLaMA-3.1-8B-Instruct", "fastkv", NAN, "decode_speedup", 131072, 2.87},
        {"ablation_kv_rate", "LLaMA-3.1-8B-Instruct", "fastkv", 0.5, "category_mean", NAN, 49.86},
        {"ablation_tsp_layer", "LLaMA-3.1-8B-Instruct", "fastkv", 0.1, "category_mean", NAN, 30.43},
    };
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
        struct kvl_published published;
        assert_ok(kvl_published_load(&published, cells[i].name));
        double got = value_of(&published, cells[i].model, cells[i].method, cells[i].rate, cells[i].measure, cells[i].context);
        if (!(got == cells[i].value || (isnan(got) && isnan(cells[i].value))))
            fail_msg("%s: %g is not %g", cells[i].name, got, cells[i].value);
        kvl_published_free(&published);
    }
}

/* Every printed mean of LongBench follows from its tasks, to the second decimal. */
static void means_follow_from_their_tasks(void **state)
{
    (void)state;
    struct kvl_published published;
    assert_ok(kvl_published_load(&published, "longbench"));
    assert_int_equal(published.n_columns, 18);
    for (int r = 0; r < published.n_rows; r++) {
        double sum = 0;
        for (int c = 0; c < 16; c++)
            sum += published.rows[r].values[c];
        if (!(fabs(sum / 16 - published.rows[r].values[16]) <= 0.00501))
            fail_msg("row %d: %g is not %g", r, sum / 16, published.rows[r].values[16]);
    }
    kvl_published_free(&published);
}

static void list(void **state)
{
    (void)state;
    json_t *items;
    assert_ok(kvl_published_list(&items));
    assert_true(json_array_size(items) >= 8);
    assert_string_equal(kvl_record_text(json_array_get(items, 0), "name"), "ablation_kv_rate");
    json_decref(items);
}

static void wrong_names(void **state)
{
    (void)state;
    assert_int_equal(kvl_published_check("longbnech"), KVL_E_ARG);
    assert_has(kvl_last_error(), "did you mean 'longbench'?");
    assert_int_equal(kvl_published_check("../published/ruler"), KVL_E_ARG);
    assert_int_equal(kvl_published_check("zzz"), KVL_E_ARG);
    assert_has(kvl_last_error(), "latency, longbench, needle");
}

/* ---- files of one's own ----------------------------------------------------------------------------------------------- */

#define ROWS(rows) "{\"title\": \"T\", \"source\": \"S\", \"kind\": \"eval\", \"family\": \"needle\", \"columns\": " \
                   "[{\"measure\": \"vt\"}, {\"measure\": \"task_mean\"}], \"rows\": [" rows "]}"

/* $KVLAB_DATA/published/own.json */
static void use_own(const char *text)
{
    static char folder[300];
    snprintf(folder, sizeof folder, "%s", made_up_path("published"));
    mkdir(folder, 0777);
    setenv("KVLAB_DATA", made_up_folder(), 1);
    made_up_write(made_up_path("published/own.json"), text);
}

static void stop_own(void)
{
    unsetenv("KVLAB_DATA");
    unlink(made_up_path("published/own.json"));
    rmdir(made_up_path("published"));
}

static void malformed_files(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } files[] = {
        {"{\"title\": \"T\"}", "source"},
        {"{\"title\": \"T\", \"source\": \"S\", \"kind\": \"x\", \"columns\": [], \"rows\": []}", "kind"},
        {ROWS("{\"model\": \"M\", \"method\": \"full\", \"kv_rate\": null, \"scores\": [1]}"), "rows[0]: scores must be"},
        {ROWS("{\"model\": \"M\", \"method\": \"full\", \"kv_rate\": null, \"scores\": {\"vt\": \"1\"}}"), "score of vt"},
        {ROWS("{\"model\": \"M\", \"scores\": [1, 2]}"), "method"},
        {"{", "own.json"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        use_own(files[i].text);
        assert_int_equal(kvl_published_check("own"), KVL_E_FORMAT);
        assert_has(kvl_last_error(), files[i].part);
        assert_has(kvl_last_error(), "own.json");
    }
    stop_own();
}

/* ---- the same model --------------------------------------------------------------------------------------------------- */

static json_t *llama_shape(const char *name, const char *source)
{
    return json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:i}", "model", name, "model_source", source, "n_layer", 32, "n_embd",
                     4096, "n_head", 32, "n_kv", 8, "head_size", 128, "n_ff", 14336);
}

static void assert_match(const char *published, const char *name, const char *source, bool expected, const char *expected_how)
{
    json_t *record = llama_shape(name, source);
    const char *how;
    bool got = kvl_published_is_model(published, record, &how);
    if (got != expected || (expected && strcmp(how, expected_how) != 0))
        fail_msg("%s and %s: %d %s", published, name, got, how);
    json_decref(record);
}

static void models_by_name_and_shape(void **state)
{
    (void)state;
    const char *llama = "LLaMA-3.1-8B-Instruct";
    assert_match(llama, "Meta-Llama-3.1-8B-Instruct-Q4_0", "a.gguf", true, "by name");
    assert_match(llama, "llama-3.1-8b", "a.gguf", true, "by name");
    assert_match(llama, "finetune", "a.gguf", true, "by shape");
    assert_match(llama, "llama-3.1-8b", "random:llama-3.1-8b", true, "by shape, with random weights");
    assert_match("Llama-3.1-8B-UL", "finetune", "a.gguf", true, "by shape");
    assert_match("Ministral-8B-Instruct", "Ministral-8B-Instruct-2410", "a.gguf", true, "by name");
    assert_match("Ministral-8B-Instruct", "Llama-3.1-8B-Instruct", "a.gguf", false, NULL);
    assert_match("Mistral-Nemo-12B-Instruct", "Llama-3.1-8B-Instruct", "a.gguf", false, NULL);
    assert_match("LLaMA-3.1-80B-Instruct", "llama-3.1-8b", "a.gguf", false, NULL); /* words, not parts of them */
}

/* ---- beside ours ------------------------------------------------------------------------------------------------------ */

static json_t *as_llama(json_t *record)
{
    json_object_set_new(record, "model", json_string("Llama-3.1-8B-Instruct"));
    return record;
}

static json_t *ruler(const char *method, double rate, int context, double score)
{
    return as_llama(made_up_eval(method, rate, context, "ruler/vt", score, 0.01));
}

static const char *write_ruler(void)
{
    const char *path = new_file("ruler.jsonl");
    made_up_append(path, ruler("full", NAN, 8192, 0.9));
    made_up_append(path, ruler("full", NAN, 16384, 0.94));
    made_up_append(path, ruler("fastkv", 0.1, 8192, 0.78));
    made_up_append(path, ruler("snapkv", 0.2, 8192, 0.99)); /* published at 0.1 only */
    json_t *pyramid = ruler("pyramidinfer", NAN, 8192, 0.665);
    json_object_set_new(pyramid, "kv_bytes", json_integer((json_int_t)(0.596 * 46080 * 8192)));
    made_up_append(path, pyramid);
    return path;
}

static void beside_ours(void **state)
{
    (void)state;
    char *text = published_report_of(write_ruler(), KVL_TABLE_TEXT, "ruler");
    assert_has(text, "Published beside ours: RULER, mean of 11 tasks\n"
                     "\n"
                     "                                   ----------- task_mean -----------\n"
                     "method        KV rate  numbers        8k    16k    32k    64k   128k\n"
                     "------------  -------  ----------  -----  -----  -----  -----  -----\n"
                     "full                -  published   90.10  95.00  83.40  85.50  76.30\n"
                     "                       ours        90.00  94.00      -      -      -\n"
                     "                       difference  -0.10  -1.00      -      -      -\n"
                     "streamingllm      0.1  published   15.00  21.50  24.40  16.90  15.00\n"
                     "                       ours            -      -      -      -      -\n");
    assert_has(text, "snapkv            0.1  published   75.60  76.80  72.90  75.00  67.70\n"
                     "                       ours            -      -      -      -      -\n");
    assert_has(text, "pyramidinfer      0.6  published   66.50      -      -      -      -\n"
                     "                       ours        66.50      -      -      -      -\n"
                     "                       difference  +0.00      -      -      -      -\n");
    assert_has(text, "fastkv            0.1  published   77.80  77.30  77.20  77.40  68.20\n"
                     "                       ours        78.00      -      -      -      -\n"
                     "                       difference  +0.20      -      -      -      -\n");
    assert_has(text, "\nPublished: FastKV, arXiv 2502.01068 v7, RULER table: LLaMA-3.1-8B-Instruct, 10 % KV, 11 tasks, 64 new tokens. "
                     "Difference: ours minus published.\n"
                     "Ours, Llama-3.1-8B-Instruct, is matched with published LLaMA-3.1-8B-Instruct by name.\n"
                     "Our means are of what was run of ruler: vt (1 task).\n");
    free(text);
}

/* In CSV the comparison is the table, a line for each published number. */
static void beside_ours_in_csv(void **state)
{
    (void)state;
    char *csv = published_report_of(write_ruler(), KVL_TABLE_CSV, "ruler");
    assert_cell(csv, 1, "method", "full");
    assert_cell(csv, 1, "context", "8192");
    assert_cell(csv, 1, "published", "90.1");
    assert_cell(csv, 1, "ours", "90");
    assert_cell(csv, 1, "difference", "-0.1");
    assert_cell(csv, 1, "our model", "Llama-3.1-8B-Instruct");
    assert_cell(csv, 3, "ours", "");
    assert_cell(csv, 3, "difference", "");
    assert_cell(csv, 6, "method", "streamingllm");
    assert_cell(csv, 6, "our model", "");
    free(csv);
}

static void longbench_by_task(void **state)
{
    (void)state;
    const char *path = new_file("lb.jsonl");
    made_up_append(path, as_llama(made_up_eval("fastkv", 0.1, 0, "longbench/trec", 0.74, 0.01)));
    made_up_append(path, as_llama(made_up_with(made_up_eval("fastkv", 0.1, 0, "longbench/trec", 0.72, 0.01), "protocol",
                                               json_string("fastkv"))));
    char *csv = published_report_of(path, KVL_TABLE_CSV, "longbench"), *text;
    assert_has(csv, "LLaMA-3.1-8B-Instruct,fastkv,,0.1,,,trec,73,72,-1,Llama-3.1-8B-Instruct,protocol fastkv\n");
    assert_has(csv, "LLaMA-3.1-8B-Instruct,fastkv,,0.1,,,trec,73,74,1,Llama-3.1-8B-Instruct,protocol plain\n");
    free(csv);
    text = published_report_of(path, KVL_TABLE_TEXT, "longbench");
    assert_has(text, "ours, protocol fastkv");
    assert_has(text, "Not shown, published for other models: Ministral-8B-Instruct, Mistral-Nemo-12B-Instruct.\n");
    free(text);
}

/* By parameters, and the mean over contexts where the paper says none. */
static void parameters_and_means(void **state)
{
    (void)state;
    use_own(ROWS("{\"model\": \"Tiny-1M\", \"method\": \"fastkv\", \"kv_rate\": 0.1, \"params\": {\"tsp_layer\": 3}, \"scores\": [50, null]}"));
    const char *path = new_file("params.jsonl");
    for (int context = 1024; context <= 2048; context *= 2)
        for (int layer = 3; layer <= 4; layer++)
            made_up_append(path, made_up_with(made_up_eval("fastkv", 0.1, context, "needle/vt", context == 1024 ? 0.25 : 0.5 * layer / 3,
                                                           0.1), "params", json_pack("{s:i}", "tsp_layer", layer)));
    char *csv = published_report_of(path, KVL_TABLE_CSV, "own");
    assert_cell(csv, 1, "parameters", "tsp_layer=3");
    assert_cell(csv, 1, "ours", "37.5");
    assert_cell(csv, 1, "difference", "-12.5");
    char cell[64];
    assert_false(csv_cell(csv, 2, 0, cell, sizeof cell)); /* one number was published */
    free(csv);
    made_up_append(path, made_up_eval("fastkv", 0.1, 4096, "trace/variables", 0.5, 0.1)); /* of another family */
    char *text = published_report_of(path, KVL_TABLE_TEXT, "own");
    assert_has(text, "Our means are of what was run of needle: vt (1 task); at 1k, 2k.\n");
    free(text);
    stop_own();
}

static void times(void **state)
{
    (void)state;
    const char *path = new_file("times.jsonl");
    static const double prefill[] = {30000, 15000};
    for (int m = 0; m < 2; m++) {
        json_t *record = made_up_bench(m == 0 ? "full" : "fastkv", m == 0 ? NAN : 0.1, 131072, prefill[m], m == 0 ? 80 : 40);
        json_t *shape = llama_shape("llama-3.1-8b", "random:llama-3.1-8b");
        json_object_update(record, shape);
        json_decref(shape);
        made_up_append(path, record);
    }
    char *csv = published_report_of(path, KVL_TABLE_CSV, "latency"), *text;
    assert_has(csv, "full,,,,131072,prefill_s,31.04,30,-1.04,");
    assert_has(csv, "fastkv,,,,131072,prefill_s,16.99,15,-1.99,");
    assert_has(csv, "fastkv,,,,131072,prefill_speedup,1.82,2,0.18,");
    assert_has(csv, "fastkv,,,,131072,decode_speedup,2.87,2,-0.87,");
    free(csv);
    text = published_report_of(path, KVL_TABLE_TEXT, "latency");
    assert_has(text, "Ours, llama-3.1-8b, is matched with published LLaMA-3.1-8B-Instruct by shape, with random weights.\n");
    free(text);
}

/* One clear sentence, and no table of dashes. */
static void nothing_matches(void **state)
{
    (void)state;
    const char *path = new_file("nothing.jsonl");
    made_up_append(path, made_up_eval("full", NAN, 1024, "needle/vt", 0.5, 0.1));
    char *text = published_report_of(path, KVL_TABLE_TEXT, "longbench");
    assert_has(text, "\nPublished longbench: nothing matches the records; it is of LLaMA-3.1-8B-Instruct, Ministral-8B-Instruct, "
                     "Mistral-Nemo-12B-Instruct, they are of Tiny-1M.\n");
    assert_lacks(text, "Published beside ours");
    free(text);
    text = published_report_of(path, KVL_TABLE_TEXT, "latency");
    assert_has(text, "Published latency: nothing matches the records; there are none of bench.\n");
    free(text);
    made_up_write(path, "");
    made_up_append(path, ruler("full", NAN, 1024, 0.5));
    text = published_report_of(path, KVL_TABLE_TEXT, "ruler");
    assert_has(text, "Published ruler: nothing matches the records; the model does, but no method");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_files),
        cmocka_unit_test(means_follow_from_their_tasks),
        cmocka_unit_test(list),
        cmocka_unit_test(wrong_names),
        cmocka_unit_test(malformed_files),
        cmocka_unit_test(models_by_name_and_shape),
        cmocka_unit_test(beside_ours),
        cmocka_unit_test(beside_ours_in_csv),
        cmocka_unit_test(longbench_by_task),
        cmocka_unit_test(parameters_and_means),
        cmocka_unit_test(times),
        cmocka_unit_test(nothing_matches),
    };
    return cmocka_run_group_tests(tests, NULL, made_up_remove);
}
