/* The Porter stemmer as the Python package `nltk` has it by default (its mode NLTK_EXTENSIONS). */
#ifndef KVL_PORTER_H
#define KVL_PORTER_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Stems word[0..n), ASCII lower-case letters and digits, where it stands; returns the stem's length, at most n.
 * Source: M. Porter, An algorithm for suffix stripping, Program 14.3 (1980). Departs, as nltk does: a table of irregular words;
 * ies -> ie in words of four letters, ied likewise; y -> i behind a consonant that is not the word's first letter; the rules bli,
 * fulli and logi; alli is tried first and what it leaves again; *o also holds for a vowel and a consonant that are the whole
 * stem; words of two letters stay. */
int64_t kvl_porter_stem(char *word, int64_t n);

#ifdef __cplusplus
}
#endif
#endif
