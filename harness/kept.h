/* What a session holds, as JSON: the format of --kept and --kept-end (DESIGN.md, "What programs read"). */
#ifndef KVL_KEPT_H
#define KVL_KEPT_H

#include <jansson.h>

#include "core/engine.h"
#include "harness/grid.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Every index is a position in the prompt, ascending; generated tokens have positions n, n+1, ... The session was traced. */
enum kvl_status kvl_kept_json(const struct kvl_session *session, const struct kvl_config *config, json_t **out);

#ifdef __cplusplus
}
#endif
#endif
