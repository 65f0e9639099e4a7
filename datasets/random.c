#include "datasets/random.h"

#include <assert.h>
#include <stdbool.h>

/* One step of SplitMix64: a bijection that turns neighbouring values into unrelated ones. */
static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* FNV-1a, 64 bits. */
static uint64_t hash(const char *name)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 0x100000001b3u;
    return h;
}

void kvl_random_init(struct kvl_random *random, uint64_t seed, const char *name, int64_t index)
{
    uint64_t x = mix(mix(mix(seed) ^ hash(name)) ^ (uint64_t)index);
    for (int i = 0; i < 4; i++) {
        random->state[i] = mix(x);
        x += 0x9e3779b97f4a7c15u;
    }
}

static uint64_t rotate_left(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

uint64_t kvl_random_next(struct kvl_random *random)
{
    uint64_t *s = random->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

/* The 2^64 mod n smallest values are drawn again; the rest is a multiple of n. */
int64_t kvl_random_below(struct kvl_random *random, int64_t n)
{
    assert(n >= 1);
    uint64_t bound = (uint64_t)n, refused = (0 - bound) % bound, x;
    do
        x = kvl_random_next(random);
    while (x < refused);
    return (int64_t)(x % bound);
}

int64_t kvl_random_scale(uint64_t x, int64_t n)
{
    assert(n >= 0 && n < INT64_C(1) << 32);
    uint64_t low = (x & 0xffffffffu) * (uint64_t)n, high = (x >> 32) * (uint64_t)n;
    return (int64_t)((high + (low >> 32)) >> 32);
}

/* Fisher-Yates, from the end. */
void kvl_random_shuffle(struct kvl_random *random, int64_t *items, int64_t n)
{
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t j = kvl_random_below(random, i + 1), item = items[i];
        items[i] = items[j];
        items[j] = item;
    }
}

/* Floyd's sampling gives a uniform set in an order that is not; the shuffle mends the order. */
void kvl_random_sample(struct kvl_random *random, int64_t n, int64_t k, int64_t *out)
{
    assert(k >= 0 && k <= n);
    for (int64_t i = 0; i < k; i++) {
        int64_t last = n - k + i, x = kvl_random_below(random, last + 1);
        bool taken = false;
        for (int64_t j = 0; j < i; j++)
            taken = taken || out[j] == x;
        out[i] = taken ? last : x;
    }
    kvl_random_shuffle(random, out, k);
}

void kvl_random_order_init(struct kvl_random_order *order, struct kvl_random *random, int64_t n)
{
    assert(n >= 1 && n <= INT64_C(1) << 62);
    *order = (struct kvl_random_order){.n = n, .n_bits = 4}; /* halves of fewer bits do not mix well */
    while (order->n_bits < 31 && INT64_C(1) << 2 * order->n_bits < n)
        order->n_bits++;
    for (int i = 0; i < 4; i++)
        order->keys[i] = kvl_random_next(random);
}

/* A Feistel network of four rounds permutes the next power of four; indices from n on are walked through until one below n
 * comes, which keeps it a permutation and takes four steps or fewer on average where n > 64. */
int64_t kvl_random_order_at(const struct kvl_random_order *order, int64_t i)
{
    assert(i >= 0 && i < order->n);
    uint64_t mask = (UINT64_C(1) << order->n_bits) - 1, x = (uint64_t)i;
    do {
        uint64_t high = x >> order->n_bits, low = x & mask;
        for (int round = 0; round < 4; round++) {
            uint64_t next = high ^ (mix(low ^ order->keys[round]) & mask);
            high = low;
            low = next;
        }
        x = high << order->n_bits | low;
    } while (x >= (uint64_t)order->n);
    return (int64_t)x;
}
