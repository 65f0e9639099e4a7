/* Split patterns that files name instead of spelling them out. */
#ifndef KVL_PRETOKENIZER_H
#define KVL_PRETOKENIZER_H

#ifdef __cplusplus
extern "C" {
#endif

extern const char KVL_SPLIT_GPT2[];   /* tokenizer.json's ByteLevel with use_regex */
extern const char KVL_SPLIT_DIGIT[];  /* Digits with individual_digits: each digit by itself */
extern const char KVL_SPLIT_DIGITS[]; /* Digits without */

#ifdef __cplusplus
}
#endif

#endif
