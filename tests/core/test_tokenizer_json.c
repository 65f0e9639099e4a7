/* tokenizer.json: what is accepted and every kind of file that is refused, each with a sentence that names file and value.
 * Each case sets or deletes one member of a good file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/tokenizer.h"
#include "tests/support/golden.h"

static const char GOOD[] =
    "{'version':'1.0','truncation':null,'padding':null,"
    "'added_tokens':[{'id':4,'content':'<s>','special':true,'normalized':false},{'id':5,'content':'</s>','special':true}],"
    "'normalizer':null,'pre_tokenizer':{'type':'ByteLevel','add_prefix_space':false,'use_regex':true},"
    "'post_processor':null,'decoder':{'type':'ByteLevel'},"
    "'model':{'type':'BPE','dropout':null,'unk_token':null,'continuing_subword_prefix':'','end_of_word_suffix':null,'fuse_unk':false,"
    "'byte_fallback':false,'ignore_merges':false,'vocab':{'a':0,'b':1,'ab':2,'c':3,'<s>':4},'merges':['a b']}}";

/* JSON written with single quotes. */
static json_t *parse(const char *text)
{
    char *copy = strdup(text);
    json_error_t error;
    for (char *c = copy; *c; c++)
        if (*c == '\'')
            *c = '"';
    json_t *value = json_loads(copy, JSON_DECODE_ANY, &error);
    if (!value)
        fail_msg("%s: %s", copy, error.text);
    free(copy);
    return value;
}

/* GOOD with the member at `path` ("model.vocab.a") set to `value`, or deleted where that is NULL. */
static char *changed(const char *path, const char *value)
{
    json_t *root = parse(GOOD), *at = root;
    char name[64];
    for (const char *dot; (dot = strchr(path, '.')) != NULL; path = dot + 1) {
        snprintf(name, sizeof name, "%.*s", (int)(dot - path), path);
        at = json_object_get(at, name);
        assert_non_null(at);
    }
    if (*path && value)
        json_object_set_new(at, path, parse(value));
    else if (*path)
        json_object_del(at, path);
    char *text = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    return text;
}

static enum kvl_status load(const char *path, const char *value, int64_t n_vocab_model, struct kvl_tokenizer **out)
{
    char *json = changed(path, value);
    enum kvl_status status = kvl_tokenizer_parse_json(out, json, strlen(json), "dir/tokenizer.json", n_vocab_model);
    free(json);
    return status;
}

#define BYTE_LEVEL "{'type':'ByteLevel','add_prefix_space':false,'use_regex':false}"
#define SPLIT(rest) "{'type':'Sequence','pretokenizers':[{'type':'Split'," rest "}," BYTE_LEVEL "]}"
#define NEST8(x) "{'type':'Sequence','pretokenizers':[{'type':'Sequence','pretokenizers':[{'type':'Sequence','pretokenizers':[" \
                 "{'type':'Sequence','pretokenizers':[" x "]}]}]}]}"

static void test_accepted(void **state)
{
    static const struct {
        const char *path, *value;
    } CASES[] = {
        {"", NULL}, {"version", NULL}, {"decoder", NULL}, {"decoder", "null"}, {"post_processor", NULL}, {"added_tokens", NULL},
        {"added_tokens", "null"}, {"normalizer", NULL}, {"normalizer", "{'type':'NFC'}"}, {"normalizer", "{'type':'NFKD'}"},
        {"normalizer", "{'type':'Sequence','normalizers':[{'type':'NFD'}]}"}, {"normalizer", "{'type':'Sequence','normalizers':[]}"},
        {"decoder", "{'type':'Sequence','decoders':[{'type':'Fuse'},{'type':'ByteLevel'}]}"},
        {"truncation", "{'max_length':4}"}, {"model.dropout", "0"}, {"model.merges", "[]"}, {"model.merges", "['#version: 0.2','a b']"},
        {"model.merges", "[['a','b']]"}, {"model.merges", "['a b',['a','b']]"}, {"model.ignore_merges", "null"},
        {"pre_tokenizer", SPLIT("'pattern':{'String':'a.b'},'behavior':'Isolated','invert':false")},
        {"pre_tokenizer", SPLIT("'pattern':{'Regex':'\\\\s+'},'behavior':'Isolated'")},
        {"pre_tokenizer", "{'type':'Sequence','pretokenizers':[{'type':'Digits','individual_digits':true}," BYTE_LEVEL "]}"},
        {"pre_tokenizer", "{'type':'Sequence','pretokenizers':[{'type':'Sequence','pretokenizers':[]}," BYTE_LEVEL "]}"},
        {"pre_tokenizer", "{'type':'ByteLevel'}"}, {"pre_tokenizer", NEST8(BYTE_LEVEL)},
        {"post_processor", "{'type':'ByteLevel'}"}, {"post_processor", "{'type':'Sequence','processors':[{'type':'ByteLevel'}]}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct kvl_tokenizer *t;
        if (load(CASES[i].path, CASES[i].value, 6, &t) != KVL_OK)
            fail_msg("%s = %s: %s", CASES[i].path, CASES[i].value ? CASES[i].value : "(deleted)", kvl_last_error());
        assert_false(kvl_tokenizer_add_bos(t));
        kvl_tokenizer_free(t);
    }
}

static void test_refused(void **state)
{
    static const struct {
        const char *path, *value;
        enum kvl_status status;
        const char *says;
    } CASES[] = {
        {"version", "'2.0'", KVL_E_UNSUPPORTED, "version is \"2.0\""},
        {"model", NULL, KVL_E_FORMAT, "model is missing"},
        {"model", "[]", KVL_E_FORMAT, "model is missing or not an object"},
        {"model.type", NULL, KVL_E_UNSUPPORTED, "model.type is missing"},
        {"model.type", "'Unigram'", KVL_E_UNSUPPORTED, "model.type is \"Unigram\""},
        {"model.type", "7", KVL_E_UNSUPPORTED, "model.type is 7"},
        {"model.dropout", "0.1", KVL_E_UNSUPPORTED, "model.dropout is 0.1"},
        {"model.byte_fallback", "true", KVL_E_UNSUPPORTED, "model.byte_fallback is true"},
        {"model.continuing_subword_prefix", "'##'", KVL_E_UNSUPPORTED, "\"##\""},
        {"model.end_of_word_suffix", "'</w>'", KVL_E_UNSUPPORTED, "\"</w>\""},
        {"model.unk_token", "'a'", KVL_E_UNSUPPORTED, "model.unk_token is \"a\""},
        {"model.ignore_merges", "1", KVL_E_FORMAT, "ignore_merges is 1"},
        {"model.vocab", NULL, KVL_E_FORMAT, "model.vocab"},
        {"model.vocab", "{}", KVL_E_FORMAT, "model.vocab"},
        {"model.vocab", "['a']", KVL_E_FORMAT, "model.vocab"},
        {"model.vocab.a", "'0'", KVL_E_FORMAT, "token \"a\" is not an integer"},
        {"model.vocab.a", "0.5", KVL_E_FORMAT, "token \"a\" is not an integer"},
        {"model.vocab.a", "-1", KVL_E_FORMAT, "token \"a\" has id -1"},
        {"model.vocab.a", "6", KVL_E_FORMAT, "token \"a\" has id 6"},
        {"model.vocab.a", "9223372036854775807", KVL_E_FORMAT, "id 9223372036854775807"},
        {"model.vocab.a", "1", KVL_E_FORMAT, "the same id 1"},
        {"model.vocab.a", NULL, KVL_E_FORMAT, "the left part \"a\""},
        {"model.vocab.b", NULL, KVL_E_FORMAT, "the right part \"b\""},
        {"model.vocab.ab", NULL, KVL_E_FORMAT, "the result \"ab\""},
        {"model.merges", NULL, KVL_E_FORMAT, "model.merges"},
        {"model.merges", "{}", KVL_E_FORMAT, "model.merges"},
        {"model.merges", "['ab']", KVL_E_FORMAT, "model.merges[0]"},
        {"model.merges", "['a b c']", KVL_E_FORMAT, "model.merges[0]"},
        {"model.merges", "['a b',['a']]", KVL_E_FORMAT, "model.merges[1]"},
        {"model.merges", "[['a',1]]", KVL_E_FORMAT, "model.merges[0]"},
        {"model.merges", "[1]", KVL_E_FORMAT, "model.merges[0]"},
        {"model.merges", "[' b']", KVL_E_FORMAT, "the left part \"\""},
        {"added_tokens", "{}", KVL_E_FORMAT, "added_tokens"},
        {"added_tokens", "[1]", KVL_E_FORMAT, "added_tokens[].content"},
        {"added_tokens", "[{'id':5}]", KVL_E_FORMAT, "added_tokens[].content"},
        {"added_tokens", "[{'content':'x'}]", KVL_E_FORMAT, "token \"x\" is not an integer"},
        {"added_tokens", "[{'id':5,'content':''}]", KVL_E_FORMAT, "id 5) has no text"},
        {"added_tokens", "[{'id':-5,'content':'x'}]", KVL_E_FORMAT, "token \"x\" has id -5"},
        {"added_tokens", "[{'id':6,'content':'x'}]", KVL_E_FORMAT, "token \"x\" has id 6"},
        {"added_tokens", "[{'id':5,'content':'x','special':'yes'}]", KVL_E_FORMAT, "special is \"yes\""},
        {"added_tokens", "[{'id':5,'content':'x'},{'id':5,'content':'y'}]", KVL_E_FORMAT, "\"y\": id 5 is another"},
        {"added_tokens", "[{'id':4,'content':'<s>'},{'id':5,'content':'<s>'}]", KVL_E_FORMAT, "\"<s>\" has id 5"},
        {"added_tokens", "[{'id':5,'content':'ab'}]", KVL_E_FORMAT, "\"ab\" has id 5"},
        {"added_tokens", "[{'id':3,'content':'x'}]", KVL_E_FORMAT, "\"x\" has id 3"},
        {"normalizer", "{'type':'Lowercase'}", KVL_E_UNSUPPORTED, "normalizer.type is \"Lowercase\""},
        {"normalizer", "7", KVL_E_UNSUPPORTED, "normalizer.type is missing"},
        {"normalizer", "{'type':'Sequence','normalizers':[{'type':'NFD'},{'type':'NFC'}]}", KVL_E_UNSUPPORTED, "normalizer.normalizers"},
        {"pre_tokenizer", NULL, KVL_E_UNSUPPORTED, "pre_tokenizer.type is missing"},
        {"pre_tokenizer", "null", KVL_E_UNSUPPORTED, "pre_tokenizer.type is missing"},
        {"pre_tokenizer", "{'type':'Metaspace'}", KVL_E_UNSUPPORTED, "\"Metaspace\""},
        {"pre_tokenizer", "{'type':'Digits'}", KVL_E_UNSUPPORTED, "must be ByteLevel"},
        {"pre_tokenizer", "{'type':'ByteLevel','use_regex':1}", KVL_E_FORMAT, "use_regex is 1"},
        {"pre_tokenizer", "{'type':'Sequence'}", KVL_E_UNSUPPORTED, "pre_tokenizer.pretokenizers is missing"},
        {"pre_tokenizer", "{'type':'Sequence','pretokenizers':[" BYTE_LEVEL ",{'type':'Digits'}]}", KVL_E_UNSUPPORTED, "after ByteLevel"},
        {"pre_tokenizer", "{'type':'Sequence','pretokenizers':[{'type':'Digits'},{'type':'ByteLevel','add_prefix_space':true}]}", KVL_E_UNSUPPORTED,
         "add_prefix_space is true"},
        {"pre_tokenizer", NEST8(NEST8(NEST8(BYTE_LEVEL))), KVL_E_UNSUPPORTED, "\"Sequence\""},
        {"pre_tokenizer", SPLIT("'pattern':{'Regex':'a'},'behavior':'Removed'"), KVL_E_UNSUPPORTED, "behavior is \"Removed\""},
        {"pre_tokenizer", SPLIT("'pattern':{'Regex':'a'}"), KVL_E_UNSUPPORTED, "behavior is missing"},
        {"pre_tokenizer", SPLIT("'pattern':{'Regex':'a'},'behavior':'Isolated','invert':true"), KVL_E_UNSUPPORTED, "invert is true"},
        {"pre_tokenizer", SPLIT("'pattern':'a','behavior':'Isolated'"), KVL_E_UNSUPPORTED, "Split.pattern is \"a\""},
        {"pre_tokenizer", SPLIT("'pattern':{'Regex':'(a'},'behavior':'Isolated'"), KVL_E_FORMAT, "split pattern \"(a\""},
        {"post_processor", "{'type':'BertProcessing'}", KVL_E_UNSUPPORTED, "\"BertProcessing\""},
        {"post_processor", "{'type':'Sequence'}", KVL_E_FORMAT, "post_processor.processors"},
        {"post_processor", "{'type':'TemplateProcessing'}", KVL_E_UNSUPPORTED, "post_processor.single is missing"},
        {"post_processor", "{'type':'TemplateProcessing','single':[{'Sequence':{}},{'SpecialToken':{'id':'</s>'}}]}", KVL_E_UNSUPPORTED,
         "post_processor.single is a list"},
        {"post_processor", "{'type':'TemplateProcessing','single':[{'SpecialToken':{'id':'<bos>'}},{'Sequence':{}}]}", KVL_E_FORMAT, "\"<bos>\""},
        {"decoder", "{'type':'Metaspace'}", KVL_E_UNSUPPORTED, "decoder.type is \"Metaspace\""},
        {"decoder", "{'type':'Sequence','decoders':[{'type':'Fuse'}]}", KVL_E_UNSUPPORTED, "decoder.type is \"Sequence\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct kvl_tokenizer *t;
        enum kvl_status status = load(CASES[i].path, CASES[i].value, 6, &t);
        if (status != CASES[i].status || !strstr(kvl_last_error(), CASES[i].says)
            || strncmp(kvl_last_error(), "dir/tokenizer.json: ", 20) != 0)
            fail_msg("%s = %s: %s, \"%s\"", CASES[i].path, CASES[i].value ? CASES[i].value : "(deleted)",
                     kvl_status_name(status), kvl_last_error());
        assert_null(t);
    }
}

static void test_malformed(void **state)
{
    static const char *const CASES[] = {"",
                                        "{",
                                        "[]",
                                        "7",
                                        "{\"a\":1,}",
                                        "{\"a\":1}x",
                                        "{\"a\":\"\xFF\"}",
                                        "{\"a\":\"\\ud800\"}",
                                        "{\"a\":1,\"a\":2}",
                                        "{\"model\":{\"vocab\":{\"a\":0,\"a\":1}}}",
                                        "{\"a\":99999999999999999999}"};
    struct kvl_tokenizer *t;
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        assert_int_equal(kvl_tokenizer_parse_json(&t, CASES[i], strlen(CASES[i]), "file", 0), KVL_E_FORMAT);
        assert_memory_equal(kvl_last_error(), "file: ", 6);
        assert_null(t);
    }
    char deep[20001];
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = 0;
    assert_int_equal(kvl_tokenizer_parse_json(&t, deep, sizeof deep - 1, "file", 0), KVL_E_FORMAT);
    assert_int_equal(kvl_tokenizer_parse_json(&t, GOOD, 0, "file", 0), KVL_E_FORMAT);
    /* Every truncation of a good file. */
    char *good = changed("", NULL);
    for (size_t n = 0; n < strlen(good); n++)
        assert_int_equal(kvl_tokenizer_parse_json(&t, good, n, "file", 0), KVL_E_FORMAT);
    free(good);
}

/* Without the embedding's size, an id may leave a gap, but not size a table of its own choice. */
static void test_large_ids(void **state)
{
    struct kvl_tokenizer *t;
    (void)state;
    assert_ok(load("model.vocab.c", "1000000", 0, &t));
    assert_int_equal(kvl_tokenizer_n_vocab(t), 1000001);
    kvl_tokenizer_free(t);
    assert_int_equal(load("model.vocab.c", "2000000000", 0, &t), KVL_E_FORMAT);
    assert_non_null(strstr(kvl_last_error(), "id 2000000000"));
    assert_ok(load("", NULL, 1000000, &t));
    assert_int_equal(kvl_tokenizer_n_vocab(t), 6);
    kvl_tokenizer_free(t);
    assert_int_equal(load("", NULL, 5, &t), KVL_E_FORMAT);
    assert_non_null(strstr(kvl_last_error(), "rows of the embedding"));
}

static void write_file(const char *dir, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (!text) {
        unlink(path);
        return;
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (; *text; text++)
        putc(*text == '\'' ? '"' : *text, file);
    assert_int_equal(fclose(file), 0);
}

/* What the files beside tokenizer.json say of BOS and EOS. */
static void test_folder(void **state)
{
    static const char TEMPLATE[] = "{'type':'TemplateProcessing','single':[{'SpecialToken':{'id':'<s>'}},{'Sequence':{}}]}";
    static const struct {
        const char *tokenizer_config, *generation_config, *config, *processor;
        enum kvl_status status;
        int32_t bos, eos;
        bool add_bos;
        const char *says;
    } CASES[] = {
        {NULL, NULL, NULL, "null", KVL_OK, -1, -1, false, ""},
        {NULL, NULL, NULL, TEMPLATE, KVL_OK, 4, -1, true, ""},
        {"{'bos_token':'<s>','eos_token':{'content':'</s>'}}", NULL, NULL, "null", KVL_OK, 4, 5, false, ""},
        {"{'bos_token':null,'eos_token':null}", "{'eos_token_id':[3,1]}", "{'eos_token_id':1}", "null", KVL_OK, -1, 3, false, ""},
        {"{}", "{}", "{'eos_token_id':1}", "null", KVL_OK, -1, 1, false, ""},
        {"{'bos_token':'<s>','add_bos_token':true}", NULL, NULL, "null", KVL_OK, 4, -1, true, ""},
        {"{'bos_token':'<s>','add_bos_token':null}", NULL, NULL, "null", KVL_OK, 4, -1, false, ""},
        {"{'bos_token':'<s>','add_bos_token':false}", NULL, NULL, TEMPLATE, KVL_OK, 4, -1, false, ""},
        {"{'add_bos_token':true}", NULL, NULL, "null", KVL_E_FORMAT, 0, 0, false, "none is named"},
        {"{'add_bos_token':1}", NULL, NULL, "null", KVL_E_FORMAT, 0, 0, false, "add_bos_token is 1"},
        {"{'bos_token':'<x>'}", NULL, NULL, "null", KVL_E_FORMAT, 0, 0, false, "bos_token \"<x>\""},
        {"{'eos_token':'<x>'}", NULL, NULL, "null", KVL_E_FORMAT, 0, 0, false, "eos_token \"<x>\""},
        {NULL, "{'eos_token_id':6}", NULL, "null", KVL_E_FORMAT, 0, 0, false, "eos_token_id 6"},
        {"[]", NULL, NULL, "null", KVL_E_FORMAT, 0, 0, false, "tokenizer_config.json"},
        {"{", NULL, NULL, "null", KVL_E_FORMAT, 0, 0, false, "tokenizer_config.json"},
        {NULL, "{", NULL, "null", KVL_E_FORMAT, 0, 0, false, "generation_config.json"},
    };
    char dir[] = "/tmp/kvlab-tokenizer-XXXXXX";
    struct kvl_tokenizer *t;
    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(kvl_tokenizer_load_json(&t, dir, 0), KVL_E_IO);
    assert_non_null(strstr(kvl_last_error(), dir));
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        char *json = changed("post_processor", CASES[i].processor);
        write_file(dir, "tokenizer.json", json);
        write_file(dir, "tokenizer_config.json", CASES[i].tokenizer_config);
        write_file(dir, "generation_config.json", CASES[i].generation_config);
        write_file(dir, "config.json", CASES[i].config);
        enum kvl_status status = kvl_tokenizer_load_json(&t, dir, 6);
        if (status != CASES[i].status
            || (status != KVL_OK && (!strstr(kvl_last_error(), CASES[i].says) || !strstr(kvl_last_error(), dir))))
            fail_msg("case %zu: %s, \"%s\"", i, kvl_status_name(status), kvl_last_error());
        if (status == KVL_OK) {
            assert_int_equal(kvl_tokenizer_bos(t), CASES[i].bos);
            assert_int_equal(kvl_tokenizer_eos(t), CASES[i].eos);
            assert_int_equal(kvl_tokenizer_add_bos(t), CASES[i].add_bos);
        }
        kvl_tokenizer_free(t);
        free(json);
    }
    static const char *const FILES[] = {"tokenizer.json", "tokenizer_config.json", "generation_config.json", "config.json"};
    for (size_t i = 0; i < sizeof FILES / sizeof FILES[0]; i++)
        write_file(dir, FILES[i], NULL);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),  cmocka_unit_test(test_refused), cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_large_ids), cmocka_unit_test(test_folder),
    };
    return test_result(cmocka_run_group_tests(tests, NULL, NULL));
}
