/* An NVTX tool for tests: what NVTX_INJECTION64_PATH names. It keeps every range of the domain "kvlab" of the process that it is
 * loaded into; the test opens the same file with dlopen and asks it for the list. */
#ifndef KVLAB_TEST_NVTX_RECORDER_H
#define KVLAB_TEST_NVTX_RECORDER_H

#include <stdint.h>

struct recorded {
    char name[48];
    int64_t payload; /* -1: none */
    int depth;       /* 0: outermost */
};

/* The ranges so far, in the order in which they began, and how many are open; `reset` forgets them. */
typedef const struct recorded *recorder_list_function(int *n, int *n_open);
typedef void recorder_reset_function(void);

#endif
