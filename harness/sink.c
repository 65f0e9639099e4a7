#define _GNU_SOURCE /* asprintf */
#include "harness/sink.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/output_check.h"
#include "harness/record.h"
#include "harness/record_set.h"
#include "harness/report.h"

static enum kvl_status name_samples(struct kvl_sink *sink, const char *path)
{
    static const char ending[] = ".jsonl";
    size_t n = strlen(path), stem = n;
    if (n > sizeof ending - 1 && strcmp(path + n - (sizeof ending - 1), ending) == 0)
        stem = n - (sizeof ending - 1);
    sink->samples_path = malloc(n + sizeof ".samples.jsonl");
    if (sink->samples_path == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for a file name");
    sprintf(sink->samples_path, "%.*s.samples.jsonl", (int)stem, path);
    return KVL_OK;
}

/* A file without a whole record is a killed run's first one only if it begins like that. */
static bool begins_as_record(const char *path)
{
    FILE *file = fopen(path, "re");
    int first = file != NULL ? fgetc(file) : EOF;
    if (file != NULL)
        fclose(file);
    return first == '{';
}

/* Records are only ever added to a file that holds nothing else. */
static enum kvl_status read_records(const char *path, bool warns, json_t **records)
{
    bool truncated;
    if (access(path, F_OK) != 0 || kvl_is_special_file(path)) {
        *records = json_array();
        return KVL_OK;
    }
    KVL_TRY(kvl_records_read(path, records, &truncated));
    if (truncated && json_array_size(*records) == 0 && !begins_as_record(path)) {
        json_decref(*records);
        return kvl_fail(KVL_E_FORMAT, "%s holds no records: name a new file or one of records", path);
    }
    if (truncated && warns)
        fprintf(stderr, "kvlab: warning: the last line of %s was cut off and is left out\n", path);
    return KVL_OK;
}

/* A failed configuration is run again; what did not fit into memory is a result. */
static bool is_finished(const json_t *record)
{
    const char *status = kvl_record_text(record, "status");
    return kvl_record_text(record, "config_key") != NULL && status != NULL
           && (strcmp(status, "ok") == 0 || strcmp(status, "oom") == 0);
}

static enum kvl_status read_finished(struct kvl_sink *sink)
{
    json_t *records, *record;
    size_t i;
    KVL_TRY(read_records(sink->options->output, sink->options->resume, &records));
    json_array_foreach(records, i, record)
        if (sink->options->resume && is_finished(record)) {
            json_object_set_new(sink->finished, kvl_record_text(record, "config_key"), json_true());
            json_array_append(sink->records, record);
        }
    json_decref(records);
    return KVL_OK;
}

/* "config_key#index" of a sample; malloc'd, NULL without memory. */
static char *sample_name(const char *config_key, int64_t index)
{
    char *name = NULL;
    return asprintf(&name, "%s#%lld", config_key, (long long)index) < 0 ? NULL : name;
}

/* The texts of a long run need not be in memory together. */
static void note_sample(struct kvl_sink *sink, const char *line, size_t n)
{
    static const char *const texts[] = {"config_key", "prompt", "prediction", "answers", "all_classes"};
    json_t *sample = json_loadb(line, n, JSON_ALLOW_NUL, NULL);
    const char *key = sample != NULL ? kvl_record_text(sample, "config_key") : NULL;
    char *name = key != NULL ? sample_name(key, json_integer_value(json_object_get(sample, "index"))) : NULL;
    for (size_t i = 0; name != NULL && i < sizeof texts / sizeof *texts; i++)
        json_object_del(sample, texts[i]);
    if (name != NULL)
        json_object_set(sink->written, name, sample);
    free(name);
    json_decref(sample);
}

/* A run that was killed before a record was written has left the samples that it had done. */
static enum kvl_status read_samples(struct kvl_sink *sink)
{
    FILE *file = fopen(sink->samples_path, "re");
    char *line = NULL;
    size_t n_allocated = 0;
    ssize_t n;
    if (file == NULL)
        return KVL_OK;
    while ((n = getline(&line, &n_allocated, file)) >= 0)
        note_sample(sink, line, (size_t)n);
    bool bad = ferror(file);
    free(line);
    fclose(file);
    return bad ? kvl_fail(KVL_E_IO, "cannot read %s", sink->samples_path) : KVL_OK;
}

static enum kvl_status open_file(struct kvl_sink *sink, const char *path)
{
    static const char samples[] = ".samples.jsonl";
    size_t n = strlen(path);
    KVL_REQUIRE(n < sizeof samples - 1 || strcmp(path + n - (sizeof samples - 1), samples) != 0,
                "-o %s: this ending is for samples; name a file of records", path);
    KVL_TRY(kvl_output_check_other("-o", path, sink->options->positional.items[0]));
    KVL_TRY(kvl_output_check_append(path));
    KVL_TRY(read_finished(sink));
    if (kvl_is_special_file(path))
        return KVL_OK;
    KVL_TRY(name_samples(sink, path));
    KVL_TRY(kvl_output_check_append(sink->samples_path));
    return sink->options->resume ? read_samples(sink) : KVL_OK;
}

enum kvl_status kvl_sink_init(struct kvl_sink *sink, const struct kvl_options *options)
{
    *sink = (struct kvl_sink){.options = options, .records = json_array(), .finished = json_object(), .written = json_object()};
    return options->output != NULL ? open_file(sink, options->output) : KVL_OK;
}

void kvl_sink_free(struct kvl_sink *sink)
{
    json_decref(sink->records);
    json_decref(sink->finished);
    json_decref(sink->written);
    free(sink->samples_path);
    *sink = (struct kvl_sink){0};
}

bool kvl_sink_has(const struct kvl_sink *sink, const json_t *record)
{
    const char *key = kvl_record_text(record, "config_key");
    return key != NULL && json_object_get(sink->finished, key) != NULL;
}

static bool is_failed(const json_t *record)
{
    const char *status = kvl_record_text(record, "status");
    return status != NULL && strcmp(status, "failed") == 0;
}

enum kvl_status kvl_sink_put(struct kvl_sink *sink, json_t *record)
{
    sink->n_failed += is_failed(record);
    enum kvl_status written = KVL_OK;
    if (sink->options->output != NULL)
        written = kvl_record_append(sink->options->output, record);
    if (written == KVL_OK && sink->options->json)
        written = kvl_record_append(NULL, record);
    json_array_append_new(sink->records, record);
    return written;
}

const json_t *kvl_sink_sample(const struct kvl_sink *sink, const char *config_key, int64_t index)
{
    char *name = sample_name(config_key, index);
    const json_t *sample = name != NULL ? json_object_get(sink->written, name) : NULL;
    free(name);
    return sample;
}

enum kvl_status kvl_sink_put_sample(struct kvl_sink *sink, json_t *sample)
{
    enum kvl_status status = KVL_OK;
    if (sink->samples_path != NULL)
        status = kvl_record_append(sink->samples_path, sample);
    json_decref(sample);
    return status;
}

/* The newest record of a configuration comes first in a set. */
static enum kvl_status print_table(const struct kvl_sink *sink)
{
    int n = (int)json_array_size(sink->records);
    struct kvl_record_set set = {calloc((size_t)n + 1, sizeof *set.records), n};
    if (set.records == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for a table");
    for (int i = 0; i < n; i++)
        set.records[i] = json_incref(json_array_get(sink->records, (size_t)(n - 1 - i)));
    struct kvl_report report;
    enum kvl_status status = kvl_report_init(&report, &set, KVL_TABLE_TEXT, NULL);
    kvl_record_set_free(&set);
    if (status != KVL_OK)
        return status;
    status = kvl_report_print(&report, KVL_TABLE_TEXT, stdout);
    kvl_report_free(&report);
    return status;
}

enum kvl_status kvl_sink_finish(struct kvl_sink *sink)
{
    if (!sink->options->json && json_array_size(sink->records) > 0)
        KVL_TRY(sink->print != NULL ? sink->print(sink->records, stdout) : print_table(sink));
    if (sink->n_failed == 0)
        return KVL_OK;
    size_t i;
    json_t *record;
    const char *reason = "";
    json_array_foreach(sink->records, i, record)
        if (is_failed(record) && kvl_record_text(record, "reason") != NULL)
            reason = kvl_record_text(record, "reason");
    return kvl_fail(KVL_E_INTERNAL, "%d of %zu configurations failed, the last one because: %s", sink->n_failed,
                    json_array_size(sink->records), reason);
}
