/* What the kernel tests share: devices, guarded memory, random values, comparisons.
 *
 * A check runs once for every backend of this build and, on the CPU, for every instruction set; a device that is not there is
 * skipped and counted so. */
#ifndef KVLAB_TEST_KERNEL_KIT_H
#define KVLAB_TEST_KERNEL_KIT_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernels/backend.h"

struct device {
    const struct kvl_backend *be;
    const char *isa; /* of the CPU; NULL elsewhere */
    char name[48];   /* "cpu avx2" */
};

/* Opens the device; fails the test where it cannot. */
struct kvl_ctx *device_open(const struct device *device, int n_threads);

/* One test case: its memory, freed together. */
enum { KIT_MAX = 64, KIT_GUARD = 256 };
struct kit {
    const struct device *device;
    struct kvl_ctx *ctx;
    struct {
        char *base; /* guard, content, guard; under ASan a kernel that so much as reads a guard is reported */
        int64_t bytes;
    } memory[KIT_MAX];
    int n_memory;
    void *host[KIT_MAX];
    int n_host;
};

struct kernel_test {
    const char *name;
    void (*check)(struct kit *kit);
};

/* Runs every check on every device as a cmocka group; the exit status. */
int run_kernel_tests(const struct kernel_test *tests, int n);

/* Frees everything that the kit handed out, after a look at all guard zones. Between cases. */
void kit_clear(struct kit *kit);
/* Turns to another context of the same device (other thread counts); the kit must be clear. Closes the one before. */
void kit_reopen(struct kit *kit, int n_threads);

/* Host memory, zeroed. */
void *kit_host(struct kit *kit, int64_t bytes);
/* Device memory between guard zones: full of garbage (every f32 and bf16 a NaN, every i32 -1), or a copy of host memory. */
void *kit_output(struct kit *kit, int64_t bytes);
void *kit_input(struct kit *kit, const void *host, int64_t bytes);
/* f32 host values as a device array of dtype. */
void *kit_values(struct kit *kit, const float *values, int64_t n, enum kvl_dtype dtype);
/* Host copy of a whole device array; checks its guard zones. */
void *kit_result(struct kit *kit, const void *device);
/* The same, widened to f32. */
float *kit_result_f32(struct kit *kit, const void *device, enum kvl_dtype dtype);

/* Host array of uniform values in (-bound, bound), exact in dtype; a new stream at every call, from a seed that is printed. */
float *kit_random(struct kit *kit, int64_t n, enum kvl_dtype dtype, float bound);
/* Ascending positions that begin at `first` with steps 1..max_step. */
int32_t *kit_positions(struct kit *kit, int64_t n, int32_t first, int max_step);
/* A number in [0, below). */
int64_t random_below(int64_t below);
/* Starts the stream anew and prints its seed. */
void random_seed(uint64_t seed);

/* Fails unless |got - reference| <= atol + rtol |reference| for all; so NaN fails. Also fails a reference that is not finite or
 * is all alike. */
void check_close(const char *what, const float *got, const double *reference, int64_t n, double atol, double rtol);
/* Fails unless the largest error is at most twice that of `naive`, a plain loop in the same precision, plus atol. */
void check_twice(const char *what, const float *got, const float *naive, const double *reference, int64_t n, double atol);
/* Fails unless all bytes are equal. */
void check_bits(const char *what, const void *got, const void *expected, int64_t bytes);

/* Prefix of every message: what the case at hand is. */
void case_name(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Asserts KVL_OK and prints the sentence otherwise. */
#define assert_ok(call)                                                   \
    do {                                                                  \
        if ((call) != KVL_OK)                                             \
            fail_msg("%s: %s", #call, kvl_last_error());                  \
    } while (0)

#define COUNT_OF(array) ((int64_t)(sizeof(array) / sizeof *(array)))

#endif
