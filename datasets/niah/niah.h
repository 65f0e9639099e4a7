/* The task niah: one sentence planted in essays, over a grid of contexts and depths. See README.md here. */
#ifndef KVL_NIAH_H
#define KVL_NIAH_H

#include "datasets/task.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The i-th task of the family, NULL past the end. */
const struct kvl_task *kvl_niah_task_at(int i);

#ifdef __cplusplus
}
#endif
#endif
