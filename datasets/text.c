#include "datasets/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum kvl_status reserve(struct kvl_text *text, int64_t n_more)
{
    int64_t need = text->n + n_more + 1;
    if (need <= text->n_allocated)
        return KVL_OK;
    int64_t n_allocated = need > 2 * text->n_allocated ? need : 2 * text->n_allocated;
    char *data = realloc(text->data, (size_t)n_allocated);
    if (!data)
        return kvl_fail(KVL_E_OOM, "no memory for a text of %lld bytes", (long long)n_allocated);
    text->data = data;
    text->n_allocated = n_allocated;
    return KVL_OK;
}

enum kvl_status kvl_text_append(struct kvl_text *text, const char *data, int64_t n)
{
    KVL_TRY(reserve(text, n));
    if (n > 0)
        memcpy(text->data + text->n, data, (size_t)n);
    text->n += n;
    text->data[text->n] = '\0';
    return KVL_OK;
}

enum kvl_status kvl_text_add(struct kvl_text *text, const char *string)
{
    return kvl_text_append(text, string, (int64_t)strlen(string));
}

enum kvl_status kvl_text_format(struct kvl_text *text, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    enum kvl_status status = n < 0 ? kvl_fail(KVL_E_INTERNAL, "cannot format '%s'", format) : reserve(text, n);
    if (status == KVL_OK) {
        vsnprintf(text->data + text->n, (size_t)n + 1, format, again);
        text->n += n;
    }
    va_end(again);
    va_end(args);
    return status;
}

char *kvl_text_take(struct kvl_text *text)
{
    char *data = text->data;
    *text = (struct kvl_text){0};
    return data;
}

void kvl_text_free(struct kvl_text *text)
{
    free(text->data);
    *text = (struct kvl_text){0};
}
