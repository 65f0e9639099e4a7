#include "harness/sweep.h"

enum kvl_status kvl_sweep_run(const struct kvl_options *options, bool wants_text, kvl_sweep_body body)
{
    struct kvl_workbench bench = {0};
    struct kvl_grid grid = {0};
    struct kvl_sink sink = {0};
    enum kvl_status status;
    KVL_TRY_OUT(kvl_workbench_init(&bench, options, wants_text));
    KVL_TRY_OUT(kvl_grid_init(&grid, options, &bench.model->shape));
    KVL_TRY_OUT(kvl_sink_init(&sink, options));
    KVL_TRY_OUT(body(&bench, &grid, &sink));
    KVL_TRY_OUT(kvl_sink_finish(&sink));
out:
    kvl_sink_free(&sink);
    kvl_grid_free(&grid);
    kvl_workbench_free(&bench);
    return status;
}
