/* The paths of this build, slowest first. KVL_SIMD_X86 is set by the build where the x86 paths are compiled. */
#include "kernels/cpu/simd.h"

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

const struct kvl_simd *kvl_simd_find(const char *isa)
{
    for (int i = (int)N_PATHS - 1; i >= 0; i--) {
        bool wanted = isa == NULL || strcmp(isa, "auto") == 0 || strcmp(isa, paths[i]->name) == 0;
        if (wanted && paths[i]->available())
            return paths[i];
    }
    return NULL;
}
