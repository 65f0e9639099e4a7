/* Linear layers on cuBLASLt, and one row alone through a kernel of our own (linear_row.cu).
 *
 * Weights lie as [n_out, n_in] in their own type; seen by columns, as cuBLASLt wants it, out^T = W x^T with W transposed. The
 * algorithm of a weight's shape is chosen once, when the weight is made: its heuristics' best for a chunk of rows among those
 * that sum a row in one piece (no split-K). It serves every number of rows, so a row's result depends on that row alone. */
#include "kernels/linear.h"

#include <stdio.h>
#include <stdlib.h>

#include "kernels/cuda/cublaslt.h"
#include "kernels/cuda/cuda.h"
#include "kernels/cuda/tune.h"

/* Ways to write a product; what each weight type uses. */
enum way { NARROW, WIDE, ADDED, N_WAYS };

struct kvl_weight {
    int64_t n_in, n_out;
    enum kvl_dtype dtype;
    void *values;
    int64_t bytes;
    const struct product *product; /* NULL: used with one row at a time */
};

/* One shape of weights. */
struct product {
    struct product *next;
    int64_t n_in, n_out;
    enum kvl_dtype dtype;
    cublasLtMatmulAlgo_t algorithms[N_WAYS];
};

enum { STAGE_VALUES = 1 << 22 };
static const int64_t WORKSPACE = 32 << 20; /* what NVIDIA advises for Hopper */

struct kvl_gemm {
    const struct kvl_cublaslt *lt;
    cublasLtHandle_t handle;
    cublasLtMatmulDesc_t desc;
    struct product *shapes;
    void *workspace;
};

static enum kvl_status lt_check(cublasStatus_t status, const char *what)
{
    if (status == CUBLAS_STATUS_SUCCESS)
        return KVL_OK;
    return kvl_fail(status == CUBLAS_STATUS_ALLOC_FAILED ? KVL_E_OOM : KVL_E_INTERNAL, "cuBLASLt: status %d at %s", (int)status,
                    what);
}
#define LT_TRY(call) KVL_TRY(lt_check((call), #call))

static cudaDataType_t type_of(enum kvl_dtype dtype)
{
    return dtype == KVL_F32 ? CUDA_R_32F : CUDA_R_16BF;
}

void kvl_cuda_gemm_describe(char *text, size_t size)
{
    const struct kvl_cublaslt *lt;
    size_t version = kvl_cublaslt_load(&lt) == KVL_OK ? lt->version() : 0;
    snprintf(text, size, "cuBLASLt %zu.%zu.%zu", version / 10000, version / 100 % 100, version % 100);
}

static enum kvl_status open_library(struct kvl_cuda_ctx *cuda, struct kvl_gemm *g)
{
    cublasOperation_t transposed = CUBLAS_OP_T;
    KVL_TRY(kvl_cublaslt_load(&g->lt));
    LT_TRY(g->lt->create(&g->handle));
    LT_TRY(g->lt->desc_create(&g->desc, CUBLAS_COMPUTE_32F, CUDA_R_32F)); /* float32 products stay float32: no TF32 */
    LT_TRY(g->lt->desc_set(g->desc, CUBLASLT_MATMUL_DESC_TRANSA, &transposed, sizeof transposed));
    return kvl_cuda_alloc(&cuda->base, WORKSPACE, &g->workspace);
}

enum kvl_status kvl_cuda_gemm_init(struct kvl_cuda_ctx *cuda, struct kvl_gemm **out)
{
    *out = static_cast<struct kvl_gemm *>(calloc(1, sizeof **out));
    if (*out == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for cuBLASLt");
    return open_library(cuda, *out); /* the context frees it */
}

void kvl_cuda_gemm_free(struct kvl_cuda_ctx *cuda, struct kvl_gemm *g)
{
    if (g == NULL)
        return;
    while (g->shapes != NULL) {
        struct product *next = g->shapes->next;
        free(g->shapes);
        g->shapes = next;
    }
    kvl_cuda_free(&cuda->base, g->workspace);
    if (g->desc != NULL)
        g->lt->desc_destroy(g->desc);
    if (g->handle != NULL)
        g->lt->destroy(g->handle);
    free(g);
}

/* W, x and out as cuBLASLt sees them; all on the stack. */
struct layouts {
    cublasLtMatrixLayoutOpaque_t weight, x, out;
};

static enum kvl_status lay_out(const struct kvl_gemm *g, const struct product *shape, enum way way, int64_t n, layouts *l)
{
    cudaDataType_t type = type_of(shape->dtype), out_type = way == NARROW ? type : CUDA_R_32F;
    uint64_t n_in = static_cast<uint64_t>(shape->n_in), n_out = static_cast<uint64_t>(shape->n_out);
    uint64_t rows = static_cast<uint64_t>(n);
    LT_TRY(g->lt->layout_init(&l->weight, sizeof l->weight, type, n_in, n_out, shape->n_in));
    LT_TRY(g->lt->layout_init(&l->x, sizeof l->x, type, n_in, rows, shape->n_in));
    LT_TRY(g->lt->layout_init(&l->out, sizeof l->out, out_type, n_out, rows, shape->n_out));
    return KVL_OK;
}

/* Alignment that every row of a dense matrix has, at most 16 bytes, which is the most that a kernel asks for. */
static uint32_t alignment(int64_t columns, int64_t size)
{
    uint32_t bytes = 16;
    while (columns * size % bytes != 0)
        bytes /= 2;
    return bytes;
}

static enum kvl_status set_preference(const struct kvl_gemm *g, const struct product *shape, enum way way,
                                      cublasLtMatmulPreference_t preference)
{
    size_t workspace = static_cast<size_t>(WORKSPACE);
    uint32_t schemes = CUBLASLT_REDUCTION_SCHEME_NONE;
    int64_t size = (int64_t)kvl_dtype_size(shape->dtype);
    uint32_t in = alignment(shape->n_in, size), out = alignment(shape->n_out, way == NARROW ? size : 4);
    const struct {
        cublasLtMatmulPreferenceAttributes_t what;
        const void *value;
        size_t size;
    } all[] = {{CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, sizeof workspace},
               {CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &schemes, sizeof schemes},
               {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, &in, sizeof in},
               {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &in, sizeof in},
               {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, &out, sizeof out},
               {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, &out, sizeof out}};
    for (const auto &p : all)
        LT_TRY(g->lt->preference_set(preference, p.what, p.value, p.size));
    return KVL_OK;
}

static enum kvl_status choose(const struct kvl_gemm *g, struct product *shape, enum way way)
{
    layouts l;
    cublasLtMatmulPreference_t preference;
    cublasLtMatmulHeuristicResult_t best;
    int n_found = 0;
    KVL_TRY(lay_out(g, shape, way, kvl::tune::ROW_CHUNK, &l));
    LT_TRY(g->lt->preference_create(&preference));
    enum kvl_status status = set_preference(g, shape, way, preference);
    if (status == KVL_OK)
        status = lt_check(g->lt->heuristic(g->handle, g->desc, &l.weight, &l.x, &l.out, &l.out, preference, 1, &best, &n_found),
                          "its heuristics");
    g->lt->preference_destroy(preference);
    KVL_TRY(status);
    if (n_found == 0)
        return kvl_fail(KVL_E_UNSUPPORTED, "cuBLASLt has no algorithm for a %s weight of %lld x %lld",
                        kvl_dtype_name(shape->dtype), (long long)shape->n_out, (long long)shape->n_in);
    shape->algorithms[way] = best.algo;
    return KVL_OK;
}

/* The product of a shape, made at first sight. */
static enum kvl_status find_product(struct kvl_gemm *g, int64_t n_in, int64_t n_out, enum kvl_dtype dtype, const struct product **out)
{
    for (*out = g->shapes; *out != NULL; *out = (*out)->next)
        if ((*out)->n_in == n_in && (*out)->n_out == n_out && (*out)->dtype == dtype)
            return KVL_OK;
    struct product *shape = static_cast<struct product *>(calloc(1, sizeof *shape));
    if (shape == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for a product");
    shape->n_in = n_in, shape->n_out = n_out, shape->dtype = dtype;
    enum kvl_status status = KVL_OK;
    for (int way = 0; way < N_WAYS && status == KVL_OK; way++)
        status = choose(g, shape, static_cast<enum way>(way));
    if (status != KVL_OK) {
        free(shape);
        return status;
    }
    shape->next = g->shapes;
    g->shapes = shape;
    *out = shape;
    return KVL_OK;
}

/* ---- weights --------------------------------------------------------------------------------------------------------- */

/* Rows of one part, through a few megabytes of host memory, to `to`. */
static enum kvl_status upload_part(struct kvl_cuda_ctx *cuda, const struct kvl_weight_source *source, int part, char *to)
{
    const struct kvl_backend *be = cuda->base.be;
    int64_t n_in = source->n_in, n_out = source->n_out[part], size = (int64_t)kvl_dtype_size(source->dtype);
    int64_t stage = n_in < STAGE_VALUES ? STAGE_VALUES / n_in : 1;
    stage = stage < n_out ? stage : n_out;
    float *wide = static_cast<float *>(malloc(static_cast<size_t>(stage * n_in) * sizeof *wide));
    uint16_t *narrow = static_cast<uint16_t *>(malloc(static_cast<size_t>(stage * n_in) * sizeof *narrow));
    enum kvl_status status =
        wide != NULL && narrow != NULL ? KVL_OK : kvl_fail(KVL_E_OOM, "no memory for %lld rows of a weight", (long long)stage);
    for (int64_t first = 0; first < n_out && status == KVL_OK; first += stage) {
        int64_t n = n_out - first < stage ? n_out - first : stage;
#pragma omp parallel for schedule(static)
        for (int64_t i = 0; i < n; i++) {
            source->rows(source->context, part, first + i, 1, wide + i * n_in);
            for (int64_t c = i * n_in; c < (i + 1) * n_in; c++)
                narrow[c] = kvl_f32_to_bf16(wide[c]);
        }
        const void *values = source->dtype == KVL_F32 ? static_cast<const void *>(wide) : narrow;
        status = be->upload(&cuda->base, to + first * n_in * size, values, n * n_in * size);
        if (status == KVL_OK)
            status = be->sync(&cuda->base);
    }
    free(wide);
    free(narrow);
    return status;
}

static enum kvl_status fill_weight(struct kvl_cuda_ctx *cuda, const struct kvl_weight_source *source, struct kvl_weight *weight)
{
    KVL_TRY(kvl_cuda_alloc(&cuda->base, weight->bytes, &weight->values));
    char *to = static_cast<char *>(weight->values);
    for (int part = 0; part < source->n_parts; part++) {
        int64_t n = source->n_out[part] * source->n_in;
        const struct kvl_fill_random fill = {to, source->dtype, n, source->seed[part], 0, source->bound};
        if (source->random)
            KVL_TRY(cuda->base.be->fill_random(&cuda->base, &fill));
        else
            KVL_TRY(upload_part(cuda, source, part, to));
        to += n * (int64_t)kvl_dtype_size(source->dtype);
    }
    if (source->one_row)
        return KVL_OK;
    return find_product(cuda->gemm, weight->n_in, weight->n_out, weight->dtype, &weight->product);
}

enum kvl_status kvl_cuda_weight_init(struct kvl_ctx *ctx, const struct kvl_weight_source *source, struct kvl_weight **out)
{
    *out = NULL;
    struct kvl_weight *weight = static_cast<struct kvl_weight *>(calloc(1, sizeof *weight));
    if (weight == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for a weight");
    weight->n_in = source->n_in;
    weight->dtype = source->dtype;
    for (int part = 0; part < source->n_parts; part++)
        weight->n_out += source->n_out[part];
    weight->bytes = weight->n_out * weight->n_in * (int64_t)kvl_dtype_size(weight->dtype);
    enum kvl_status status = fill_weight(kvl_cuda(ctx), source, weight);
    if (status != KVL_OK) {
        kvl_cuda_weight_free(ctx, weight);
        return status;
    }
    *out = weight;
    return KVL_OK;
}

void kvl_cuda_weight_free(struct kvl_ctx *ctx, struct kvl_weight *weight)
{
    if (weight == NULL)
        return;
    kvl_cuda_free(ctx, weight->values);
    free(weight);
}

int64_t kvl_cuda_weight_bytes(const struct kvl_weight *weight)
{
    return weight->bytes;
}

/* ---- products -------------------------------------------------------------------------------------------------------- */

static enum kvl_status multiply(struct kvl_cuda_ctx *cuda, const struct product *shape, enum way way, const void *x, const void *weight,
                                void *out, int64_t n)
{
    const struct kvl_gemm *g = cuda->gemm;
    const float one = 1.0f, before = way == ADDED ? 1.0f : 0.0f;
    layouts l;
    KVL_TRY(lay_out(g, shape, way, n, &l));
    LT_TRY(g->lt->matmul(g->handle, g->desc, &one, weight, &l.weight, x, &l.x, &before, out, &l.out, out, &l.out,
                         &shape->algorithms[way], g->workspace, static_cast<size_t>(WORKSPACE), cuda->stream));
    return KVL_OK;
}

enum kvl_status kvl_cuda_linear(struct kvl_ctx *ctx, const struct kvl_linear *op)
{
    struct kvl_cuda_ctx *cuda = kvl_cuda(ctx);
    const struct kvl_weight *w = op->weight;
    KVL_REQUIRE(!op->accumulate || op->out_dtype == KVL_F32, "linear: results are added to float32 only");
    size_t size = kvl_dtype_size(w->dtype), out_size = kvl_dtype_size(op->out_dtype);
    bool narrows = op->out_dtype == KVL_BF16;
    KVL_REQUIRE(!narrows || w->dtype == KVL_BF16, "linear: a float32 weight gives float32 results");
    if (op->n > 1 && w->product != NULL)
        return multiply(cuda, w->product, op->accumulate ? ADDED : narrows ? NARROW : WIDE, op->x, w->values, op->out, op->n);
    for (int64_t i = 0; i < op->n; i++) {
        const struct kvl_linear_row row = {(const char *)op->x + (size_t)(i * w->n_in) * size, w->values,
                                           (char *)op->out + (size_t)(i * w->n_out) * out_size, w->dtype, op->out_dtype, w->n_in,
                                           w->n_out, op->accumulate};
        KVL_TRY(kvl_cuda_linear_row(cuda, &row));
    }
    return KVL_OK;
}

/* Times of the whole path, so that the limit is one that a linear layer can reach. */
enum kvl_status kvl_cuda_gemm_flops(struct kvl_cuda_ctx *cuda, enum kvl_dtype dtype, double *out)
{
    enum { ROUNDS = 8 };
    const struct kvl_backend *be = cuda->base.be;
    const int64_t n = dtype == KVL_F32 ? 4096 : 8192, bytes = n * n * (int64_t)kvl_dtype_size(dtype);
    const struct product *shape;
    void *memory[3] = {};
    enum kvl_status status = find_product(cuda->gemm, n, n, dtype, &shape);
    for (int i = 0; i < 3 && status == KVL_OK; i++)
        status = kvl_cuda_alloc(&cuda->base, bytes, &memory[i]);
    for (int i = 0; i < 2 && status == KVL_OK; i++) {
        const struct kvl_fill_random fill = {memory[i], dtype, n * n, static_cast<uint64_t>(i) + 1, 0, 1.0f};
        status = be->fill_random(&cuda->base, &fill);
    }
    *out = 0.0;
    for (int round = 0; round < ROUNDS && status == KVL_OK; round++) {
        int64_t ns = 0;
        status = be->mark(&cuda->base, 0);
        if (status == KVL_OK)
            status = multiply(cuda, shape, dtype == KVL_F32 ? WIDE : NARROW, memory[0], memory[1], memory[2], n);
        if (status == KVL_OK)
            status = be->mark(&cuda->base, 1);
        if (status == KVL_OK)
            status = be->elapsed(&cuda->base, 0, 1, &ns);
        double rate = ns > 0 ? 2.0 * (double)n * (double)n * (double)n / ((double)ns * 1e-9) : 0.0;
        *out = round > 0 && rate > *out ? rate : *out; /* the first round warms up */
    }
    for (void *m : memory)
        kvl_cuda_free(&cuda->base, m);
    return status;
}
