/* A bound on what a test may map, so that an allocation on a file's word fails. */
#ifndef KVLAB_TEST_ADDRESS_SPACE_H
#define KVLAB_TEST_ADDRESS_SPACE_H

#include <sys/resource.h>

/* 1.5 GiB; nothing under a sanitizer, which maps terabytes for itself. */
static inline void limit_address_space(void)
{
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
    return;
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return;
#endif
    const struct rlimit limit = {1536ul << 20, 1536ul << 20};
    setrlimit(RLIMIT_AS, &limit);
}

#endif
