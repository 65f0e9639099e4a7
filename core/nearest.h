/* The nearest known name to a misspelt one (Damerau-Levenshtein distance, case ignored). */
#ifndef KVL_NEAREST_H
#define KVL_NEAREST_H

#ifdef __cplusplus
extern "C" {
#endif

/* Returns the name with the smallest distance to `word` if that is at most a third of the longer length (at least 1),
 * else NULL. `next` yields the i-th known name, NULL past the end. */
const char *kvl_nearest(const char *word, const char *(*next)(const void *context, int i), const void *context);

#ifdef __cplusplus
}
#endif
#endif
