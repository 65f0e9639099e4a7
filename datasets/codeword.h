/* Words of consonants: names and codes that no English text holds. */
#ifndef KVL_CODEWORD_H
#define KVL_CODEWORD_H

#include "datasets/text.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Number of words of 1 <= n_letters <= 8 consonants: 20^n_letters. */
int64_t kvl_codeword_count(int n_letters);

/* Appends word 0 <= i < kvl_codeword_count(n_letters); `first` is the case: 'A' or 'a'. */
enum kvl_status kvl_codeword_add(struct kvl_text *text, int64_t i, int n_letters, char first);

#ifdef __cplusplus
}
#endif
#endif
