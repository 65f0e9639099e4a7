#include <stdlib.h>
#include <string.h>

#include "datasets/score/python_text.h"
#include "datasets/score/score.h"

/* The prediction as evaluate.py hands it to the metric, in lower case. It strips twice: U+0001..U+0008 and their like are white
 * space only once they are newlines. */
static enum kvl_status clean(const char *prediction, char **out)
{
    enum kvl_status status = KVL_OK;
    struct kvl_text_part text = kvl_python_strip(kvl_text_part_of(prediction));
    int64_t n;
    char *copy = malloc((size_t)text.n + 1);
    if (copy == NULL)
        return kvl_fail(KVL_E_OOM, "no memory to clean a prediction of %lld bytes", (long long)text.n);
    for (int64_t i = 0; i < text.n; i++)
        copy[i] = (unsigned char)text.data[i] < 0x20 ? '\n' : text.data[i];
    text.data = copy;
    status = kvl_python_lower(kvl_python_strip(text), out, &n);
    free(copy);
    return status;
}

/* How many of the answers stand in the prediction. */
static enum kvl_status count_found(const struct kvl_scoring *scoring, int *n_found)
{
    char *prediction;
    enum kvl_status status = KVL_OK;
    *n_found = 0;
    KVL_TRY(clean(scoring->prediction, &prediction));
    for (int i = 0; i < scoring->n_answers; i++) {
        char *answer;
        int64_t n;
        KVL_TRY_OUT(kvl_python_lower(kvl_text_part_of(scoring->answers[i]), &answer, &n));
        *n_found += strstr(prediction, answer) != NULL;
        free(answer);
    }
out:
    free(prediction);
    return status;
}

enum kvl_status kvl_score_recall(const struct kvl_scoring *scoring, double *score)
{
    int n_found;
    KVL_TRY(count_found(scoring, &n_found));
    *score = scoring->n_answers > 0 ? (double)n_found / scoring->n_answers : 0;
    return KVL_OK;
}

enum kvl_status kvl_score_recall_any(const struct kvl_scoring *scoring, double *score)
{
    int n_found;
    KVL_TRY(count_found(scoring, &n_found));
    *score = n_found > 0;
    return KVL_OK;
}
