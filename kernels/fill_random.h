/* Uniform values in (-bound, bound), a pure function of (seed, index): the same bits on every backend.
 *   out  out  dtype [n]: element i is bound * (2 u - 1), u = (top 24 bits of mix(seed, first + i) + 0.5) / 2^24,
 * where mix is SplitMix64's finalizer over seed + (index + 1) * 0x9e3779b97f4a7c15 (Steele, Lea, Flood, OOPSLA 2014). */
#ifndef KVL_FILL_RANDOM_H
#define KVL_FILL_RANDOM_H

#include "kernels/tensor.h"

KVL_HOST_AND_DEVICE static inline float kvl_random_uniform(uint64_t seed, uint64_t index, float bound)
{
    uint64_t z = seed + (index + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    float u = ((float)(uint32_t)(z >> 40) + 0.5f) * (1.0f / 16777216.0f);
    return bound * (2.0f * u - 1.0f);
}

struct kvl_fill_random {
    void *out;
    enum kvl_dtype dtype;
    int64_t n;
    uint64_t seed;
    uint64_t first;
    float bound;
};

#endif
