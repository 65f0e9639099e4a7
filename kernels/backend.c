#include "kernels/backend.h"

#include <stddef.h>

extern const struct kvl_backend kvl_backend_cpu;
#ifdef KVL_CUDA
extern const struct kvl_backend kvl_backend_cuda;
#endif

/* In the order in which "auto" tries them. */
static const struct kvl_backend *const backends[] = {
#ifdef KVL_CUDA
    &kvl_backend_cuda,
#endif
    &kvl_backend_cpu,
};

enum { N_BACKENDS = sizeof backends / sizeof *backends };

const struct kvl_backend *kvl_backend_at(int i)
{
    return i >= 0 && i < (int)N_BACKENDS ? backends[i] : NULL;
}

enum kvl_status kvl_backend_open(const char *name, const struct kvl_backend_options *options, struct kvl_ctx **out)
{
    *out = NULL;
    bool any = strcmp(name, "auto") == 0;
    enum kvl_status status = KVL_E_ARG;
    for (int i = 0; i < (int)N_BACKENDS; i++) {
        if (!any && strcmp(name, backends[i]->name) != 0)
            continue;
        status = backends[i]->open(options, out);
        if (status == KVL_OK || !any)
            return status;
    }
    if (any)
        return status;
    if (strcmp(name, "cuda") == 0)
        return kvl_fail(KVL_E_UNSUPPORTED, "backend 'cuda': this kvlab was built without CUDA; use --backend cpu");
    return kvl_fail(KVL_E_ARG, "unknown backend '%s': use cpu, cuda or auto", name);
}
