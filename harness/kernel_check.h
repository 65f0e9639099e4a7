/* Looks at what an operation gives before it is timed: seeded samples of its outputs against a plain computation on the host, in
 * double precision, from inputs copied back from the backend. */
#ifndef KVL_KERNEL_CHECK_H
#define KVL_KERNEL_CHECK_H

#include "harness/kernel_inputs.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { KVL_CHECK_REASON = 256, KVL_CHECK_SAMPLES = 64 };

/* {0} but for `inputs` and `row`; everything that kvl_check_* hand out lives until kvl_kernel_check_free. */
struct kvl_kernel_check {
    const struct kvl_kernel_inputs *inputs;
    const struct kvl_kernel_case *row;
    uint64_t n_picked;
    double error;    /* the largest |got - expected| as a share of what is allowed: at most 1 passes; NaN: one was no number */
    int64_t n_values;
    char reason[KVL_CHECK_REASON]; /* of the first value that is wrong; "": none is */
    void **kept;
    int n_kept;
};

/* Fills the outputs with NaN, checks the case. `reason` says whether it passed; a status tells that it could not be checked. */
enum kvl_status kvl_kernel_check_run(struct kvl_kernel_check *check, const union kvl_kernel_op *op);
void kvl_kernel_check_free(struct kvl_kernel_check *check);

/* ---- for a case's `check` ----------------------------------------------------------------------------------------------- */

/* Runs the operation and waits. */
enum kvl_status kvl_check_call(struct kvl_kernel_check *check, const union kvl_kernel_op *op);

/* A seeded number in [0, below). */
int64_t kvl_check_pick(struct kvl_kernel_check *check, int64_t below);

/* Host copies: as they are; widened to f32; of one head's vectors of tokens first..first+n-1, f32 [n, e]. `first` counts
 * elements. */
enum kvl_status kvl_check_bytes(struct kvl_kernel_check *check, const void *from, int64_t bytes, void **out);
enum kvl_status kvl_check_values(struct kvl_kernel_check *check, const void *from, enum kvl_dtype dtype, int64_t first, int64_t n,
                                 float **out);
enum kvl_status kvl_check_head(struct kvl_kernel_check *check, const struct kvl_heads *x, int64_t head, int64_t first, int64_t n,
                               float **out);
enum kvl_status kvl_check_doubles(struct kvl_kernel_check *check, int64_t n, double **out); /* zeros */

/* What a result may be off by: kvl_check_sum of a result rounded to `dtype` that is a sum of float32 terms, 2^-8 (bf16) or 1e-5
 * (f32) of the result and 1e-5 of the sum of its terms' magnitudes. */
double kvl_check_sum(enum kvl_dtype dtype, double result, double magnitude);
double kvl_check_share(enum kvl_dtype dtype); /* 2^-8, 1e-5 */

/* Compares one value; NaN fails, and so does a bound that is no number. `where` is printed with a failure. */
void kvl_check_close(struct kvl_kernel_check *check, const char *where, int64_t i, double got, double expected, double allowed);
/* Integers or bits that must be equal. */
void kvl_check_equal(struct kvl_kernel_check *check, const char *where, int64_t i, int64_t got, int64_t expected);
/* Both of n bytes; one value of the count. */
void kvl_check_same(struct kvl_kernel_check *check, const char *where, int64_t i, const void *got, const void *expected,
                    int64_t bytes);

#ifdef __cplusplus
}
#endif
#endif
