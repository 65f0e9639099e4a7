/* `kvlab tokenize MODEL`: standard input to token ids. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/model.h"
#include "harness/command.h"
#include "harness/text_input.h"

/* One JSON string a line in, one JSON array a line out. */
static enum kvl_status tokenize_json(const struct kvl_tokenizer *tokenizer, enum kvl_special special, const char *text,
                                     int64_t n, FILE *out)
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
            status = kvl_fail(KVL_E_FORMAT, "standard input, line %lld: not a JSON string%s%s", (long long)line,
                              string == NULL ? ": " : "", string == NULL ? error.text : "");
        ids.n = 0;
        if (status == KVL_OK)
            status = kvl_tokenizer_encode(tokenizer, json_string_value(string), (int64_t)json_string_length(string), special,
                                          &ids);
        if (status == KVL_OK) {
            fputc('[', out);
            for (int64_t i = 0; i < ids.n; i++)
                fprintf(out, "%s%d", i > 0 ? "," : "", (int)ids.data[i]);
            fputs("]\n", out);
        }
        json_decref(string);
        text += length + 1;
    }
    kvl_ids_free(&ids);
    return status;
}

static enum kvl_status tokenize_text(const struct kvl_tokenizer *tokenizer, enum kvl_special special, const char *text,
                                     int64_t n, FILE *out)
{
    struct kvl_ids ids = {0};
    enum kvl_status status = kvl_tokenizer_encode(tokenizer, text, n, special, &ids);
    for (int64_t i = 0; i < ids.n && status == KVL_OK; i++)
        fprintf(out, "%d\n", (int)ids.data[i]);
    kvl_ids_free(&ids);
    return status;
}

/* Nothing is printed before all of it is tokenized: a bad line leaves no half of an answer. */
static enum kvl_status tokenize(const struct kvl_tokenizer *tokenizer, const struct kvl_options *options, const char *text,
                                int64_t n)
{
    enum kvl_special special = options->special_text ? KVL_SPECIAL_TEXT : KVL_SPECIAL_PARSE;
    char *answer = NULL;
    size_t n_answer = 0;
    FILE *out = open_memstream(&answer, &n_answer);
    if (out == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for the token ids");
    enum kvl_status status = (options->json ? tokenize_json : tokenize_text)(tokenizer, special, text, n, out);
    bool bad = ferror(out);
    bad = fclose(out) != 0 || bad;
    if (status == KVL_OK && bad)
        status = kvl_fail(KVL_E_OOM, "no memory for the token ids");
    if (status == KVL_OK)
        fwrite(answer, 1, n_answer, stdout);
    free(answer);
    return status;
}

static enum kvl_status run(const struct kvl_options *options)
{
    struct kvl_model *model = NULL;
    char *text = NULL;
    int64_t n;
    enum kvl_status status;
    KVL_TRY_OUT(kvl_model_load_tokenizer(options->positional.items[0], &model));
    KVL_TRY_OUT(kvl_read_text("-", &text, &n));
    KVL_TRY_OUT(tokenize(model->tokenizer, options, text, n));
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
