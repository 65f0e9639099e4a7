/* The family needle: sentences with a magic number, hidden in a long text; one of them is asked for. See README.md here. */
#ifndef KVL_NEEDLE_H
#define KVL_NEEDLE_H

#include "datasets/task.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The i-th task of the family, NULL past the end. */
const struct kvl_task *kvl_needle_task_at(int i);

#ifdef __cplusplus
}
#endif
#endif
