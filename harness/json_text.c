#include "harness/json_text.h"

#include <stdbool.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The shortest text of 15 to 17 digits that reads back as the same real; a point or an exponent keeps it one. */
static size_t shortest(double value, char *text, size_t size)
{
    int n = 0;
    for (int digits = 15; digits <= 17; digits++) {
        n = snprintf(text, size - 2, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    if (strpbrk(text, ".e") == NULL)
        n += snprintf(text + n, size - (size_t)n, ".0");
    return (size_t)n;
}

/* Rewrites one number at `in` to `out`, which never gets longer; returns the characters read, *written those written. */
static size_t copy_number(const char *in, char *out, size_t *written)
{
    size_t n = strspn(in, "+-.0123456789eE");
    bool real = memchr(in, '.', n) != NULL || memchr(in, 'e', n) != NULL || memchr(in, 'E', n) != NULL;
    char text[40];
    size_t n_text = real ? shortest(strtod(in, NULL), text, sizeof text) : n;
    if (real && n_text <= n) {
        memcpy(out, text, n_text);
        *written = n_text;
    } else {
        memmove(out, in, n);
        *written = n;
    }
    return n;
}

char *kvl_json_line(const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    if (text == NULL)
        return NULL;
    char *out = text;
    bool in_string = false;
    for (const char *in = text; *in != '\0';) {
        size_t written = 1, n = 1;
        if (!in_string && (*in == '-' || (*in >= '0' && *in <= '9'))) {
            n = copy_number(in, out, &written);
        } else {
            if (*in == '"')
                in_string = !in_string;
            *out = *in;
            if (in_string && *in == '\\') {
                out[1] = in[1];
                n = written = 2;
            }
        }
        in += n;
        out += written;
    }
    *out = '\0';
    return text;
}

json_t *kvl_json_real_or_null(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}
