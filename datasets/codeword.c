#include "datasets/codeword.h"

#include <assert.h>

static const char consonants[] = "bcdfghjklmnpqrstvwxz";
enum { N_CONSONANTS = sizeof consonants - 1, MAX_LETTERS = 8 };

int64_t kvl_codeword_count(int n_letters)
{
    assert(n_letters >= 1 && n_letters <= MAX_LETTERS);
    int64_t n = 1;
    while (n_letters-- > 0)
        n *= N_CONSONANTS;
    return n;
}

enum kvl_status kvl_codeword_add(struct kvl_text *text, int64_t i, int n_letters, char first)
{
    char word[MAX_LETTERS];
    assert(i >= 0 && i < kvl_codeword_count(n_letters));
    for (int letter = 0; letter < n_letters; letter++, i /= N_CONSONANTS)
        word[letter] = (char)(consonants[i % N_CONSONANTS] - 'a' + first);
    return kvl_text_append(text, word, n_letters);
}
