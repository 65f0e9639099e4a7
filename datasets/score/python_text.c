#include "datasets/score/python_text.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "core/unicode.h"
#include "core/unicode_recent.h"

enum { CAPITAL_SIGMA = 0x3A3, SMALL_SIGMA = 0x3C3, FINAL_SIGMA = 0x3C2, DOTTED_I = 0x130, DOT_ABOVE = 0x307 };

/* Whether the character came after Unicode 14, which is what Python 3.11 knows. */
static bool is_recent(uint32_t code)
{
    size_t low = 0, high = sizeof KVL_UNICODE_RECENT / sizeof *KVL_UNICODE_RECENT;
    if (code < 0x800)
        return false;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (code > KVL_UNICODE_RECENT[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    return low < sizeof KVL_UNICODE_RECENT / sizeof *KVL_UNICODE_RECENT && code >= KVL_UNICODE_RECENT[low].first;
}

static utf8proc_category_t category_of(uint32_t code)
{
    return is_recent(code) ? UTF8PROC_CATEGORY_CN : utf8proc_category((utf8proc_int32_t)code);
}

bool kvl_python_is_space(uint32_t code)
{
    return kvl_is_white_space(code) || (code >= 0x1C && code <= 0x1F);
}

bool kvl_python_is_digit(uint32_t code)
{
    return category_of(code) == UTF8PROC_CATEGORY_ND;
}

bool kvl_python_is_word(uint32_t code)
{
    switch (category_of(code)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return true;
    default:
        return code == '_';
    }
}

bool kvl_python_is_punctuation(char c)
{
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

struct kvl_text_part kvl_text_part_of(const char *text)
{
    return (struct kvl_text_part){text, (int64_t)strlen(text)};
}

struct kvl_text_part kvl_python_strip(struct kvl_text_part text)
{
    int size;
    while (text.n > 0 && kvl_python_is_space(kvl_utf8_get_before(text.data, text.n, &size)))
        text.n -= size;
    while (text.n > 0 && kvl_python_is_space(kvl_utf8_get(text.data, 0, text.n, &size))) {
        text.data += size;
        text.n -= size;
    }
    return text;
}

/* Takes the next run of characters that are (or are not) `of` off the front of *rest. */
static bool next_run(struct kvl_text_part *rest, bool (*of)(uint32_t code), bool are, struct kvl_text_part *run)
{
    int64_t at = 0, start;
    int size;
    while (at < rest->n && of(kvl_utf8_get(rest->data, at, rest->n, &size)) != are)
        at += size;
    start = at;
    while (at < rest->n && of(kvl_utf8_get(rest->data, at, rest->n, &size)) == are)
        at += size;
    *run = (struct kvl_text_part){rest->data + start, at - start};
    *rest = (struct kvl_text_part){rest->data + at, rest->n - at};
    return run->n > 0;
}

bool kvl_python_next_word(struct kvl_text_part *rest, struct kvl_text_part *word)
{
    return next_run(rest, kvl_python_is_space, false, word);
}

bool kvl_python_next_run(struct kvl_text_part *rest, bool (*is_one)(uint32_t code), struct kvl_text_part *run)
{
    return next_run(rest, is_one, true, run);
}

/* Unicode's Case_Ignorable: marks, format characters, modifiers, and what may stand inside a word (Word_Break's MidLetter,
 * MidNumLet and Single_Quote). */
static bool is_case_ignorable(uint32_t code)
{
    static const uint16_t inside_words[] = {0x27, 0x2E, 0x3A, 0xB7, 0x387, 0x55F, 0x5F4, 0x2018, 0x2019, 0x2024, 0x2027,
                                            0xFE13, 0xFE52, 0xFE55, 0xFF07, 0xFF0E, 0xFF1A};
    for (size_t i = 0; i < sizeof inside_words / sizeof *inside_words; i++)
        if (inside_words[i] == code)
            return true;
    switch (category_of(code)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
        return true;
    default:
        return false;
    }
}

/* Unicode's Cased, of characters that are not Case_Ignorable: letters with case, the ordinal signs, Roman numerals, letters in
 * circles and squares. */
static bool is_cased(uint32_t code)
{
    if (code == 0xAA || code == 0xBA || (code >= 0x2160 && code <= 0x217F) || (code >= 0x24B6 && code <= 0x24E9)
        || (code >= 0x1F130 && code <= 0x1F149) || (code >= 0x1F150 && code <= 0x1F169) || (code >= 0x1F170 && code <= 0x1F189))
        return true;
    utf8proc_category_t category = category_of(code);
    return category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LL || category == UTF8PROC_CATEGORY_LT;
}

/* Whether the capital sigma in front of text[after] ends a word: a cased character before it, none after it, Case_Ignorable
 * ones passed over (The Unicode Standard, table 3-17). */
static bool is_final_sigma(struct kvl_text_part text, int64_t at, int64_t after)
{
    int size;
    uint32_t code = 0;
    while (at > 0 && is_case_ignorable(code = kvl_utf8_get_before(text.data, at, &size)))
        at -= size;
    if (at == 0 || !is_cased(code))
        return false;
    while (after < text.n && is_case_ignorable(code = kvl_utf8_get(text.data, after, text.n, &size)))
        after += size;
    return after == text.n || !is_cased(code);
}

enum kvl_status kvl_python_lower(struct kvl_text_part text, char **out, int64_t *n_out)
{
    *out = malloc((size_t)(2 * text.n + 1)); /* the worst grow from two bytes to three */
    if (*out == NULL)
        return kvl_fail(KVL_E_OOM, "no memory to lower the case of a text of %lld bytes", (long long)text.n);
    int64_t n = 0;
    for (int64_t at = 0; at < text.n;) {
        int size;
        uint32_t code = kvl_utf8_get(text.data, at, text.n, &size);
        if (code == CAPITAL_SIGMA) {
            n += kvl_utf8_put(is_final_sigma(text, at, at + size) ? FINAL_SIGMA : SMALL_SIGMA, *out + n);
        } else if (code == DOTTED_I) {
            (*out)[n++] = 'i';
            n += kvl_utf8_put(DOT_ABOVE, *out + n);
        } else if (code < 0x80) {
            (*out)[n++] = (char)(code >= 'A' && code <= 'Z' ? code + ('a' - 'A') : code);
        } else {
            n += kvl_utf8_put(is_recent(code) ? code : (uint32_t)utf8proc_tolower((utf8proc_int32_t)code), *out + n);
        }
        at += size;
    }
    (*out)[n] = '\0';
    *n_out = n;
    return KVL_OK;
}
