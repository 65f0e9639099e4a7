#include "core/tokenizer_json.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/json_file.h"
#include "core/pretokenizer_json.h"
#include "core/unicode.h"

/* Ids may leave gaps, but not more than this: the largest id sizes a table. */
enum { MAX_GAP = 1 << 20 };

/* A file on its way to a specification; the texts point into `root`. */
struct reader {
    json_t *root, *model, *vocab;
    int64_t n_vocab_model;
    struct kvl_pretokenizer_json pre;
    struct kvl_token_text *texts;     /* [spec.n_vocab] */
    struct kvl_token_text (*merges)[2]; /* [spec.n_merges] */
    struct kvl_added_token *added;    /* [spec.n_added] */
    struct kvl_tokenizer_spec spec;
};

static enum kvl_status no_memory(void)
{
    return kvl_fail(KVL_E_OOM, "no memory for its tokens");
}

static enum kvl_status must_be(const char *path, const char *what)
{
    return kvl_fail(KVL_E_FORMAT, "%s is missing or not %s", path, what);
}

/* Model options that would change the ids; each must be missing, null, false, empty or 0. */
static enum kvl_status check_model(const struct reader *r)
{
    static const char *const UNUSED[] = {"dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"};
    const char *type = kvl_json_member(r->model, "type");
    if (!type || strcmp(type, "BPE") != 0)
        return kvl_json_unsupported("model.type", json_object_get(r->model, "type"), "kvlab reads \"BPE\"");
    for (size_t i = 0; i < sizeof UNUSED / sizeof UNUSED[0]; i++) {
        const json_t *value = json_object_get(r->model, UNUSED[i]);
        const char *text = json_string_value(value);
        if (!value || json_is_null(value) || json_is_false(value) || (text && !*text)
            || (json_is_number(value) && json_number_value(value) == 0))
            continue;
        char path[64];
        snprintf(path, sizeof path, "model.%s", UNUSED[i]);
        return kvl_json_unsupported(path, value, "it must be null, false or empty");
    }
    return KVL_OK;
}

/* An unknown token would stand for bytes that have no token; we drop them. So there must be none, or no unknown token. */
static enum kvl_status check_unknown(const struct reader *r)
{
    const json_t *unknown = json_object_get(r->model, "unk_token");
    struct kvl_byte_alphabet alphabet;
    if (!unknown || json_is_null(unknown))
        return KVL_OK;
    kvl_byte_alphabet_init(&alphabet);
    for (int b = 0; b < 256; b++) {
        char symbol[5] = {0};
        kvl_utf8_put(alphabet.symbol[b], symbol);
        if (!json_object_get(r->vocab, symbol))
            return kvl_json_unsupported("model.unk_token", unknown, "it must be null where the vocabulary lacks a byte");
    }
    return KVL_OK;
}

/* The id in `value`, if it is one. */
static enum kvl_status read_id(const struct reader *r, const json_t *value, const char *token, int64_t bound, int64_t *id)
{
    if (!json_is_integer(value))
        return kvl_fail(KVL_E_FORMAT, "the id of token \"%.60s\" is not an integer", token);
    *id = json_integer_value(value);
    if (*id < 0 || *id >= bound)
        return kvl_fail(KVL_E_FORMAT, "token \"%.60s\" has id %lld; ids must be in 0..%lld%s", token, (long long)*id,
                        (long long)bound - 1, r->n_vocab_model > 0 ? " (rows of the embedding)" : "");
    return KVL_OK;
}

static int64_t id_bound(const struct reader *r)
{
    if (r->n_vocab_model > 0)
        return r->n_vocab_model < INT32_MAX ? r->n_vocab_model : INT32_MAX;
    return (int64_t)json_object_size(r->vocab) + r->spec.n_added + MAX_GAP;
}

static enum kvl_status read_added_token(struct reader *r, const json_t *value, struct kvl_added_token *token, int64_t bound)
{
    const json_t *text = json_object_get(value, "content");
    int64_t id = 0;
    if (!json_is_string(text))
        return must_be("added_tokens[].content", "a string");
    KVL_TRY(read_id(r, json_object_get(value, "id"), json_string_value(text), bound, &id));
    token->text = (struct kvl_token_text){json_string_value(text), (int64_t)json_string_length(text)};
    token->id = (int32_t)id;
    KVL_TRY(kvl_json_bool(value, "special", &token->special));
    KVL_TRY(kvl_json_bool(value, "lstrip", &token->lstrip));
    KVL_TRY(kvl_json_bool(value, "rstrip", &token->rstrip));
    KVL_TRY(kvl_json_bool(value, "single_word", &token->single_word));
    token->normalized = !token->special;
    return kvl_json_bool(value, "normalized", &token->normalized);
}

/* added_tokens, which may be missing; also finds how many ids there are. */
static enum kvl_status read_added(struct reader *r)
{
    const json_t *list = json_object_get(r->root, "added_tokens");
    if (list && !json_is_array(list) && !json_is_null(list))
        return must_be("added_tokens", "a list");
    r->spec.n_added = (int64_t)json_array_size(list);
    r->added = calloc((size_t)r->spec.n_added + 1, sizeof *r->added);
    if (!r->added)
        return no_memory();
    for (int64_t i = 0; i < r->spec.n_added; i++) {
        KVL_TRY(read_added_token(r, json_array_get(list, (size_t)i), &r->added[i], id_bound(r)));
        if (r->added[i].id >= r->spec.n_vocab)
            r->spec.n_vocab = r->added[i].id + 1;
    }
    return KVL_OK;
}

static enum kvl_status read_vocab(struct reader *r)
{
    const char *token;
    json_t *value;
    int64_t id = 0;
    json_object_foreach(r->vocab, token, value) {
        KVL_TRY(read_id(r, value, token, id_bound(r), &id));
        if (id >= r->spec.n_vocab)
            r->spec.n_vocab = id + 1;
    }
    r->texts = calloc((size_t)r->spec.n_vocab + 1, sizeof *r->texts);
    if (!r->texts)
        return no_memory();
    json_object_foreach(r->vocab, token, value) {
        id = json_integer_value(value);
        if (r->texts[id].data)
            return kvl_fail(KVL_E_FORMAT, "tokens \"%.60s\" and \"%.60s\" have the same id %lld", r->texts[id].data, token,
                            (long long)id);
        r->texts[id] = (struct kvl_token_text){token, (int64_t)strlen(token)};
    }
    return KVL_OK;
}

/* "a b" or ["a", "b"]. */
static bool read_merge(const json_t *value, struct kvl_token_text merge[2])
{
    if (json_is_string(value)) {
        const char *text = json_string_value(value), *end = text + json_string_length(value);
        const char *space = memchr(text, ' ', (size_t)(end - text));
        if (!space || memchr(space + 1, ' ', (size_t)(end - space - 1)))
            return false;
        merge[0] = (struct kvl_token_text){text, space - text};
        merge[1] = (struct kvl_token_text){space + 1, end - space - 1};
        return true;
    }
    if (json_array_size(value) != 2)
        return false;
    for (size_t i = 0; i < 2; i++) {
        const json_t *part = json_array_get(value, i);
        if (!json_is_string(part))
            return false;
        merge[i] = (struct kvl_token_text){json_string_value(part), (int64_t)json_string_length(part)};
    }
    return true;
}

static enum kvl_status read_merges(struct reader *r)
{
    const json_t *list = json_object_get(r->model, "merges");
    if (!json_is_array(list))
        return must_be("model.merges", "a list");
    r->merges = calloc(json_array_size(list) + 1, sizeof *r->merges);
    if (!r->merges)
        return no_memory();
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *value = json_array_get(list, i);
        if (json_is_string(value) && strncmp(json_string_value(value), "#version", 8) == 0)
            continue;
        if (!read_merge(value, r->merges[r->spec.n_merges++]))
            return kvl_fail(KVL_E_FORMAT, "model.merges[%zu] is neither \"a b\" nor [\"a\", \"b\"]", i);
    }
    return KVL_OK;
}

/* A normal form, or a sequence of one. */
static enum kvl_status read_normalizer(struct reader *r)
{
    static const char *const FORMS[] = {"NFC", "NFD", "NFKC", "NFKD"};
    const json_t *value = json_object_get(r->root, "normalizer");
    const char *type = kvl_json_member(value, "type");
    r->spec.normalizer = "none";
    if (type && strcmp(type, "Sequence") == 0) {
        const json_t *steps = json_object_get(value, "normalizers");
        if (json_is_array(steps) && json_array_size(steps) == 0)
            return KVL_OK;
        if (json_array_size(steps) != 1)
            return kvl_json_unsupported("normalizer.normalizers", steps, "it must hold one step");
        value = json_array_get(steps, 0);
        type = kvl_json_member(value, "type");
    }
    if (!value || json_is_null(value))
        return KVL_OK;
    for (size_t i = 0; type && i < sizeof FORMS / sizeof FORMS[0]; i++)
        if (strcmp(type, FORMS[i]) == 0) {
            r->spec.normalizer = FORMS[i];
            return KVL_OK;
        }
    return kvl_json_unsupported("normalizer.type", json_object_get(value, "type"), "known are NFC, NFD, NFKC and NFKD");
}

/* ByteLevel, or a sequence with it; none at all leaves the vocabulary's own alphabet, which is that one. */
static enum kvl_status check_decoder(const struct reader *r)
{
    const json_t *value = json_object_get(r->root, "decoder"), *steps = json_object_get(value, "decoders");
    const char *type = kvl_json_member(value, "type");
    if (!value || json_is_null(value) || (type && strcmp(type, "ByteLevel") == 0))
        return KVL_OK;
    for (size_t i = 0; type && strcmp(type, "Sequence") == 0 && i < json_array_size(steps); i++) {
        const char *step = kvl_json_member(json_array_get(steps, i), "type");
        if (step && strcmp(step, "ByteLevel") == 0)
            return KVL_OK;
    }
    return kvl_json_unsupported("decoder.type", json_object_get(value, "type"),
                                "known are ByteLevel and a Sequence that holds it");
}

/* Id of a token by its text, -1 if there is none. */
static int32_t find(const struct reader *r, const char *text)
{
    size_t n = strlen(text);
    for (int64_t i = 0; i < r->spec.n_added; i++)
        if ((size_t)r->added[i].text.n == n && memcmp(r->added[i].text.data, text, n) == 0)
            return r->added[i].id;
    const json_t *value = json_object_get(r->vocab, text);
    return value ? (int32_t)json_integer_value(value) : -1;
}

/* A template of one text: either the text alone or the BOS token and the text. */
static enum kvl_status read_template(struct reader *r, const json_t *processor)
{
    const json_t *single = json_object_get(processor, "single");
    const json_t *first = json_object_get(json_array_get(single, 0), "SpecialToken");
    size_t n_special = first ? 1 : 0;
    if (!json_is_array(single) || json_array_size(single) != n_special + 1
        || !json_object_get(json_array_get(single, n_special), "Sequence"))
        return kvl_json_unsupported("post_processor.single", single,
                                    "it must be the text, with at most one special token before it");
    if (!first)
        return KVL_OK;
    const char *name = kvl_json_member(first, "id");
    r->spec.bos = name ? find(r, name) : -1;
    if (r->spec.bos < 0)
        return kvl_fail(KVL_E_FORMAT, "post_processor.single begins with \"%.60s\", which is no token", name ? name : "");
    r->spec.add_bos = true;
    return KVL_OK;
}

static enum kvl_status read_processor(struct reader *r, const json_t *value)
{
    const char *type = kvl_json_member(value, "type");
    if (!value || json_is_null(value) || (type && strcmp(type, "ByteLevel") == 0))
        return KVL_OK;
    if (type && strcmp(type, "TemplateProcessing") == 0)
        return read_template(r, value);
    return kvl_json_unsupported("post_processor.type", json_object_get(value, "type"),
                                "known are TemplateProcessing, ByteLevel and a Sequence of them");
}

static enum kvl_status read_post_processor(struct reader *r)
{
    const json_t *value = json_object_get(r->root, "post_processor");
    const char *type = kvl_json_member(value, "type");
    if (!type || strcmp(type, "Sequence") != 0)
        return read_processor(r, value);
    const json_t *steps = json_object_get(value, "processors");
    if (!json_is_array(steps))
        return must_be("post_processor.processors", "a list");
    for (size_t i = 0; i < json_array_size(steps); i++)
        KVL_TRY(read_processor(r, json_array_get(steps, i)));
    return KVL_OK;
}

static enum kvl_status apply_overrides(struct reader *r, const struct kvl_tokenizer_overrides *o)
{
    if (o->bos && (r->spec.bos < 0 || o->sets_add_bos)) {
        r->spec.bos = find(r, o->bos);
        if (r->spec.bos < 0)
            return kvl_fail(KVL_E_FORMAT, "bos_token \"%.60s\" is not in the vocabulary", o->bos);
    }
    if (o->sets_add_bos)
        r->spec.add_bos = o->add_bos;
    if (o->eos) {
        r->spec.eos = find(r, o->eos);
        if (r->spec.eos < 0)
            return kvl_fail(KVL_E_FORMAT, "eos_token \"%.60s\" is not in the vocabulary", o->eos);
    } else if (o->eos_id >= 0) {
        if (o->eos_id >= r->spec.n_vocab)
            return kvl_fail(KVL_E_FORMAT, "eos_token_id %lld is not below the vocabulary's %lld", (long long)o->eos_id,
                            (long long)r->spec.n_vocab);
        r->spec.eos = (int32_t)o->eos_id;
    }
    return KVL_OK;
}

static enum kvl_status read_root(struct reader *r)
{
    const char *version = kvl_json_member(r->root, "version");
    r->model = json_object_get(r->root, "model");
    r->vocab = json_object_get(r->model, "vocab");
    if (version && strcmp(version, "1.0") != 0)
        return kvl_json_unsupported("version", json_object_get(r->root, "version"), "kvlab reads \"1.0\"");
    if (!json_is_object(r->model))
        return must_be("model", "an object");
    KVL_TRY(check_model(r));
    if (!json_is_object(r->vocab) || json_object_size(r->vocab) == 0)
        return must_be("model.vocab", "an object with tokens");
    KVL_TRY(check_unknown(r));
    KVL_TRY(kvl_json_bool(r->model, "ignore_merges", &r->spec.ignore_merges));
    KVL_TRY(read_normalizer(r));
    KVL_TRY(kvl_pretokenizer_json_read(&r->pre, json_object_get(r->root, "pre_tokenizer")));
    KVL_TRY(check_decoder(r));
    KVL_TRY(read_added(r));
    KVL_TRY(read_vocab(r));
    KVL_TRY(read_merges(r));
    return read_post_processor(r);
}

/* Truncation and padding that a file may ask for are left alone: they are for batches, and transformers does the same. */
enum kvl_status kvl_tokenizer_parse_json_with(struct kvl_tokenizer **out, const char *json, size_t n, const char *source,
                                              int64_t n_vocab_model, const struct kvl_tokenizer_overrides *overrides)
{
    struct reader r = {.n_vocab_model = n_vocab_model, .spec = {.bos = -1, .eos = -1, .source = source}};
    enum kvl_status status = kvl_json_parse(json, (int64_t)n, &r.root);
    *out = NULL;
    if (status == KVL_OK)
        status = read_root(&r);
    if (status == KVL_OK)
        status = apply_overrides(&r, overrides);
    if (status != KVL_OK) {
        kvl_fail_prefix(status, "%s", source);
        goto out;
    }
    r.spec.vocab = r.texts;
    r.spec.merges = (const struct kvl_token_text(*)[2])r.merges;
    r.spec.added = r.added;
    r.spec.n_split = r.pre.n_split;
    r.spec.split = (const char *const *)r.pre.split;
    r.spec.add_prefix_space = r.pre.add_prefix_space;
    KVL_TRY_OUT(kvl_tokenizer_init(out, &r.spec));
out:
    free(r.texts);
    free(r.merges);
    free(r.added);
    kvl_pretokenizer_json_free(&r.pre);
    json_decref(r.root);
    return status;
}

enum kvl_status kvl_tokenizer_parse_json(struct kvl_tokenizer **out, const char *json, size_t n, const char *source,
                                         int64_t n_vocab_model)
{
    const struct kvl_tokenizer_overrides none = {.eos_id = -1};
    return kvl_tokenizer_parse_json_with(out, json, n, source, n_vocab_model, &none);
}
