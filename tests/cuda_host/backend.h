/* The CUDA backend on the host, name "cuda_host". */
#ifndef KVL_CUDA_HOST_BACKEND_H
#define KVL_CUDA_HOST_BACKEND_H

#include "kernels/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

const struct kvl_backend *kvl_cuda_host_backend(void);

#ifdef __cplusplus
}
#endif
#endif
