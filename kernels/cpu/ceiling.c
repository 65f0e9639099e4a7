/* What this machine can do at most: products from registers and first-level cache, and reading from memory. */
#include <time.h>

#include "kernels/cpu/cpu.h"

enum { DEPTH = 128, REPEATS = 20000, ROUNDS = 5 };

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* The register tile over operands that stay in the first-level cache, on every thread at once. */
static double measure_flops(const struct kvl_cpu *cpu, bool pairs)
{
    double best = 0.0;
    for (int round = 0; round < ROUNDS; round++) {
        double start = seconds();
#pragma omp parallel num_threads(cpu->n_threads)
        {
            _Alignas(64) float a[KVL_TILE_ROWS * DEPTH] = {0}, b[DEPTH * KVL_TILE_COLS] = {0};
            _Alignas(64) float c[KVL_TILE_ROWS * KVL_TILE_COLS] = {0};
            struct kvl_ahead ahead = {(const char *)c, 0};
            for (int i = 0; i < REPEATS; i++)
                kvl_simd_tile(cpu->simd, pairs, DEPTH, a, DEPTH, b, c, KVL_TILE_COLS, true, ahead);
        }
        double rate = 2.0 * KVL_TILE_ROWS * KVL_TILE_COLS * DEPTH * REPEATS * cpu->n_threads / (seconds() - start);
        best = rate > best ? rate : best;
    }
    return best;
}

/* Reading a block far larger than the caches, every thread its own part. */
static enum kvl_status measure_bytes(struct kvl_cpu *cpu, double *out)
{
    const int64_t n = (int64_t)1 << 26; /* floats: 256 MiB */
    void *memory;
    KVL_TRY(kvl_cpu_alloc(&cpu->base, n * (int64_t)sizeof(float), &memory));
    float *data = memory;
#pragma omp parallel for schedule(static) num_threads(cpu->n_threads)
    for (int64_t i = 0; i < n; i++)
        data[i] = 1.0f;
    double best = 0.0;
    const int64_t part = 1 << 14;
    for (int round = 0; round < ROUNDS; round++) {
        float sum = 0.0f;
        double start = seconds();
#pragma omp parallel for schedule(static) num_threads(cpu->n_threads) reduction(max : sum)
        for (int64_t i = 0; i < n; i += part) {
            float most = cpu->simd->max(data + i, part);
            sum = most > sum ? most : sum;
        }
        double rate = (double)n * sizeof(float) / (seconds() - start);
        best = sum > 0.0f && rate > best ? rate : best;
    }
    kvl_cpu_free(&cpu->base, memory);
    *out = best;
    return KVL_OK;
}

enum kvl_status kvl_cpu_ceilings(struct kvl_ctx *ctx, enum kvl_dtype dtype, struct kvl_ceilings *out)
{
    struct kvl_cpu *cpu = kvl_cpu(ctx);
    out->flops_per_s = measure_flops(cpu, kvl_simd_has_pairs(cpu->simd, dtype));
    return measure_bytes(cpu, &out->bytes_per_s);
}
