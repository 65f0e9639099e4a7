#include "datasets/needle/sentence.h"

#include <assert.h>

enum { FIRST_NUMBER = 1000000 };

enum kvl_status kvl_needle_add_number(struct kvl_text *text, int64_t i)
{
    assert(i >= 0 && i < KVL_NEEDLE_N_NUMBERS);
    return kvl_text_format(text, "%lld", (long long)(FIRST_NUMBER + i));
}

enum kvl_status kvl_needle_add_uuid(struct kvl_text *text, struct kvl_random *random)
{
    uint64_t high = kvl_random_next(random), low = kvl_random_next(random);
    return kvl_text_format(text, "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(high >> 32), (unsigned)(high >> 16 & 0xffff),
                           (unsigned)(high & 0xfff), (unsigned)(low >> 48 & 0x3fff) | 0x8000,
                           (unsigned long long)(low & 0xffffffffffff));
}

enum kvl_status kvl_needle_add_sentence(struct kvl_text *text, const char *noun, const char *key, const char *value)
{
    return kvl_text_format(text, "One of the special magic %ss for %s is: %s.", noun, key, value);
}
