/* Whole models: those that load, the options, and files that are none. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/model.h"
#include "tests/support/address_space.h"
#include "tests/support/golden.h"
#include "tests/support/model_folder.h"
#include "tests/support/skipping.h"

static struct kvl_ctx *ctx;
static struct model_folder folder;

/* Loads `source`; it must fail, name `source`, contain `part`, and leave nothing allocated. */
static void must_fail(const char *source, const char *what, const char *part)
{
    struct kvl_model *model;
    int64_t before = ctx->memory.current;
    const struct kvl_model_options options = {.dtype = KVL_F32};
    if (kvl_model_load(ctx, source, &options, &model) == KVL_OK)
        fail_msg("%s: loaded", what);
    assert_null(model);
    if (strstr(kvl_last_error(), source) == NULL || strstr(kvl_last_error(), part) == NULL)
        fail_msg("%s: '%s' does not name '%s' or '%s'", what, kvl_last_error(), source, part);
    if (strstr(strstr(kvl_last_error(), source) + 1, source) != NULL)
        fail_msg("%s: '%s' names the file twice", what, kvl_last_error());
    assert_int_equal(ctx->memory.current, before);
}

static struct kvl_model *must_load(const char *source, const struct kvl_model_options *options)
{
    struct kvl_model *model;
    if (kvl_model_load(ctx, source, options, &model) != KVL_OK)
        fail_msg("%s: %s", source, kvl_last_error());
    return model;
}

static void test_golden_models(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"llama-tiny", "mistral-tiny", "ministral-tiny", "llama-tiny-bf16", "llama-tiny-F32.gguf",
                                        "llama-tiny-F16.gguf", "llama-tiny-BF16.gguf", "llama-tiny-Q8_0.gguf",
                                        "llama-tiny-Q4_0.gguf", "llama-tiny-Q4_1.gguf", "llama-tiny-rope_freqs.gguf"};
    int n_loaded = 0;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s/models/%s", KVLAB_GOLDEN_DIR, NAMES[i]);
        if (access(path, R_OK) != 0) {
            print_message("%s is absent (tests/reference makes it)\n", path);
            continue;
        }
        int64_t before = ctx->memory.current;
        for (int dtype = 0; dtype < 2; dtype++) {
            struct kvl_model *model = must_load(path, &(struct kvl_model_options){.dtype = (enum kvl_dtype)dtype});
            assert_int_equal(strlen(model->hash), 64);
            assert_non_null(model->tokenizer);
            assert_int_equal(model->shape.n_vocab, 320);
            assert_true(model->weight_bytes >= kvl_shape_n_linear(&model->shape) * (dtype == 0 ? 4 : 2));
            kvl_model_free(model);
            n_loaded++;
        }
        /* What a backend keeps for itself (the CPU's lanes) may grow with the first model of a size. */
        assert_true(ctx->memory.current - before < 1 << 24);
    }
    if (n_loaded == 0)
        skip_because("no golden model is there");
}

/* The file's values arrive: embedding rows of the built file are the builder's pattern, in both types. */
static void test_values(void **state)
{
    (void)state;
    struct gguf_builder b;
    gguf_builder_init(&b);
    struct bytes file = gguf_builder_write(&b);
    model_folder_write(&folder, "good.gguf", file.data, file.n);
    for (int dtype = 0; dtype < 2; dtype++) {
        struct kvl_model *model =
            must_load(model_folder_file(&folder, "good.gguf"), &(struct kvl_model_options){.dtype = (enum kvl_dtype)dtype});
        assert_string_equal(model->name, "good");
        assert_true(model->shape.tied);
        assert_int_equal(kvl_tokenizer_n_vocab(model->tokenizer), 8);
        assert_int_equal(kvl_tokenizer_bos(model->tokenizer), 0);
        assert_false(kvl_tokenizer_add_bos(model->tokenizer));
        for (int i = 0; i < 8 * 32; i++) {
            float expected = (float)(i * 7 % 13 - 6) / 16;
            float got = dtype == 0 ? ((float *)model->embedding)[i] : kvl_bf16_to_f32(((uint16_t *)model->embedding)[i]);
            assert_true(got == expected);
        }
        assert_true(model->norm[1] == 1.0f / 16 && model->inv_freq[0] == 1.0f);
        kvl_model_free(model);
    }
    model_folder_remove(&folder, "good.gguf");
    bytes_free(&file);
    gguf_builder_free(&b);
}

static void test_random(void **state)
{
    (void)state;
    struct kvl_model_options options = {.dtype = KVL_F32, .seed = 1, .n_context = 4096};
    struct kvl_model *a = must_load("random:tiny-mistral", &options), *same = must_load("random:tiny-mistral", &options);
    options.seed = 2;
    struct kvl_model *other = must_load("random:tiny-mistral", &options);
    size_t bytes = (size_t)(a->shape.n_vocab * a->shape.n_embd) * sizeof(float);
    assert_memory_equal(a->embedding, same->embedding, bytes);
    assert_string_equal(a->hash, same->hash);
    assert_true(memcmp(a->embedding, other->embedding, bytes) != 0);
    assert_true(strcmp(a->hash, other->hash) != 0);
    assert_int_equal(a->shape.n_context, 4096);
    assert_null(a->tokenizer);
    double sum = 0;
    for (size_t i = 0; i < bytes / sizeof(float); i++)
        sum += (double)((float *)a->embedding)[i] * (double)((float *)a->embedding)[i];
    assert_true(fabs(sum / (double)a->shape.n_vocab - 1) < 0.05); /* variance 1 / n_embd */
    kvl_model_free(a);
    kvl_model_free(same);
    kvl_model_free(other);
}

static void test_options(void **state)
{
    (void)state;
    struct kvl_model *model;
    struct gguf_builder b;
    gguf_builder_init(&b);
    struct bytes file = gguf_builder_write(&b);
    model_folder_write(&folder, "good.gguf", file.data, file.n);
    const char *path = model_folder_file(&folder, "good.gguf");
    assert_int_equal(kvl_model_load(ctx, path, &(struct kvl_model_options){.n_context = 64}, &model), KVL_E_ARG);
    assert_int_equal(kvl_model_load(ctx, "random:tiny-llama", &(struct kvl_model_options){.n_context = 1ll << 40}, &model),
                     KVL_E_UNSUPPORTED);
    assert_int_equal(kvl_model_load(ctx, "random:tiny-lama", &(struct kvl_model_options){0}, &model), KVL_E_ARG);
    assert_non_null(strstr(kvl_last_error(), "random:tiny-llama"));
    assert_int_equal(kvl_model_load(ctx, "", &(struct kvl_model_options){0}, &model), KVL_E_ARG);
    assert_int_equal(kvl_model_load(ctx, "random:", &(struct kvl_model_options){0}, &model), KVL_E_ARG);
    assert_int_equal(kvl_model_load_tokenizer("random:tiny-llama", &model), KVL_E_ARG);
    int64_t before = ctx->memory.current, limit = ctx->memory.limit;
    for (int64_t more = 0; more < 200000; more += 997) { /* out of memory at any point frees all */
        ctx->memory.limit = before + more;
        enum kvl_status status = kvl_model_load(ctx, path, &(struct kvl_model_options){0}, &model);
        assert_true(status == KVL_OK || status == KVL_E_OOM);
        kvl_model_free(model);
        assert_true(ctx->memory.current - before < 1 << 20);
        before = ctx->memory.current;
    }
    ctx->memory.limit = limit;
    model_folder_remove(&folder, "good.gguf");
    bytes_free(&file);
    gguf_builder_free(&b);
}

static void test_no_file(void **state)
{
    (void)state;
    char path[128];
    must_fail("/nonexistent/model.gguf", "a missing file", "No such file");
    must_fail("/dev/null", "a device", "regular file");
    snprintf(path, sizeof path, "%s", folder.path);
    must_fail(path, "an empty folder", "config.json");
    snprintf(path, sizeof path, "%s", model_folder_file(&folder, "m.gguf"));
    model_folder_write_text(&folder, "m.gguf", "");
    must_fail(path, "an empty file", "empty");
    model_folder_write_text(&folder, "m.gguf", "once upon a time");
    must_fail(path, "a text", "not a GGUF file");
    model_folder_remove(&folder, "m.gguf");
    assert_int_equal(mkfifo(path, 0600), 0);
    must_fail(path, "a pipe", "regular file");
    model_folder_remove(&folder, "m.gguf");
    if (geteuid() != 0) {
        model_folder_write_text(&folder, "m.gguf", "GGUF");
        chmod(path, 0);
        must_fail(path, "an unreadable file", "denied");
        model_folder_remove(&folder, "m.gguf");
    }
}

static void test_small_model(void **state)
{
    (void)state;
    const char *path = getenv("KVLAB_SMALL_MODEL");
    if (path == NULL || path[0] == '\0' || access(path, R_OK) != 0) {
        skip_because("KVLAB_SMALL_MODEL names no readable file");
    }
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    struct kvl_model *model = must_load(path, &(struct kvl_model_options){.dtype = KVL_BF16});
    clock_gettime(CLOCK_MONOTONIC, &end);
    print_message("%s: %s, loaded in %.2f s\n", path, model->name,
                  (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec));
    assert_int_equal(kvl_shape_n_params(&model->shape), 134515008);
    assert_non_null(model->tokenizer);
    assert_non_null(model->chat_jinja);
    kvl_model_free(model);
    assert_ok(kvl_model_load_tokenizer(path, &model));
    assert_null(model->layers);
    assert_int_equal(kvl_tokenizer_n_vocab(model->tokenizer), 49152);
    kvl_model_free(model);
}

static int setup(void **state)
{
    (void)state;
    limit_address_space();
    ctx = open_cpu(2);
    model_folder_init(&folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    model_folder_free(&folder);
    ctx->be->close(ctx);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_models), cmocka_unit_test(test_values),  cmocka_unit_test(test_random),
        cmocka_unit_test(test_options),       cmocka_unit_test(test_no_file), cmocka_unit_test(test_small_model),
    };
    return test_result(cmocka_run_group_tests(tests, setup, teardown));
}
