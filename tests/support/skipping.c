#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

#include "tests/support/skipping.h"

enum { SKIPPED = 77 }; /* SKIP_RETURN_CODE in tests/CMakeLists.txt */

static int n_skipped;

void skip_because(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("skipped: ", stdout);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
    n_skipped++;
    skip();
}

int test_result(int failed)
{
    return failed == 0 && n_skipped > 0 ? SKIPPED : failed;
}
