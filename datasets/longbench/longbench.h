/* The family longbench: the official records with the official prompts, from the user's copy. See README.md here. */
#ifndef KVL_LONGBENCH_H
#define KVL_LONGBENCH_H

#include "datasets/task.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The i-th task of the family, NULL past the end. */
const struct kvl_task *kvl_longbench_task_at(int i);

#ifdef __cplusplus
}
#endif
#endif
