/* The family trace: chains of assignments, hidden in a long text; who has the number at their head? See README.md here. */
#ifndef KVL_TRACE_H
#define KVL_TRACE_H

#include "datasets/task.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The i-th task of the family, NULL past the end. */
const struct kvl_task *kvl_trace_task_at(int i);

#ifdef __cplusplus
}
#endif
#endif
