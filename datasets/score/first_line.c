#include <stdlib.h>
#include <string.h>

#include "datasets/score/score.h"

/* `metric` of the prediction's first line: newlines in front of it are dropped, and all from the next one on. */
static enum kvl_status score_first_line(kvl_score_function metric, const struct kvl_scoring *scoring, double *score)
{
    const char *start = scoring->prediction + strspn(scoring->prediction, "\n");
    size_t n = strcspn(start, "\n");
    char *line = malloc(n + 1);
    if (line == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for a line of %zu bytes", n);
    memcpy(line, start, n);
    line[n] = '\0';
    struct kvl_scoring first = *scoring;
    first.prediction = line;
    enum kvl_status status = metric(&first, score);
    free(line);
    return status;
}

enum kvl_status kvl_score_first_line_qa_f1(const struct kvl_scoring *scoring, double *score)
{
    return score_first_line(kvl_score_qa_f1, scoring, score);
}

enum kvl_status kvl_score_first_line_rouge_l(const struct kvl_scoring *scoring, double *score)
{
    return score_first_line(kvl_score_rouge_l, scoring, score);
}

enum kvl_status kvl_score_first_line_class(const struct kvl_scoring *scoring, double *score)
{
    return score_first_line(kvl_score_class, scoring, score);
}
