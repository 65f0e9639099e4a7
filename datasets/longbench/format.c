#include "datasets/longbench/format.h"

#include <ctype.h>
#include <string.h>

#include "core/json_file.h"

enum { MAX_NAME = 64 };

/* The name between format[0] = '{' and its '}'. */
static enum kvl_status read_name(const char *format, char name[MAX_NAME], int64_t *n)
{
    const char *end = strchr(format, '}');
    if (end == NULL)
        return kvl_fail(KVL_E_FORMAT, "the prompt has a '{' without '}' at \"%.40s\"", format);
    *n = end + 1 - format;
    bool plain = *n > 2 && *n - 2 < MAX_NAME && !isdigit((unsigned char)format[1]);
    for (const char *c = format + 1; c < end; c++)
        plain = plain && (isalnum((unsigned char)*c) || *c == '_');
    if (!plain)
        return kvl_fail(KVL_E_FORMAT, "the prompt's \"%.*s\" is more than {name}, which is all that kvlab replaces",
                        (int)(*n < MAX_NAME ? *n : MAX_NAME), format);
    memcpy(name, format + 1, (size_t)*n - 2);
    name[*n - 2] = '\0';
    return KVL_OK;
}

static enum kvl_status add_value(const json_t *record, const char *name, struct kvl_text *text)
{
    const json_t *value = kvl_json_get(record, name);
    if (json_is_string(value))
        return kvl_text_append(text, json_string_value(value), (int64_t)json_string_length(value));
    if (json_is_integer(value))
        return kvl_text_format(text, "%lld", (long long)json_integer_value(value));
    return kvl_fail(KVL_E_FORMAT, "%s is %s, and the prompt needs it", name,
                    value == NULL ? "missing" : "neither a string nor a whole number");
}

enum kvl_status kvl_format(const char *format, const json_t *record, const char *field, struct kvl_text *text, int64_t *after)
{
    char name[MAX_NAME];
    int64_t n = 0;
    *after = text->n;
    while (*format != '\0') {
        int64_t n_plain = (int64_t)strcspn(format, "{}");
        KVL_TRY(kvl_text_append(text, format, n_plain));
        format += n_plain;
        if (*format == '\0')
            break;
        if (format[1] == format[0]) {
            KVL_TRY(kvl_text_append(text, format, 1));
            format += 2;
            continue;
        }
        if (*format == '}')
            return kvl_fail(KVL_E_FORMAT, "the prompt has a '}' without '{' at \"%.40s\"", format);
        KVL_TRY(read_name(format, name, &n));
        KVL_TRY(add_value(record, name, text));
        format += n;
        if (strcmp(name, field) == 0)
            *after = text->n;
    }
    return KVL_OK;
}
