/* What Python 3.11's `str` and `re` make of a text (Unicode 14), on UTF-8: the official scorers are Python, and their results
 * hang on what Python calls a letter, a digit, white space and lower case.
 *
 * utf8proc has the tables; where it is newer than Python 3.11, characters that Unicode 14 does not know are left alone, as
 * Python leaves them. tests/datasets/test_score_python_text.c compares every code point with Python. Texts are valid UTF-8. */
#ifndef KVL_PYTHON_TEXT_H
#define KVL_PYTHON_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of a text, not NUL-terminated. */
struct kvl_text_part {
    const char *data;
    int64_t n;
};

bool kvl_python_is_space(uint32_t code); /* str.isspace: what split() and strip() take off */
bool kvl_python_is_digit(uint32_t code); /* re's \d: a decimal digit of any script */
bool kvl_python_is_word(uint32_t code);  /* re's \w: str.isalnum() or '_'; combining marks are not; \b is where it changes */
bool kvl_python_is_punctuation(char c);  /* string.punctuation: ASCII's */

/* A whole NUL-terminated text. */
struct kvl_text_part kvl_text_part_of(const char *text);

/* strip(). */
struct kvl_text_part kvl_python_strip(struct kvl_text_part text);

/* split(): takes the next word, without the white space around it, off the front of *rest. False: there is none left. */
bool kvl_python_next_word(struct kvl_text_part *rest, struct kvl_text_part *word);

/* re.findall(r"[..]+") for a class of characters, such as kvl_python_is_digit: takes the next run of them off the front of *rest.
 * False: there is none left. */
bool kvl_python_next_run(struct kvl_text_part *rest, bool (*is_one)(uint32_t code), struct kvl_text_part *run);

/* lower(), with the final sigma and the dotted capital I: a malloc'd NUL-terminated string of *n_out bytes. KVL_E_OOM. */
enum kvl_status kvl_python_lower(struct kvl_text_part text, char **out, int64_t *n_out);

#ifdef __cplusplus
}
#endif
#endif
