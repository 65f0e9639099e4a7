#include "core/nearest.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

enum { MAX_WORD = 63 };

/* Optimal string alignment: Levenshtein's recurrence plus the swap of two neighbours, three rows at a time. */
static int distance(const char *a, int n_a, const char *b, int n_b)
{
    int rows[3][MAX_WORD + 1];
    for (int j = 0; j <= n_b; j++)
        rows[0][j] = j;
    for (int i = 1; i <= n_a; i++) {
        const int *before = rows[(i + 1) % 3], *above = rows[(i + 2) % 3];
        int *row = rows[i % 3];
        row[0] = i;
        for (int j = 1; j <= n_b; j++) {
            int ca = tolower((unsigned char)a[i - 1]), cb = tolower((unsigned char)b[j - 1]);
            int best = above[j - 1] + (ca != cb);
            if (above[j] + 1 < best)
                best = above[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            if (i > 1 && j > 1 && ca == tolower((unsigned char)b[j - 2]) && tolower((unsigned char)a[i - 2]) == cb
                && before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            row[j] = best;
        }
    }
    return rows[n_a % 3][n_b];
}

const char *kvl_nearest(const char *word, const char *(*next)(const void *context, int i), const void *context)
{
    const char *best = NULL;
    int best_distance = MAX_WORD, n_word = (int)strnlen(word, MAX_WORD);
    const char *name;
    for (int i = 0; (name = next(context, i)) != NULL; i++) {
        int n_name = (int)strnlen(name, MAX_WORD);
        int longer = n_word > n_name ? n_word : n_name;
        int allowed = longer / 3 > 1 ? longer / 3 : 1;
        int d = distance(word, n_word, name, n_name);
        if (d <= allowed && d < best_distance) {
            best = name;
            best_distance = d;
        }
    }
    return best;
}
