/* Tensors of a model file, whichever format it has: name, type, shape and where the values lie in the mapped file. */
#ifndef KVL_TENSOR_FILE_H
#define KVL_TENSOR_FILE_H

#include <stdint.h>

#include "kernels/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum kvl_tensor_type {
    KVL_TENSOR_F32,
    KVL_TENSOR_F16,
    KVL_TENSOR_BF16,
    KVL_TENSOR_Q8_0,
    KVL_TENSOR_Q4_0,
    KVL_TENSOR_Q4_1,
    KVL_TENSOR_OTHER, /* not read by kvlab; an error only when the tensor is needed */
};

enum { KVL_TENSOR_DIMS = 4, KVL_TENSOR_NAME_MAX = 512 };

struct kvl_tensor {
    char *name;       /* NUL-terminated, owned by the table */
    const char *file; /* path for sentences, borrowed */
    enum kvl_tensor_type type;
    char type_name[24]; /* as the file calls it: "Q4_1", "12 (Q4_K)", "I64" */
    int n_dims;
    int64_t dims[KVL_TENSOR_DIMS]; /* outermost first: a linear weight is [n_out, n_in]; all positive */
    const uint8_t *data;           /* into the mapped file; NULL where the type is OTHER */
    int64_t bytes;
};

/* {0} is a valid empty table. */
struct kvl_tensors {
    struct kvl_tensor *all; /* [n], by name once sorted */
    int64_t n, n_allocated;
};

/* Bytes of n values in rows of `row` values, -1 if the row is no multiple of the type's block or the product overflows. */
int64_t kvl_tensor_bytes(enum kvl_tensor_type type, int64_t n, int64_t row);

/* Product of the dimensions, -1 if one is not positive or the product exceeds 2^62. */
int64_t kvl_tensor_count(int n_dims, const int64_t *dims);

/* Appends a copy of `tensor` with a copy of its name (n_name bytes, no NUL inside, checked by the caller). */
enum kvl_status kvl_tensors_add(struct kvl_tensors *tensors, const struct kvl_tensor *tensor, const char *name,
                                int64_t n_name);
/* Sorts by name; KVL_E_FORMAT if a name occurs twice. Call before find. */
enum kvl_status kvl_tensors_sort(struct kvl_tensors *tensors);
/* KVL_E_FORMAT if two tensors share bytes. */
enum kvl_status kvl_tensors_check_overlap(const struct kvl_tensors *tensors);
const struct kvl_tensor *kvl_tensors_find(const struct kvl_tensors *tensors, const char *name); /* NULL: there is none */
void kvl_tensors_free(struct kvl_tensors *tensors);

/* Rows [first, first + n) as float32.
 *   out  out  f32 [n, dims[n_dims - 1]]
 * The type must not be OTHER. May be called from several threads at once. */
void kvl_tensor_rows(const struct kvl_tensor *tensor, int64_t first, int64_t n, float *out);

/* "[49152, 576]" in `text`. */
void kvl_tensor_describe(int n_dims, const int64_t *dims, char *text, int size);

#ifdef __cplusplus
}
#endif
#endif
