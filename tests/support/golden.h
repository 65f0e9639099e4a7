/* What the golden tests share: files, models, comparisons. */
#ifndef KVLAB_TEST_GOLDEN_H
#define KVLAB_TEST_GOLDEN_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>

#include "core/engine.h"
#include "tests/support/skipping.h"

/* tests/golden/NAME as JSON; skips the test, saying why, where it is absent. */
json_t *golden_load(const char *name);

/* A path below tests/golden in a static buffer. */
const char *golden_path(const char *name);

/* Array of integers to a malloc'd i32 list. */
int32_t *golden_ids(const json_t *array, int64_t *n);

/* Opens the CPU (0 threads: all) and loads a golden model, failing the test with the library's sentence. */
struct kvl_ctx *open_cpu(int n_threads);

/* The same for the backend that KVLAB_TEST_BACKEND names: cpu (unset), cuda_host, or cuda, which skips the test where there is no
 * device. */
struct kvl_ctx *open_tested(int n_threads);

struct kvl_model *load_model(struct kvl_ctx *ctx, const char *source, enum kvl_dtype dtype);

/* ||got - expected|| / ||expected||; NaN where anything is NaN, so that `!(error <= bound)` catches it. */
double relative_l2(const float *got, const json_t *expected, int64_t n);

/* Asserts KVL_OK and prints the sentence otherwise. */
#define assert_ok(call)                                                   \
    do {                                                                  \
        if ((call) != KVL_OK)                                             \
            fail_msg("%s: %s", #call, kvl_last_error());                  \
    } while (0)

#endif
