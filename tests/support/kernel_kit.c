#include "tests/support/kernel_kit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#if __has_include(<sanitizer/asan_interface.h>)
#include <sanitizer/asan_interface.h> /* nothing but empty macros without the sanitizer */
#else
#define ASAN_POISON_MEMORY_REGION(from, bytes) ((void)(from), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(from, bytes) ((void)(from), (void)(bytes))
#endif

#include "kernels/cpu/simd.h"
#ifdef KVL_CUDA_HOST
#include "tests/cuda_host/backend.h"
#endif
#include "tests/support/skipping.h"

enum { MAX_DEVICES = 16, MAX_TESTS = 256, GUARD_BYTE = 0xa5, GARBAGE_BYTE = 0xff };

static char case_text[256];
static uint64_t stream_seed, stream_index;

void case_name(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(case_text, sizeof case_text, format, arguments);
    va_end(arguments);
}

/* ---- devices --------------------------------------------------------------------------------------------------------- */

/* The i-th backend under test, NULL past the end: those of the build, then the CUDA kernels on the host. */
static const struct kvl_backend *tested_backend(int i)
{
    const struct kvl_backend *be = kvl_backend_at(i);
#ifdef KVL_CUDA_HOST
    if (be == NULL && (i == 0 || kvl_backend_at(i - 1) != NULL))
        return kvl_cuda_host_backend();
#endif
    return be;
}

/* KVLAB_TEST_BACKEND=NAME: that one only. Unset: all but "cuda", which has test runs of its own, skipped where no GPU is. */
static bool is_asked_for(const char *name)
{
    const char *wanted = getenv("KVLAB_TEST_BACKEND");
    return wanted != NULL && wanted[0] != '\0' ? strcmp(name, wanted) == 0 : strcmp(name, "cuda") != 0;
}

static int list_devices(struct device devices[MAX_DEVICES])
{
    int n = 0;
    const struct kvl_backend *be;
    for (int i = 0; (be = tested_backend(i)) != NULL; i++) {
        if (!is_asked_for(be->name))
            continue;
        bool cpu = strcmp(be->name, "cpu") == 0;
        for (int path = 0; cpu ? kvl_simd_name(path) != NULL : path == 0; path++) {
            struct device *device = &devices[n++];
            *device = (struct device){be, cpu ? kvl_simd_name(path) : NULL, ""};
            snprintf(device->name, sizeof device->name, "%s%s%s", be->name, cpu ? " " : "", cpu ? device->isa : "");
        }
    }
    return n;
}

static enum kvl_status try_open(const struct device *device, int n_threads, struct kvl_ctx **ctx)
{
    return device->be->open(&(struct kvl_backend_options){.n_threads = n_threads, .isa = device->isa}, ctx);
}

struct kvl_ctx *device_open(const struct device *device, int n_threads)
{
    struct kvl_ctx *ctx;
    assert_ok(try_open(device, n_threads, &ctx));
    return ctx;
}

struct run {
    struct device device;
    const struct kernel_test *test;
};

static void run_one(void **state)
{
    const struct run *run = *state;
    struct kit kit = {.device = &run->device};
    case_name("%s", run->test->name);
    if (try_open(&run->device, 2, &kit.ctx) != KVL_OK) {
        skip_because("%s: %s", run->device.name, kvl_last_error());
    }
    random_seed(20250731);
    run->test->check(&kit);
    kit_clear(&kit);
    assert_int_equal(kit.ctx->memory.limit, 0);
    run->device.be->close(kit.ctx);
}

int run_kernel_tests(const struct kernel_test *tests, int n)
{
    static struct device devices[MAX_DEVICES];
    static struct run runs[MAX_TESTS];
    static struct CMUnitTest units[MAX_TESTS];
    static char names[MAX_TESTS][96];
    int n_devices = list_devices(devices), n_units = 0;
    for (int t = 0; t < n; t++)
        for (int d = 0; d < n_devices && n_units < MAX_TESTS; d++, n_units++) {
            runs[n_units] = (struct run){devices[d], &tests[t]};
            snprintf(names[n_units], sizeof names[n_units], "%s [%s]", tests[t].name, devices[d].name);
            units[n_units] = (struct CMUnitTest){names[n_units], run_one, NULL, NULL, &runs[n_units]};
        }
    return test_result(_cmocka_run_group_tests("kernels", units, (size_t)n_units, NULL, NULL));
}

/* ---- memory ---------------------------------------------------------------------------------------------------------- */

static void check_guard(const char *zone, const char *which)
{
    for (int i = 0; i < KIT_GUARD; i++)
        if ((unsigned char)zone[i] != GUARD_BYTE)
            fail_msg("%s: the guard zone %s an array was written at byte %d", case_text, which, i);
}

/* Under ASan the guard zones may not even be read, where the device's memory is the host's; not by the kernels, that is: the kit
 * opens them for its own copies. */
static void close_guards(const struct kit *kit, int i)
{
    char *base = kit->memory[i].base;
    if (strcmp(kit->device->be->name, "cuda") == 0)
        return;
    ASAN_POISON_MEMORY_REGION(base, KIT_GUARD);
    ASAN_POISON_MEMORY_REGION(base + KIT_GUARD + kit->memory[i].bytes, KIT_GUARD);
}

static void open_guards(const struct kit *kit, int i)
{
    if (strcmp(kit->device->be->name, "cuda") != 0)
        ASAN_UNPOISON_MEMORY_REGION(kit->memory[i].base, (size_t)kit->memory[i].bytes + 2 * KIT_GUARD);
}

/* Downloads memory i whole, guards included, and looks at these; the content begins at KIT_GUARD. */
static char *download(struct kit *kit, int i)
{
    int64_t bytes = kit->memory[i].bytes;
    char *copy = malloc((size_t)bytes + 2 * KIT_GUARD);
    assert_non_null(copy);
    open_guards(kit, i);
    assert_ok(kit->ctx->be->download(kit->ctx, copy, kit->memory[i].base, bytes + 2 * KIT_GUARD));
    close_guards(kit, i);
    check_guard(copy, "before");
    check_guard(copy + KIT_GUARD + bytes, "behind");
    return copy;
}

void kit_clear(struct kit *kit)
{
    for (int i = 0; i < kit->n_memory; i++) {
        free(download(kit, i));
        open_guards(kit, i);
        kit->ctx->be->free(kit->ctx, kit->memory[i].base);
    }
    for (int i = 0; i < kit->n_host; i++)
        free(kit->host[i]);
    kit->n_memory = kit->n_host = 0;
}

void kit_reopen(struct kit *kit, int n_threads)
{
    kit_clear(kit);
    kit->device->be->close(kit->ctx);
    kit->ctx = device_open(kit->device, n_threads);
}

static void *keep_host(struct kit *kit, void *memory)
{
    assert_non_null(memory);
    assert_true(kit->n_host < KIT_MAX);
    return kit->host[kit->n_host++] = memory;
}

void *kit_host(struct kit *kit, int64_t bytes)
{
    return keep_host(kit, calloc(1, (size_t)bytes + 1));
}

static void *device_memory(struct kit *kit, const void *content, int64_t bytes)
{
    void *base;
    assert_true(kit->n_memory < KIT_MAX);
    assert_ok(kit->ctx->be->alloc(kit->ctx, bytes + 2 * KIT_GUARD, &base));
    char *image = malloc((size_t)bytes + 2 * KIT_GUARD);
    assert_non_null(image);
    memset(image, GUARD_BYTE, (size_t)bytes + 2 * KIT_GUARD);
    if (content != NULL)
        memcpy(image + KIT_GUARD, content, (size_t)bytes);
    else
        memset(image + KIT_GUARD, GARBAGE_BYTE, (size_t)bytes);
    assert_ok(kit->ctx->be->upload(kit->ctx, base, image, bytes + 2 * KIT_GUARD));
    free(image);
    kit->memory[kit->n_memory].base = base;
    kit->memory[kit->n_memory].bytes = bytes;
    close_guards(kit, kit->n_memory++);
    return (char *)base + KIT_GUARD;
}

void *kit_output(struct kit *kit, int64_t bytes)
{
    return device_memory(kit, NULL, bytes);
}

void *kit_input(struct kit *kit, const void *host, int64_t bytes)
{
    return device_memory(kit, host, bytes);
}

void *kit_values(struct kit *kit, const float *values, int64_t n, enum kvl_dtype dtype)
{
    if (dtype == KVL_F32)
        return kit_input(kit, values, n * 4);
    uint16_t *narrow = malloc((size_t)n * sizeof *narrow);
    for (int64_t i = 0; i < n; i++)
        narrow[i] = kvl_f32_to_bf16(values[i]);
    void *device = kit_input(kit, narrow, n * 2);
    free(narrow);
    return device;
}

void *kit_result(struct kit *kit, const void *device)
{
    for (int i = 0; i < kit->n_memory; i++) {
        if (kit->memory[i].base + KIT_GUARD != device)
            continue;
        char *copy = download(kit, i);
        memmove(copy, copy + KIT_GUARD, (size_t)kit->memory[i].bytes);
        return keep_host(kit, copy);
    }
    fail_msg("not an array of the kit");
    return NULL;
}

float *kit_result_f32(struct kit *kit, const void *device, enum kvl_dtype dtype)
{
    if (dtype == KVL_F32)
        return kit_result(kit, device);
    const uint16_t *narrow = kit_result(kit, device);
    int64_t n = 0;
    for (int i = 0; i < kit->n_memory; i++)
        if (kit->memory[i].base + KIT_GUARD == device)
            n = kit->memory[i].bytes / 2;
    float *wide = kit_host(kit, n * 4);
    for (int64_t i = 0; i < n; i++)
        wide[i] = kvl_bf16_to_f32(narrow[i]);
    return wide;
}

/* ---- values ---------------------------------------------------------------------------------------------------------- */

void random_seed(uint64_t seed)
{
    stream_seed = seed;
    stream_index = 0;
    printf("seed %llu\n", (unsigned long long)seed);
}

int64_t random_below(int64_t below)
{
    double u = 0.5 + 0.5 * (double)kvl_random_uniform(stream_seed, stream_index++, 1.0f);
    int64_t x = (int64_t)(u * (double)below);
    return x < below ? x : below - 1;
}

float *kit_random(struct kit *kit, int64_t n, enum kvl_dtype dtype, float bound)
{
    float *values = kit_host(kit, n * 4);
    for (int64_t i = 0; i < n; i++) {
        float x = kvl_random_uniform(stream_seed, stream_index++, bound);
        values[i] = dtype == KVL_F32 ? x : kvl_bf16_to_f32(kvl_f32_to_bf16(x));
    }
    return values;
}

int32_t *kit_positions(struct kit *kit, int64_t n, int32_t first, int max_step)
{
    int32_t *pos = kit_host(kit, n * 4);
    for (int64_t i = 0; i < n; i++)
        pos[i] = i == 0 ? first : pos[i - 1] + 1 + (int32_t)random_below(max_step);
    return pos;
}

/* ---- comparisons ----------------------------------------------------------------------------------------------------- */

static void check_reference(const char *what, const double *reference, int64_t n)
{
    bool alike = n > 1;
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(reference[i]))
            fail_msg("%s: %s: the reference is not finite at %lld", case_text, what, (long long)i);
        alike = alike && reference[i] == reference[0];
    }
    if (alike || n < 1)
        fail_msg("%s: %s: a trivial reference", case_text, what);
}

void check_close(const char *what, const float *got, const double *reference, int64_t n, double atol, double rtol)
{
    check_reference(what, reference, n);
    for (int64_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - reference[i]) <= atol + rtol * fabs(reference[i])))
            fail_msg("%s: %s[%lld] is %.9g, expected %.9g (off by %.3g, allowed %.3g)", case_text, what, (long long)i,
                     (double)got[i], reference[i], fabs((double)got[i] - reference[i]), atol + rtol * fabs(reference[i]));
}

void check_twice(const char *what, const float *got, const float *naive, const double *reference, int64_t n, double atol)
{
    check_reference(what, reference, n);
    double bound = 0.0;
    for (int64_t i = 0; i < n; i++) {
        double error = fabs((double)naive[i] - reference[i]);
        assert_true(isfinite(error));
        bound = error > bound ? error : bound;
    }
    for (int64_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - reference[i]) <= 2.0 * bound + atol))
            fail_msg("%s: %s[%lld] is %.9g, expected %.9g (off by %.3g, the naive loop by %.3g at most)", case_text, what,
                     (long long)i, (double)got[i], reference[i], fabs((double)got[i] - reference[i]), bound);
}

void check_bits(const char *what, const void *got, const void *expected, int64_t bytes)
{
    const unsigned char *a = got, *b = expected;
    for (int64_t i = 0; i < bytes; i++)
        if (a[i] != b[i])
            fail_msg("%s: %s differs at byte %lld of %lld", case_text, what, (long long)i, (long long)bytes);
}
