/* libFuzzer target: all metrics on texts made of any bytes: a prediction, and two texts that are the answers and the classes.
 * Scores lie in 0..1, more answers never make one worse, and what is symmetric is so. */
#include <stdlib.h>
#include <string.h>

#include "core/unicode.h"
#include "datasets/score/porter.h"
#include "datasets/score/score.h"

enum { N_TEXTS = 3, MAX_TEXT = 600 };

static const struct kvl_task_settings levenshtein = {.code_similarity = KVL_CODE_LEVENSHTEIN};

static const struct {
    kvl_score_function score;
    const struct kvl_task_settings *settings;
    bool best, symmetric; /* the best over the answers; the same with prediction and answer exchanged */
} metrics[] = {
    {kvl_score_recall, NULL, false, false},
    {kvl_score_recall_any, NULL, true, false},
    {kvl_score_qa_f1, NULL, true, true},
    {kvl_score_rouge_l, NULL, true, false},
    {kvl_score_class, NULL, true, false},
    {kvl_score_retrieval, NULL, true, false},
    {kvl_score_count, NULL, true, false},
    {kvl_score_code, NULL, true, false},
    {kvl_score_code, &levenshtein, true, false},
    {kvl_score_first_line_qa_f1, NULL, true, false},
    {kvl_score_first_line_rouge_l, NULL, true, false},
    {kvl_score_first_line_class, NULL, true, false},
    {kvl_score_rouge_1, NULL, true, true},
    {kvl_score_contains, NULL, true, false},
};

static void check(bool condition)
{
    if (!condition)
        abort();
}

static double score_of(size_t m, const char *prediction, const char *const *answers, int n_answers)
{
    const struct kvl_scoring scoring = {.prediction = prediction, .answers = answers, .n_answers = n_answers, .classes = answers,
                                        .n_classes = n_answers, .settings = metrics[m].settings};
    double score = -1;
    enum kvl_status status = metrics[m].score(&scoring, &score);
    if (status == KVL_E_FORMAT && metrics[m].score == kvl_score_retrieval)
        return 0;
    check(status == KVL_OK && score >= 0 && score <= 1);
    return score;
}

/* The next text of the input, up to a 0 byte, with what is no UTF-8 replaced. */
static char *next_text(const uint8_t **data, size_t *size)
{
    const uint8_t *zero = *size > 0 ? memchr(*data, 0, *size) : NULL;
    size_t n = zero != NULL ? (size_t)(zero - *data) : *size, n_used = n < MAX_TEXT ? n : MAX_TEXT;
    char *text = malloc(3 * n_used + 1);
    text[kvl_utf8_repair((const char *)*data, (int64_t)n_used, text)] = '\0';
    *data += n + (zero != NULL);
    *size -= n + (zero != NULL);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *texts[N_TEXTS];
    for (int i = 0; i < N_TEXTS; i++)
        texts[i] = next_text(&data, &size);
    const char *const answers[] = {texts[1], texts[2]}, *const swapped[] = {texts[0]};
    for (size_t m = 0; m < sizeof metrics / sizeof *metrics; m++) {
        double one = score_of(m, texts[0], answers, 1), both = score_of(m, texts[0], answers, 2);
        bool classes_differ = metrics[m].score == kvl_score_class || metrics[m].score == kvl_score_first_line_class;
        bool refuses = metrics[m].score == kvl_score_retrieval;
        check(score_of(m, texts[0], answers, 0) == 0);
        check(!metrics[m].best || classes_differ || refuses || both >= one);
        check(!metrics[m].symmetric || score_of(m, texts[1], swapped, 1) == one);
    }
    for (char *c = texts[0]; *c != '\0'; c++)
        *c = (char)(*c >= '0' && *c <= '9' ? *c : 'a' + (unsigned char)*c % 26);
    int64_t n = (int64_t)strlen(texts[0]);
    check(kvl_porter_stem(texts[0], n) <= n);
    for (int i = 0; i < N_TEXTS; i++)
        free(texts[i]);
    return 0;
}
