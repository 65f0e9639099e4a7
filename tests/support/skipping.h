/* Skipped tests are counted, never ok: a program in which one was skipped and none failed ends with the exit code that CTest
 * shows as skipped. Include behind cmocka.h. */
#ifndef KVLAB_TEST_SKIPPING_H
#define KVLAB_TEST_SKIPPING_H

/* Prints "skipped: WHY" and ends the test. */
void skip_because(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The exit code of main: `failed` is what cmocka_run_group_tests returned. */
int test_result(int failed);

#endif
