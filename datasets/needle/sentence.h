/* What a needle says: values and the sentence about a key and its value. Keys of words are in words.h. */
#ifndef KVL_NEEDLE_SENTENCE_H
#define KVL_NEEDLE_SENTENCE_H

#include "datasets/random.h"
#include "datasets/text.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { KVL_NEEDLE_N_NUMBERS = 9000000 };

/* Appends number 0 <= i < KVL_NEEDLE_N_NUMBERS: seven digits. */
enum kvl_status kvl_needle_add_number(struct kvl_text *text, int64_t i);

/* Appends a random uuid (RFC 9562, version 4, lower case): 122 random bits, so that no two are ever the same. */
enum kvl_status kvl_needle_add_uuid(struct kvl_text *text, struct kvl_random *random);

/* Appends "One of the special magic numbers for KEY is: VALUE."; noun: "number" or "uuid". */
enum kvl_status kvl_needle_add_sentence(struct kvl_text *text, const char *noun, const char *key, const char *value);

#ifdef __cplusplus
}
#endif
#endif
