/* harness/nightly/nightly.sh: three nights, of which the last is slow. */
#include <sys/stat.h>

#include "tests/harness/made_up.h"
#include "tests/support/process.h"

/* A stand-in for kvlab that "runs" by copying the night's records; the comparison is the real one. */
static int set_up(void **state)
{
    (void)state;
    char text[1024];
    snprintf(text, sizeof text, "#!/bin/sh\n[ \"$1\" = run ] && { cat \"%s/$KVLAB_NIGHT.records\" >> \"$4\"; exit; }\nexec \"%s\" \"$@\"\n",
             made_up_folder(), KVLAB_PROGRAM);
    const char *path = made_up_path("kvlab.sh");
    made_up_write(path, text);
    static const struct {
        const char *name;
        double ms;
    } nights[] = {{"a.records", 100}, {"b.records", 101}, {"c.records", 120}};
    for (size_t i = 0; i < sizeof nights / sizeof *nights; i++) {
        json_t *record = made_up_bench("full", NAN, 1024, nights[i].ms, 1), *samples = json_array();
        for (int s = 0; s < 10; s++)
            json_array_append_new(samples, json_real(nights[i].ms * 1e6 * (1 + 0.001 * s)));
        json_object_set_new(record, "prefill_samples_ns", samples);
        json_object_set_new(record, "phases", json_pack("[s]", "prefill"));
        made_up_append(made_up_path(nights[i].name), record);
    }
    setenv("KVLAB", path, 1);
    return chmod(path, 0755);
}

static int tear_down(void **state)
{
    static const char *const files[] = {"a.jsonl", "b.jsonl", "c.jsonl", "base.jsonl", "last.jsonl"};
    char path[512];
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/nights/%s", made_up_folder(), files[i]);
        unlink(path);
    }
    rmdir(made_up_path("nights"));
    return made_up_remove(state);
}

/* Runs one night; what it prints must name every part of `parts`, up to NULL. */
static void run_night(const char *night, int code, const char *const *parts)
{
    char script[512], folder[512];
    snprintf(script, sizeof script, "%s/../../harness/nightly/nightly.sh", KVLAB_GOLDEN_DIR);
    snprintf(folder, sizeof folder, "%s/nights", made_up_folder());
    setenv("KVLAB_NIGHT", night, 1);
    struct process process = {.program = "/bin/sh", .closed = -1};
    process_run(&process, (const char *const[]){script, "experiment.json", folder, NULL});
    if (process.code != code)
        fail_msg("night %s: exit code %d, expected %d: %s%s", night, process.code, code, process.out, process.err);
    for (; *parts != NULL; parts++)
        if (strstr(process.out, *parts) == NULL)
            fail_msg("night %s: no \"%s\" in: %s", night, *parts, process.out);
    process_free(&process);
}

static void nights(void **state)
{
    (void)state;
    char target[64];
    run_night("a", 0, (const char *const[]){NULL});
    run_night("b", 0, (const char *const[]){"against base (a.jsonl)", "0 regression", NULL});
    run_night("c", 1, (const char *const[]){"against base (a.jsonl)", "against last (b.jsonl)", "1 regression", NULL});
    ssize_t n = readlink(made_up_path("nights/base.jsonl"), target, sizeof target);
    assert_true(n == 7 && strncmp(target, "a.jsonl", 7) == 0);
    n = readlink(made_up_path("nights/last.jsonl"), target, sizeof target);
    assert_true(n == 7 && strncmp(target, "c.jsonl", 7) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nights)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
