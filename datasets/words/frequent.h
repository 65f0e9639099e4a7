/* words/frequent: code words among dots, the word of rank k about 1 / k^2 as often as the first. */
#ifndef KVL_WORDS_FREQUENT_H
#define KVL_WORDS_FREQUENT_H

#include "datasets/task.h"

#ifdef __cplusplus
extern "C" {
#endif

enum kvl_status kvl_words_frequent_make(const struct kvl_task *task, const struct kvl_task_request *request,
                                        struct kvl_sample *sample);

#ifdef __cplusplus
}
#endif
#endif
