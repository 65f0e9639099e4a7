/* `kvlab run EXPERIMENT.json [MODEL ..]`: a whole sweep from a file. */
#include <stdio.h>
#include <stdlib.h>

#include "harness/command.h"
#include "harness/experiment.h"
#include "harness/record_set.h"
#include "harness/sweep.h"
#include "revision.h"

/* Parts that share a workbench; their grids are made and checked before the first of them runs. */
struct batch {
    struct kvl_experiment *experiment;
    int parts[256], n;
    struct kvl_grid *grids; /* [n] */
};

static const struct kvl_sweep *sweep_of(const struct kvl_options *options)
{
    return options->command->sweep;
}

static const struct kvl_options *options_of(const struct batch *batch, int i)
{
    return &batch->experiment->parts[batch->parts[i]].options;
}

/* An error of a part names it. */
static enum kvl_status of_part(const struct batch *batch, int i, enum kvl_status status)
{
    const struct kvl_experiment *experiment = batch->experiment;
    return status == KVL_OK ? KVL_OK : kvl_fail_prefix(status, "%s: %s", experiment->file, experiment->parts[batch->parts[i]].where);
}

static enum kvl_status prepare_part(const struct batch *batch, int i, struct kvl_workbench *bench, struct kvl_shard *shard)
{
    const struct kvl_options *options = options_of(batch, i);
    const struct kvl_sweep *sweep = sweep_of(options);
    KVL_TRY(kvl_workbench_turn_to(bench, options, sweep->wants_text));
    KVL_TRY(kvl_grid_init(&batch->grids[i], options, &bench->model->shape));
    return sweep->prepare(bench, &batch->grids[i], shard);
}

/* Records of another model under the same name may not stand in one file. */
static enum kvl_status check_model(const struct kvl_sink *sink, const struct kvl_workbench *bench)
{
    size_t i;
    json_t *record;
    json_array_foreach(sink->records, i, record) {
        const char *source = kvl_record_text(record, "model_source"), *hash = kvl_record_text(record, "model_hash");
        if (source != NULL && hash != NULL && strcmp(source, bench->options->positional.items[0]) == 0
            && strcmp(hash, bench->model->hash) != 0)
            return kvl_fail(KVL_E_ARG, "%s holds records of another model that was called %s: name a new file",
                            sink->options->output, source);
    }
    return KVL_OK;
}

static enum kvl_status run_batch(struct batch *batch, struct kvl_sink *sink, struct kvl_shard *shard)
{
    struct kvl_workbench bench = {0};
    struct kvl_shard jobs = *shard;
    const struct kvl_options *first = options_of(batch, 0);
    enum kvl_status status = KVL_OK;
    batch->grids = calloc((size_t)batch->n, sizeof *batch->grids);
    if (batch->grids == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for %d parts", batch->n);
    KVL_TRY_OUT(kvl_workbench_init(&bench, first, sweep_of(first)->wants_text));
    KVL_TRY_OUT(check_model(sink, &bench));
    for (int i = 0; i < batch->n; i++)
        KVL_TRY_OUT(of_part(batch, i, prepare_part(batch, i, &bench, &jobs)));
    for (int i = 0; i < batch->n; i++) {
        const struct kvl_options *options = options_of(batch, i);
        KVL_TRY_OUT(kvl_workbench_turn_to(&bench, options, sweep_of(options)->wants_text));
        KVL_TRY_OUT(of_part(batch, i, sweep_of(options)->run(&bench, &batch->grids[i], sink, shard)));
    }
out:
    for (int i = 0; i < batch->n; i++)
        kvl_grid_free(&batch->grids[i]);
    free(batch->grids);
    kvl_workbench_free(&bench);
    return status;
}

/* Parts that one opened model serves run one after the other, so that it is loaded once. */
static enum kvl_status run_parts(struct kvl_experiment *experiment, struct kvl_sink *sink, struct kvl_shard *shard)
{
    bool *done = calloc((size_t)experiment->n, sizeof *done);
    enum kvl_status status = done != NULL ? KVL_OK : kvl_fail(KVL_E_OOM, "no memory for %d parts", experiment->n);
    for (int first = 0; first < experiment->n && status == KVL_OK; first++) {
        struct batch batch = {.experiment = experiment};
        for (int i = first; i < experiment->n && batch.n < (int)(sizeof batch.parts / sizeof *batch.parts); i++)
            if (!done[i] && kvl_workbench_serves(&experiment->parts[first].options, &experiment->parts[i].options)) {
                done[i] = true;
                batch.parts[batch.n++] = i;
            }
        if (batch.n > 0)
            status = run_batch(&batch, sink, shard);
    }
    free(done);
    return status;
}

/* One file is one experiment at one version of kvlab. */
static enum kvl_status check_records(const struct kvl_sink *sink, const struct kvl_experiment *experiment)
{
    size_t i;
    json_t *record;
    json_array_foreach(sink->records, i, record) {
        const char *commit = kvl_record_text(record, "kvlab_commit"), *source = kvl_record_text(record, "model_source");
        KVL_REQUIRE(sink->options->force || (commit != NULL && strcmp(commit, KVL_COMMIT) == 0),
                    "%s holds records of kvlab %s and this is %s: name a new file, or give --force", sink->options->output,
                    commit != NULL ? commit : "without a commit", KVL_COMMIT);
        bool known = false;
        for (int p = 0; p < experiment->n && source != NULL; p++)
            known = known || strcmp(experiment->parts[p].options.positional.items[0], source) == 0;
        KVL_REQUIRE(known, "%s holds records of the model %s, which is not in this experiment: name a new file",
                    sink->options->output, source != NULL ? source : "(unnamed)");
    }
    return KVL_OK;
}

/* What is finished is never run again: a second run of the same file goes on, or has nothing to do. */
static enum kvl_status run(const struct kvl_options *given)
{
    struct kvl_options resumed = *given, *options = &resumed;
    struct kvl_experiment experiment = {0};
    struct kvl_sink sink = {0};
    struct kvl_shard shard = {.index = options->shard_index, .count = options->shard_count};
    enum kvl_status status;
    resumed.resume = true;
    KVL_REQUIRE(options->output != NULL || options->json, "run needs -o FILE: where the records go (or --json)");
    KVL_TRY_OUT(kvl_experiment_load(&experiment, options));
    KVL_TRY_OUT(kvl_sink_init(&sink, options));
    KVL_TRY_OUT(check_records(&sink, &experiment));
    KVL_TRY_OUT(run_parts(&experiment, &sink, &shard));
    KVL_TRY_OUT(kvl_sink_finish(&sink));
out:
    kvl_sink_free(&sink);
    kvl_experiment_free(&experiment);
    return status;
}

const struct kvl_command kvl_command_run = {
    .name = "run",
    .arguments = "EXPERIMENT.json [MODEL ..]",
    .help = "A whole sweep from a file; goes on where an earlier run stopped.",
    .min_positional = 1,
    .max_positional = 64,
    .keys = "oRJifnswLauDBdjIMCN",
    .run = run,
};
