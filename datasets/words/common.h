/* words/common: a numbered list in which ten words come many times and all others a few times. */
#ifndef KVL_WORDS_COMMON_H
#define KVL_WORDS_COMMON_H

#include "datasets/task.h"

#ifdef __cplusplus
extern "C" {
#endif

enum kvl_status kvl_words_common_make(const struct kvl_task *task, const struct kvl_task_request *request,
                                      struct kvl_sample *sample);

#ifdef __cplusplus
}
#endif
#endif
