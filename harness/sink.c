#include "harness/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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

static enum kvl_status check_writable(const char *path)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return kvl_fail(KVL_E_IO, "cannot write to %s: %s", path, strerror(errno));
    close(fd);
    return KVL_OK;
}

static enum kvl_status read_finished(struct kvl_sink *sink)
{
    json_t *records;
    bool truncated;
    KVL_TRY(kvl_records_read(sink->options->output, &records, &truncated));
    if (truncated)
        fprintf(stderr, "kvlab: warning: the last line of %s was cut off and is left out\n", sink->options->output);
    size_t i;
    json_t *record;
    json_array_foreach(records, i, record) {
        const char *key = kvl_record_text(record, "config_key"), *status = kvl_record_text(record, "status");
        if (key != NULL && status != NULL && strcmp(status, "ok") == 0) {
            json_object_set(sink->finished, key, json_true());
            json_array_append(sink->records, record);
        }
    }
    json_decref(records);
    return KVL_OK;
}

enum kvl_status kvl_sink_init(struct kvl_sink *sink, const struct kvl_options *options)
{
    *sink = (struct kvl_sink){.options = options, .records = json_array(), .finished = json_object()};
    KVL_REQUIRE(!options->resume || options->output != NULL, "--resume needs -o FILE: the file to go on with");
    if (options->output == NULL)
        return KVL_OK;
    KVL_TRY(name_samples(sink, options->output));
    KVL_TRY(check_writable(options->output));
    return options->resume ? read_finished(sink) : KVL_OK;
}

void kvl_sink_free(struct kvl_sink *sink)
{
    json_decref(sink->records);
    json_decref(sink->finished);
    free(sink->samples_path);
    *sink = (struct kvl_sink){0};
}

bool kvl_sink_has(const struct kvl_sink *sink, const json_t *record)
{
    const char *key = kvl_record_text(record, "config_key");
    return key != NULL && json_object_get(sink->finished, key) != NULL;
}

enum kvl_status kvl_sink_put(struct kvl_sink *sink, json_t *record)
{
    const char *status = kvl_record_text(record, "status");
    sink->n_failed += status != NULL && strcmp(status, "failed") == 0;
    enum kvl_status written = KVL_OK;
    if (sink->options->output != NULL)
        written = kvl_record_append(sink->options->output, record);
    if (written == KVL_OK && sink->options->json)
        written = kvl_record_append(NULL, record);
    json_array_append_new(sink->records, record);
    return written;
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
    enum kvl_status status = kvl_report_init(&report, &set, KVL_TABLE_TEXT);
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
        KVL_TRY(print_table(sink));
    if (sink->n_failed == 0)
        return KVL_OK;
    size_t i;
    json_t *record;
    const char *reason = "";
    json_array_foreach(sink->records, i, record)
        if (kvl_record_text(record, "reason") != NULL)
            reason = kvl_record_text(record, "reason");
    return kvl_fail(KVL_E_INTERNAL, "%d of %zu configurations failed, the last one because: %s", sink->n_failed,
                    json_array_size(sink->records), reason);
}
