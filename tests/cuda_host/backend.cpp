/* The library's one visible name. */
#include "tests/cuda_host/backend.h"

#include "kernels/cuda/cuda.h"

__attribute__((visibility("default"))) const struct kvl_backend *kvl_cuda_host_backend(void)
{
    return &kvl_backend_cuda;
}
