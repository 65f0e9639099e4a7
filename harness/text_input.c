#include "harness/text_input.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum kvl_status read_stream(FILE *stream, const char *name, char **text, int64_t *n)
{
    size_t used = 0, room = 1 << 16;
    char *buffer = malloc(room);
    while (buffer != NULL) {
        used += fread(buffer + used, 1, room - used - 1, stream);
        if (used < room - 1)
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
    buffer[used] = '\0';
    *text = buffer;
    *n = (int64_t)used;
    return KVL_OK;
}

enum kvl_status kvl_read_text(const char *what, char **text, int64_t *n)
{
    *text = NULL;
    if (strcmp(what, "-") == 0)
        return read_stream(stdin, "standard input", text, n);
    if (what[0] == '@') {
        FILE *file = fopen(what + 1, "rb");
        if (file == NULL)
            return kvl_fail(KVL_E_IO, "%s cannot be opened: %s", what + 1, strerror(errno));
        enum kvl_status status = read_stream(file, what + 1, text, n);
        fclose(file);
        return status;
    }
    *text = strdup(what);
    *n = (int64_t)strlen(what);
    return *text != NULL ? KVL_OK : kvl_fail(KVL_E_OOM, "no memory for the prompt");
}
