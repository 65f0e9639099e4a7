#include "core/oniguruma.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/tokenizer.h"
#include "core/unicode.h"
#include "core/unicode_recent.h"

enum { MAX_PATTERN = 16 << 10, MAX_TRANSLATED = 1 << 20, MAX_PROPERTY = 31 };

struct translation {
    const char *pattern, *source;
    int64_t n, at; /* bytes of the pattern, the next one to read */
    char *out;
    size_t n_out, n_allocated;
    enum kvl_status status; /* of the output: sticky, so that `emit` needs no check */
};

/* A set of characters that one escape stands for. */
struct set {
    enum { SPACE, DIGIT, WORD, PROPERTY } kind;
    bool negated;
    char property[MAX_PROPERTY + 1];
};

static enum kvl_status refuse(const struct translation *t, enum kvl_status status, const char *what)
{
    return kvl_fail(status, "%s: split pattern \"%.80s\", at byte %lld: %s", t->source, t->pattern, (long long)t->at, what);
}

__attribute__((format(printf, 2, 3))) static void emit(struct translation *t, const char *format, ...)
{
    char text[2 * MAX_PROPERTY + 16];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (t->status != KVL_OK)
        return;
    if (t->n_out + (size_t)n >= t->n_allocated) {
        size_t more = t->n_allocated ? 2 * t->n_allocated : 1024;
        char *grown = more <= MAX_TRANSLATED ? realloc(t->out, more) : NULL;
        if (!grown) {
            t->status = more > MAX_TRANSLATED ? refuse(t, KVL_E_UNSUPPORTED, "it is too long")
                                              : kvl_fail(KVL_E_OOM, "%s: no memory for a split pattern", t->source);
            return;
        }
        t->out = grown;
        t->n_allocated = more;
    }
    memcpy(t->out + t->n_out, text, (size_t)n + 1);
    t->n_out += (size_t)n;
}

static void emit_code(struct translation *t, uint32_t code)
{
    emit(t, code < 0x80 && isalnum((int)code) ? "%c" : "\\x{%X}", code);
}

static const struct {
    uint32_t first, last;
} WHITE_SPACE[] = {{0x9, 0xD}, {0x20, 0x20}, {0x85, 0x85}, {0xA0, 0xA0}, {0x1680, 0x1680}, {0x2000, 0x200A},
                   {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}};
enum { N_WHITE_SPACE = sizeof WHITE_SPACE / sizeof WHITE_SPACE[0], LAST_CODE = 0x10FFFF };

/* White space, or everything else, as ranges of a class. */
static void emit_white_space(struct translation *t, bool negated)
{
    uint32_t from = 0;
    for (int i = 0; i < N_WHITE_SPACE; i++) {
        if (negated)
            emit(t, "\\x{%X}-\\x{%X}", from, WHITE_SPACE[i].first - 1);
        else
            emit(t, "\\x{%X}-\\x{%X}", WHITE_SPACE[i].first, WHITE_SPACE[i].last);
        from = WHITE_SPACE[i].last + 1;
    }
    if (negated)
        emit(t, "\\x{%X}-\\x{%X}", from, LAST_CODE);
}

/* A general category with the characters that PCRE2 may be too old to know, neighbouring ranges joined. */
static void emit_category(struct translation *t, const char *category)
{
    enum { N_RECENT = sizeof KVL_UNICODE_RECENT / sizeof KVL_UNICODE_RECENT[0] };
    emit(t, "\\p{%s}", category);
    size_t n = strlen(category);
    for (int i = 0; i < N_RECENT; i++) {
        if (strncmp(KVL_UNICODE_RECENT[i].category, category, n) != 0)
            continue;
        uint32_t first = KVL_UNICODE_RECENT[i].first, last = KVL_UNICODE_RECENT[i].last;
        while (i + 1 < N_RECENT && KVL_UNICODE_RECENT[i + 1].first == last + 1
               && strncmp(KVL_UNICODE_RECENT[i + 1].category, category, n) == 0)
            last = KVL_UNICODE_RECENT[++i].last;
        emit(t, "\\x{%X}-\\x{%X}", first, last);
    }
}

/* A category, an alphabet ("Han") or the property Alphabetic; other names are for PCRE2 to refuse. */
static void emit_property(struct translation *t, const char *property)
{
    if (strlen(property) <= 2)
        emit_category(t, property);
    else
        emit(t, strcasecmp(property, "Alphabetic") == 0 ? "\\p{%s}" : "\\p{sc:%s}", property);
}

/* The set, not negated, as items of a class. */
static void emit_items(struct translation *t, const struct set *set)
{
    switch (set->kind) {
    case SPACE: emit_white_space(t, false); break;
    case DIGIT: emit_category(t, "Nd"); break;
    case PROPERTY: emit_property(t, set->property); break;
    case WORD: /* with Oniguruma's six Latin-1 superscripts and fractions */
        emit(t, "\\p{Alphabetic}\\p{Pc}\\x{B2}\\x{B3}\\x{B9}\\x{BC}-\\x{BE}");
        emit_category(t, "L");
        emit_category(t, "M");
        emit_category(t, "Nd");
        break;
    }
}

/* A negated set among the items of a class; a class cannot subtract, so a negated category lacks the recent characters'
 * exclusion. */
static enum kvl_status emit_negated_item(struct translation *t, const struct set *set)
{
    switch (set->kind) {
    case SPACE: emit_white_space(t, true); return KVL_OK;
    case DIGIT: emit(t, "\\P{Nd}"); return KVL_OK;
    case PROPERTY: emit(t, strlen(set->property) <= 2 ? "\\P{%s}" : "\\P{sc:%s}", set->property); return KVL_OK;
    case WORD: break;
    }
    return refuse(t, KVL_E_UNSUPPORTED, "\\W inside a class is not supported");
}

/* The name in \p{..} or \P{..}, at the opening brace. Categories get the usual case. */
static enum kvl_status read_property(struct translation *t, struct set *set)
{
    int n = 0;
    if (t->at >= t->n || t->pattern[t->at] != '{')
        return refuse(t, KVL_E_UNSUPPORTED, "a property must stand in braces");
    for (t->at++; t->at < t->n && (isalnum((unsigned char)t->pattern[t->at]) || t->pattern[t->at] == '_') && n < MAX_PROPERTY;
         t->at++)
        set->property[n++] = t->pattern[t->at];
    set->property[n] = 0;
    if (n == 0 || t->at >= t->n || t->pattern[t->at] != '}')
        return refuse(t, KVL_E_UNSUPPORTED, "this kind of property is not supported");
    t->at++;
    if (n <= 2) {
        set->property[0] = (char)toupper((unsigned char)set->property[0]);
        set->property[1] = (char)tolower((unsigned char)set->property[1]);
    }
    return KVL_OK;
}

/* Hexadecimal digits, at most `most`, into *code; returns how many. */
static int read_hex(struct translation *t, int most, uint32_t *code)
{
    int n = 0;
    for (*code = 0; n < most && t->at < t->n && isxdigit((unsigned char)t->pattern[t->at]); n++) {
        char digit = (char)tolower((unsigned char)t->pattern[t->at++]);
        *code = *code * 16 + (uint32_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
    }
    return n;
}

/* \xHH, \x{H..} and \uHHHH, after the letter. */
static enum kvl_status read_code(struct translation *t, char letter, uint32_t *code)
{
    bool braces = letter == 'x' && t->at < t->n && t->pattern[t->at] == '{', good;
    if (braces) {
        t->at++;
        good = read_hex(t, 6, code) > 0 && t->at < t->n && t->pattern[t->at++] == '}';
    } else if (letter == 'x') {
        good = read_hex(t, 2, code) > 0 && *code < 0x80; /* above, it would be a byte and not a character */
    } else {
        good = read_hex(t, 4, code) == 4;
    }
    if (!good || *code > LAST_CODE || (*code >= 0xD800 && *code <= 0xDFFF))
        return refuse(t, KVL_E_UNSUPPORTED, "this character code is not supported");
    return KVL_OK;
}

/* An escape, after the backslash: either a set (*is_set) or one character (*code). */
static enum kvl_status read_escape(struct translation *t, struct set *set, bool *is_set, uint32_t *code)
{
    static const char CONTROLS[][2] = {{'t', 9}, {'n', 10}, {'v', 11}, {'f', 12}, {'r', 13}, {'a', 7}, {'e', 27}};
    if (t->at >= t->n)
        return refuse(t, KVL_E_FORMAT, "it ends in a backslash");
    char c = t->pattern[t->at++];
    *is_set = true;
    set->negated = isupper((unsigned char)c) != 0;
    switch (c) {
    case 's': case 'S': set->kind = SPACE; return KVL_OK;
    case 'd': case 'D': set->kind = DIGIT; return KVL_OK;
    case 'w': case 'W': set->kind = WORD; return KVL_OK;
    case 'p': case 'P': set->kind = PROPERTY; return read_property(t, set);
    default: break;
    }
    *is_set = false;
    for (size_t i = 0; i < sizeof CONTROLS / sizeof CONTROLS[0]; i++)
        if (c == CONTROLS[i][0]) {
            *code = (uint32_t)CONTROLS[i][1];
            return KVL_OK;
        }
    if (c == 'x' || c == 'u')
        return read_code(t, c, code);
    if (isalnum((unsigned char)c)) {
        t->at--;
        return refuse(t, KVL_E_UNSUPPORTED, "this escape is not supported");
    }
    int size;
    *code = kvl_utf8_get(t->pattern, --t->at, t->n, &size);
    t->at += size;
    return KVL_OK;
}

/* One item of a class: an escape or a character. */
static enum kvl_status read_item(struct translation *t, struct set *set, bool *is_set, uint32_t *code)
{
    int size;
    char c = t->pattern[t->at];
    if (c == '[' || (c == '&' && t->at + 1 < t->n && t->pattern[t->at + 1] == '&'))
        return refuse(t, KVL_E_UNSUPPORTED, "classes inside classes are not supported");
    *is_set = false;
    if (c == '\\') {
        t->at++;
        return read_escape(t, set, is_set, code);
    }
    *code = kvl_utf8_get(t->pattern, t->at, t->n, &size);
    t->at += size;
    return KVL_OK;
}

/* `first`-`last` if a range goes on here, else `first` alone. A minus before a set or before the end is itself. */
static enum kvl_status translate_range(struct translation *t, uint32_t first)
{
    struct set set;
    bool is_set = false;
    uint32_t last = first;
    int64_t minus = t->at;
    if (t->at + 1 < t->n && t->pattern[t->at] == '-' && t->pattern[t->at + 1] != ']') {
        t->at++;
        KVL_TRY(read_item(t, &set, &is_set, &last));
        if (is_set) {
            t->at = minus;
            last = first;
        }
    }
    if (last < first)
        return refuse(t, KVL_E_FORMAT, "a range runs backwards");
    emit_code(t, first);
    if (last > first) {
        emit(t, "-");
        emit_code(t, last);
    }
    return KVL_OK;
}

/* A class, after its opening bracket. */
static enum kvl_status translate_class(struct translation *t)
{
    int64_t first;
    emit(t, "[");
    if (t->at < t->n && t->pattern[t->at] == '^') {
        emit(t, "^");
        t->at++;
    }
    for (first = t->at; t->at < t->n && t->pattern[t->at] != ']';) {
        struct set set;
        bool is_set;
        uint32_t code = 0;
        KVL_TRY(read_item(t, &set, &is_set, &code));
        if (!is_set)
            KVL_TRY(translate_range(t, code));
        else if (set.negated)
            KVL_TRY(emit_negated_item(t, &set));
        else
            emit_items(t, &set);
    }
    if (t->at >= t->n || t->at == first)
        return refuse(t, KVL_E_FORMAT, "a class is empty or does not end");
    t->at++;
    emit(t, "]");
    return KVL_OK;
}

static enum kvl_status translate_escape(struct translation *t)
{
    struct set set;
    bool is_set;
    uint32_t code = 0;
    KVL_TRY(read_escape(t, &set, &is_set, &code));
    if (!is_set) {
        emit_code(t, code);
        return KVL_OK;
    }
    emit(t, set.negated ? "[^" : "[");
    emit_items(t, &set);
    emit(t, "]");
    return KVL_OK;
}

/* The opening of a group, after its parenthesis. Groups never capture: nothing can refer to them. */
static enum kvl_status translate_group(struct translation *t)
{
    static const char *const KINDS[] = {"?:", "?=", "?!", "?<=", "?<!", "?>", "?i:", "?-i:", "?i)"};
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++) {
        size_t n = strlen(KINDS[i]);
        /* "(?i)" further on would make a group of all that follows it, which PCRE2 does not do. */
        if (strncmp(t->pattern + t->at, KINDS[i], n) == 0 && (KINDS[i][n - 1] != ')' || t->at == 1)) {
            emit(t, "(%s", KINDS[i]);
            t->at += (int64_t)n;
            return KVL_OK;
        }
    }
    if (t->at < t->n && t->pattern[t->at] == '?')
        return refuse(t, KVL_E_UNSUPPORTED, "this kind of group is not supported");
    emit(t, "(?:");
    return KVL_OK;
}

/* {n}, {n,}, {n,m} and {,m}, after the brace; any other brace is a character. */
static enum kvl_status translate_interval(struct translation *t)
{
    char text[32];
    size_t n = 0, digits = 0, commas = 0;
    int64_t i = t->at;
    for (; i < t->n && n < sizeof text - 1 && (isdigit((unsigned char)t->pattern[i]) || t->pattern[i] == ','); i++) {
        commas += t->pattern[i] == ',';
        digits += t->pattern[i] != ',';
        text[n++] = t->pattern[i];
    }
    text[n] = 0;
    if (i >= t->n || t->pattern[i] != '}' || digits == 0 || commas > 1) {
        emit_code(t, '{');
        return KVL_OK;
    }
    t->at = i + 1;
    emit(t, text[0] == ',' ? "{0%s}" : "{%s}", text);
    if (t->at < t->n && (t->pattern[t->at] == '+' || (t->pattern[t->at] == '?' && commas == 0)))
        return refuse(t, KVL_E_UNSUPPORTED, "a repeated interval is not supported");
    return KVL_OK;
}

static enum kvl_status translate_next(struct translation *t)
{
    int size;
    uint32_t code = kvl_utf8_get(t->pattern, t->at, t->n, &size);
    t->at += size;
    switch (code) {
    case '\\': return translate_escape(t);
    case '[': return translate_class(t);
    case '(': return translate_group(t);
    case '{': return translate_interval(t);
    case '^':
    case '$': return refuse(t, KVL_E_UNSUPPORTED, "^ and $ are not supported");
    case '.': emit(t, "[^\\x{A}]"); return KVL_OK;
    case ')': case '|': case '*': case '+': case '?': emit(t, "%c", (int)code); return KVL_OK;
    default: emit_code(t, code); return KVL_OK;
    }
}

enum kvl_status kvl_oniguruma_to_pcre2(const char *pattern, const char *source, char **out)
{
    struct translation t = {.pattern = pattern, .source = source, .n = (int64_t)strnlen(pattern, MAX_PATTERN + 1)};
    *out = NULL;
    if (t.n > MAX_PATTERN)
        return refuse(&t, KVL_E_UNSUPPORTED, "it is longer than 16 KiB");
    if (kvl_utf8_check(pattern, t.n) >= 0)
        return kvl_fail(KVL_E_FORMAT, "%s: a split pattern is not valid UTF-8", source);
    emit(&t, "%s", "");
    enum kvl_status status = t.status;
    while (status == KVL_OK && t.at < t.n) {
        status = translate_next(&t);
        if (status == KVL_OK)
            status = t.status;
    }
    if (status != KVL_OK)
        free(t.out);
    else
        *out = t.out;
    return status;
}
