/* The family fidelity: plain text, of which the last tokens are fed one by one; nothing is asked. See README.md here. */
#ifndef KVL_FIDELITY_H
#define KVL_FIDELITY_H

#include "datasets/task.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The i-th task of the family, NULL past the end. */
const struct kvl_task *kvl_fidelity_task_at(int i);

#ifdef __cplusplus
}
#endif
#endif
