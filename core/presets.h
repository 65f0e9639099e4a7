/* Look-up of random:NAME; the table itself is walked with kvl_preset_at (core/model.h). */
#ifndef KVL_PRESETS_H
#define KVL_PRESETS_H

#include "core/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The shape of a preset, window[] filled. KVL_E_ARG with the near name if there is none. */
enum kvl_status kvl_preset_shape(const char *name, struct kvl_shape *shape);

#ifdef __cplusplus
}
#endif
#endif
