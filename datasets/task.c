#include "datasets/task.h"

#include <stdlib.h>
#include <string.h>

#include "core/nearest.h"
#include "datasets/fidelity/fidelity.h"
#include "datasets/longbench/longbench.h"
#include "datasets/needle/needle.h"
#include "datasets/niah/niah.h"
#include "datasets/ruler/ruler.h"
#include "datasets/trace/trace.h"
#include "datasets/words/words.h"

/* One row per family: its table of tasks, walked like this one. */
static const struct kvl_task *(*const families[])(int i) = {
    kvl_needle_task_at,
    kvl_trace_task_at,
    kvl_words_task_at,
    kvl_ruler_task_at,
    kvl_longbench_task_at,
    kvl_niah_task_at,
    kvl_fidelity_task_at,
};

bool kvl_task_is_fastkv(const struct kvl_task_request *request)
{
    return request->settings != NULL && request->settings->protocol == KVL_PROTOCOL_FASTKV;
}

const struct kvl_task *kvl_task_at(int i)
{
    if (i < 0)
        return NULL;
    for (size_t family = 0; family < sizeof families / sizeof *families; family++) {
        const struct kvl_task *task;
        for (int row = 0; (task = families[family](row)) != NULL; row++)
            if (i-- == 0)
                return task;
    }
    return NULL;
}

static const char *name_at(const void *context, int i)
{
    (void)context;
    const struct kvl_task *task = kvl_task_at(i);
    return task ? task->name : NULL;
}

enum kvl_status kvl_task_find(const char *name, const struct kvl_task **out)
{
    *out = NULL;
    const struct kvl_task *task;
    for (int i = 0; (task = kvl_task_at(i)) != NULL; i++)
        if (strcmp(task->name, name) == 0) {
            *out = task;
            return KVL_OK;
        }
    const char *near = kvl_nearest(name, name_at, NULL);
    if (near)
        return kvl_fail(KVL_E_ARG, "unknown task '%.100s'; did you mean '%s'?", name, near);
    return kvl_fail(KVL_E_ARG, "unknown task '%.100s'; `kvlab list tasks` names them all", name);
}

void kvl_sample_free(struct kvl_sample *sample)
{
    free(sample->user);
    free(sample->answer_prefix);
    for (int i = 0; sample->answers && i < sample->n_answers; i++)
        free(sample->answers[i]);
    free(sample->answers);
    for (int i = 0; sample->classes && i < sample->n_classes; i++)
        free(sample->classes[i]);
    free(sample->classes);
    *sample = (struct kvl_sample){0};
}
