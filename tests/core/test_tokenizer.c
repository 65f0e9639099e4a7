/* The tokenizer: Hugging Face's ids on thousands of strings, a tiny vocabulary worked out by hand, added tokens, random
 * vocabularies against a naive merge loop, and time on a long run of one character.
 *
 * The goldens need the vocabularies: SmolLM2's is in the GGUF file KVLAB_SMALL_MODEL; KVLAB_TOKENIZERS is a folder with
 * {llama3,tekken}/tokenizer.json, made by tests/reference/convert_tiktoken.py. What is absent is skipped. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/model_source.h"
#include "core/tokenizer.h"
#include "core/unicode.h"
#include "tests/support/golden.h"
#include "tests/support/skipping.h"

static void skip_without(const char *path, const char *variable)
{
    if (path && access(path, R_OK) == 0)
        return;
    skip_because("%s is %s", path ? path : variable, path ? "not there" : "not set");
}

static struct kvl_tokenizer *load_smollm2(void)
{
    const char *path = getenv("KVLAB_SMALL_MODEL");
    struct kvl_model_source source;
    struct kvl_tokenizer *t;
    char *jinja;
    skip_without(path, "KVLAB_SMALL_MODEL");
    assert_ok(kvl_model_source_open_tokenizer(&source, path));
    assert_ok(kvl_model_source_tokenizer(&source, 0, &t, &jinja));
    kvl_model_source_close(&source);
    free(jinja);
    return t;
}

/* KVLAB_TOKENIZERS/NAME. */
static struct kvl_tokenizer *load_folder(const char *name)
{
    const char *root = getenv("KVLAB_TOKENIZERS");
    char folder[1024], file[1100];
    struct kvl_tokenizer *t;
    snprintf(folder, sizeof folder, "%s/%s", root ? root : "", name);
    snprintf(file, sizeof file, "%s/tokenizer.json", folder);
    skip_without(root ? file : NULL, "KVLAB_TOKENIZERS");
    assert_ok(kvl_tokenizer_load_json(&t, folder, 0));
    return t;
}

static bool same_ids(const struct kvl_ids *got, const json_t *expected)
{
    if ((int64_t)json_array_size(expected) != got->n)
        return false;
    for (int64_t i = 0; i < got->n; i++)
        if (json_integer_value(json_array_get(expected, (size_t)i)) != got->data[i])
            return false;
    return true;
}

/* One golden string, special tokens parsed or as text; it must come back where the vocabulary has all bytes. */
static void check_string(const struct kvl_tokenizer *t, const json_t *string, const json_t *expected, enum kvl_special special,
                         bool has_all_bytes)
{
    const char *text = json_string_value(string);
    int64_t n_text = (int64_t)json_string_length(string), n_decoded;
    struct kvl_ids got = {0};
    char *decoded;
    assert_ok(kvl_tokenizer_encode(t, text, n_text, special, &got));
    if (!same_ids(&got, expected))
        fail_msg("other ids: \"%s\", special tokens %s", text, special == KVL_SPECIAL_TEXT ? "as text" : "parsed");
    assert_ok(kvl_tokenizer_decode(t, got.data, got.n, false, &decoded, &n_decoded));
    if (has_all_bytes && (n_decoded != n_text || memcmp(decoded, text, (size_t)n_text) != 0))
        fail_msg("does not come back: \"%s\"", text);
    free(decoded);
    kvl_ids_free(&got);
}

static void check_golden(const struct kvl_tokenizer *t, const char *file, bool has_all_bytes)
{
    json_t *strings = golden_load("tokenizer_strings.json"), *golden = golden_load(file);
    const json_t *ids = json_object_get(golden, "ids"), *as_text = json_object_get(golden, "ids_special_as_text");
    size_t n = json_array_size(strings);
    assert_true(n >= 2000 && json_array_size(ids) == n);
    for (size_t i = 0; i < n; i++) {
        const json_t *string = json_array_get(strings, i), *expected = json_array_get(ids, i);
        char key[24];
        snprintf(key, sizeof key, "%zu", i);
        const json_t *other = json_object_get(as_text, key);
        check_string(t, string, expected, KVL_SPECIAL_PARSE, has_all_bytes);
        check_string(t, string, other ? other : expected, KVL_SPECIAL_TEXT, has_all_bytes);
    }
    json_decref(strings);
    json_decref(golden);
}

/* 200,000 times the same character, in reasonable time. */
static void check_long_runs(const struct kvl_tokenizer *t)
{
    enum { N = 200000 };
    static const char CHARACTERS[] = "a0 \n=.";
    char *text = malloc(N);
    for (const char *c = CHARACTERS; *c; c++) {
        struct kvl_ids ids = {0};
        memset(text, *c, N);
        clock_t start = clock();
        assert_ok(kvl_tokenizer_encode(t, text, N, KVL_SPECIAL_PARSE, &ids));
        double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
        if (seconds >= 1.0)
            fail_msg("%d times 0x%02X took %.2f s", N, *c, seconds);
        assert_true(ids.n > 0);
        kvl_ids_free(&ids);
    }
    free(text);
}

static void test_smollm2(void **state)
{
    struct kvl_tokenizer *t = load_smollm2();
    (void)state;
    check_golden(t, "tokenizer_smollm2.json", false);
    check_long_runs(t);
    assert_int_equal(kvl_tokenizer_eos(t), 2);
    assert_false(kvl_tokenizer_add_bos(t));
    kvl_tokenizer_free(t);
}

static void test_llama3(void **state)
{
    struct kvl_tokenizer *t = load_folder("llama3");
    (void)state;
    check_golden(t, "tokenizer_llama3.json", true);
    check_long_runs(t);
    assert_int_equal(kvl_tokenizer_bos(t), 128000);
    assert_true(kvl_tokenizer_add_bos(t));
    kvl_tokenizer_free(t);
}

static void test_tekken(void **state)
{
    struct kvl_tokenizer *t = load_folder("tekken");
    (void)state;
    check_golden(t, "tokenizer_tekken.json", true);
    check_long_runs(t);
    assert_int_equal(kvl_tokenizer_bos(t), 1);
    assert_true(kvl_tokenizer_add_bos(t));
    kvl_tokenizer_free(t);
}

/* ab and abc are merges, (b, c) ranks last; "\u0120" is the space. Added: <s> special, <m> swallows space on both sides, <w> stands
 * as a word, e-acute is normalized. */
static const char TINY[] =
    "{\"version\":\"1.0\",\"added_tokens\":["
    "{\"id\":9,\"content\":\"<s>\",\"special\":true,\"normalized\":false},"
    "{\"id\":10,\"content\":\"<m>\",\"special\":false,\"lstrip\":true,\"rstrip\":true,\"normalized\":false},"
    "{\"id\":11,\"content\":\"<w>\",\"special\":false,\"single_word\":true,\"normalized\":false},"
    "{\"id\":12,\"content\":\"<s>>\",\"special\":true,\"normalized\":false},"
    "{\"id\":13,\"content\":\"e\xCC\x81\",\"special\":false,\"normalized\":true}],"
    "\"normalizer\":{\"type\":\"NFC\"},\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true},"
    "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"<s>\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}]},"
    "\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\",\"vocab\":"
    "{\"a\":0,\"b\":1,\"c\":2,\"ab\":3,\"abc\":4,\"bc\":5,\"\xC4\xA0\":6,\"\xC4\xA0" "a\":7,\"\xC3\x83\":8},"
    "\"merges\":[\"a b\",[\"ab\",\"c\"],\"\xC4\xA0 a\",\"b c\"]}}";

static struct kvl_tokenizer *tiny(void)
{
    struct kvl_tokenizer *t;
    assert_ok(kvl_tokenizer_parse_json(&t, TINY, strlen(TINY), "tiny", 14));
    return t;
}

/* Ids as "0 3 4". */
static void assert_ids(const struct kvl_tokenizer *t, const char *text, enum kvl_special special, const char *expected)
{
    struct kvl_ids ids = {0};
    char got[256] = "";
    assert_ok(kvl_tokenizer_encode(t, text, (int64_t)strlen(text), special, &ids));
    for (int64_t i = 0; i < ids.n; i++)
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%d", i ? " " : "", ids.data[i]);
    if (strcmp(got, expected) != 0)
        fail_msg("\"%s\" gives %s, not %s", text, got, expected);
    kvl_ids_free(&ids);
}

static void test_tiny(void **state)
{
    struct kvl_tokenizer *t = tiny();
    int64_t n;
    (void)state;
    assert_ids(t, "", KVL_SPECIAL_PARSE, "");
    assert_ids(t, "abc", KVL_SPECIAL_PARSE, "4");
    assert_ids(t, "bcab", KVL_SPECIAL_PARSE, "5 3");
    assert_ids(t, "bab c", KVL_SPECIAL_PARSE, "1 3 6 2");
    assert_ids(t, " abc", KVL_SPECIAL_PARSE, "6 4"); /* (a, b) goes before (space, a) */
    assert_ids(t, " a", KVL_SPECIAL_PARSE, "7");
    assert_ids(t, "axb", KVL_SPECIAL_PARSE,
               "3"); /* x has no token: it is dropped and its neighbours merge, as in Hugging Face */
    assert_ids(t, "<s>a<s>>b", KVL_SPECIAL_PARSE, "9 0 12 1");
    assert_ids(t, "<s>a<m>b", KVL_SPECIAL_TEXT, "0 10 1");
    assert_ids(t, "a \n <m>\t b", KVL_SPECIAL_PARSE, "0 10 1");
    assert_ids(t, "a<w>b", KVL_SPECIAL_PARSE, "0 1");
    assert_ids(t, "a <w> b", KVL_SPECIAL_PARSE, "0 6 11 6 1");
    assert_ids(t, "a\u00E9" "b" "e\u0301", KVL_SPECIAL_PARSE, "0 13 1 13");
    assert_int_equal(kvl_tokenizer_n_vocab(t), 14);
    assert_int_equal(kvl_tokenizer_bos(t), 9);
    assert_int_equal(kvl_tokenizer_eos(t), -1);
    assert_true(kvl_tokenizer_add_bos(t));
    assert_true(kvl_tokenizer_is_special(t, 9) && !kvl_tokenizer_is_special(t, 10) && !kvl_tokenizer_is_special(t, -1));
    assert_int_equal(kvl_tokenizer_find(t, "<m>"), 10);
    assert_int_equal(kvl_tokenizer_find(t, "abc"), 4);
    assert_int_equal(kvl_tokenizer_find(t, "abcd"), -1);
    assert_memory_equal(kvl_tokenizer_token(t, 7, &n), " a", 2);
    assert_int_equal(n, 2);
    assert_null(kvl_tokenizer_token(t, 14, &n));
    assert_null(kvl_tokenizer_token(t, -1, &n));
    kvl_tokenizer_free(t);
}

static void test_decode(void **state)
{
    static const int32_t IDS[] = {9, 7, 8, 8, 1, 12, 999, -5};
    struct kvl_tokenizer *t = tiny();
    char *text;
    int64_t n;
    (void)state;
    assert_ok(kvl_tokenizer_decode(t, IDS, 8, false, &text, &n));
    assert_string_equal(text, "<s> a\uFFFD\uFFFD" "b<s>>"); /* token 8 is the byte 0xC3, half a character */
    assert_int_equal(n, (int64_t)strlen(text));
    free(text);
    assert_ok(kvl_tokenizer_decode(t, IDS, 8, true, &text, &n));
    assert_string_equal(text, " a\uFFFD\uFFFD" "b");
    free(text);
    assert_ok(kvl_tokenizer_decode(t, NULL, 0, true, &text, &n));
    assert_string_equal(text, "");
    free(text);
    kvl_tokenizer_free(t);
}

/* A text that is not UTF-8 leaves the list as it was. */
static void test_bad_text(void **state)
{
    struct kvl_tokenizer *t = tiny();
    struct kvl_ids ids = {0};
    (void)state;
    assert_ok(kvl_tokenizer_encode(t, "ab", 2, KVL_SPECIAL_PARSE, &ids));
    assert_int_equal(kvl_tokenizer_encode(t, "abc\xFF", 4, KVL_SPECIAL_PARSE, &ids), KVL_E_ARG);
    assert_non_null(strstr(kvl_last_error(), "byte 3"));
    assert_int_equal(ids.n, 1);
    kvl_ids_free(&ids);
    kvl_tokenizer_free(t);
}

static void test_pretokenizers(void **state)
{
    static const struct {
        const char *name;
        int n_split;
        bool ignore_merges;
    } CASES[] = {{"smollm", 2, false}, {"gpt-2", 1, false}, {"default", 1, false}, {"llama-bpe", 1, true}, {"llama3", 1, true},
                 {"llama-v3", 1, true}, {"tekken", 1, true}};
    const char *const *split;
    int n;
    bool ignore;
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        assert_ok(kvl_pretokenizer_by_name(CASES[i].name, &split, &n, &ignore));
        assert_int_equal(n, CASES[i].n_split);
        assert_int_equal(ignore, CASES[i].ignore_merges);
    }
    assert_int_equal(kvl_pretokenizer_by_name("qwen2", &split, &n, &ignore), KVL_E_UNSUPPORTED);
    assert_non_null(strstr(kvl_last_error(), "\"qwen2\""));
    assert_non_null(strstr(kvl_last_error(), "tekken"));
}

/* A vocabulary of the 256 bytes and random merges of them, each of which makes a new token. */
enum { N_RANDOM_MERGES = 200, N_RANDOM = 256 + N_RANDOM_MERGES, MAX_TOKEN = 64 };
struct random_vocab {
    struct kvl_token_text texts[N_RANDOM], merges[N_RANDOM_MERGES][2];
    char room[N_RANDOM][MAX_TOKEN];
    int left[N_RANDOM_MERGES], right[N_RANDOM_MERGES];
};

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005U + 1442695040888963407U;
    return *seed >> 33;
}

static int pick(uint64_t *seed, int n)
{
    static const unsigned char COMMON[] = {'a', 'b', ' ', 0xC3, 0xA9, '1', 0xF0, 0x9F};
    return next_random(seed) % 3 && n > 256 ? 256 + (int)(next_random(seed) % (uint64_t)(n - 256))
                                            : COMMON[next_random(seed) % sizeof COMMON];
}

static bool is_new(const struct random_vocab *v, int n)
{
    for (int i = 0; i < n; i++)
        if (v->texts[i].n == v->texts[n].n && memcmp(v->texts[i].data, v->texts[n].data, (size_t)v->texts[n].n) == 0)
            return false;
    return true;
}

static void make_random(struct random_vocab *v, uint64_t *seed)
{
    struct kvl_byte_alphabet alphabet;
    kvl_byte_alphabet_init(&alphabet);
    for (int b = 0; b < 256; b++)
        v->texts[b] = (struct kvl_token_text){v->room[b], kvl_utf8_put(alphabet.symbol[b], v->room[b])};
    for (int m = 0; m < N_RANDOM_MERGES;) {
        int left = pick(seed, 256 + m), right = pick(seed, 256 + m), i = 256 + m;
        if (v->texts[left].n + v->texts[right].n > MAX_TOKEN)
            continue;
        memcpy(v->room[i], v->texts[left].data, (size_t)v->texts[left].n);
        memcpy(v->room[i] + v->texts[left].n, v->texts[right].data, (size_t)v->texts[right].n);
        v->texts[i] = (struct kvl_token_text){v->room[i], v->texts[left].n + v->texts[right].n};
        if (!is_new(v, i))
            continue;
        v->left[m] = left;
        v->right[m] = right;
        v->merges[m][0] = v->texts[left];
        v->merges[m][1] = v->texts[right];
        m++;
    }
}

/* The definition: as long as there is a pair with a merge, the leftmost of the lowest rank. */
static int naive_bpe(const struct random_vocab *v, const char *text, int n, int *ids)
{
    for (int i = 0; i < n; i++)
        ids[i] = (unsigned char)text[i];
    for (int m = 0; m < N_RANDOM_MERGES;) {
        int i = 0;
        while (i + 1 < n && (ids[i] != v->left[m] || ids[i + 1] != v->right[m]))
            i++;
        if (i + 1 >= n) {
            m++;
            continue;
        }
        ids[i] = 256 + m;
        memmove(ids + i + 1, ids + i + 2, (size_t)(n - i - 2) * sizeof *ids);
        n--;
        m = 0;
    }
    return n;
}

static int random_text(uint64_t *seed, char *text, int n_max)
{
    static const char *const PARTS[] = {"a", "b", " ", "\u00E9", "1", "\U0001F600", "ab", "\u4EBA", "\n", "\u0301"};
    int n = 0;
    for (int k = (int)(next_random(seed) % 24); k > 0 && n + 4 < n_max; k--) {
        if (next_random(seed) % 8 == 0) {
            uint32_t code = (uint32_t)(next_random(seed) % 0x110000);
            n += kvl_utf8_put(code >= 0xD800 && code <= 0xDFFF ? 'x' : code, text + n);
        } else {
            const char *part = PARTS[next_random(seed) % (sizeof PARTS / sizeof PARTS[0])];
            n = (int)(stpcpy(text + n, part) - text);
        }
    }
    return n;
}

static void test_random_vocabularies(void **state)
{
    enum { N_VOCABS = 20, N_TEXTS = 500, MAX_TEXT = 128 };
    struct random_vocab *v = malloc(sizeof *v);
    uint64_t seed = 20250207;
    long n_merged = 0;
    (void)state;
    printf("seed %llu\n", (unsigned long long)seed);
    for (int k = 0; k < N_VOCABS; k++) {
        struct kvl_tokenizer *t;
        make_random(v, &seed);
        struct kvl_tokenizer_spec spec = {.n_vocab = N_RANDOM,
                                          .vocab = v->texts,
                                          .n_merges = N_RANDOM_MERGES,
                                          .bos = -1,
                                          .eos = -1,
                                          .merges = (const struct kvl_token_text(*)[2])v->merges,
                                          .source = "random"};
        assert_ok(kvl_tokenizer_init(&t, &spec));
        for (int j = 0; j < N_TEXTS; j++) {
            char text[MAX_TEXT + 4], *decoded;
            int expected[MAX_TEXT + 4], n = random_text(&seed, text, MAX_TEXT), n_expected = naive_bpe(v, text, n, expected);
            struct kvl_ids ids = {0};
            int64_t n_decoded;
            assert_ok(kvl_tokenizer_encode(t, text, n, KVL_SPECIAL_PARSE, &ids));
            assert_int_equal(ids.n, n_expected);
            for (int i = 0; i < n_expected; i++)
                assert_int_equal(ids.data[i], expected[i]);
            assert_ok(kvl_tokenizer_decode(t, ids.data, ids.n, false, &decoded, &n_decoded));
            assert_int_equal(n_decoded, n);
            assert_memory_equal(decoded, text, (size_t)n);
            n_merged += n - n_expected;
            free(decoded);
            kvl_ids_free(&ids);
        }
        kvl_tokenizer_free(t);
    }
    assert_true(n_merged > N_VOCABS * N_TEXTS); /* the texts do exercise the merges */
    free(v);
}

/* 2^18 a's, with the merges of all powers of two up to 64: one piece, linear but for the heap. */
static void test_long_run(void **state)
{
    enum { N = 1 << 18, N_LEVELS = 7 };
    char run[64], *text = malloc(N);
    struct kvl_token_text texts[N_LEVELS], merges[N_LEVELS - 1][2];
    struct kvl_tokenizer *t;
    struct kvl_ids ids = {0};
    (void)state;
    memset(run, 'a', sizeof run);
    memset(text, 'a', N);
    for (int i = 0; i < N_LEVELS; i++)
        texts[i] = (struct kvl_token_text){run, 1 << i};
    for (int i = 0; i + 1 < N_LEVELS; i++)
        merges[i][0] = merges[i][1] = texts[i];
    struct kvl_tokenizer_spec spec = {.n_vocab = N_LEVELS, .vocab = texts, .n_merges = N_LEVELS - 1, .bos = -1, .eos = -1,
                                      .merges = (const struct kvl_token_text(*)[2])merges, .source = "run"};
    assert_ok(kvl_tokenizer_init(&t, &spec));
    clock_t start = clock();
    assert_ok(kvl_tokenizer_encode(t, text, N, KVL_SPECIAL_PARSE, &ids));
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    printf("%d characters in %.3f s\n", N, seconds);
    assert_true(seconds < 1.0);
    assert_int_equal(ids.n, N / 64);
    for (int64_t i = 0; i < ids.n; i++)
        assert_int_equal(ids.data[i], N_LEVELS - 1);
    kvl_ids_free(&ids);
    kvl_tokenizer_free(t);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiny),          cmocka_unit_test(test_decode),
        cmocka_unit_test(test_bad_text),      cmocka_unit_test(test_pretokenizers),
        cmocka_unit_test(test_random_vocabularies), cmocka_unit_test(test_long_run),
        cmocka_unit_test(test_smollm2),       cmocka_unit_test(test_llama3),
        cmocka_unit_test(test_tekken),
    };
    return test_result(cmocka_run_group_tests(tests, NULL, NULL));
}
