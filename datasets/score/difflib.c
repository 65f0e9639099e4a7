#include <stdbool.h>
#include <stdlib.h>

#include "datasets/score/similarity.h"

enum { JUNK_FROM = 200 }; /* characters of b from which on popular ones are junk */

struct place {
    uint32_t code;
    int32_t at; /* in b */
};

/* Where in b the characters equal to some a[i] are: places[first..end). Empty for junk. */
struct places {
    int32_t first, end;
};

struct block {
    int64_t a_low, a_high, b_low, b_high; /* half-open */
};

struct matcher {
    struct kvl_code_points a, b;
    struct place *places;      /* [b.n] by character, then by place */
    struct places *of_a;       /* [a.n] */
    int32_t *runs, *next_runs; /* [b.n + 1] runs[j + 1]: length of the common run that ends with the last a[i] and b[j] */
    struct block *stack;       /* [min(a.n, b.n) + 1]: what is on it does not overlap, in a or in b */
};

static int compare_places(const void *left, const void *right)
{
    const struct place *x = left, *y = right;
    return x->code != y->code ? (x->code > y->code) - (x->code < y->code) : (x->at > y->at) - (x->at < y->at);
}

/* The first of places[low..high) that is not before (code, at). */
static int32_t lower_bound(const struct place *places, int32_t low, int32_t high, struct place bound)
{
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (compare_places(&places[middle], &bound) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void index_places(struct matcher *m)
{
    int32_t n_b = (int32_t)m->b.n, popular = n_b >= JUNK_FROM ? n_b / 100 + 1 : n_b;
    for (int32_t j = 0; j < n_b; j++)
        m->places[j] = (struct place){m->b.data[j], j};
    qsort(m->places, (size_t)n_b, sizeof *m->places, compare_places);
    for (int64_t i = 0; i < m->a.n; i++) {
        int32_t first = lower_bound(m->places, 0, n_b, (struct place){m->a.data[i], 0});
        int32_t end = lower_bound(m->places, first, n_b, (struct place){m->a.data[i], n_b});
        m->of_a[i] = (struct places){first, end - first > popular ? first : end};
    }
}

/* Lengthens the runs by a[i], for places in b from b_low to b_high. Returns the first of the longest, 0: there is none. */
static int32_t lengthen(struct matcher *m, int64_t i, const struct block *in, int32_t *length)
{
    struct places of = m->of_a[i];
    int32_t best = 0;
    *length = 0;
    for (int32_t p = lower_bound(m->places, of.first, of.end, (struct place){m->a.data[i], (int32_t)in->b_low}); p < of.end; p++) {
        int32_t j = m->places[p].at;
        if (j >= in->b_high)
            break;
        m->next_runs[j + 1] = m->runs[j] + 1;
        if (m->next_runs[j + 1] > *length) {
            *length = m->next_runs[j + 1];
            best = j;
        }
    }
    return best;
}

static void forget(const struct matcher *m, int32_t *runs, int64_t i)
{
    for (int32_t p = m->of_a[i].first; p < m->of_a[i].end; p++)
        runs[m->places[p].at + 1] = 0;
}

/* The longest common run within `in`; runs of junk lengthen it. Empty at the lower corner where there is none. */
static struct block longest_run(struct matcher *m, const struct block *in)
{
    int64_t a_low = in->a_low, b_low = in->b_low, n = 0;
    for (int64_t i = in->a_low; i < in->a_high; i++) {
        int32_t length, at = lengthen(m, i, in, &length);
        if (length > n) {
            n = length;
            a_low = i + 1 - n;
            b_low = at + 1 - n;
        }
        if (i > in->a_low)
            forget(m, m->runs, i - 1);
        int32_t *runs = m->runs;
        m->runs = m->next_runs;
        m->next_runs = runs;
    }
    forget(m, m->runs, in->a_high - 1);
    int64_t a_high = a_low + n, b_high = b_low + n;
    while (a_low > in->a_low && b_low > in->b_low && m->a.data[a_low - 1] == m->b.data[b_low - 1]) {
        a_low--;
        b_low--;
    }
    while (a_high < in->a_high && b_high < in->b_high && m->a.data[a_high] == m->b.data[b_high]) {
        a_high++;
        b_high++;
    }
    return (struct block){a_low, a_high, b_low, b_high};
}

/* Characters in all matching blocks. */
static int64_t count_matches(struct matcher *m)
{
    int64_t n = 0, n_stack = 0;
    m->stack[n_stack++] = (struct block){0, m->a.n, 0, m->b.n};
    while (n_stack > 0) {
        struct block in = m->stack[--n_stack], run = longest_run(m, &in);
        if (run.a_high == run.a_low)
            continue;
        n += run.a_high - run.a_low;
        if (in.a_low < run.a_low && in.b_low < run.b_low)
            m->stack[n_stack++] = (struct block){in.a_low, run.a_low, in.b_low, run.b_low};
        if (run.a_high < in.a_high && run.b_high < in.b_high)
            m->stack[n_stack++] = (struct block){run.a_high, in.a_high, run.b_high, in.b_high};
    }
    return n;
}

enum kvl_status kvl_difflib_ratio(struct kvl_code_points a, struct kvl_code_points b, double *ratio)
{
    struct matcher m = {.a = a, .b = b};
    enum kvl_status status = KVL_OK;
    *ratio = 0;
    if (a.n == 0 || b.n == 0)
        return KVL_OK;
    if (a.n >= INT32_MAX || b.n >= INT32_MAX)
        return kvl_fail(KVL_E_OOM, "texts of %lld and %lld characters are too long to compare", (long long)a.n, (long long)b.n);
    m.places = malloc((size_t)b.n * sizeof *m.places);
    m.of_a = malloc((size_t)a.n * sizeof *m.of_a);
    m.runs = calloc((size_t)b.n + 1, sizeof *m.runs);
    m.next_runs = calloc((size_t)b.n + 1, sizeof *m.next_runs);
    m.stack = malloc((size_t)((a.n < b.n ? a.n : b.n) + 1) * sizeof *m.stack);
    if (m.places == NULL || m.of_a == NULL || m.runs == NULL || m.next_runs == NULL || m.stack == NULL) {
        status = kvl_fail(KVL_E_OOM, "no memory to compare texts of %lld and %lld characters", (long long)a.n, (long long)b.n);
        goto out;
    }
    index_places(&m);
    *ratio = 2.0 * (double)count_matches(&m) / (double)(a.n + b.n);
out:
    free(m.places);
    free(m.of_a);
    free(m.runs);
    free(m.next_runs);
    free(m.stack);
    return status;
}
