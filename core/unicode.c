#include "core/unicode.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <utf8proc.h>

#include "core/tokenizer.h"

enum { REPLACEMENT = 0xFFFD };

/* Length of the well-formed character at `s`, or minus the length of the longest start of one (at least 1 byte), so that
 * a broken text can be replaced part by part (The Unicode Standard, table 3-7 and "maximal subpart"). n >= 1. */
static int character_size(const unsigned char *s, int64_t n)
{
    unsigned lead = s[0], low = 0x80, high = 0xBF;
    int size;
    if (lead < 0x80)
        return 1;
    if (lead >= 0xC2 && lead <= 0xDF)
        size = 2;
    else if (lead >= 0xE0 && lead <= 0xEF)
        size = 3;
    else if (lead >= 0xF0 && lead <= 0xF4)
        size = 4;
    else
        return -1;
    if (lead == 0xE0)
        low = 0xA0;
    else if (lead == 0xED)
        high = 0x9F;
    else if (lead == 0xF0)
        low = 0x90;
    else if (lead == 0xF4)
        high = 0x8F;
    for (int i = 1; i < size; i++) {
        if (i >= n || s[i] < low || s[i] > high)
            return -i;
        low = 0x80;
        high = 0xBF;
    }
    return size;
}

int64_t kvl_utf8_check(const char *text, int64_t n)
{
    const unsigned char *s = (const unsigned char *)text;
    for (int64_t i = 0; i < n;) {
        int size = character_size(s + i, n - i);
        if (size < 0)
            return i;
        i += size;
    }
    return -1;
}

int64_t kvl_utf8_repair(const char *text, int64_t n, char *out)
{
    const unsigned char *s = (const unsigned char *)text;
    int64_t at = 0;
    for (int64_t i = 0; i < n;) {
        int size = character_size(s + i, n - i);
        if (size > 0)
            memcpy(out + at, text + i, (size_t)size);
        at += size > 0 ? size : kvl_utf8_put(REPLACEMENT, out + at);
        i += size > 0 ? size : -size;
    }
    return at;
}

uint32_t kvl_utf8_get(const char *text, int64_t at, int64_t n, int *size)
{
    const unsigned char *s = (const unsigned char *)text + at;
    int length = s[0] < 0x80 ? 1 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
    if (length > n - at)
        length = (int)(n - at);
    uint32_t code = length == 1 ? s[0] : s[0] & (0x7FU >> length);
    for (int i = 1; i < length; i++)
        code = code << 6 | (s[i] & 0x3FU);
    *size = length;
    return code;
}

uint32_t kvl_utf8_get_before(const char *text, int64_t at, int *size)
{
    int64_t start = at - 1;
    while (start > 0 && at - start < 4 && ((unsigned char)text[start] & 0xC0) == 0x80)
        start--;
    return kvl_utf8_get(text, start, at, size);
}

int kvl_utf8_put(uint32_t code, char out[4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    int size = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (int i = size - 1; i > 0; i--, code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3F));
    out[0] = (char)((0xF00U >> size & 0xFF) | code);
    return size;
}

/* Printable Latin-1 stands for itself; the other bytes, in order, for U+0100 and up. */
void kvl_byte_alphabet_init(struct kvl_byte_alphabet *alphabet)
{
    memset(alphabet->byte, -1, sizeof alphabet->byte);
    uint16_t next = 0x100;
    for (int b = 0; b < 256; b++) {
        bool printable = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
        uint16_t symbol = printable ? (uint16_t)b : next++;
        alphabet->symbol[b] = symbol;
        alphabet->byte[symbol] = (int16_t)b;
    }
}

int64_t kvl_byte_alphabet_decode(const struct kvl_byte_alphabet *alphabet, const char *text, int64_t n, char *out)
{
    int64_t n_out = 0;
    for (int64_t i = 0; i < n;) {
        int size;
        uint32_t code = kvl_utf8_get(text, i, n, &size);
        if (code >= KVL_N_BYTE_SYMBOLS || alphabet->byte[code] < 0)
            return -1;
        out[n_out++] = (char)alphabet->byte[code];
        i += size;
    }
    return n_out;
}

static const struct {
    const char *name;
    enum kvl_normal_form form;
} FORMS[] = {{"none", KVL_FORM_NONE}, {"nfc", KVL_FORM_NFC},   {"nfd", KVL_FORM_NFD},
             {"nfkc", KVL_FORM_NFKC}, {"nfkd", KVL_FORM_NFKD}};

bool kvl_normal_form_find(const char *name, enum kvl_normal_form *out)
{
    for (size_t i = 0; i < sizeof FORMS / sizeof FORMS[0]; i++)
        if (strcasecmp(name, FORMS[i].name) == 0) {
            *out = FORMS[i].form;
            return true;
        }
    return false;
}

/* Sorts a run of combining marks by their class, stably, by counting: utf8proc's own sort swaps neighbours, which takes
 * quadratic time on a hostile text. `spare` has room for n. */
static void sort_marks(utf8proc_int32_t *codes, int64_t n, utf8proc_int32_t *spare)
{
    int64_t start[257] = {0};
    for (int64_t i = 0; i < n; i++)
        start[utf8proc_get_property(codes[i])->combining_class + 1]++;
    for (int c = 0; c < 256; c++)
        start[c + 1] += start[c];
    for (int64_t i = 0; i < n; i++)
        spare[start[utf8proc_get_property(codes[i])->combining_class]++] = codes[i];
    memcpy(codes, spare, (size_t)n * sizeof *codes);
}

static void order_marks(utf8proc_int32_t *codes, int64_t n, utf8proc_int32_t *spare)
{
    for (int64_t i = 0; i < n;) {
        int64_t end = i;
        while (end < n && utf8proc_get_property(codes[end])->combining_class > 0)
            end++;
        if (end - i > 1)
            sort_marks(codes + i, end - i, spare);
        i = end > i ? end : i + 1;
    }
}

/* Decomposed characters of the text into codes[0..room), as many as fit; returns how many there are. */
static int64_t decompose(const char *text, int64_t n, utf8proc_option_t options, utf8proc_int32_t *codes, int64_t room)
{
    int64_t n_codes = 0;
    for (int64_t i = 0; i < n;) {
        int size, boundary = 0;
        uint32_t code = kvl_utf8_get(text, i, n, &size);
        int64_t left = n_codes < room ? room - n_codes : 0;
        utf8proc_ssize_t made =
            utf8proc_decompose_char((utf8proc_int32_t)code, left > 0 ? codes + n_codes : NULL, left, options, &boundary);
        if (made < 0)
            return made;
        n_codes += made;
        i += size;
    }
    return n_codes;
}

enum kvl_status kvl_normalize(enum kvl_normal_form form, const char *text, int64_t n, char **out, int64_t *n_out)
{
    bool compose = form == KVL_FORM_NFC || form == KVL_FORM_NFKC, compatible = form == KVL_FORM_NFKC || form == KVL_FORM_NFKD;
    utf8proc_option_t options =
        UTF8PROC_STABLE | (compose ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE) | (compatible ? UTF8PROC_COMPAT : 0);
    utf8proc_int32_t *codes = NULL;
    enum kvl_status status = KVL_OK;
    *out = NULL;
    int64_t n_codes = form == KVL_FORM_NONE ? 0 : decompose(text, n, options, NULL, 0);
    if (n_codes < 0)
        return kvl_fail(KVL_E_INTERNAL, "normalizing a text of %lld bytes: %s", (long long)n, utf8proc_errmsg(n_codes));
    codes = malloc((size_t)(2 * n_codes + 1) * sizeof *codes);
    *out = malloc((size_t)(4 * n_codes + n + 1));
    if (!codes || !*out) {
        status = kvl_fail(KVL_E_OOM, "no memory to normalize a text of %lld bytes", (long long)n);
        goto out;
    }
    *n_out = 0;
    if (form == KVL_FORM_NONE) {
        memcpy(*out, text, (size_t)n);
        *n_out = n;
        goto out;
    }
    decompose(text, n, options, codes, n_codes);
    order_marks(codes, n_codes, codes + n_codes);
    if (compose)
        n_codes = utf8proc_normalize_utf32(codes, n_codes, options);
    for (int64_t i = 0; i < n_codes; i++)
        *n_out += kvl_utf8_put((uint32_t)codes[i], *out + *n_out);
out:
    free(codes);
    if (status != KVL_OK) {
        free(*out);
        *out = NULL;
    }
    return status;
}

bool kvl_is_white_space(uint32_t code)
{
    return (code >= 9 && code <= 13) || code == ' ' || code == 0x85 || code == 0xA0 || code == 0x1680
           || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 || code == 0x202F || code == 0x205F
           || code == 0x3000;
}

bool kvl_is_word(uint32_t code)
{
    /* Symbols that are Alphabetic (circled and squared Latin letters), and the two joiners. */
    if ((code >= 0x24B6 && code <= 0x24E9) || (code >= 0x1F130 && code <= 0x1F149) || (code >= 0x1F150 && code <= 0x1F169)
        || (code >= 0x1F170 && code <= 0x1F189) || code == 0x200C || code == 0x200D)
        return true;
    switch (utf8proc_category((utf8proc_int32_t)code)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
        return true;
    default:
        return false;
    }
}
