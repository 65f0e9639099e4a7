/* The family words: which words of a long list come up most? See README.md here. */
#ifndef KVL_WORDS_H
#define KVL_WORDS_H

#include "datasets/task.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The i-th task of the family, NULL past the end. */
const struct kvl_task *kvl_words_task_at(int i);

#ifdef __cplusplus
}
#endif
#endif
