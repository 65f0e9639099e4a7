#include "datasets/words/words.h"

#include <stddef.h>

#include "datasets/score/score.h"
#include "datasets/words/common.h"
#include "datasets/words/frequent.h"

/* Under the fastkv protocol as its authors ran RULER. */
#define WORDS                                                                             \
    .version = 1, .metric = "recall", .has_context = true, .score = kvl_score_recall,           \
    .fastkv = {.max_new_tokens = 64, .prefix_in_user = true}
static const struct kvl_task tasks[] = {
    {WORDS, .name = "words/common", .title = "The ten most common words of a list", .min_context = 1024,
     .source = "RULER cwe, arXiv:2404.06654; own wording and words", .make = kvl_words_common_make},
    {WORDS, .name = "words/frequent", .title = "The three most frequent code words", .min_context = 512,
     .source = "RULER fwe (alpha 2), arXiv:2404.06654; own wording", .make = kvl_words_frequent_make},
};

const struct kvl_task *kvl_words_task_at(int i)
{
    return i >= 0 && i < (int)(sizeof tasks / sizeof *tasks) ? &tasks[i] : NULL;
}
