/* The family ruler: NVIDIA's own files, read as they are. See README.md here. */
#ifndef KVL_RULER_H
#define KVL_RULER_H

#include "datasets/task.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The i-th task of the family, NULL past the end. */
const struct kvl_task *kvl_ruler_task_at(int i);

#ifdef __cplusplus
}
#endif
#endif
