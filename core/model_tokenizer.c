/* The tokenizer and the chat template of a GGUF file or a Hugging Face folder. */
#include <stdlib.h>
#include <string.h>

#include "core/json_file.h"
#include "core/model_source.h"

enum { TEMPLATE_MAX = 4 << 20, CONFIG_MAX = 16 << 20 };

/* tokenizer.ggml.token_type */
enum { GGUF_NORMAL = 1, GGUF_UNKNOWN, GGUF_CONTROL, GGUF_USER_DEFINED, GGUF_UNUSED, GGUF_BYTE };

/* Room for what a spec points at. */
struct gguf_vocab {
    struct kvl_token_text *texts; /* [n] */
    struct kvl_added_token *added; /* [n] */
    struct kvl_token_text (*merges)[2];
};

static enum kvl_status array(const struct kvl_gguf *gguf, const char *key, bool strings, const struct kvl_gguf_value **out)
{
    const struct kvl_gguf_value *value = *out = kvl_gguf_find(gguf, key);
    if (value == NULL)
        return kvl_fail(KVL_E_FORMAT, "metadata key %s is missing", key);
    bool integers = value->item <= KVL_GGUF_I32 || value->item == KVL_GGUF_U64 || value->item == KVL_GGUF_I64;
    if (value->type != KVL_GGUF_ARRAY || (strings ? value->item != KVL_GGUF_STRING : !integers))
        return kvl_fail(KVL_E_FORMAT, "key %s is no array of %s", key, strings ? "strings" : "integers");
    return KVL_OK;
}

static struct kvl_token_text text_of(struct kvl_gguf_string string)
{
    return (struct kvl_token_text){string.data, string.n};
}

/* Control tokens are special; user-defined ones stand for themselves in a text; both are matched before the text is split.
 * Unused ids have no text. */
static enum kvl_status read_tokens(const struct kvl_gguf *gguf, struct kvl_tokenizer_spec *spec, struct gguf_vocab *room)
{
    const struct kvl_gguf_value *tokens, *types;
    KVL_TRY(array(gguf, "tokenizer.ggml.tokens", true, &tokens));
    KVL_TRY(array(gguf, "tokenizer.ggml.token_type", false, &types));
    if (tokens->n < 1 || tokens->n > INT32_MAX || types->n != tokens->n)
        return kvl_fail(KVL_E_FORMAT, "has %lld tokens and %lld token types", (long long)tokens->n, (long long)types->n);
    room->texts = calloc((size_t)tokens->n, sizeof *room->texts);
    room->added = calloc((size_t)tokens->n, sizeof *room->added);
    if (room->texts == NULL || room->added == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for %lld tokens", (long long)tokens->n);
    const uint8_t *at = tokens->data;
    for (int64_t i = 0; i < tokens->n; i++) {
        struct kvl_token_text text = text_of(kvl_gguf_next_string(&at));
        int64_t type = kvl_gguf_item(types, i);
        if (kvl_utf8_check(text.data, text.n) >= 0)
            return kvl_fail(KVL_E_FORMAT, "token %lld is not valid UTF-8", (long long)i);
        if (type == GGUF_CONTROL || type == GGUF_USER_DEFINED)
            room->added[spec->n_added++] = (struct kvl_added_token){.text = text, .id = (int32_t)i,
                                                                    .special = type == GGUF_CONTROL};
        else if (type != GGUF_UNUSED)
            room->texts[i] = text;
    }
    spec->n_vocab = tokens->n;
    spec->vocab = room->texts;
    spec->added = room->added;
    return KVL_OK;
}

/* A merge is "left right"; both sides are in the byte alphabet, which has no space. */
static enum kvl_status read_merges(const struct kvl_gguf *gguf, struct kvl_tokenizer_spec *spec, struct gguf_vocab *room)
{
    const struct kvl_gguf_value *merges;
    KVL_TRY(array(gguf, "tokenizer.ggml.merges", true, &merges));
    room->merges = calloc((size_t)merges->n + 1, sizeof *room->merges);
    if (room->merges == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for %lld merges", (long long)merges->n);
    const uint8_t *at = merges->data;
    for (int64_t i = 0; i < merges->n; i++) {
        struct kvl_token_text text = text_of(kvl_gguf_next_string(&at));
        const char *space = text.n > 0 ? memchr(text.data, ' ', (size_t)text.n) : NULL;
        int64_t left = space != NULL ? space - text.data : 0;
        if (left < 1 || left > text.n - 2 || kvl_utf8_check(text.data, text.n) >= 0)
            return kvl_fail(KVL_E_FORMAT, "merge %lld is '%s'; two tokens with a space between them are needed", (long long)i,
                            kvl_gguf_show((struct kvl_gguf_string){text.data, text.n}).text);
        room->merges[i][0] = (struct kvl_token_text){text.data, left};
        room->merges[i][1] = (struct kvl_token_text){text.data + left + 1, text.n - left - 1};
    }
    spec->n_merges = merges->n;
    spec->merges = (const struct kvl_token_text(*)[2])room->merges;
    return KVL_OK;
}

static enum kvl_status read_id(const struct kvl_gguf *gguf, const char *key, int64_t n_vocab, int32_t *id)
{
    const struct kvl_gguf_value *value = kvl_gguf_find(gguf, key);
    *id = -1;
    if (value == NULL)
        return KVL_OK;
    int64_t number = 0;
    KVL_TRY(kvl_gguf_integer(value, &number));
    if (number < 0 || number >= n_vocab)
        return kvl_fail(KVL_E_FORMAT, "%s is %lld; there are tokens 0 to %lld", key, (long long)number, (long long)(n_vocab - 1));
    *id = (int32_t)number;
    return KVL_OK;
}

/* The pre-tokenizer's name stands for its split patterns. Where tokenizer.ggml.add_bos_token is missing, llama.cpp adds BOS
 * for the LLaMA-3 and Tekken families, which are those that ignore merges. */
static enum kvl_status read_rules(const struct kvl_gguf *gguf, struct kvl_tokenizer_spec *spec)
{
    const struct kvl_gguf_value *value = kvl_gguf_find(gguf, "tokenizer.ggml.pre");
    if (value == NULL)
        return kvl_fail(KVL_E_FORMAT, "metadata key tokenizer.ggml.pre is missing: how this tokenizer splits text is unknown");
    struct kvl_gguf_string pre = {"", 0};
    KVL_TRY(kvl_gguf_text(value, &pre));
    KVL_TRY(kvl_pretokenizer_by_name(kvl_gguf_show(pre).text, &spec->split, &spec->n_split, &spec->ignore_merges));
    KVL_TRY(read_id(gguf, "tokenizer.ggml.bos_token_id", spec->n_vocab, &spec->bos));
    KVL_TRY(read_id(gguf, "tokenizer.ggml.eos_token_id", spec->n_vocab, &spec->eos));
    spec->add_bos = spec->ignore_merges;
    value = kvl_gguf_find(gguf, "tokenizer.ggml.add_bos_token");
    if (value != NULL)
        KVL_TRY(kvl_gguf_bool(value, &spec->add_bos));
    spec->add_bos = spec->add_bos && spec->bos >= 0;
    return KVL_OK;
}

static enum kvl_status check_model(const struct kvl_gguf_value *value)
{
    struct kvl_gguf_string name = {"", 0};
    KVL_TRY(kvl_gguf_text(value, &name));
    if (name.n != 4 || memcmp(name.data, "gpt2", 4) != 0)
        return kvl_fail(KVL_E_UNSUPPORTED, "tokenizer.ggml.model is '%s'; kvlab has byte-level BPE ('gpt2')",
                        kvl_gguf_show(name).text);
    return KVL_OK;
}

static enum kvl_status read_spec(const struct kvl_gguf *gguf, int64_t n_vocab, struct kvl_tokenizer_spec *spec,
                                 struct gguf_vocab *room)
{
    KVL_TRY(check_model(kvl_gguf_find(gguf, "tokenizer.ggml.model")));
    KVL_TRY(read_tokens(gguf, spec, room));
    if (n_vocab > 0 && spec->n_vocab > n_vocab)
        return kvl_fail(KVL_E_FORMAT, "has %lld tokens, but token_embd.weight has %lld rows", (long long)spec->n_vocab,
                        (long long)n_vocab);
    KVL_TRY(read_merges(gguf, spec, room));
    return read_rules(gguf, spec);
}

static enum kvl_status load_gguf_tokenizer(const struct kvl_gguf *gguf, const char *path, int64_t n_vocab,
                                           struct kvl_tokenizer **out)
{
    struct kvl_tokenizer_spec spec = {.normalizer = "none", .source = path};
    struct gguf_vocab room = {0};
    enum kvl_status status = read_spec(gguf, n_vocab, &spec, &room);
    if (status == KVL_OK)
        status = kvl_tokenizer_init(out, &spec); /* names spec.source itself */
    else
        kvl_fail_prefix(status, "%s", path);
    free(room.texts);
    free(room.added);
    free(room.merges);
    return status;
}

/* A template as a C string. */
static enum kvl_status copy_template(const char *data, int64_t n, char **out)
{
    if (n > TEMPLATE_MAX || (n > 0 && memchr(data, '\0', (size_t)n) != NULL) || kvl_utf8_check(data, n) >= 0)
        return kvl_fail(KVL_E_FORMAT, "its chat template has %lld bytes (up to %d are read), or is not plain UTF-8 text",
                        (long long)n, TEMPLATE_MAX);
    *out = strndup(n > 0 ? data : "", (size_t)n);
    return *out != NULL ? KVL_OK : kvl_fail(KVL_E_OOM, "no memory for a chat template");
}

static enum kvl_status read_gguf_template(const struct kvl_gguf *gguf, char **chat_jinja)
{
    const struct kvl_gguf_value *chat = kvl_gguf_find(gguf, "tokenizer.chat_template");
    struct kvl_gguf_string text = {"", 0};
    if (chat == NULL)
        return KVL_OK;
    KVL_TRY(kvl_gguf_text(chat, &text));
    return copy_template(text.data, text.n, chat_jinja);
}

static enum kvl_status load_gguf(const struct kvl_model_source *source, int64_t n_vocab, struct kvl_tokenizer **tokenizer,
                                 char **chat_jinja)
{
    if (kvl_gguf_find(&source->gguf, "tokenizer.ggml.model") == NULL)
        return KVL_OK;
    KVL_TRY(load_gguf_tokenizer(&source->gguf, source->path, n_vocab, tokenizer));
    enum kvl_status status = read_gguf_template(&source->gguf, chat_jinja);
    return status == KVL_OK ? status : kvl_fail_prefix(status, "%s", source->path);
}

/* chat_template in tokenizer_config.json: a string, or a list of {name, template} of which "default" counts. */
static enum kvl_status find_template(const json_t *config, const char **out)
{
    const json_t *value = kvl_json_get(config, "chat_template");
    *out = NULL;
    if (value == NULL)
        return KVL_OK;
    if (json_is_string(value)) {
        *out = json_string_value(value);
        return KVL_OK;
    }
    if (!json_is_array(value))
        return kvl_fail(KVL_E_FORMAT, "chat_template is neither a string nor a list");
    for (size_t i = 0; i < json_array_size(value) && *out == NULL; i++) {
        const json_t *row = json_array_get(value, i);
        const char *name = json_string_value(json_object_get(row, "name"));
        const char *text = json_string_value(json_object_get(row, "template"));
        if (name == NULL || text == NULL)
            return kvl_fail(KVL_E_FORMAT, "chat_template[%lld] has no name and template", (long long)i);
        if (strcmp(name, "default") == 0)
            *out = text;
    }
    return KVL_OK;
}

static enum kvl_status read_config_template(const char *path, char **chat_jinja)
{
    json_t *config;
    const char *text = NULL;
    if (!kvl_path_exists(path))
        return KVL_OK;
    KVL_TRY(kvl_json_load(path, CONFIG_MAX, &config));
    enum kvl_status status = find_template(config, &text);
    if (status == KVL_OK && text != NULL)
        status = copy_template(text, (int64_t)strlen(text), chat_jinja);
    json_decref(config);
    return status == KVL_OK ? status : kvl_fail_prefix(status, "%s", path);
}

static enum kvl_status read_jinja_file(const char *path, char **chat_jinja)
{
    struct kvl_file_map map;
    KVL_TRY(kvl_file_map_open(&map, path));
    enum kvl_status status = copy_template((const char *)map.data, map.bytes, chat_jinja);
    kvl_file_map_close(&map);
    return status == KVL_OK ? status : kvl_fail_prefix(status, "%s", path);
}

/* A file of its own goes before tokenizer_config.json, as in transformers. */
static enum kvl_status read_folder_template(const char *folder, char **chat_jinja)
{
    char *jinja = kvl_path_join(folder, "chat_template.jinja"), *config = kvl_path_join(folder, "tokenizer_config.json");
    enum kvl_status status;
    if (jinja == NULL || config == NULL)
        status = kvl_fail(KVL_E_OOM, "no memory for a path");
    else if (kvl_path_exists(jinja))
        status = read_jinja_file(jinja, chat_jinja);
    else
        status = read_config_template(config, chat_jinja);
    free(jinja);
    free(config);
    return status;
}

enum kvl_status kvl_model_source_tokenizer(const struct kvl_model_source *source, int64_t n_vocab,
                                           struct kvl_tokenizer **tokenizer, char **chat_jinja)
{
    *tokenizer = NULL;
    *chat_jinja = NULL;
    if (source->kind == KVL_SOURCE_GGUF)
        return load_gguf(source, n_vocab, tokenizer, chat_jinja);
    KVL_TRY(kvl_tokenizer_load_json(tokenizer, source->path, n_vocab));
    return read_folder_template(source->path, chat_jinja);
}
