#include "core/pretokenizer_json.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/json_file.h"
#include "core/pretokenizer.h"

enum { MAX_DEPTH = 8 };

static const char *describe(const json_t *value, char *room, size_t n)
{
    if (!value)
        return "missing";
    switch (json_typeof(value)) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return "a list";
    case JSON_STRING: snprintf(room, n, "\"%.60s\"", json_string_value(value)); return room;
    case JSON_INTEGER: snprintf(room, n, "%lld", (long long)json_integer_value(value)); return room;
    case JSON_REAL: snprintf(room, n, "%g", json_real_value(value)); return room;
    case JSON_TRUE: return "true";
    case JSON_FALSE: return "false";
    case JSON_NULL: return "null";
    }
    return "?";
}

enum kvl_status kvl_json_unsupported(const char *path, const json_t *value, const char *why)
{
    char room[96];
    return kvl_fail(KVL_E_UNSUPPORTED, "%s is %s: %s", path, describe(value, room, sizeof room), why);
}

const char *kvl_json_member(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* Adds one pattern, a copy; a literal one with its punctuation escaped. */
static enum kvl_status add_split(struct kvl_pretokenizer_json *pre, const char *pattern, bool literal)
{
    if (pre->n_split == KVL_MAX_SPLITS)
        return kvl_fail(KVL_E_UNSUPPORTED, "pre_tokenizer has more than %d steps", KVL_MAX_SPLITS);
    char *copy = malloc(2 * strlen(pattern) + 1), *to = copy;
    if (!copy)
        return kvl_fail(KVL_E_OOM, "no memory for a split pattern");
    for (; *pattern; pattern++) {
        if (literal && ispunct((unsigned char)*pattern))
            *to++ = '\\';
        *to++ = *pattern;
    }
    *to = 0;
    pre->split[pre->n_split++] = copy;
    return KVL_OK;
}

static enum kvl_status read_byte_level(struct kvl_pretokenizer_json *pre, const json_t *step)
{
    bool use_regex = true;
    pre->add_prefix_space = true;
    KVL_TRY(kvl_json_bool(step, "add_prefix_space", &pre->add_prefix_space));
    KVL_TRY(kvl_json_bool(step, "use_regex", &use_regex));
    if (pre->add_prefix_space && pre->n_split > 0)
        return kvl_json_unsupported("pre_tokenizer's ByteLevel.add_prefix_space", json_object_get(step, "add_prefix_space"),
                                    "a space before every piece of an earlier step is not supported");
    pre->byte_level = true;
    return use_regex ? add_split(pre, KVL_SPLIT_GPT2, false) : KVL_OK;
}

static enum kvl_status read_digits(struct kvl_pretokenizer_json *pre, const json_t *step)
{
    bool individual = false;
    KVL_TRY(kvl_json_bool(step, "individual_digits", &individual));
    return add_split(pre, individual ? KVL_SPLIT_DIGIT : KVL_SPLIT_DIGITS, false);
}

static enum kvl_status read_split(struct kvl_pretokenizer_json *pre, const json_t *step)
{
    const json_t *pattern = json_object_get(step, "pattern");
    const char *behavior = kvl_json_member(step, "behavior"), *regex = kvl_json_member(pattern, "Regex");
    bool invert = false;
    KVL_TRY(kvl_json_bool(step, "invert", &invert));
    if (invert)
        return kvl_json_unsupported("pre_tokenizer's Split.invert", json_object_get(step, "invert"), "it must be false");
    if (!behavior || strcmp(behavior, "Isolated") != 0)
        return kvl_json_unsupported("pre_tokenizer's Split.behavior", json_object_get(step, "behavior"),
                                    "it must be \"Isolated\"");
    const char *text = regex ? regex : kvl_json_member(pattern, "String");
    if (!text || !*text)
        return kvl_json_unsupported("pre_tokenizer's Split.pattern", pattern, "it must hold a Regex or a String");
    return add_split(pre, text, !regex);
}

static const struct {
    const char *type;
    enum kvl_status (*read)(struct kvl_pretokenizer_json *pre, const json_t *step);
} STEPS[] = {{"ByteLevel", read_byte_level}, {"Digits", read_digits}, {"Split", read_split}};

/* One step, or a sequence of them. ByteLevel must be the last: after it the text is no longer UTF-8 but its alphabet. */
static enum kvl_status read_step(struct kvl_pretokenizer_json *pre, const json_t *step, int depth)
{
    const char *type = kvl_json_member(step, "type");
    if (pre->byte_level)
        return kvl_json_unsupported("pre_tokenizer step after ByteLevel", json_object_get(step, "type"),
                                    "ByteLevel must be the last");
    if (type && strcmp(type, "Sequence") == 0 && depth < MAX_DEPTH) {
        const json_t *steps = json_object_get(step, "pretokenizers");
        if (!json_is_array(steps))
            return kvl_json_unsupported("pre_tokenizer.pretokenizers", steps, "it must be a list");
        for (size_t i = 0; i < json_array_size(steps); i++)
            KVL_TRY(read_step(pre, json_array_get(steps, i), depth + 1));
        return KVL_OK;
    }
    for (size_t i = 0; type && i < sizeof STEPS / sizeof STEPS[0]; i++)
        if (strcmp(type, STEPS[i].type) == 0)
            return STEPS[i].read(pre, step);
    return kvl_json_unsupported("pre_tokenizer.type", json_object_get(step, "type"),
                                "known are ByteLevel, Digits, Split and a Sequence of them");
}

enum kvl_status kvl_pretokenizer_json_read(struct kvl_pretokenizer_json *out, const json_t *value)
{
    *out = (struct kvl_pretokenizer_json){0};
    enum kvl_status status = read_step(out, value, 0);
    if (status == KVL_OK && !out->byte_level)
        status = kvl_json_unsupported("pre_tokenizer.type", json_object_get(value, "type"),
                                      "its last step must be ByteLevel, since kvlab reads byte-level vocabularies only");
    if (status != KVL_OK)
        kvl_pretokenizer_json_free(out);
    return status;
}

void kvl_pretokenizer_json_free(struct kvl_pretokenizer_json *pre)
{
    for (int i = 0; i < pre->n_split; i++)
        free(pre->split[i]);
    *pre = (struct kvl_pretokenizer_json){0};
}
