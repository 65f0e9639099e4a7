#include "datasets/recall.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* A character of the text after the clean-up, for comparison. */
static char cleaned(char c)
{
    return (unsigned char)c < 0x20 ? '\n' : lower(c);
}

/* Off both ends after the clean-up: a blank, or a control character, which is a newline by then. */
static bool is_stripped(char c)
{
    return (unsigned char)c <= ' ';
}

static bool contains(const char *text, size_t n, const char *answer)
{
    size_t n_answer = strlen(answer);
    for (size_t i = 0; i + n_answer <= n; i++) {
        size_t j = 0;
        while (j < n_answer && cleaned(text[i + j]) == lower(answer[j]))
            j++;
        if (j == n_answer)
            return true;
    }
    return false;
}

enum kvl_status kvl_recall(const struct kvl_scoring *scoring, double *score)
{
    const char *prediction = scoring->prediction;
    size_t n = strlen(prediction);
    while (n > 0 && is_stripped(prediction[n - 1]))
        n--;
    while (n > 0 && is_stripped(*prediction)) {
        prediction++;
        n--;
    }
    int n_found = 0;
    for (int i = 0; i < scoring->n_answers; i++)
        n_found += contains(prediction, n, scoring->answers[i]);
    *score = scoring->n_answers > 0 ? (double)n_found / scoring->n_answers : 0;
    return KVL_OK;
}
