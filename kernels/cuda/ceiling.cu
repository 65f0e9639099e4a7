/* What this device can do at most, measured once: matrix products through the path of linear layers and a copy within the
 * device's memory, counting bytes read and written. Kept in the user's cache folder under the device's id, the driver and the
 * type. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/cuda/cuda.h"

enum { ROUNDS = 8, PATH_SIZE = 512 };
static const int64_t COPY_BYTES = (int64_t)1 << 29; /* far more than the second-level cache */

static enum kvl_status time_copy(struct kvl_ctx *ctx, void *to, const void *from, int64_t *ns)
{
    KVL_TRY(ctx->be->mark(ctx, 0));
    KVL_CUDA_TRY(cudaMemcpyAsync(to, from, (size_t)COPY_BYTES, cudaMemcpyDeviceToDevice, kvl_cuda(ctx)->stream));
    KVL_TRY(ctx->be->mark(ctx, 1));
    return ctx->be->elapsed(ctx, 0, 1, ns);
}

static enum kvl_status measure_bytes(struct kvl_ctx *ctx, double *out)
{
    void *from = NULL, *to = NULL;
    enum kvl_status status = kvl_cuda_alloc(ctx, COPY_BYTES, &from);
    if (status == KVL_OK)
        status = kvl_cuda_alloc(ctx, COPY_BYTES, &to);
    const struct kvl_fill_random fill = {from, KVL_F32, COPY_BYTES / 4, 1, 0, 1.0f};
    if (status == KVL_OK)
        status = kvl_cuda_fill_random(ctx, &fill);
    *out = 0.0;
    for (int round = 0; round < ROUNDS && status == KVL_OK; round++) {
        int64_t ns = 0;
        status = time_copy(ctx, to, from, &ns);
        double rate = ns > 0 ? 2.0 * (double)COPY_BYTES / ((double)ns * 1e-9) : 0.0;
        *out = round > 0 && rate > *out ? rate : *out; /* the first round warms up */
    }
    kvl_cuda_free(ctx, from);
    kvl_cuda_free(ctx, to);
    return status;
}

/* The file of this device; false where there is no folder for it. */
static bool cache_path(const struct kvl_cuda_ctx *cuda, enum kvl_dtype dtype, char path[PATH_SIZE])
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char folder[PATH_SIZE / 2];
    struct kvl_device_info info;
    if (cache != NULL && cache[0] == '/')
        snprintf(folder, sizeof folder, "%.200s/kvlab", cache);
    else if (home != NULL && home[0] == '/')
        snprintf(folder, sizeof folder, "%.200s/.cache/kvlab", home);
    else
        return false;
    if (mkdir(folder, 0755) != 0) { /* the folder above may be missing, too */
        char above[PATH_SIZE / 2];
        snprintf(above, sizeof above, "%s", folder);
        *strrchr(above, '/') = '\0';
        mkdir(above, 0755);
        mkdir(folder, 0755);
    }
    cuda->base.be->info(&cuda->base, &info);
    int n = snprintf(path, PATH_SIZE, "%s/ceilings-%s-%s-%s", folder, cuda->uuid, kvl_dtype_name(dtype), info.driver);
    for (char *at = path + strlen(folder) + 1; *at != '\0'; at++)
        *at = *at == ' ' || *at == ',' || *at == '/' ? '-' : *at;
    return n > 0 && n < PATH_SIZE;
}

static bool read_cached(const char *path, struct kvl_ceilings *out)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    bool fine = fscanf(file, "%lf %lf", &out->flops_per_s, &out->bytes_per_s) == 2 && out->flops_per_s > 0.0 &&
                out->bytes_per_s > 0.0;
    fclose(file);
    return fine;
}

/* By way of a file of the process's own, so that no reader sees half of it. A folder that cannot be written to costs the next run a
 * measurement, no more. */
static void write_cached(const char *path, const struct kvl_ceilings *ceilings)
{
    char aside[PATH_SIZE + 24];
    snprintf(aside, sizeof aside, "%s.%ld", path, (long)getpid());
    FILE *file = fopen(aside, "w");
    if (file == NULL)
        return;
    bool fine = fprintf(file, "%.6e %.6e\n", ceilings->flops_per_s, ceilings->bytes_per_s) > 0;
    if (fclose(file) != 0 || !fine || rename(aside, path) != 0)
        remove(aside);
}

enum kvl_status kvl_cuda_ceilings(struct kvl_ctx *ctx, enum kvl_dtype dtype, struct kvl_ceilings *out)
{
    char path[PATH_SIZE];
    bool cached = cache_path(kvl_cuda(ctx), dtype, path);
    if (cached && read_cached(path, out))
        return KVL_OK;
    KVL_TRY(kvl_cuda_gemm_flops(kvl_cuda(ctx), dtype, &out->flops_per_s));
    KVL_TRY(measure_bytes(ctx, &out->bytes_per_s));
    if (cached)
        write_cached(path, out);
    return KVL_OK;
}
