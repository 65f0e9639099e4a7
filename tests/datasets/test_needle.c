/* The needle tasks: size, what stands where, determinism. A byte-level tokenizer made here stands in for a model's; with
 * KVLAB_SMALL_MODEL set, the same with that one. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/model.h"
#include "core/pretokenizer.h"
#include "datasets/needle/essay_grammar.h"
#include "datasets/needle/haystack.h"
#include "datasets/task.h"
#include "tests/support/skipping.h"

enum { N_TASKS = 3, MAX_NEEDLES = 8 };
static const struct {
    const char *name;
    int n_needles;
} expected_tasks[N_TASKS] = {{"needle/single_noise", 1}, {"needle/single_essay", 1}, {"needle/multi_key", 4}};

#define assert_ok(call)                                        \
    do {                                                       \
        if ((call) != KVL_OK)                                  \
            fail_msg("%s: %s", #call, kvl_last_error());       \
    } while (0)

/* One token per byte, five merges and a BOS: a token is little more than a character. */
static struct kvl_tokenizer *byte_tokenizer(bool add_bos)
{
    enum { N_MERGES = 5, N_VOCAB = 256 + N_MERGES + 1 };
    static const char *const merges[N_MERGES][2] = {{"h", "e"}, {"t", "he"}, {"\xc4\xa0", "the"}, {"i", "n"}, {"e", "r"}};
    char bytes[256][4], merged[N_MERGES][16];
    struct kvl_token_text vocab[N_VOCAB] = {{0}}, pairs[N_MERGES][2];
    int n_moved = 0;
    for (int i = 0; i < 256; i++) {
        bool visible = (i >= 33 && i <= 126) || (i >= 161 && i <= 172) || i >= 174;
        int code = visible ? i : 256 + n_moved++; /* GPT-2's alphabet of bytes */
        if (code < 128)
            vocab[i].n = snprintf(bytes[i], sizeof *bytes, "%c", code);
        else
            vocab[i].n = snprintf(bytes[i], sizeof *bytes, "%c%c", 0xc0 | (code >> 6), 0x80 | (code & 63));
        vocab[i].data = bytes[i];
    }
    for (int i = 0; i < N_MERGES; i++) {
        vocab[256 + i].n = snprintf(merged[i], sizeof *merged, "%s%s", merges[i][0], merges[i][1]);
        vocab[256 + i].data = merged[i];
        for (int side = 0; side < 2; side++)
            pairs[i][side] = (struct kvl_token_text){merges[i][side], (int64_t)strlen(merges[i][side])};
    }
    const struct kvl_added_token bos = {.text = {"<s>", 3}, .id = N_VOCAB - 1, .special = true};
    const char *const split[] = {KVL_SPLIT_DIGIT, KVL_SPLIT_GPT2};
    struct kvl_tokenizer *tokenizer;
    assert_ok(kvl_tokenizer_init(&tokenizer, &(struct kvl_tokenizer_spec){
        .n_vocab = N_VOCAB, .vocab = vocab, .n_merges = N_MERGES, .merges = (const struct kvl_token_text(*)[2])pairs,
        .n_added = 1, .added = &bos, .normalizer = "none", .n_split = 2, .split = split,
        .bos = N_VOCAB - 1, .eos = -1, .add_bos = add_bos, .source = "test"}));
    return tokenizer;
}

/* With KVLAB_SMALL_MODEL its tokenizer, else skips. */
static struct kvl_model *small_model(void)
{
    const char *path = getenv("KVLAB_SMALL_MODEL");
    if (path == NULL || path[0] == '\0' || access(path, R_OK) != 0) {
        skip_because("KVLAB_SMALL_MODEL names no readable file");
    }
    struct kvl_model *model;
    assert_ok(kvl_model_load_tokenizer(path, &model));
    assert_non_null(model->tokenizer);
    return model;
}

static const struct kvl_task *find(const char *name)
{
    const struct kvl_task *task;
    assert_ok(kvl_task_find(name, &task));
    return task;
}

static const struct kvl_chat_template *find_chat(const char *name)
{
    const struct kvl_chat_template *chat;
    assert_ok(kvl_chat_template_find(name, &chat));
    return chat;
}

static char *prompt_of(const struct kvl_task_request *request, const struct kvl_sample *sample)
{
    char *prompt;
    assert_ok(kvl_chat_template_render(request->chat, NULL, sample->user, sample->answer_prefix, &prompt));
    return prompt;
}

static char *make_prompt(const struct kvl_task *task, const struct kvl_task_request *request)
{
    struct kvl_sample sample;
    assert_ok(task->make(task, request, &sample));
    char *prompt = prompt_of(request, &sample);
    kvl_sample_free(&sample);
    return prompt;
}

static int count_of(const char *text, const char *part)
{
    int n = 0;
    for (; (text = strstr(text, part)) != NULL; text += strlen(part))
        n++;
    return n;
}

/* FNV-1a. */
static uint64_t hash(const char *text)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return h;
}

static void check_size(const struct kvl_task_request *request, const char *name, const char *prompt)
{
    struct kvl_ids ids = {0};
    assert_ok(kvl_tokenizer_encode(request->tokenizer, prompt, (int64_t)strlen(prompt), KVL_SPECIAL_PARSE, &ids));
    bool bos = request->chat ? request->chat->wants_bos : kvl_tokenizer_add_bos(request->tokenizer);
    int64_t n = ids.n + bos;
    kvl_ids_free(&ids);
    if (n > request->n_context || 100 * n < 98 * request->n_context)
        fail_msg("%s, context %lld, sample %lld: %lld tokens", name, (long long)request->n_context, (long long)request->index,
                 (long long)n);
}

/* Each needle once, keys and values all different, the question's key and the answer in one needle, no other number. */
static void check_content(const struct kvl_sample *sample, int n_needles, const char *prompt)
{
    static const char stem[] = "One of the special magic numbers for ";
    char keys[MAX_NEEDLES][64], values[MAX_NEEDLES][64], text[1024];
    int n = 0, asked = -1;
    assert_int_equal(sample->n_answers, 1);
    for (const char *at = sample->user; (at = strstr(at, stem)) != NULL; at += sizeof stem - 1, n++) {
        assert_true(n < n_needles);
        assert_int_equal(sscanf(at + sizeof stem - 1, "%63[a-z-] is: %63[0-9].", keys[n], values[n]), 2);
        assert_int_equal(strlen(values[n]), 7);
        assert_int_equal(count_of(prompt, values[n]), 1);
        snprintf(text, sizeof text, "%s%s is: %s.", stem, keys[n], values[n]);
        assert_int_equal(count_of(prompt, text), 1);
        for (int i = 0; i < n; i++)
            assert_true(strcmp(keys[i], keys[n]) != 0 && strcmp(values[i], values[n]) != 0);
        if (strcmp(values[n], sample->answers[0]) == 0)
            asked = n;
    }
    assert_int_equal(n, n_needles);
    assert_true(asked >= 0);
    snprintf(text, sizeof text, "\nWhat is the special magic number for %s mentioned in the provided text?", keys[asked]);
    size_t n_user = strlen(sample->user), n_question = strlen(text);
    assert_true(n_user > n_question);
    assert_string_equal(sample->user + n_user - n_question, text);
    snprintf(text, sizeof text, " The special magic number for %s mentioned in the provided text is", keys[asked]);
    assert_string_equal(sample->answer_prefix, text);
    size_t n_prompt = strlen(prompt);
    assert_string_equal(prompt + n_prompt - strlen(text), text);
    for (int i = 0; i < n; i++)
        assert_int_equal(count_of(prompt, keys[i]), i == asked ? 3 : 1);
    size_t n_digits = 0;
    for (const char *c = sample->user; *c; c++)
        n_digits += *c >= '0' && *c <= '9';
    assert_int_equal(n_digits, 7 * n_needles);
}

static void check_task(const struct kvl_task *task, int n_needles, const struct kvl_task_request *request)
{
    struct kvl_sample sample;
    assert_ok(task->make(task, request, &sample));
    char *prompt = prompt_of(request, &sample);
    check_size(request, task->name, prompt);
    check_content(&sample, n_needles, prompt);
    assert_int_equal(sample.max_new_tokens, 16);
    assert_string_equal(sample.stop, "\n");
    double score;
    struct kvl_scoring right = {.prediction = sample.answers[0], .answers = (const char *const *)sample.answers, .n_answers = 1};
    assert_ok(task->score(&right, &score));
    assert_true(score == 1);
    assert_true(sample.depth >= 0 && sample.depth <= 1);
    const char *question = sample.user + sample.n_before_question;
    assert_ptr_equal(strstr(question, "\nWhat is the special magic number for"), question);
    free(prompt);
    kvl_sample_free(&sample);
    assert_null(sample.user);
}

static void test_table(void **state)
{
    (void)state;
    for (int i = 0; i < N_TASKS; i++) {
        const struct kvl_task *task = kvl_task_at(i);
        assert_non_null(task);
        assert_string_equal(task->name, expected_tasks[i].name);
        assert_true(task->version >= 1 && task->title && task->source && task->metric && task->min_context > 0);
        assert_ptr_equal(find(task->name), task);
    }
    assert_null(kvl_task_at(-1));
    assert_null(kvl_task_at(1000));
    const struct kvl_task *task;
    assert_int_equal(kvl_task_find("needle/single_nose", &task), KVL_E_ARG);
    assert_null(task);
    assert_non_null(strstr(kvl_last_error(), "'needle/single_nose'; did you mean 'needle/single_noise'?"));
    assert_int_equal(kvl_task_find("qqq", &task), KVL_E_ARG);
    assert_non_null(strstr(kvl_last_error(), "list tasks"));
}

/* A slot that no table has would only show when its pattern is dealt. */
static void test_grammar(void **state)
{
    (void)state;
    int n_patterns = 0;
    for (int class = 0; class < KVL_ESSAY_N_CLASSES; class++) {
        const struct kvl_essay_patterns *patterns = &kvl_essay_patterns[class];
        assert_true(patterns->n >= 1 && patterns->n <= KVL_ESSAY_MAX_PATTERNS);
        n_patterns += patterns->n;
        for (int i = 0; i < patterns->n; i++) {
            const char *pattern = patterns->patterns[i];
            assert_null(strpbrk(pattern, "0123456789:-\n"));
            assert_int_equal(pattern[strlen(pattern) - 1], '.');
            for (const char *open = pattern; (open = strchr(open, '{')) != NULL; open++) {
                char name[32];
                bool known = false;
                const char *slot = open + (strncmp(open, "{a ", 3) == 0 ? 3 : 1);
                assert_int_equal(sscanf(slot, "%31[a-z]", name), 1);
                assert_int_equal(slot[strlen(name)], '}');
                for (int s = 0; s < kvl_essay_n_slots; s++)
                    for (int c = 0; c < kvl_essay_slots[s].n_columns; c++)
                        known = known || strcmp(kvl_essay_slots[s].columns[c], name) == 0;
                if (!known)
                    fail_msg("no slot {%s}: %s", name, pattern);
            }
        }
    }
    assert_true(n_patterns >= 60);
    for (int s = 0; s < kvl_essay_n_slots; s++)
        for (int i = 0; i < kvl_essay_slots[s].n_rows * kvl_essay_slots[s].n_columns; i++)
            assert_null(strpbrk(kvl_essay_slots[s].cells[i], "0123456789:-{}\n"));
}

/* Essays are varied: of their first 1,000 sentences few come twice, and no article is wrong. */
static void test_essay(void **state)
{
    (void)state;
    enum { N = 1000 };
    void *essay = calloc(1, kvl_haystack_essay.state_size);
    struct kvl_random random;
    struct kvl_text text = {0};
    static uint64_t seen[N];
    int n_twice = 0, n_paragraphs = 0;
    kvl_random_init(&random, 3, "essay", 0);
    kvl_haystack_essay.begin(essay, random);
    for (int i = 0; i < N; i++) {
        bool opens;
        text.n = 0;
        assert_ok(kvl_haystack_essay.next(essay, &text, &opens));
        assert_true(i > 0 || opens);
        n_paragraphs += opens;
        assert_true(text.n > 20 && text.n < 250);
        assert_true(text.data[0] >= 'A' && text.data[0] <= 'Z');
        assert_null(strpbrk(text.data, "{}0123456789:\n"));
        assert_true(!strstr(text.data, " a a") && !strstr(text.data, " a e") && !strstr(text.data, " a o") && !strstr(text.data, "  "));
        seen[i] = hash(text.data);
        for (int j = 0; j < i; j++)
            if (seen[j] == seen[i]) {
                n_twice++;
                break;
            }
    }
    print_message("%d of %d sentences came before, %d paragraphs\n", n_twice, N, n_paragraphs);
    assert_true(n_twice < N / 20);
    assert_true(n_paragraphs > N / 9 && n_paragraphs < N / 4);
    kvl_text_free(&text);
    free(essay);
}

static void test_size_and_content(void **state)
{
    (void)state;
    static const int64_t contexts[] = {1200, 1500, 2000, 4099, 16384};
    static const char *const chats[] = {"none", "smollm2", "llama-3.1"};
    for (int bos = 0; bos < 2; bos++) {
        struct kvl_tokenizer *tokenizer = byte_tokenizer(bos);
        for (int i = 0; i < N_TASKS; i++)
            for (size_t c = 0; c < sizeof contexts / sizeof *contexts; c++)
                for (size_t t = 0; t < sizeof chats / sizeof *chats; t++)
                    for (int index = 0; index < 6; index++)
                        check_task(find(expected_tasks[i].name), expected_tasks[i].n_needles,
                                   &(struct kvl_task_request){tokenizer, find_chat(chats[t]), contexts[c], 1, index, NULL});
        kvl_tokenizer_free(tokenizer);
    }
}

static void test_small_model_size_and_content(void **state)
{
    (void)state;
    struct kvl_model *model = small_model();
    const struct kvl_chat_template *chat;
    assert_ok(kvl_chat_template_recognize(model->chat_jinja, &chat));
    static const int64_t contexts[] = {256, 300, 512, 777, 1024, 2048, 4096, 8192, 131072};
    for (int i = 0; i < N_TASKS; i++) {
        const struct kvl_task *task = find(expected_tasks[i].name);
        for (size_t c = 0; c < sizeof contexts / sizeof *contexts; c++) {
            int n_samples = contexts[c] < 2048 ? 40 : contexts[c] < 10000 ? 10 : 1;
            if (contexts[c] < task->min_context)
                continue;
            struct timespec begin, end;
            clock_gettime(CLOCK_MONOTONIC, &begin);
            for (int index = 0; index < n_samples; index++)
                check_task(task, expected_tasks[i].n_needles,
                           &(struct kvl_task_request){model->tokenizer, chat, contexts[c], 1, index, NULL});
            clock_gettime(CLOCK_MONOTONIC, &end);
            double ms = 1e3 * (double)(end.tv_sec - begin.tv_sec) + 1e-6 * (double)(end.tv_nsec - begin.tv_nsec);
            print_message("%s, %lld tokens: %.1f ms a sample, checks included\n", task->name, (long long)contexts[c], ms / n_samples);
        }
    }
    kvl_model_free(model);
}

/* Same request, same prompt; another index, seed or task, another prompt; another context, the same needle. */
static void test_determinism(void **state)
{
    (void)state;
    struct kvl_tokenizer *tokenizer = byte_tokenizer(true);
    enum { N = 20 };
    for (int i = 0; i < N_TASKS; i++) {
        const struct kvl_task *task = find(expected_tasks[i].name);
        uint64_t hashes[N + 1];
        struct kvl_task_request request = {tokenizer, NULL, 2000, 5, 0, NULL};
        for (int index = 0; index < N; index++) {
            request.index = index;
            char *prompt = make_prompt(task, &request), *again = make_prompt(task, &request);
            assert_string_equal(prompt, again);
            hashes[index] = hash(prompt);
            free(prompt);
            free(again);
        }
        request.seed = 6;
        request.index = 0;
        char *prompt = make_prompt(task, &request);
        hashes[N] = hash(prompt);
        free(prompt);
        for (int a = 0; a <= N; a++)
            for (int b = 0; b < a; b++)
                assert_true(hashes[a] != hashes[b]);
        struct kvl_sample here, there;
        assert_ok(task->make(task, &request, &here));
        request.n_context = 5000;
        assert_ok(task->make(task, &request, &there));
        assert_string_equal(here.answers[0], there.answers[0]);
        assert_string_equal(here.answer_prefix, there.answer_prefix);
        kvl_sample_free(&here);
        kvl_sample_free(&there);
    }
    kvl_tokenizer_free(tokenizer);
}

/* A prompt that changes needs a new version of its task, and then a new hash here. */
static void test_prompts_stay_as_they_are(void **state)
{
    (void)state;
    static const struct {
        int version;
        uint64_t hash;
    } expected[N_TASKS] = {{1, UINT64_C(0x05b907b2cfe4adb0)}, {1, UINT64_C(0x6baeddea19735433)}, {1, UINT64_C(0xfbda95f1a1809782)}};
    int n_changed = 0;
    struct kvl_tokenizer *tokenizer = byte_tokenizer(true);
    for (int i = 0; i < N_TASKS; i++) {
        const struct kvl_task *task = find(expected_tasks[i].name);
        char *prompt = make_prompt(task, &(struct kvl_task_request){tokenizer, NULL, 3000, 1, 3, NULL});
        if (hash(prompt) != expected[i].hash || task->version != expected[i].version) {
            print_error("%s: version %d, hash 0x%016llx\n", task->name, task->version, (unsigned long long)hash(prompt));
            n_changed++;
        }
        free(prompt);
    }
    assert_int_equal(n_changed, 0);
    kvl_tokenizer_free(tokenizer);
}

/* Where the asked needle stands in the text, by quarters. */
static void test_depth(void **state)
{
    (void)state;
    struct kvl_tokenizer *tokenizer = byte_tokenizer(true);
    enum { N = 40 };
    for (int i = 0; i < N_TASKS; i++)
        for (uint64_t seed = 0; seed < 3; seed++) {
            const struct kvl_task *task = find(expected_tasks[i].name);
            int quarters[4] = {0};
            double least = 1, most = 0;
            for (int index = 0; index < N; index++) {
                struct kvl_sample sample;
                assert_ok(task->make(task, &(struct kvl_task_request){tokenizer, NULL, 16384, seed, index, NULL}, &sample));
                const char *begin = strchr(sample.user, '\n') + 1, *end = strrchr(sample.user, '\n');
                const char *at = strstr(sample.user, sample.answers[0]);
                assert_true(at > begin && at < end);
                double depth = (double)(at - begin) / (double)(end - begin);
                quarters[(int)(4 * depth)]++;
                least = depth < least ? depth : least;
                most = depth > most ? depth : most;
                kvl_sample_free(&sample);
            }
            for (int q = 0; q < 4; q++)
                assert_in_range(quarters[q], N / 4 - 3, N / 4 + 3);
            assert_true(least < 0.06 && most > 0.94);
        }
    kvl_tokenizer_free(tokenizer);
}

static void test_bad_requests(void **state)
{
    (void)state;
    struct kvl_tokenizer *tokenizer = byte_tokenizer(true);
    for (int i = 0; i < N_TASKS; i++) {
        const struct kvl_task *task = find(expected_tasks[i].name);
        static const int64_t contexts[] = {INT64_MIN, -1, 0, 1, 100, 255, 400, INT64_MAX}; /* the question takes more bytes than 400 */
        for (size_t c = 0; c < sizeof contexts / sizeof *contexts; c++) {
            struct kvl_sample sample;
            assert_int_equal(task->make(task, &(struct kvl_task_request){tokenizer, find_chat("smollm2"), contexts[c], 1, 0, NULL}, &sample),
                             KVL_E_ARG);
            assert_non_null(strstr(kvl_last_error(), task->name));
            assert_true(sample.user == NULL && sample.answers == NULL && sample.answer_prefix == NULL);
        }
        struct kvl_sample sample;
        assert_int_equal(task->make(task, &(struct kvl_task_request){tokenizer, NULL, 2000, 1, -1, NULL}, &sample), KVL_E_ARG);
        assert_int_equal(task->make(task, &(struct kvl_task_request){NULL, NULL, 2000, 1, 0, NULL}, &sample), KVL_E_ARG);
        /* Every length is either refused or filled. */
        for (int64_t n = 300; n < 1200; n += 13) {
            struct kvl_task_request request = {tokenizer, NULL, n, 1, n, NULL};
            if (task->make(task, &request, &sample) != KVL_OK)
                continue;
            char *prompt = prompt_of(&request, &sample);
            check_size(&request, task->name, prompt);
            free(prompt);
            kvl_sample_free(&sample);
        }
    }
    kvl_tokenizer_free(tokenizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_grammar),
        cmocka_unit_test(test_essay),
        cmocka_unit_test(test_size_and_content),
        cmocka_unit_test(test_small_model_size_and_content),
        cmocka_unit_test(test_determinism),
        cmocka_unit_test(test_prompts_stay_as_they_are),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_bad_requests),
    };
    return test_result(cmocka_run_group_tests(tests, NULL, NULL));
}
