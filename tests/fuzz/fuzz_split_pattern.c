/* libFuzzer target: a split pattern (the bytes before the first 0) on a text (those after it). Pieces must be in order, not empty
 * and make up the text. */
#include <stdlib.h>
#include <string.h>

#include "core/split_pattern.h"
#include "core/tokenizer.h"

enum { MAX_TEXT = 200 };

static void check(int condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *zero = size > 0 ? memchr(data, 0, size) : NULL;
    struct kvl_split_pattern *pattern;
    struct kvl_spans pieces = {0};
    if (!zero)
        return 0;
    const char *text = (const char *)zero + 1;
    int64_t n = (int64_t)size - (zero - data) - 1, done = 0;
    if (n > MAX_TEXT || kvl_utf8_check(text, n) >= 0)
        return 0;
    if (kvl_split_pattern_init(&pattern, (const char *)data, "fuzz") != KVL_OK) {
        check(pattern == NULL && kvl_last_error()[0] != 0);
        return 0;
    }
    if (kvl_split_pattern_apply(pattern, text, 0, n, &pieces) == KVL_OK) {
        for (int64_t i = 0; i < pieces.n; i++) {
            check(pieces.data[i].start == done && pieces.data[i].n > 0);
            done += pieces.data[i].n;
            check(kvl_utf8_check(text + pieces.data[i].start, pieces.data[i].n) == -1);
        }
        check(done == n);
    }
    kvl_spans_free(&pieces);
    kvl_split_pattern_free(pattern);
    return 0;
}
