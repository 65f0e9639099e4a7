#include <string.h>

#include "core/unicode.h"
#include "datasets/score/best.h"
#include "datasets/score/numbers.h"
#include "datasets/score/score.h"

/* The first match of "Paragraph (\d+)". */
static bool find_paragraph(const char *answer, struct kvl_text_part *number)
{
    static const char WORD[] = "Paragraph ";
    const char *end = answer + strlen(answer);
    for (const char *at = answer; (at = strstr(at, WORD)) != NULL; at++) {
        struct kvl_text_part rest = {at + strlen(WORD), end - at - (int64_t)strlen(WORD)};
        int size;
        if (rest.n > 0 && kvl_python_is_digit(kvl_utf8_get(rest.data, 0, rest.n, &size)))
            return kvl_python_next_run(&rest, kvl_python_is_digit, number);
    }
    return false;
}

static enum kvl_status score_answer(const struct kvl_scoring *scoring, const char *answer, double *score)
{
    struct kvl_text_part number;
    if (!find_paragraph(answer, &number))
        return kvl_fail(KVL_E_FORMAT, "the answer \"%.100s\" has no \"Paragraph N\" in it, which the retrieval score needs", answer);
    *score = kvl_number_share(scoring->prediction, number);
    return KVL_OK;
}

enum kvl_status kvl_score_retrieval(const struct kvl_scoring *scoring, double *score)
{
    return kvl_score_best(scoring, score_answer, score);
}
