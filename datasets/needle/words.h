/* The words that keys are made of. */
#ifndef KVL_NEEDLE_WORDS_H
#define KVL_NEEDLE_WORDS_H

#include "datasets/random.h"
#include "datasets/text.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Number of different keys. */
int64_t kvl_needle_n_keys(void);

/* Appends key 0 <= i < kvl_needle_n_keys(): an adjective and a noun, "brisk-lantern". */
enum kvl_status kvl_needle_add_key(struct kvl_text *text, int64_t i);

#ifdef __cplusplus
}
#endif
#endif
