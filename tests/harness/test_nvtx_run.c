/* Profiler ranges of a whole bench and a whole eval: run, job, sample and what lies in them, heard by the tool in tests/nvtx. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/command.h"
#include "harness/option_parse.h"
#include "tests/nvtx/recorder.h"
#include "tests/support/golden.h"
#include "tests/support/outcome.h"

enum { N_ROUNDS = 3, N_METHODS = 2, MAX_WORDS = 24 };

/* Ranges of one name: how many, and whether all lie at this depth. */
static int count(const struct recorded *ranges, int n, const char *name, int depth)
{
    int found = 0;
    for (int i = 0; i < n; i++)
        if (strcmp(ranges[i].name, name) == 0) {
            if (ranges[i].depth != depth)
                fail_msg("'%s' lies at depth %d, expected %d", name, ranges[i].depth, depth);
            found++;
        }
    return found;
}

/* Runs a command line of words in this process. */
static void run(const struct kvl_command *command, const char *const *words)
{
    char *argv[MAX_WORDS];
    int argc = 0;
    for (; words[argc] != NULL; argc++)
        argv[argc] = strdup(words[argc]);
    argv[argc] = NULL;
    struct kvl_options options;
    if (kvl_options_parse(&options, command, argc, argv) != KVL_OK || command->run(&options) != KVL_OK)
        fail_msg("%s", kvl_last_error());
    kvl_options_free(&options);
    for (int i = 0; i < argc; i++)
        free(argv[i]);
}

static void test_commands(void **state)
{
    (void)state;
#ifndef KVLAB_NVTX_RECORDER
    skip_because("this build has no NVTX headers");
#else
    void *library = dlopen(KVLAB_NVTX_RECORDER, RTLD_NOW);
    if (library == NULL)
        fail_msg("%s", dlerror());
    recorder_list_function *list = (recorder_list_function *)(uintptr_t)dlsym(library, "recorder_list");
    recorder_reset_function *forget = (recorder_reset_function *)(uintptr_t)dlsym(library, "recorder_reset");
    assert_true(list != NULL && forget != NULL);
    setenv("NVTX_INJECTION64_PATH", KVLAB_NVTX_RECORDER, 1); /* before the process's first range */
    char model[1024];
    snprintf(model, sizeof model, "%s", golden_path("models/llama-tiny"));
    int n, n_open;
    forget();
    run(&kvl_command_bench, (const char *const[]){"bench", model, "--method", "full,snapkv", "--context", "64,96", "--phase", "prefill",
                                                  "--samples", "2", "--warmup", "1", "--force", "--json", NULL});
    const struct recorded *ranges = list(&n, &n_open);
    assert_int_equal(n_open, 0);
    assert_int_equal(count(ranges, n, "run", 0), 1);
    assert_int_equal(count(ranges, n, "job", 1), 2);
    assert_int_equal(count(ranges, n, "sample", 2), 2 * N_METHODS * N_ROUNDS);
    assert_string_equal(ranges[1].name, "job");
    assert_int_equal(ranges[1].payload, 64);
    assert_string_equal(ranges[3].name, "prefill");
    assert_int_equal(ranges[3].depth, 3);
    forget();
    run(&kvl_command_eval, (const char *const[]){"eval", model, "--method", "full,snapkv", "--task", "needle/single_noise", "--context",
                                                 "512", "--samples", "3", "--json", NULL});
    ranges = list(&n, &n_open);
    assert_int_equal(n_open, 0);
    assert_int_equal(count(ranges, n, "run", 0), 1);
    assert_int_equal(count(ranges, n, "job", 1), 1);
    assert_int_equal(count(ranges, n, "sample", 2), 3);
    assert_int_equal(count(ranges, n, "prefill", 3), 3); /* shared by both methods */
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_commands)};
    return test_result(cmocka_run_group_tests(tests, NULL, NULL));
}
