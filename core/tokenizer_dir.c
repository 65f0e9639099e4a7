#include <stdlib.h>

#include "core/file_map.h"
#include "core/json_file.h"
#include "core/tokenizer_json.h"

/* The largest tokenizer.json we know of has 35 MB. */
enum { MAX_FILE = 256 << 20, MAX_CONFIG = 16 << 20 };

/* A JSON object beside tokenizer.json; *out is NULL if there is no such file. */
static enum kvl_status read_object(const char *dir, const char *name, json_t **out)
{
    *out = NULL;
    char *path = kvl_path_join(dir, name);
    if (!path)
        return kvl_fail(KVL_E_OOM, "no memory for a path");
    enum kvl_status status = kvl_path_exists(path) ? kvl_json_load(path, MAX_CONFIG, out) : KVL_OK;
    free(path);
    return status;
}

/* A token that a configuration names: "text" or {"content": "text"}; NULL where it names none. */
static const char *named_token(const json_t *config, const char *key)
{
    const json_t *value = json_object_get(config, key);
    const char *text = json_string_value(json_is_object(value) ? json_object_get(value, "content") : value);
    return text && *text ? text : NULL;
}

/* eos_token_id: a number, or a list whose first counts. -1: there is none. */
static int64_t eos_id(const json_t *config)
{
    const json_t *value = json_object_get(config, "eos_token_id");
    if (json_is_array(value))
        value = json_array_get(value, 0);
    return json_is_integer(value) ? (int64_t)json_integer_value(value) : -1;
}

/* What the files beside tokenizer.json say; the texts point into *config, which the caller releases. */
static enum kvl_status read_overrides(const char *dir, struct kvl_tokenizer_overrides *o, json_t **config)
{
    static const char *const EOS_FILES[] = {"generation_config.json", "config.json"};
    *o = (struct kvl_tokenizer_overrides){.eos_id = -1};
    KVL_TRY(read_object(dir, "tokenizer_config.json", config));
    o->bos = named_token(*config, "bos_token");
    o->eos = named_token(*config, "eos_token");
    if (kvl_json_get(*config, "add_bos_token")) {
        enum kvl_status status = kvl_json_bool(*config, "add_bos_token", &o->add_bos);
        if (status != KVL_OK)
            return kvl_fail_prefix(status, "%s/tokenizer_config.json", dir);
        o->sets_add_bos = true;
    }
    for (size_t i = 0; !o->eos && o->eos_id < 0 && i < sizeof EOS_FILES / sizeof EOS_FILES[0]; i++) {
        json_t *object;
        KVL_TRY(read_object(dir, EOS_FILES[i], &object));
        o->eos_id = eos_id(object);
        json_decref(object);
    }
    return KVL_OK;
}

enum kvl_status kvl_tokenizer_load_json(struct kvl_tokenizer **out, const char *dir, int64_t n_vocab_model)
{
    struct kvl_tokenizer_overrides overrides;
    struct kvl_file_map map = {0};
    json_t *config = NULL;
    enum kvl_status status;
    *out = NULL;
    char *path = kvl_path_join(dir, "tokenizer.json");
    if (!path)
        return kvl_fail(KVL_E_OOM, "no memory for a path");
    KVL_TRY_OUT(kvl_file_map_open(&map, path));
    if (map.bytes > MAX_FILE) {
        status = kvl_fail(KVL_E_UNSUPPORTED, "%s: has %lld bytes; kvlab reads up to %d", path, (long long)map.bytes, MAX_FILE);
        goto out;
    }
    KVL_TRY_OUT(read_overrides(dir, &overrides, &config));
    KVL_TRY_OUT(kvl_tokenizer_parse_json_with(out, (const char *)map.data, (size_t)map.bytes, path, n_vocab_model, &overrides));
out:
    json_decref(config);
    kvl_file_map_close(&map);
    free(path);
    return status;
}
