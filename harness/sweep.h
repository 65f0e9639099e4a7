/* What eval and bench have in common: open the model, make the grid, run it into a sink, finish, free. */
#ifndef KVL_SWEEP_H
#define KVL_SWEEP_H

#include "harness/sink.h"
#include "harness/workbench.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum kvl_status (*kvl_sweep_body)(const struct kvl_workbench *bench, const struct kvl_grid *grid, struct kvl_sink *sink);

/* `wants_text`: as for kvl_workbench_init. */
enum kvl_status kvl_sweep_run(const struct kvl_options *options, bool wants_text, kvl_sweep_body body);

#ifdef __cplusplus
}
#endif
#endif
