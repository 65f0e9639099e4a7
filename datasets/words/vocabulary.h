/* The words that lists are made of. */
#ifndef KVL_VOCABULARY_H
#define KVL_VOCABULARY_H

#include <stdbool.h>

#include "datasets/text.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Plain English nouns, lower case, all different. */
int64_t kvl_vocabulary_n_words(void);
const char *kvl_vocabulary_word(int64_t i);

/* For lists that need more: two short ones written as one, "ashcrane". Appends compound 0 <= i < n; false: there is none with
 * this number (a word twice, or a word that is in the list itself), and nothing is appended. All compounds differ. */
int64_t kvl_vocabulary_n_compounds(void);
enum kvl_status kvl_vocabulary_add_compound(struct kvl_text *text, int64_t i, bool *exists);

#ifdef __cplusplus
}
#endif
#endif
