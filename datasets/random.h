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

/* floor(x / 2^64 * n) for 0 <= n < 2^32: a place among n from a place in the whole range, the same on every machine. */
int64_t kvl_random_scale(uint64_t x, int64_t n);

/* Puts items[0..n) into a uniformly drawn order. */
void kvl_random_shuffle(struct kvl_random *random, int64_t *items, int64_t n);

/* k different values of 0..n-1 in random order; out i64 [k], 0 <= k <= n. Takes O(k * k). */
void kvl_random_sample(struct kvl_random *random, int64_t n, int64_t k, int64_t *out);

/* A random order of 0..n-1 that is never written down, for n too large to shuffle: any item of it at once. */
struct kvl_random_order {
    int64_t n;
    int n_bits; /* of half an index */
    uint64_t keys[4];
};

/* Draws an order of 0..n-1; 1 <= n <= 2^62. */
void kvl_random_order_init(struct kvl_random_order *order, struct kvl_random *random, int64_t n);

/* Its i-th item, 0 <= i < n; different i give different items. */
int64_t kvl_random_order_at(const struct kvl_random_order *order, int64_t i);

#ifdef __cplusplus
}
#endif
#endif
