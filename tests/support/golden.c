#include "tests/support/golden.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef KVL_CUDA_HOST
#include "tests/cuda_host/backend.h"
#endif

const char *golden_path(const char *name)
{
    static char path[1024];
    const char *folder = getenv("KVLAB_GOLDEN_DIR"); /* where the sources are on the machine at hand */
    snprintf(path, sizeof path, "%s/%s", folder != NULL ? folder : KVLAB_GOLDEN_DIR, name);
    return path;
}

json_t *golden_load(const char *name)
{
    const char *path = golden_path(name);
    if (access(path, R_OK) != 0)
        skip_because("%s is not there", path);
    json_error_t error;
    json_t *root = json_load_file(path, JSON_ALLOW_NUL, &error);
    if (root == NULL)
        fail_msg("%s:%d: %s", path, error.line, error.text);
    return root;
}

int32_t *golden_ids(const json_t *array, int64_t *n)
{
    *n = (int64_t)json_array_size(array);
    int32_t *ids = calloc((size_t)*n + 1, sizeof *ids);
    for (int64_t i = 0; i < *n; i++)
        ids[i] = (int32_t)json_integer_value(json_array_get(array, (size_t)i));
    return ids;
}

struct kvl_ctx *open_cpu(int n_threads)
{
    struct kvl_ctx *ctx;
    assert_ok(kvl_backend_open("cpu", &(struct kvl_backend_options){.n_threads = n_threads}, &ctx));
    return ctx;
}

struct kvl_ctx *open_tested(int n_threads)
{
    const char *name = getenv("KVLAB_TEST_BACKEND");
    struct kvl_backend_options options = {.n_threads = n_threads};
    struct kvl_ctx *ctx = NULL;
    if (name == NULL || name[0] == '\0')
        return open_cpu(n_threads);
    enum kvl_status status = kvl_backend_open(name, &options, &ctx);
#ifdef KVL_CUDA_HOST
    if (strcmp(name, "cuda_host") == 0)
        status = kvl_cuda_host_backend()->open(&options, &ctx);
#endif
    if (status == KVL_E_UNSUPPORTED)
        skip_because("%s", kvl_last_error());
    if (status != KVL_OK)
        fail_msg("%s: %s", name, kvl_last_error());
    return ctx;
}

struct kvl_model *load_model(struct kvl_ctx *ctx, const char *source, enum kvl_dtype dtype)
{
    struct kvl_model *model;
    assert_ok(kvl_model_load(ctx, source, &(struct kvl_model_options){.dtype = dtype}, &model));
    return model;
}

double relative_l2(const float *got, const json_t *expected, int64_t n)
{
    double error = 0.0, norm = 0.0;
    for (int64_t i = 0; i < n; i++) {
        double e = json_number_value(json_array_get(expected, (size_t)i)), d = (double)got[i] - e;
        error += d * d;
        norm += e * e;
    }
    return sqrt(error / norm);
}
