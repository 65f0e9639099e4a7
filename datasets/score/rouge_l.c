#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/score/best.h"
#include "datasets/score/score.h"
#include "datasets/score/word_table.h"

/* Calls that the package's backtracking may nest in Python 3.11: the limit of 1000 less the nine calls round it in LongBench's
 * eval.py (counting the module). */
enum { MAX_DEPTH = 991 };

static atomic_int_fast64_t n_too_deep;

int64_t kvl_score_rouge_l_too_deep(void)
{
    return (int64_t)atomic_load(&n_too_deep);
}

/* A text as the package splits it: at full stops, then into words by number. */
struct pieces {
    int32_t *words; /* [end[n - 1]] */
    int64_t *end;   /* [n] */
    int64_t n;
};

/* A piece of white space only is one empty word; a piece without a character is none. */
static enum kvl_status split(struct kvl_word_table *table, enum kvl_word_side side, const char *text, struct pieces *out)
{
    size_t n_bytes = strlen(text);
    int64_t n = 0;
    out->words = malloc((n_bytes + 1) * sizeof *out->words); /* a word takes a byte of its own */
    out->end = malloc((n_bytes + 1) * sizeof *out->end);
    if (out->words == NULL || out->end == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for the words of a text of %zu bytes", n_bytes);
    for (const char *end; *text != '\0'; text = *end == '.' ? end + 1 : end) {
        end = text + strcspn(text, ".");
        struct kvl_text_part rest = {text, end - text}, word = {text, 0};
        if (rest.n == 0)
            continue;
        if (!kvl_python_next_word(&rest, &word))
            word.n = 0;
        do
            KVL_TRY(kvl_word_table_add(table, side, word, &out->words[n++]));
        while (kvl_python_next_word(&rest, &word));
        out->end[out->n++] = n;
    }
    return KVL_OK;
}

struct line {
    const int32_t *words;
    int64_t n;
};

static int64_t longest_line(const struct pieces *pieces)
{
    int64_t n = 0;
    for (int64_t i = 0, start = 0; i < pieces->n; start = pieces->end[i++])
        n = pieces->end[i] - start > n ? pieces->end[i] - start : n;
    return n;
}

static struct line line_at(const struct pieces *pieces, int64_t i)
{
    int64_t start = i > 0 ? pieces->end[i - 1] : 0;
    return (struct line){pieces->words + start, pieces->end[i] - start};
}

/* Room for the table of a longest common subsequence of x (reference) and y (prediction), lengths of x[0..i) and y[0..j). It is
 * kept in blocks of rows: the row before each block, and, for the block that is being walked through, one flag per cell. That is
 * room for y.n * 3 sqrt(x.n) cells or so in place of y.n * x.n, for one more pass. */
struct table {
    int64_t n_block; /* rows of a block */
    int32_t *before; /* [blocks][y.n + 1] */
    int32_t *row;    /* [y.n + 1] */
    bool *up;        /* [n_block][y.n + 1]: the cell above is greater than the cell to the left */
};

/* For lines of at most these numbers of words. */
static enum kvl_status table_init(struct table *t, int64_t max_x, int64_t max_y)
{
    size_t n_row = (size_t)max_y + 1;
    t->n_block = 2 * (int64_t)sqrt((double)max_x) + 64;
    t->before = malloc((size_t)((max_x + t->n_block - 1) / t->n_block) * n_row * sizeof *t->before);
    t->row = malloc(n_row * sizeof *t->row);
    t->up = malloc((size_t)(t->n_block < max_x ? t->n_block : max_x) * n_row * sizeof *t->up);
    if (t->before == NULL || t->row == NULL || t->up == NULL)
        return kvl_fail(KVL_E_OOM, "no memory to compare sentences of %lld and %lld words", (long long)max_x, (long long)max_y);
    return KVL_OK;
}

static void table_free(struct table *t)
{
    free(t->before);
    free(t->row);
    free(t->up);
}

/* Makes row i + 1 of row i, where it stands; up: NULL, or its flags. */
static void next_row(int32_t *row, int32_t word, struct line y, bool *up)
{
    int32_t diagonal = 0;
    for (int64_t j = 1; j <= y.n; j++) {
        int32_t above = row[j], left = row[j - 1];
        if (up != NULL)
            up[j] = above > left;
        row[j] = word == y.words[j - 1] ? diagonal + 1 : above > left ? above : left;
        diagonal = above;
    }
}

/* Marks the words of the package's longest common subsequence: from the ends, diagonally where the words are equal, up where the
 * cell above is greater, else left. Returns the calls that this takes in the package. */
static int64_t mark_common(struct table *t, struct line x, struct line y, bool *common)
{
    int64_t i = x.n, depth = 1, n_row = y.n + 1, last = (x.n - 1) / t->n_block;
    memset(t->row, 0, (size_t)n_row * sizeof *t->row);
    for (int64_t r = 0; r < last * t->n_block; r++) {
        if (r % t->n_block == 0)
            memcpy(t->before + r / t->n_block * n_row, t->row, (size_t)n_row * sizeof *t->row);
        next_row(t->row, x.words[r], y, NULL);
    }
    for (int64_t b = last; b >= 0 && y.n > 0; b--) {
        int64_t first = b * t->n_block;
        if (b < last)
            memcpy(t->row, t->before + b * n_row, (size_t)(y.n + 1) * sizeof *t->row);
        for (int64_t r = first; r < i; r++)
            next_row(t->row, x.words[r], y, t->up + (r - first) * n_row);
        for (; i > first && y.n > 0; depth++) {
            bool equal = x.words[i - 1] == y.words[y.n - 1], up = t->up[(i - 1 - first) * n_row + y.n];
            if (equal)
                common[x.words[i - 1]] = true;
            i -= equal || up;
            y.n -= equal || !up;
        }
    }
    return depth;
}

/* f of two sets of words and of how many are common, as the package has it. */
static double f_score(const struct kvl_word_table *table, const bool *common)
{
    int64_t n_common = 0, n_prediction = 0, n_answer = 0;
    for (int32_t i = 0; i < table->n_words; i++) {
        n_common += common[i];
        n_prediction += table->words[i].n[KVL_WORD_PREDICTION] > 0;
        n_answer += table->words[i].n[KVL_WORD_ANSWER] > 0;
    }
    double recall = (double)n_common / (double)n_answer, precision = (double)n_common / (double)n_prediction;
    return 2 * (precision * recall / (precision + recall + 1e-8));
}

static enum kvl_status score_answer(const struct kvl_scoring *scoring, const char *answer, double *score)
{
    struct kvl_word_table table = {0};
    struct pieces prediction = {0}, reference = {0};
    struct table lengths = {0};
    bool *common = NULL, too_deep = false;
    enum kvl_status status = KVL_OK;
    *score = 0;
    KVL_TRY_OUT(split(&table, KVL_WORD_PREDICTION, scoring->prediction, &prediction));
    KVL_TRY_OUT(split(&table, KVL_WORD_ANSWER, answer, &reference));
    if (prediction.n == 0 || reference.n == 0)
        goto out; /* the package raises, eval.py takes 0 */
    common = calloc((size_t)table.n_words, sizeof *common);
    if (common == NULL) {
        status = kvl_fail(KVL_E_OOM, "no memory for %d words", (int)table.n_words);
        goto out;
    }
    KVL_TRY_OUT(table_init(&lengths, longest_line(&reference), longest_line(&prediction)));
    for (int64_t r = 0; r < reference.n; r++)
        for (int64_t p = 0; p < prediction.n; p++)
            if (mark_common(&lengths, line_at(&reference, r), line_at(&prediction, p), common) > MAX_DEPTH)
                too_deep = true;
    *score = f_score(&table, common);
    atomic_fetch_add(&n_too_deep, too_deep);
out:
    table_free(&lengths);
    kvl_word_table_free(&table);
    free(prediction.words);
    free(prediction.end);
    free(reference.words);
    free(reference.end);
    free(common);
    return status;
}

enum kvl_status kvl_score_rouge_l(const struct kvl_scoring *scoring, double *score)
{
    return kvl_score_best(scoring, score_answer, score);
}
