#include <stdlib.h>
#include <string.h>

#include "datasets/score/best.h"
#include "datasets/score/score.h"

/* list.remove(): the first name that equals names[at] goes. Returns how many are left. */
static int drop_first(const char **names, int n, int at)
{
    const char *name = names[at];
    int first = 0;
    while (strcmp(names[first], name) != 0)
        first++;
    memmove(names + first, names + first + 1, (size_t)(n - first - 1) * sizeof *names);
    return n - 1;
}

static enum kvl_status score_answer(const struct kvl_scoring *scoring, const char *answer, double *score)
{
    const char **named = malloc(((size_t)scoring->n_classes + 1) * sizeof *named);
    int n = 0;
    bool found = false;
    if (named == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for %d classes", scoring->n_classes);
    for (int i = 0; i < scoring->n_classes; i++)
        if (strstr(scoring->prediction, scoring->classes[i]) != NULL)
            named[n++] = scoring->classes[i];
    /* The official script removes from the list that it walks: the name behind a removed one is never looked at. */
    for (int i = 0; i < n; i++)
        if (strstr(answer, named[i]) != NULL && strcmp(answer, named[i]) != 0)
            n = drop_first(named, n, i);
    for (int i = 0; i < n; i++)
        found = found || strcmp(answer, named[i]) == 0;
    *score = found ? 1.0 / n : 0;
    free(named);
    return KVL_OK;
}

enum kvl_status kvl_score_class(const struct kvl_scoring *scoring, double *score)
{
    return kvl_score_best(scoring, score_answer, score);
}
