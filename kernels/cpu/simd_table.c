/* The paths of this build, slowest first. KVL_SIMD_X86 is set by the build where the x86 paths are compiled. */
#include "kernels/cpu/simd.h"

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

enum { DEPTH = 128, CALLS = 32, ROUNDS = 8 };

/* The shortest of some rounds of register tiles, in ns. */
static int64_t time_tiles(const struct kvl_simd *path, bool pairs)
{
    _Alignas(64) float a[KVL_TILE_ROWS * DEPTH] = {0}, b[DEPTH * KVL_TILE_COLS] = {0}, c[KVL_TILE_ROWS * KVL_TILE_COLS];
    int64_t best = INT64_MAX;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t start = nanoseconds();
        for (int i = 0; i < CALLS; i++)
            if (pairs)
                path->tile_bf16(DEPTH, (const uint16_t *)a, DEPTH, (const uint16_t *)b, c, KVL_TILE_COLS, false,
                                (struct kvl_ahead){(const char *)c, 0});
            else
                path->tile(DEPTH, a, DEPTH, b, c, KVL_TILE_COLS, false, (struct kvl_ahead){(const char *)c, 0});
        int64_t ns = nanoseconds() - start;
        best = ns < best ? ns : best;
    }
    return best;
}

/* Whether a path's bfloat16 products are faster than its float32 ones. It takes the processor's pair products to do twice the
 * work of its float32 ones for that, as on AMD's Zen 4; on Intel's Sapphire and Emerald Rapids they do half, and equal work on
 * Cooper Lake. Asked of the processor: no flag says it. Between 0.5, 1 and 2 no noise decides. */
static bool pairs_pay(const struct kvl_simd *path)
{
    return path->tile_bf16 == NULL || 1.4 * (double)time_tiles(path, true) < (double)time_tiles(path, false);
}

const struct kvl_simd *kvl_simd_find(const char *isa)
{
    bool any = isa == NULL || strcmp(isa, "auto") == 0;
    for (int i = (int)N_PATHS - 1; i >= 0; i--)
        if ((any || strcmp(isa, paths[i]->name) == 0) && paths[i]->available() && (!any || pairs_pay(paths[i])))
            return paths[i];
    return NULL;
}
