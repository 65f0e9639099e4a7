/* Inside the CUDA backend: its context, how the runtime's errors become a status, and the functions of its table.
 *
 * Everything is queued on one stream. A launcher checks its arguments, launches and returns: it neither allocates nor waits, so
 * that a run of them can be recorded as a graph. */
#ifndef KVL_CUDA_H
#define KVL_CUDA_H

#include <cuda_runtime.h>

#include "kernels/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kvl_gemm;       /* the cuBLASLt side of linear layers (linear.cu) */
struct kvl_allocation; /* context.cu */

struct kvl_cuda_ctx {
    struct kvl_ctx base;
    cudaStream_t stream;
    cudaEvent_t marks[KVL_MARKS];
    int device;
    int n_sm;           /* multiprocessors */
    int major, minor;   /* compute capability */
    int64_t max_shared; /* bytes of shared memory that a block may ask for */
    char name[128];
    char uuid[33];
    struct kvl_gemm *gemm;
    struct kvl_allocation *allocations; /* what alloc handed out, the newest first */
};

static inline struct kvl_cuda_ctx *kvl_cuda(struct kvl_ctx *ctx)
{
    return (struct kvl_cuda_ctx *)ctx;
}

static inline int64_t kvl_div_up(int64_t x, int64_t by)
{
    return (x + by - 1) / by;
}

/* KVL_OK, KVL_E_OOM or KVL_E_INTERNAL with a sentence that names the call. Leaves no error behind in the runtime. */
enum kvl_status kvl_cuda_check(cudaError_t error, const char *what);
#define KVL_CUDA_TRY(call) KVL_TRY(kvl_cuda_check((call), #call))

enum kvl_status kvl_cuda_alloc(struct kvl_ctx *ctx, int64_t bytes, void **out);
void kvl_cuda_free(struct kvl_ctx *ctx, void *memory);

enum kvl_status kvl_cuda_gemm_init(struct kvl_cuda_ctx *cuda, struct kvl_gemm **out);
void kvl_cuda_gemm_free(struct kvl_cuda_ctx *cuda, struct kvl_gemm *gemm);
void kvl_cuda_gemm_describe(char *text, size_t size); /* "cuBLASLt 13.0.2" */
/* Products of square matrices of random values through the same path as linear layers: operations a second. */
enum kvl_status kvl_cuda_gemm_flops(struct kvl_cuda_ctx *cuda, enum kvl_dtype dtype, double *out);

/* out = x . W^T or out += x . W^T for one row of x. */
struct kvl_linear_row {
    const void *x;      /* dtype [n_in] */
    const void *weight; /* dtype [n_out, n_in] */
    void *out;          /* out_dtype [n_out]; f32 where `accumulate` is set */
    enum kvl_dtype dtype, out_dtype;
    int64_t n_in, n_out;
    bool accumulate;
};
enum kvl_status kvl_cuda_linear_row(struct kvl_cuda_ctx *cuda, const struct kvl_linear_row *op);

enum kvl_status kvl_cuda_ceilings(struct kvl_ctx *ctx, enum kvl_dtype dtype, struct kvl_ceilings *out);
enum kvl_status kvl_cuda_weight_init(struct kvl_ctx *ctx, const struct kvl_weight_source *source, struct kvl_weight **out);
void kvl_cuda_weight_free(struct kvl_ctx *ctx, struct kvl_weight *weight);
int64_t kvl_cuda_weight_bytes(const struct kvl_weight *weight);
int64_t kvl_cuda_attend_scratch(const struct kvl_ctx *ctx, const struct kvl_attend *op);
int64_t kvl_cuda_attend_cache_scratch(const struct kvl_ctx *ctx, const struct kvl_attend_cache *op);
enum kvl_status kvl_cuda_embed(struct kvl_ctx *ctx, const struct kvl_embed *op);
enum kvl_status kvl_cuda_norm(struct kvl_ctx *ctx, const struct kvl_norm *op);
enum kvl_status kvl_cuda_linear(struct kvl_ctx *ctx, const struct kvl_linear *op);
enum kvl_status kvl_cuda_rotate_table(struct kvl_ctx *ctx, const struct kvl_rotate_table *op);
enum kvl_status kvl_cuda_rotate(struct kvl_ctx *ctx, const struct kvl_rotate *op);
enum kvl_status kvl_cuda_attend(struct kvl_ctx *ctx, const struct kvl_attend *op);
enum kvl_status kvl_cuda_append(struct kvl_ctx *ctx, const struct kvl_append *op);
enum kvl_status kvl_cuda_attend_cache(struct kvl_ctx *ctx, const struct kvl_attend_cache *op);
enum kvl_status kvl_cuda_mass(struct kvl_ctx *ctx, const struct kvl_mass *op);
enum kvl_status kvl_cuda_logits(struct kvl_ctx *ctx, const struct kvl_logits *op);
enum kvl_status kvl_cuda_pool(struct kvl_ctx *ctx, const struct kvl_pool *op);
enum kvl_status kvl_cuda_reduce_heads(struct kvl_ctx *ctx, const struct kvl_reduce_heads *op);
enum kvl_status kvl_cuda_top_k(struct kvl_ctx *ctx, const struct kvl_top_k *op);
enum kvl_status kvl_cuda_range(struct kvl_ctx *ctx, const struct kvl_range *op);
enum kvl_status kvl_cuda_gather(struct kvl_ctx *ctx, const struct kvl_gather *op);
enum kvl_status kvl_cuda_gather_heads(struct kvl_ctx *ctx, const struct kvl_gather_heads *op);
enum kvl_status kvl_cuda_swiglu(struct kvl_ctx *ctx, const struct kvl_swiglu *op);
enum kvl_status kvl_cuda_argmax(struct kvl_ctx *ctx, const struct kvl_argmax *op);
enum kvl_status kvl_cuda_fill_random(struct kvl_ctx *ctx, const struct kvl_fill_random *op);

extern const struct kvl_backend kvl_backend_cuda;

#ifdef __cplusplus
}
#endif
#endif
