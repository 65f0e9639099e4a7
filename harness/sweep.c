#include "harness/sweep.h"

enum kvl_status kvl_sweep_alone(const struct kvl_sweep *sweep, const struct kvl_options *options)
{
    struct kvl_workbench bench = {0};
    struct kvl_grid grid = {0};
    struct kvl_sink sink = {0};
    struct kvl_shard all = {0};
    enum kvl_status status;
    KVL_TRY(sweep->check(options));
    KVL_TRY_OUT(kvl_workbench_init(&bench, options, sweep->wants_text));
    KVL_TRY_OUT(kvl_grid_init(&grid, options, &bench.model->shape));
    KVL_TRY_OUT(kvl_sink_init(&sink, options));
    KVL_TRY_OUT(sweep->prepare(&bench, &grid, &all));
    KVL_TRY_OUT(sweep->run(&bench, &grid, &sink, &all));
    KVL_TRY_OUT(kvl_sink_finish(&sink));
out:
    kvl_sink_free(&sink);
    kvl_grid_free(&grid);
    kvl_workbench_free(&bench);
    return status;
}
