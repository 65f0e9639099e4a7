/* The paths of this build, slowest first. KVL_SIMD_X86 is set by the build where the x86 paths are compiled. */
#include "kernels/cpu/simd.h"

#include <pthread.h>
#include <time.h>

extern const struct kvl_simd kvl_simd_plain;
#ifdef KVL_SIMD_X86
extern const struct kvl_simd kvl_simd_avx2, kvl_simd_avx512, kvl_simd_avx512bf16;
#endif

static const struct kvl_simd *const paths[] = {
    &kvl_simd_plain,
#ifdef KVL_SIMD_X86
    &kvl_simd_avx2,
    &kvl_simd_avx512,
    &kvl_simd_avx512bf16,
#endif
};

enum { N_PATHS = sizeof paths / sizeof *paths };

const char *kvl_simd_name(int i)
{
    return i >= 0 && i < (int)N_PATHS ? paths[i]->name : NULL;
}

static int64_t nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

enum { DEPTH = 128, CALLS = 32, ROUNDS = 16 };

/* Some register tiles in a row, in ns. */
static int64_t time_tiles(const struct kvl_simd *path, bool pairs)
{
    _Alignas(64) float a[KVL_TILE_ROWS * DEPTH] = {0}, b[DEPTH * KVL_TILE_COLS] = {0}, c[KVL_TILE_ROWS * KVL_TILE_COLS];
    struct kvl_ahead ahead = {(const char *)c, 0};
    int64_t start = nanoseconds();
    for (int i = 0; i < CALLS; i++)
        kvl_simd_tile(path, pairs, DEPTH, a, DEPTH, b, c, KVL_TILE_COLS, false, ahead);
    return nanoseconds() - start;
}

/* Whether a path's bfloat16 products are faster than its float32 ones. It takes the processor's pair products to do twice the
 * work of its float32 ones for that, as on AMD's Zen 4; on Intel's Sapphire and Emerald Rapids they do half, and equal work on
 * Cooper Lake. Asked of the processor, since no flag says it: the shortest of rounds in alternation, so that 0.5, 1 and 2 stay
 * apart on a busy machine, too. */
static bool pairs_pay(const struct kvl_simd *path)
{
    int64_t pairs = INT64_MAX, plain = INT64_MAX, ns;
    for (int round = 0; round < ROUNDS && path->tile_bf16 != NULL; round++) {
        pairs = (ns = time_tiles(path, true)) < pairs ? ns : pairs;
        plain = (ns = time_tiles(path, false)) < plain ? ns : plain;
    }
    return path->tile_bf16 == NULL || 1.4 * (double)pairs < (double)plain;
}

static const struct kvl_simd *fastest;

static void find_fastest(void)
{
    for (int i = 0; i < (int)N_PATHS; i++)
        if (paths[i]->available() && pairs_pay(paths[i]))
            fastest = paths[i];
}

const struct kvl_simd *kvl_simd_find(const char *isa)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT; /* one choice for a process, whatever happens on the machine meanwhile */
    pthread_once(&once, find_fastest);
    if (isa == NULL || strcmp(isa, "auto") == 0)
        return fastest;
    for (int i = 0; i < (int)N_PATHS; i++)
        if (strcmp(isa, paths[i]->name) == 0 && paths[i]->available())
            return paths[i];
    return NULL;
}
