/* `kvlab tokenize MODEL`: standard input to token ids. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/model.h"
#include "harness/command.h"
#include "harness/text_input.h"

/* One JSON string a line in, one JSON array a line out. */
static enum kvl_status tokenize_json(const struct kvl_tokenizer *tokenizer, enum kvl_special special, const char *text,
                                     int64_t n)
{
    const char *end = text + n;
    struct kvl_ids ids = {0};
    enum kvl_status status = KVL_OK;
    for (int64_t line = 1; text < end && status == KVL_OK; line++) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        size_t length = newline != NULL ? (size_t)(newline - text) : (size_t)(end - text);
        json_error_t error;
        json_t *string = json_loadb(text, length, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
        if (!json_is_string(string))
            status = kvl_fail(KVL_E_ARG, "standard input, line %lld: not a JSON string%s%s", (long long)line,
                              string == NULL ? ": " : "", string == NULL ? error.text : "");
        ids.n = 0;
        if (status == KVL_OK)
            status = kvl_tokenizer_encode(tokenizer, json_string_value(string), (int64_t)json_string_length(string), special,
                                          &ids);
        if (status == KVL_OK) {
            putchar('[');
            for (int64_t i = 0; i < ids.n; i++)
                printf("%s%d", i > 0 ? "," : "", (int)ids.data[i]);
            puts("]");
        }
        json_decref(string);
        text += length + 1;
    }
    kvl_ids_free(&ids);
    return status;
}

static enum kvl_status tokenize_text(const struct kvl_tokenizer *tokenizer, enum kvl_special special, const char *text,
                                     int64_t n)
{
    struct kvl_ids ids = {0};
    enum kvl_status status = kvl_tokenizer_encode(tokenizer, text, n, special, &ids);
    for (int64_t i = 0; i < ids.n && status == KVL_OK; i++)
        printf("%d\n", (int)ids.data[i]);
    kvl_ids_free(&ids);
    return status;
}

static enum kvl_status run(const struct kvl_options *options)
{
    struct kvl_model *model = NULL;
    char *text = NULL;
    int64_t n;
    enum kvl_status status;
    enum kvl_special special = options->special_text ? KVL_SPECIAL_TEXT : KVL_SPECIAL_PARSE;
    KVL_TRY_OUT(kvl_model_load_tokenizer(options->positional.items[0], &model));
    KVL_TRY_OUT(kvl_read_text("-", &text, &n));
    KVL_TRY_OUT(options->json ? tokenize_json(model->tokenizer, special, text, n)
                              : tokenize_text(model->tokenizer, special, text, n));
out:
    free(text);
    kvl_model_free(model);
    return status;
}

const struct kvl_command kvl_command_tokenize = {
    .name = "tokenize",
    .arguments = "MODEL",
    .help = "Token ids of standard input, one a line; no BOS is added.",
    .min_positional = 1,
    .max_positional = 1,
    .keys = "ZJ",
    .run = run,
};
