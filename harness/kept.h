/* What a session holds, as JSON: the format of --kept and --kept-end (DESIGN.md, "What programs read"). */
#ifndef KVL_KEPT_H
#define KVL_KEPT_H

#include <jansson.h>

#include "core/engine.h"
#include "harness/grid.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Positions that one list (0 .. plan.n_lists - 1) of a layer holds, as prompt positions, ascending; malloc'd, *n of them. */
enum kvl_status kvl_kept_positions(const struct kvl_session *session, int64_t layer, int64_t list, int32_t **pos, int64_t *n);

/* Every index is a position in the prompt, ascending; generated tokens have positions n, n+1, ... The session was traced. */
enum kvl_status kvl_kept_json(const struct kvl_session *session, const struct kvl_config *config, json_t **out);

#ifdef __cplusplus
}
#endif
#endif
