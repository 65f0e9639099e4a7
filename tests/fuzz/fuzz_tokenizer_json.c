/* libFuzzer target: a tokenizer.json from any bytes; where one is accepted, texts go through it and back. Nothing is written. */
#include <stdlib.h>
#include <string.h>

#include "core/tokenizer.h"

static const char *const TEXTS[] = {"", "Hello  world's 123\n\n\tx", "<s>[INST]a<|im_end|> b", "e\xCC\x81 \xC3\xA9 \xF0\x9F\x98\x80\xE2\x80\x8D\xC2\x85",
                                    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "abc abc ab  "};

static void check(int condition)
{
    if (!condition)
        abort();
}

static void use(const struct kvl_tokenizer *t, const char *text, enum kvl_special special)
{
    struct kvl_ids ids = {0};
    char *decoded = NULL;
    int64_t n, n_token;
    if (kvl_tokenizer_encode(t, text, (int64_t)strlen(text), special, &ids) == KVL_OK) {
        for (int64_t i = 0; i < ids.n; i++)
            check(kvl_tokenizer_token(t, ids.data[i], &n_token) != NULL);
        check(kvl_tokenizer_decode(t, ids.data, ids.n, special == KVL_SPECIAL_TEXT, &decoded, &n) == KVL_OK);
        check(kvl_utf8_check(decoded, n) == -1);
    }
    free(decoded);
    kvl_ids_free(&ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kvl_tokenizer *t;
    if (kvl_tokenizer_parse_json(&t, (const char *)data, size, "fuzz", size % 2 ? 0 : 1000) != KVL_OK) {
        check(t == NULL && kvl_last_error()[0] != 0);
        return 0;
    }
    check(kvl_tokenizer_bos(t) < kvl_tokenizer_n_vocab(t) && kvl_tokenizer_eos(t) < kvl_tokenizer_n_vocab(t));
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        use(t, TEXTS[i], KVL_SPECIAL_PARSE);
        use(t, TEXTS[i], KVL_SPECIAL_TEXT);
    }
    kvl_tokenizer_free(t);
    return 0;
}
