/* Matrix products by plain loops. Stricter than the real library where that finds mistakes: the algorithm must have been asked for
 * with these types and this shape of weights, every attribute must have its size, and nothing may be captured. */
#include <cublasLt.h>

#include <vector>

#include "kernels/cuda/cublaslt.h"
#include "kernels/tensor.h"

struct cublasLtMatmulDescOpaque_t {
    cublasOperation_t transposed_a;
};
struct cublasLtMatmulPreferenceOpaque_t {
    uint32_t reduction_schemes;
};

static cublasStatus_t result(bool fine)
{
    return fine ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle)
{
    static char nothing;
    *handle = reinterpret_cast<cublasLtHandle_t>(&nothing);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t)
{
    return CUBLAS_STATUS_SUCCESS;
}

size_t cublasLtGetVersion()
{
    return 0;
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *desc, cublasComputeType_t, cudaDataType_t scale)
{
    *desc = new cublasLtMatmulDescOpaque_t{CUBLAS_OP_N};
    return result(scale == CUDA_R_32F);
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t desc)
{
    delete desc;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t desc, cublasLtMatmulDescAttributes_t what, const void *value,
                                              size_t size)
{
    if (what != CUBLASLT_MATMUL_DESC_TRANSA || size != sizeof desc->transposed_a)
        return CUBLAS_STATUS_INVALID_VALUE;
    memcpy(&desc->transposed_a, value, size);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *preference)
{
    *preference = new cublasLtMatmulPreferenceOpaque_t{~0u};
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference)
{
    delete preference;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t what, const void *value, size_t size)
{
    size_t expected = what == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES ? sizeof(uint64_t) : sizeof(uint32_t);
    if (size != expected)
        return CUBLAS_STATUS_INVALID_VALUE;
    if (what == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK)
        memcpy(&preference->reduction_schemes, value, size);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutInit_internal(cublasLtMatrixLayout_t layout, size_t size, cudaDataType_t type, uint64_t rows,
                                                 uint64_t cols, int64_t ld)
{
    if (size != sizeof *layout || ld < static_cast<int64_t>(rows))
        return CUBLAS_STATUS_INVALID_VALUE;
    *layout = {type, rows, cols, ld};
    return CUBLAS_STATUS_SUCCESS;
}

static cublasLtMatmulAlgo_t algorithm_of(cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t d)
{
    return {a->type, d->type, d->rows, a->rows};
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t, cublasLtMatrixLayout_t a,
                                              cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int n_wanted,
                                              cublasLtMatmulHeuristicResult_t *results, int *n_found)
{
    *n_found = n_wanted > 0 && preference->reduction_schemes == CUBLASLT_REDUCTION_SCHEME_NONE;
    results[0].algo = algorithm_of(a, d);
    return result(a->type == b->type);
}

static std::vector<float> column(const void *data, cublasLtMatrixLayout_t layout, uint64_t j)
{
    std::vector<float> values(layout->rows);
    size_t first = j * static_cast<size_t>(layout->ld);
    for (uint64_t i = 0; i < layout->rows; i++)
        values[i] = layout->type == CUDA_R_32F ? static_cast<const float *>(data)[first + i]
                                               : kvl_bf16_to_f32(static_cast<const uint16_t *>(data)[first + i]);
    return values;
}

/* In eight partial sums, so that it does not take for ever. */
static float dot(const std::vector<float> &x, const std::vector<float> &y)
{
    float sums[8] = {}, sum = 0.0f;
    size_t i = 0;
    for (; i + 8 <= x.size(); i += 8)
        for (size_t l = 0; l < 8; l++)
            sums[l] += x[i + l] * y[i + l];
    for (; i < x.size(); i++)
        sum += x[i] * y[i];
    for (float s : sums)
        sum += s;
    return sum;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t desc, const void *alpha, const void *a,
                              cublasLtMatrixLayout_t a_layout, const void *b, cublasLtMatrixLayout_t b_layout, const void *beta,
                              const void *c, cublasLtMatrixLayout_t, void *d, cublasLtMatrixLayout_t d_layout,
                              const cublasLtMatmulAlgo_t *algo, void *, size_t, cudaStream_t stream)
{
    cudaStreamCaptureStatus capture;
    cublasLtMatmulAlgo_t expected = algorithm_of(a_layout, d_layout);
    float scale = *static_cast<const float *>(alpha), before = *static_cast<const float *>(beta);
    bool fine = cudaStreamIsCapturing(stream, &capture) == cudaSuccess && capture == cudaStreamCaptureStatusNone &&
                desc->transposed_a == CUBLAS_OP_T && c == d && a_layout->rows == b_layout->rows &&
                a_layout->cols == d_layout->rows && b_layout->cols == d_layout->cols && algo->type_in == expected.type_in &&
                algo->type_out == expected.type_out && algo->rows == expected.rows && algo->inner == expected.inner;
    if (!fine)
        return CUBLAS_STATUS_INVALID_VALUE;
    std::vector<std::vector<float>> rows;
    for (uint64_t i = 0; i < a_layout->cols; i++)
        rows.push_back(column(a, a_layout, i));
    for (uint64_t j = 0; j < d_layout->cols; j++) {
        std::vector<float> x = column(b, b_layout, j);
        for (uint64_t i = 0; i < d_layout->rows; i++) {
            size_t at = j * static_cast<size_t>(d_layout->ld) + i;
            float sum = scale * dot(rows[i], x);
            if (d_layout->type == CUDA_R_16BF)
                static_cast<uint16_t *>(d)[at] = kvl_f32_to_bf16(sum);
            else
                static_cast<float *>(d)[at] = before != 0.0f ? before * static_cast<float *>(d)[at] + sum : sum;
        }
    }
    return CUBLAS_STATUS_SUCCESS;
}

enum kvl_status kvl_cublaslt_load(const struct kvl_cublaslt **out)
{
    static const struct kvl_cublaslt functions = {
        cublasLtCreate, cublasLtDestroy, cublasLtGetVersion, cublasLtMatmul, cublasLtMatmulAlgoGetHeuristic,
        cublasLtMatmulDescCreate, cublasLtMatmulDescDestroy, cublasLtMatmulDescSetAttribute, cublasLtMatmulPreferenceCreate,
        cublasLtMatmulPreferenceDestroy, cublasLtMatmulPreferenceSetAttribute, cublasLtMatrixLayoutInit_internal};
    *out = &functions;
    return KVL_OK;
}
