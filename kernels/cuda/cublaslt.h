/* cuBLASLt, opened at run time: kvlab starts, and its cpu backend works, on machines that do not have it. */
#ifndef KVL_CUBLASLT_H
#define KVL_CUBLASLT_H

#include <cublasLt.h>

#include "kernels/status.h"

struct kvl_cublaslt {
    decltype(&cublasLtCreate) create;
    decltype(&cublasLtDestroy) destroy;
    decltype(&cublasLtGetVersion) version;
    decltype(&cublasLtMatmul) matmul;
    decltype(&cublasLtMatmulAlgoGetHeuristic) heuristic;
    decltype(&cublasLtMatmulDescCreate) desc_create;
    decltype(&cublasLtMatmulDescDestroy) desc_destroy;
    decltype(&cublasLtMatmulDescSetAttribute) desc_set;
    decltype(&cublasLtMatmulPreferenceCreate) preference_create;
    decltype(&cublasLtMatmulPreferenceDestroy) preference_destroy;
    decltype(&cublasLtMatmulPreferenceSetAttribute) preference_set;
    decltype(&cublasLtMatrixLayoutInit_internal) layout_init;
};

/* The library's functions; loaded once, kept until the process ends. KVL_E_UNSUPPORTED where it cannot be found. */
enum kvl_status kvl_cublaslt_load(const struct kvl_cublaslt **out);

#endif
