#include <stdlib.h>

#include "datasets/score/similarity.h"

enum kvl_status kvl_indel_ratio(struct kvl_code_points a, struct kvl_code_points b, double *ratio)
{
    int64_t n_total = a.n + b.n, n_same = 0; /* n_same: characters of common ends, which are in some longest subsequence */
    while (a.n > 0 && b.n > 0 && a.data[0] == b.data[0]) {
        a = (struct kvl_code_points){a.data + 1, a.n - 1};
        b = (struct kvl_code_points){b.data + 1, b.n - 1};
        n_same++;
    }
    while (a.n > 0 && b.n > 0 && a.data[a.n - 1] == b.data[b.n - 1]) {
        a.n--;
        b.n--;
        n_same++;
    }
    /* Length of the longest common subsequence of a[0..i] and b[0..j). */
    int64_t *length = calloc((size_t)b.n + 1, sizeof *length);
    if (length == NULL)
        return kvl_fail(KVL_E_OOM, "no memory to compare texts of %lld and %lld characters", (long long)a.n, (long long)b.n);
    for (int64_t i = 0; i < a.n; i++) {
        int64_t diagonal = 0;
        for (int64_t j = 1; j <= b.n; j++) {
            int64_t above = length[j];
            if (a.data[i] == b.data[j - 1])
                length[j] = diagonal + 1;
            else if (length[j - 1] > above)
                length[j] = length[j - 1];
            diagonal = above;
        }
    }
    n_same += length[b.n];
    free(length);
    *ratio = n_total > 0 ? 1.0 - (double)(n_total - 2 * n_same) / (double)n_total : 0;
    return KVL_OK;
}
