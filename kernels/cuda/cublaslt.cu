#include "kernels/cuda/cublaslt.h"

#include <dlfcn.h>
#include <pthread.h>

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

/* By the system's own search first, then where the toolkit's installer puts it. */
static const char *const PATHS[] = {
    "libcublasLt.so." TEXT(CUBLAS_VER_MAJOR),
    "/usr/local/cuda/lib64/libcublasLt.so." TEXT(CUBLAS_VER_MAJOR),
    "/usr/local/cuda-" TEXT(CUBLAS_VER_MAJOR) "/lib64/libcublasLt.so." TEXT(CUBLAS_VER_MAJOR),
};

static struct kvl_cublaslt functions;
static bool complete;
static pthread_once_t once = PTHREAD_ONCE_INIT;

template <class F> static bool find(void *library, const char *name, F *out)
{
    *out = reinterpret_cast<F>(dlsym(library, name));
    return *out != nullptr;
}

static void load(void)
{
    void *library = nullptr;
    for (const char *path : PATHS)
        if (library == nullptr)
            library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr)
        return;
    struct kvl_cublaslt *f = &functions;
    complete = find(library, "cublasLtCreate", &f->create) && find(library, "cublasLtDestroy", &f->destroy) &&
               find(library, "cublasLtGetVersion", &f->version) && find(library, "cublasLtMatmul", &f->matmul) &&
               find(library, "cublasLtMatmulAlgoGetHeuristic", &f->heuristic) &&
               find(library, "cublasLtMatmulDescCreate", &f->desc_create) &&
               find(library, "cublasLtMatmulDescDestroy", &f->desc_destroy) &&
               find(library, "cublasLtMatmulDescSetAttribute", &f->desc_set) &&
               find(library, "cublasLtMatmulPreferenceCreate", &f->preference_create) &&
               find(library, "cublasLtMatmulPreferenceDestroy", &f->preference_destroy) &&
               find(library, "cublasLtMatmulPreferenceSetAttribute", &f->preference_set) &&
               find(library, "cublasLtMatrixLayoutInit_internal", &f->layout_init);
}

enum kvl_status kvl_cublaslt_load(const struct kvl_cublaslt **out)
{
    pthread_once(&once, load);
    *out = &functions;
    if (complete)
        return KVL_OK;
    return kvl_fail(KVL_E_UNSUPPORTED, "backend 'cuda': %s cannot be loaded; install cuBLAS of CUDA %d or add its folder to "
                                       "LD_LIBRARY_PATH",
                    PATHS[0], CUBLAS_VER_MAJOR);
}
