/* Status codes and the one error sentence of a thread.
 *
 * Library code returns a status and never prints, exits or aborts. A function that fails first leaves a sentence
 * (what, where, what to do) in a thread-local buffer; `main` alone prints it and picks the exit code. */
#ifndef KVL_STATUS_H
#define KVL_STATUS_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

enum kvl_status {
    KVL_OK = 0,
    KVL_E_ARG,         /* a value that the user or the caller chose is wrong: exit code 2 on the command line */
    KVL_E_IO,          /* a file cannot be opened, read or written */
    KVL_E_FORMAT,      /* a file's content is malformed or contradicts itself */
    KVL_E_UNSUPPORTED, /* well-formed, but something that kvlab or this backend does not do */
    KVL_E_OOM,         /* memory: a status, so that it can become a data point */
    KVL_E_INTERNAL,    /* a library below us failed in a way that has no better name */
};

/* Short name of a status ("ok", "bad argument", ...); never NULL. */
const char *kvl_status_name(enum kvl_status status);

/* Stores the sentence of this thread and returns `status`, so that `return kvl_fail(...)` reads well. Cut at 1023 bytes. */
enum kvl_status kvl_fail(enum kvl_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "prefix: " before the stored sentence (a caller that knows the file or the job); returns `status`. */
enum kvl_status kvl_fail_prefix(enum kvl_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The last sentence of this thread; "" before the first failure. Valid until the next failure. */
const char *kvl_last_error(void);

/* Returns the status of a call that failed to the caller. */
#define KVL_TRY(call)                                   \
    do {                                                \
        enum kvl_status kvl_try_status_ = (call);       \
        if (kvl_try_status_ != KVL_OK)                  \
            return kvl_try_status_;                     \
    } while (0)

/* As KVL_TRY, in a function with one `out:` label that frees; needs `enum kvl_status status`. */
#define KVL_TRY_OUT(call)              \
    do {                               \
        status = (call);               \
        if (status != KVL_OK)          \
            goto out;                  \
    } while (0)

/* Checks what a caller passed; the message names the value, the bound and what to do. */
#define KVL_REQUIRE(condition, ...)                       \
    do {                                                  \
        if (!(condition))                                 \
            return kvl_fail(KVL_E_ARG, __VA_ARGS__);      \
    } while (0)

#ifdef __cplusplus
}
#endif
#endif
