/* The two similarities that fuzzywuzzy's ratio may be, over characters (code points). */
#ifndef KVL_SIMILARITY_H
#define KVL_SIMILARITY_H

#include <stdint.h>

#include "kernels/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kvl_code_points {
    uint32_t *data; /* [n] */
    int64_t n;
};

/* Both: 0..1, not for two empty texts. KVL_E_OOM. */

/* 2 m / (a.n + b.n), where m counts the characters of the matching blocks that Ratcliff and Obershelp's "gestalt" matching finds:
 * the longest common run (ties: first in a, then first in b), then the same to its left and to its right. As Python's
 * difflib.SequenceMatcher(None, a, b).ratio(), automatic junk included: if b has 200 characters or more, those that make up more
 * than 1 % of it start no run, they only lengthen one. Not symmetric. Time grows with a.n times the longest list of equal
 * characters in b that are not junk (at most 199, or 1 % of b), for each block found. */
enum kvl_status kvl_difflib_ratio(struct kvl_code_points a, struct kvl_code_points b, double *ratio);

/* 1 - d / (a.n + b.n), where d is the least number of insertions and deletions that make b of a. As python-Levenshtein's
 * ratio() (0.27, rounding errors included). Time a.n * b.n. */
enum kvl_status kvl_indel_ratio(struct kvl_code_points a, struct kvl_code_points b, double *ratio);

#ifdef __cplusplus
}
#endif
#endif
