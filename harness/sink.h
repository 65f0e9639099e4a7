/* Where a command's records go as they come: a file (-o), standard output (--json), and a table at the end otherwise. */
#ifndef KVL_SINK_H
#define KVL_SINK_H

#include <jansson.h>
#include <stdio.h>

#include "harness/options.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kvl_sink {
    const struct kvl_options *options;
    json_t *records;    /* array: written by this run, and those it resumed from */
    json_t *finished;   /* object: config_key of records with status ok or oom in the file, with --resume */
    json_t *written;    /* object: by "config_key#index" the samples in samples_path, texts left out, with --resume */
    char *samples_path; /* sibling of the file for samples; NULL without a file, or with a device or pipe */
    int n_failed;
    enum kvl_status (*print)(const json_t *records, FILE *stream); /* the table at the end; NULL: the report's */
};

/* Checks, before any work is done, that the file can be written and holds nothing but records (KVL_E_FORMAT names the line);
 * with --resume notes what it holds. Makes no file. */
enum kvl_status kvl_sink_init(struct kvl_sink *sink, const struct kvl_options *options);
void kvl_sink_free(struct kvl_sink *sink);

/* Whether --resume found this record's configuration finished. */
bool kvl_sink_has(const struct kvl_sink *sink, const json_t *record);

/* The numbers of a sample that --resume found; NULL: it is not there. Valid as long as the sink. */
const json_t *kvl_sink_sample(const struct kvl_sink *sink, const char *config_key, int64_t index);

/* Writes a finished record and keeps it for the table; takes the reference. */
enum kvl_status kvl_sink_put(struct kvl_sink *sink, json_t *record);

/* Writes one sample's line; takes the reference. */
enum kvl_status kvl_sink_put_sample(struct kvl_sink *sink, json_t *sample);

/* The table, unless --json. A status other than KVL_OK where a job failed. */
enum kvl_status kvl_sink_finish(struct kvl_sink *sink);

#ifdef __cplusplus
}
#endif
#endif
