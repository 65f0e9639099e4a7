#include "core/json_file.h"

#include "core/file_map.h"

enum kvl_status kvl_json_parse(const char *data, int64_t n, json_t **out)
{
    json_error_t error = {0};
    *out = json_loadb(data, (size_t)n, JSON_REJECT_DUPLICATES, &error);
    if (*out == NULL && json_error_code(&error) == json_error_out_of_memory)
        return kvl_fail(KVL_E_OOM, "no memory for its JSON");
    if (*out == NULL)
        return kvl_fail(KVL_E_FORMAT, "malformed JSON at line %d, column %d: %s", error.line, error.column, error.text);
    if (!json_is_object(*out)) {
        json_decref(*out);
        *out = NULL;
        return kvl_fail(KVL_E_FORMAT, "holds no JSON object");
    }
    return KVL_OK;
}

enum kvl_status kvl_json_load(const char *path, int64_t most, json_t **out)
{
    *out = NULL;
    struct kvl_file_map map;
    KVL_TRY(kvl_file_map_open(&map, path));
    enum kvl_status status;
    if (map.bytes > most)
        status = kvl_fail(KVL_E_FORMAT, "has %lld bytes; kvlab reads up to %lld", (long long)map.bytes, (long long)most);
    else
        status = kvl_json_parse((const char *)map.data, map.bytes, out);
    kvl_file_map_close(&map);
    return status == KVL_OK ? status : kvl_fail_prefix(status, "%s", path);
}

json_t *kvl_json_get(const json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    return json_is_null(value) ? NULL : value;
}

/* A value as JSON text, cut, for a sentence. */
static enum kvl_status wrong(const char *key, const json_t *value, const char *wanted)
{
    char text[48];
    size_t n = json_dumpb(value, text, sizeof text - 1, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII);
    text[n < sizeof text - 1 ? n : 0] = '\0';
    return kvl_fail(KVL_E_FORMAT, "%s is %s; %s is needed", key, text[0] != '\0' ? text : "a longer JSON value", wanted);
}

static enum kvl_status missing(const char *key, bool required)
{
    return required ? kvl_fail(KVL_E_FORMAT, "%s is missing", key) : KVL_OK;
}

enum kvl_status kvl_json_integer(const json_t *object, const char *key, bool required, int64_t *out)
{
    const json_t *value = kvl_json_get(object, key);
    if (value == NULL)
        return missing(key, required);
    if (!json_is_integer(value))
        return wrong(key, value, "a whole number");
    *out = json_integer_value(value);
    return KVL_OK;
}

enum kvl_status kvl_json_real(const json_t *object, const char *key, bool required, double *out)
{
    const json_t *value = kvl_json_get(object, key);
    if (value == NULL)
        return missing(key, required);
    if (!json_is_number(value))
        return wrong(key, value, "a number");
    *out = json_number_value(value);
    return KVL_OK;
}

enum kvl_status kvl_json_bool(const json_t *object, const char *key, bool *out)
{
    const json_t *value = kvl_json_get(object, key);
    if (value != NULL && !json_is_boolean(value))
        return wrong(key, value, "true or false");
    if (value != NULL)
        *out = json_is_true(value);
    return KVL_OK;
}

enum kvl_status kvl_json_string(const json_t *object, const char *key, bool required, const char **out)
{
    const json_t *value = kvl_json_get(object, key);
    if (value == NULL)
        return missing(key, required);
    if (!json_is_string(value))
        return wrong(key, value, "a string");
    *out = json_string_value(value);
    return KVL_OK;
}
