/* Seeded random numbers that are the same on every machine: xoshiro256** (Blackman and Vigna, 2018), seeded by SplitMix64.
 *
 * Every use has a stream of its own, named by what it is for, so that one more draw in one place changes no other. */
#ifndef KVL_RANDOM_H
#define KVL_RANDOM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct kvl_random {
    uint64_t state[4];
};

/* The stream of (seed, name, index); different arguments give independent streams. */
void kvl_random_init(struct kvl_random *random, uint64_t seed, const char *name, int64_t index);

/* All 64 bits uniform. */
uint64_t kvl_random_next(struct kvl_random *random);

/* Uniform in 0..n-1 without modulo bias; n >= 1. */
int64_t kvl_random_below(struct kvl_random *random, int64_t n);

/* Puts items[0..n) into a uniformly drawn order. */
void kvl_random_shuffle(struct kvl_random *random, int64_t *items, int64_t n);

/* k different values of 0..n-1 in random order; out i64 [k], 0 <= k <= n. Takes O(k * k). */
void kvl_random_sample(struct kvl_random *random, int64_t n, int64_t k, int64_t *out);

#ifdef __cplusplus
}
#endif
#endif
