#include "kernels/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char last_error[1024];

const char *kvl_status_name(enum kvl_status status)
{
    switch (status) {
    case KVL_OK: return "ok";
    case KVL_E_ARG: return "bad argument";
    case KVL_E_IO: return "input/output error";
    case KVL_E_FORMAT: return "malformed file";
    case KVL_E_UNSUPPORTED: return "not supported";
    case KVL_E_OOM: return "out of memory";
    case KVL_E_INTERNAL: return "internal error";
    }
    return "unknown status";
}

enum kvl_status kvl_fail(enum kvl_status status, const char *format, ...)
{
    /* Formatted aside first: an argument may be the stored sentence itself. */
    char sentence[sizeof last_error];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    memcpy(last_error, sentence, sizeof last_error);
    return status;
}

enum kvl_status kvl_fail_prefix(enum kvl_status status, const char *format, ...)
{
    char prefix[512], sentence[sizeof last_error];
    va_list args;
    va_start(args, format);
    vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);
    memcpy(sentence, last_error, sizeof sentence);
    snprintf(last_error, sizeof last_error, "%.500s: %.500s", prefix, sentence);
    return status;
}

const char *kvl_last_error(void)
{
    return last_error;
}
