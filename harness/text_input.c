#include "harness/text_input.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/tokenizer.h"

/* What never ends, such as /dev/zero, must not take all memory. */
static const size_t MOST = (size_t)1 << 30;

static enum kvl_status read_stream(FILE *stream, const char *name, char **text, int64_t *n)
{
    size_t used = 0, room = 1 << 16;
    char *buffer = malloc(room);
    while (buffer != NULL) {
        used += fread(buffer + used, 1, room - used - 1, stream);
        if (used < room - 1 || used > MOST)
            break;
        char *larger = realloc(buffer, room *= 2);
        if (larger == NULL)
            free(buffer);
        buffer = larger;
    }
    if (buffer == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for the text of %s", name);
    if (ferror(stream)) {
        free(buffer);
        return kvl_fail(KVL_E_IO, "%s cannot be read: %s", name, strerror(errno));
    }
    if (used > MOST) {
        free(buffer);
        return kvl_fail(KVL_E_IO, "%s holds more than %zu bytes: kvlab reads no longer text", name, MOST);
    }
    buffer[used] = '\0';
    *text = buffer;
    *n = (int64_t)used;
    return KVL_OK;
}

static enum kvl_status read_file(const char *path, char **text, int64_t *n)
{
    KVL_REQUIRE(*path != '\0', "'@' names no file: write @FILE");
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return kvl_fail(KVL_E_IO, "%s cannot be opened: %s", path, strerror(errno));
    enum kvl_status status = read_stream(file, path, text, n);
    fclose(file);
    return status;
}

static enum kvl_status copy(const char *what, char **text, int64_t *n)
{
    *text = strdup(what);
    *n = (int64_t)strlen(what);
    return *text != NULL ? KVL_OK : kvl_fail(KVL_E_OOM, "no memory for a text");
}

enum kvl_status kvl_read_text(const char *what, char **text, int64_t *n)
{
    *text = NULL;
    bool is_stdin = strcmp(what, "-") == 0, is_file = what[0] == '@';
    KVL_TRY(is_stdin ? read_stream(stdin, "standard input", text, n)
                     : is_file ? read_file(what + 1, text, n) : copy(what, text, n));
    int64_t bad = kvl_utf8_check(*text, *n);
    if (bad < 0)
        return KVL_OK;
    int byte = (unsigned char)(*text)[bad];
    free(*text);
    *text = NULL;
    return kvl_fail(is_stdin || is_file ? KVL_E_FORMAT : KVL_E_ARG,
                    "%s is not valid UTF-8: the first bad byte, 0x%02X, is at offset %lld",
                    is_stdin ? "standard input" : is_file ? what + 1 : "the given text", byte, (long long)bad);
}
