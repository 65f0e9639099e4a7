/* Made-up records for the tests of report, plot and what reads records. */
#ifndef KVLAB_TEST_MADE_UP_H
#define KVLAB_TEST_MADE_UP_H

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/record.h"
#include "harness/record_set.h"
#include "tests/support/golden.h"

/* A folder of the test's own; every file name below is in it. */
static inline const char *made_up_folder(void)
{
    static char folder[] = "/tmp/kvlab_test_XXXXXX";
    static bool made;
    if (!made)
        assert_non_null(mkdtemp(folder));
    made = true;
    return folder;
}

/* Group teardown: removes the folder. */
static inline int made_up_remove(void **state)
{
    (void)state;
    const char *folder = made_up_folder();
    DIR *open_folder = opendir(folder);
    struct dirent *entry;
    while (open_folder != NULL && (entry = readdir(open_folder)) != NULL)
        unlinkat(dirfd(open_folder), entry->d_name, 0);
    closedir(open_folder);
    return rmdir(folder);
}

/* Name in that folder; valid for the next seven calls. */
static inline const char *made_up_path(const char *name)
{
    static char paths[8][256];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", made_up_folder(), name);
    return path;
}

static inline void made_up_write(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* Text of a whole file, malloc'd. */
static inline char *made_up_read(const char *path)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char *text = NULL;
    size_t size = 0;
    ssize_t n = getdelim(&text, &size, '\0', file);
    fclose(file);
    if (n <= 0) {
        free(text);
        return strdup("");
    }
    return text;
}

static inline json_t *made_up_real(double x)
{
    return isnan(x) ? json_null() : json_real(x);
}

/* What both kinds have. `rate` NaN: none, as for full; `context` 0: none, and 1,000 tokens. */
static inline json_t *made_up_record(const char *kind, const char *method, double rate, int context)
{
    char key[128];
    snprintf(key, sizeof key, "%s %s %g %d", kind, method, rate, context);
    json_t *record = json_pack(
        "{s:i, s:s, s:s, s:s, s:s, s:b, s:s, s:s, s:n, s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:n, s:o, s:s, s:n}",
        "schema", KVL_RECORD_SCHEMA, "kind", kind, "run_id", "run-1", "time_utc", "2026-01-02T03:04:05Z",
        "kvlab_commit", "0123456789abcdef0123456789abcdef01234567", "kvlab_dirty", 0, "config_key", key,
        "cpu", "Model T", "gpu", "isa", "avx2", "threads", 2, "backend", "cpu", "dtype", "bf16", "model", "Tiny-1M",
        "model_hash", "00112233445566778899", "method", method, "profile", "fastkv", "kv_rate", made_up_real(rate),
        "kv_budget", "context", context > 0 ? json_integer(context) : json_null(), "status", "ok", "reason");
    assert_non_null(record);
    json_object_set_new(record, "params", json_object());
    double n = context > 0 ? context : 1000, full = 46080.0 * n;
    json_object_set_new(record, "token_layers_full", json_integer((json_int_t)(30 * n)));
    json_object_set_new(record, "token_layers", json_integer((json_int_t)((strcmp(method, "fastkv") == 0 ? 18 : 30) * n)));
    json_object_set_new(record, "kv_bytes_full", json_integer((json_int_t)full));
    json_object_set_new(record, "kv_bytes", json_integer((json_int_t)(isnan(rate) ? full : floor(full * rate))));
    return record;
}

static inline json_t *made_up_eval(const char *method, double rate, int context, const char *task, double score, double error)
{
    json_t *record = made_up_record("eval", method, rate, context);
    char key[256];
    snprintf(key, sizeof key, "%.128s %.64s", kvl_record_text(record, "config_key"), task);
    json_object_set_new(record, "config_key", json_string(key));
    json_object_set_new(record, "task", json_string(task));
    json_object_set_new(record, "task_version", json_integer(1));
    json_object_set_new(record, "protocol", json_string("plain"));
    json_object_set_new(record, "template", json_string("smollm2"));
    json_object_set_new(record, "seed", json_integer(1));
    json_object_set_new(record, "score", made_up_real(score));
    json_object_set_new(record, "score_stderr", made_up_real(error));
    json_object_set_new(record, "n_scored", json_integer(12));
    return record;
}

/* Sets the samples of an eval record, with their numbers, mean and standard error. */
static inline json_t *made_up_samples(json_t *record, const double *scores, const int *indices, int n)
{
    json_t *list = json_array(), *numbers = json_array();
    double sum = 0, squares = 0;
    for (int i = 0; i < n; i++) {
        json_array_append_new(list, made_up_real(scores[i]));
        json_array_append_new(numbers, json_integer(indices != NULL ? indices[i] : i));
        sum += scores[i];
    }
    for (int i = 0; i < n; i++)
        squares += (scores[i] - sum / n) * (scores[i] - sum / n);
    json_object_set_new(record, "scores", list);
    json_object_set_new(record, "sample_indices", numbers);
    json_object_set_new(record, "score", made_up_real(sum / n));
    json_object_set_new(record, "score_stderr", made_up_real(n > 1 ? sqrt(squares / (n - 1) / n) : NAN));
    json_object_set_new(record, "n_scored", json_integer(n));
    return record;
}

/* Sets a text, a number or an object of a record, with a configuration of its own. */
static inline json_t *made_up_with(json_t *record, const char *key, json_t *value)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    json_object_set_new(record, "config_key", json_sprintf("%s %s=%s", kvl_record_text(record, "config_key"), key, text));
    json_object_set_new(record, key, value);
    free(text);
    return record;
}

static inline json_t *made_up_bench(const char *method, double rate, int context, double prefill_ms, double decode_ms)
{
    json_t *record = made_up_record("bench", method, rate, context);
    json_object_set_new(record, "new_tokens", json_integer(32));
    json_object_set_new(record, "prefill_median_ns", made_up_real(prefill_ms * 1e6));
    json_object_set_new(record, "prefill_p05_ns", made_up_real(prefill_ms * 0.97e6));
    json_object_set_new(record, "prefill_p95_ns", made_up_real(prefill_ms * 1.06e6));
    json_object_set_new(record, "decode_token_median_ns", made_up_real(decode_ms * 1e6));
    json_object_set_new(record, "decode_token_p05_ns", made_up_real(decode_ms * 0.98e6));
    json_object_set_new(record, "decode_token_p95_ns", made_up_real(decode_ms * 1.05e6));
    json_object_set_new(record, "peak_bytes", json_integer(400000000));
    return record;
}

static inline json_t *made_up_failure(json_t *record, const char *status, const char *reason)
{
    static const char *const measured[] = {"score", "score_stderr", "n_scored", "prefill_median_ns", "decode_token_median_ns",
                                           "kv_bytes"};
    for (size_t i = 0; i < sizeof measured / sizeof *measured; i++)
        json_object_set_new(record, measured[i], json_null());
    json_object_set_new(record, "status", json_string(status));
    json_object_set_new(record, "reason", json_string(reason));
    return record;
}

/* Appends and lets go of it. */
static inline void made_up_append(const char *path, json_t *record)
{
    assert_ok(kvl_record_append(path, record));
    json_decref(record);
}

/* What the main job writes: three tasks, contexts 1k and 2k, methods at two rates, and their bench. */
static inline void made_up_main_job(const char *path)
{
    static const char *const tasks[] = {"needle/single_noise", "needle/single_essay", "needle/multi_key"};
    static const struct {
        const char *method;
        double rate, scores[3], prefill, decode;
    } rows[] = {
        {"full", NAN, {1, 1, 0.75}, 1, 1},
        {"streamingllm", 0.1, {0.083, 0.167, 0}, 1.01, 1.22},
        {"streamingllm", 0.2, {0.25, 0.167, 0.083}, 1.01, 1.19},
        {"snapkv", 0.1, {0.917, 0.833, 0.333}, 0.98, 1.2},
        {"snapkv", 0.2, {1, 0.917, 0.583}, 0.98, 1.17},
        {"fastkv", 0.1, {0.917, 0.917, 0.417}, 1.62, 1.21},
        {"fastkv", 0.2, {1, 1, 0.667}, 1.6, 1.18},
    };
    for (int context = 1024; context <= 2048; context *= 2)
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
            for (int t = 0; t < 3; t++) {
                double score = rows[r].scores[t] * (context > 1024 ? 0.9 : 1);
                made_up_append(path, made_up_eval(rows[r].method, rows[r].rate, context, tasks[t], score,
                                                  sqrt(score * (1 - score) / 11)));
            }
            double prefill = (context > 1024 ? 2410 : 1130) / rows[r].prefill, decode = 21.5 / rows[r].decode;
            json_t *bench = made_up_bench(rows[r].method, rows[r].rate, context, prefill, decode);
            json_object_set_new(bench, "e2e_median_ns", json_real(1e6 * (prefill + 31 * decode)));
            made_up_append(path, bench);
        }
}

/* A sweep over TSP layer and rate at two KV rates, with full. */
static inline void made_up_tsp_job(const char *path)
{
    made_up_append(path, made_up_eval("full", NAN, 2048, "needle/multi_key", 0.9, 0.03));
    for (int rate = 1; rate <= 2; rate++)
        for (int layer = 4; layer <= 24; layer += 10)
            for (int tsp = 1; tsp <= 4; tsp++)
                made_up_append(path, made_up_with(made_up_eval("fastkv", 0.1 * rate, 2048, "needle/multi_key",
                                                               0.3 + 0.01 * layer + 0.05 * tsp + 0.05 * rate, 0.04),
                                                  "params", json_pack("{s:f, s:i}", "tsp_rate", 0.1 * tsp, "tsp_layer", layer)));
}

/* A grid of contexts and depths for four methods. */
static inline void made_up_needle_job(const char *path)
{
    enum { N = 22 };
    static const char *const methods[] = {"full", "streamingllm", "snapkv", "fastkv"};
    for (int context = 1024; context <= 8192; context *= 2)
        for (int m = 0; m < 4; m++) {
            double scores[N];
            json_t *depths = json_array();
            for (int i = 0; i < N; i++) {
                double depth = i % 11 / 10.0;
                scores[i] = m == 0 ? 1 : m == 1 ? depth > 0.8 : 0.5 + 0.1 * m + 0.1 * depth - context * 2e-5;
                json_array_append_new(depths, json_real(depth));
            }
            json_t *record = made_up_samples(made_up_eval(methods[m], m > 0 ? 0.1 : NAN, context, "niah", 0, 0), scores, NULL, N);
            json_object_set_new(record, "depths", depths);
            made_up_append(path, record);
        }
}

#endif
