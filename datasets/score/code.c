#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/unicode.h"
#include "datasets/score/best.h"
#include "datasets/score/python_text.h"
#include "datasets/score/score.h"
#include "datasets/score/similarity.h"

/* The first line with no sign of Markdown or of a comment in it; empty where every line has one. Newlines in front are dropped,
 * which matters: an empty line in front would be the first. */
static struct kvl_text_part first_code_line(const char *text)
{
    text += strspn(text, "\n");
    for (;;) {
        size_t n = strcspn(text, "\n"), n_code = strcspn(text, "\n`#");
        const char *comment = strstr(text, "//");
        if (n_code == n && (comment == NULL || comment >= text + n))
            return (struct kvl_text_part){text, (int64_t)n};
        if (text[n] == '\0')
            return (struct kvl_text_part){text, 0};
        text += n + 1;
    }
}

static enum kvl_status decode(struct kvl_text_part text, struct kvl_code_points *out)
{
    *out = (struct kvl_code_points){malloc((size_t)(text.n + 1) * sizeof *out->data), 0};
    if (out->data == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for a text of %lld bytes", (long long)text.n);
    int size;
    for (int64_t at = 0; at < text.n; at += size)
        out->data[out->n++] = kvl_utf8_get(text.data, at, text.n, &size);
    return KVL_OK;
}

/* fuzzywuzzy.fuzz.ratio / 100: rounded to whole per cents, halves to even. */
static enum kvl_status score_answer(const struct kvl_scoring *scoring, const char *answer, double *score)
{
    struct kvl_text_part line = first_code_line(scoring->prediction), whole = kvl_text_part_of(answer);
    struct kvl_code_points a = {0}, b = {0};
    bool levenshtein = scoring->settings != NULL && scoring->settings->code_similarity == KVL_CODE_LEVENSHTEIN;
    enum kvl_status status = KVL_OK;
    double ratio;
    *score = line.n == whole.n && memcmp(line.data, whole.data, (size_t)line.n) == 0;
    if (*score > 0 || line.n == 0 || whole.n == 0)
        return KVL_OK;
    KVL_TRY_OUT(decode(line, &a));
    KVL_TRY_OUT(decode(whole, &b));
    KVL_TRY_OUT((levenshtein ? kvl_indel_ratio : kvl_difflib_ratio)(a, b, &ratio));
    *score = rint(100 * ratio) / 100;
out:
    free(a.data);
    free(b.data);
    return status;
}

enum kvl_status kvl_score_code(const struct kvl_scoring *scoring, double *score)
{
    return kvl_score_best(scoring, score_answer, score);
}
