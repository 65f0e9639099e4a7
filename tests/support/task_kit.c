#include "tests/support/task_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/model.h"
#include "core/pretokenizer.h"
#include "datasets/prompt.h"

struct kvl_tokenizer *kit_byte_tokenizer(bool add_bos)
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

const struct kvl_task *kit_task(const char *name)
{
    const struct kvl_task *task;
    assert_ok(kvl_task_find(name, &task));
    return task;
}

const struct kvl_chat_template *kit_chat(const char *name)
{
    const struct kvl_chat_template *chat;
    assert_ok(kvl_chat_template_find(name, &chat));
    return chat;
}

char *kit_prompt_of(const struct kvl_task_request *request, const struct kvl_sample *sample)
{
    char *prompt;
    assert_ok(kvl_chat_template_render(request->chat, NULL, sample->user, sample->answer_prefix, &prompt));
    return prompt;
}

char *kit_make_prompt(const struct kvl_task *task, const struct kvl_task_request *request)
{
    struct kvl_sample sample;
    assert_ok(task->make(task, request, &sample));
    char *prompt = kit_prompt_of(request, &sample);
    kvl_sample_free(&sample);
    return prompt;
}

int kit_count_of(const char *text, const char *part)
{
    int n = 0;
    for (; (text = strstr(text, part)) != NULL; text += strlen(part))
        n++;
    return n;
}

uint64_t kit_hash(const char *text)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return h;
}

static int64_t count_tokens(const struct kvl_tokenizer *tokenizer, const char *text)
{
    struct kvl_ids ids = {0};
    assert_ok(kvl_tokenizer_encode(tokenizer, text, (int64_t)strlen(text), KVL_SPECIAL_PARSE, &ids));
    int64_t n = ids.n;
    kvl_ids_free(&ids);
    return n;
}

static void check_size(const struct kvl_task *task, const struct kvl_task_request *request, const char *prompt)
{
    bool bos = request->chat ? request->chat->wants_bos : kvl_tokenizer_add_bos(request->tokenizer);
    int64_t n = count_tokens(request->tokenizer, prompt) + bos;
    if (n > request->n_context || 100 * n < 98 * request->n_context)
        fail_msg("%s, context %lld, sample %lld: %lld tokens", task->name, (long long)request->n_context,
                 (long long)request->index, (long long)n);
}

/* All answers, one after the other, are worth 1 and no longer than an answer may be; nothing is worth 0. */
static void check_answers(const struct kvl_task *task, const struct kvl_task_request *request, const struct kvl_sample *sample)
{
    char text[1024] = "";
    double score;
    assert_true(sample->n_answers >= 1);
    for (int i = 0; i < sample->n_answers; i++) {
        assert_true(strlen(text) + strlen(sample->answers[i]) + 3 < sizeof text);
        strcat(strcat(text, i > 0 ? ", " : " "), sample->answers[i]);
    }
    struct kvl_scoring scoring = {.prediction = text, .answers = (const char *const *)sample->answers,
                                  .n_answers = sample->n_answers};
    assert_ok(task->score(&scoring, &score));
    assert_true(score == 1);
    scoring.prediction = "";
    assert_ok(task->score(&scoring, &score));
    assert_true(score == 0);
    if (kvl_tokenizer_n_vocab(request->tokenizer) > 10000 && count_tokens(request->tokenizer, text) > sample->max_new_tokens)
        fail_msg("%s: the answer '%s' has more than %lld tokens", task->name, text, (long long)sample->max_new_tokens);
}

static void check_made(const struct kvl_task *task, const struct kvl_task_request *request, const struct kvl_sample *sample,
                       kit_check check)
{
    char *prompt = kit_prompt_of(request, sample);
    check_size(task, request, prompt);
    check_answers(task, request, sample);
    assert_true(sample->n_before_question > 0 && sample->n_before_question < (int64_t)strlen(sample->user));
    assert_int_equal(sample->n_forced, 0);
    if (check != NULL)
        check(task, request, sample, prompt);
    free(prompt);
}

/* The prompt by both protocols, with and without the question known: it is as long as it may be, and parts at the question. A
 * question that is tokenized apart may take a token or two more. */
static void check_protocols(const struct kvl_task *task, const struct kvl_task_request *request)
{
    for (int p = 0; kvl_protocol_name(p) != NULL; p++)
        for (int aware = 0; aware < 2; aware++) {
            struct kvl_task_settings settings = request->settings != NULL ? *request->settings : (struct kvl_task_settings){0};
            struct kvl_task_request by_protocol = *request;
            struct kvl_prompt prompt;
            settings.protocol = (enum kvl_protocol)p;
            by_protocol.settings = &settings;
            assert_ok(kvl_prompt_make(&prompt, task, &by_protocol, aware != 0));
            assert_true(prompt.ids.n <= request->n_context + (aware ? 0 : 2) && 100 * prompt.ids.n >= 98 * request->n_context);
            assert_true(aware ? prompt.n_before_question == 0
                              : prompt.n_before_question > 0 && prompt.n_before_question < prompt.ids.n);
            kvl_prompt_free(&prompt);
        }
}

void kit_check_sample(const struct kvl_task *task, const struct kvl_task_request *request, kit_check check)
{
    struct kvl_sample sample;
    if (task->make(task, request, &sample) != KVL_OK)
        fail_msg("%s, context %lld, sample %lld, template %s: %s", task->name, (long long)request->n_context,
                 (long long)request->index, request->chat ? request->chat->name : "none", kvl_last_error());
    check_made(task, request, &sample, check);
    kvl_sample_free(&sample);
    assert_null(sample.user);
    if (request->index == 1)
        check_protocols(task, request);
}

static void sweep_small(const struct kvl_task *task, const struct kvl_tokenizer *tokenizer, int64_t n_always, kit_check check)
{
    static const int64_t contexts[] = {512, 1200, 1500, 2000, 4099, 8192, 32768};
    static const char *const chats[] = {"llama-3.1", "smollm2", "none"};
    for (size_t c = 0; c < sizeof contexts / sizeof *contexts; c++)
        for (size_t t = contexts[c] < 32768 ? 0 : 2; t < sizeof chats / sizeof *chats; t++)
            for (int index = 0; index < (contexts[c] < 4099 ? 4 : 1); index++) {
                struct kvl_task_request request = {tokenizer, kit_chat(chats[t]), contexts[c], 1, index, NULL};
                struct kvl_sample sample;
                if (contexts[c] < n_always && task->make(task, &request, &sample) != KVL_OK) {
                    assert_non_null(strstr(kvl_last_error(), "too short"));
                    continue;
                }
                if (contexts[c] < n_always)
                    kvl_sample_free(&sample);
                kit_check_sample(task, &request, check);
            }
}

void kit_sweep_small(const char *name, int64_t n_always, kit_check check)
{
    static const char *const models[] = {"models/llama-tiny", "models/mistral-tiny", "models/ministral-tiny"};
    for (int bos = 0; bos < 2; bos++) {
        struct kvl_tokenizer *tokenizer = kit_byte_tokenizer(bos);
        sweep_small(kit_task(name), tokenizer, n_always, check);
        kvl_tokenizer_free(tokenizer);
    }
    for (size_t m = 0; m < sizeof models / sizeof *models; m++) {
        struct kvl_tokenizer *tokenizer;
        assert_ok(kvl_tokenizer_load_json(&tokenizer, golden_path(models[m]), 0));
        sweep_small(kit_task(name), tokenizer, n_always, check);
        kvl_tokenizer_free(tokenizer);
    }
}

/* Of this process's time on the cores: the machine may be busy. */
static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return 1e3 * (double)now.tv_sec + 1e-6 * (double)now.tv_nsec;
}

static void print_time(const struct kvl_task *task, const struct kvl_task_request *request, const char *tokenizer)
{
    struct kvl_sample sample;
    double begin = now_ms();
    assert_ok(task->make(task, request, &sample));
    print_message("%s, %s, %lld tokens: %.1f ms\n", task->name, tokenizer, (long long)request->n_context, now_ms() - begin);
    kvl_sample_free(&sample);
}

static void sweep_real(const struct kvl_task *task, const struct kvl_tokenizer *tokenizer, const char *tokenizer_name,
                       const char *const *chats, bool large_too, kit_check check)
{
    const int64_t least = task->min_context;
    const int64_t contexts[] = {least, least + 1, 512, 777, 1024, 1500, 2048, 4095, 4096, 8192, 65536, 131072};
    for (size_t c = 0; c < sizeof contexts / sizeof *contexts; c++) {
        int n_samples = contexts[c] < 1500 ? 10 : contexts[c] < 5000 ? 3 : 1;
        for (int t = 0; chats[t] != NULL && contexts[c] >= task->min_context; t++) {
            if (contexts[c] > 10000 && (t > 0 || (contexts[c] == 65536) == large_too))
                continue;
            const struct kvl_chat_template *chat = kit_chat(chats[t]);
            for (int index = 0; index < n_samples; index++)
                kit_check_sample(task, &(struct kvl_task_request){tokenizer, chat, contexts[c], 1, index, NULL}, check);
            if (contexts[c] > 10000)
                print_time(task, &(struct kvl_task_request){tokenizer, chat, contexts[c], 1, 0, NULL}, tokenizer_name);
        }
    }
}

void kit_sweep_real(const char *name, kit_check check)
{
    static const struct {
        const char *name; /* folder of KVLAB_TOKENIZERS; NULL: KVLAB_SMALL_MODEL */
        const char *chats[5];
    } models[] = {
        {NULL, {"smollm2", "chatml", "none"}},
        {"llama3", {"llama-3.1", "llama-3", "none"}},
        {"tekken", {"mistral-tekken", "none"}},
    };
    const char *small = getenv("KVLAB_SMALL_MODEL"), *folder = getenv("KVLAB_TOKENIZERS");
    if (small == NULL || access(small, R_OK) != 0)
        skip_because("KVLAB_SMALL_MODEL names no readable file");
    if (folder == NULL || access(folder, R_OK) != 0)
        skip_because("KVLAB_TOKENIZERS names no readable folder");
    struct kvl_model *model;
    assert_ok(kvl_model_load_tokenizer(small, &model));
    sweep_real(kit_task(name), model->tokenizer, "smollm2", models[0].chats, true, check);
    kvl_model_free(model);
    for (size_t m = 1; m < sizeof models / sizeof *models; m++) {
        struct kvl_tokenizer *tokenizer;
        char dir[1024];
        snprintf(dir, sizeof dir, "%s/%s", folder, models[m].name);
        assert_ok(kvl_tokenizer_load_json(&tokenizer, dir, 0));
        sweep_real(kit_task(name), tokenizer, models[m].name, models[m].chats, false, check);
        kvl_tokenizer_free(tokenizer);
    }
}

void kit_check_determinism(const char *name, int64_t n_context, int64_t n_context_too)
{
    enum { N = 20 };
    const struct kvl_task *task = kit_task(name);
    struct kvl_tokenizer *tokenizer = kit_byte_tokenizer(true);
    struct kvl_task_request request = {tokenizer, NULL, n_context, 5, 0, NULL};
    uint64_t hashes[N + 1];
    for (int index = 0; index < N; index++) {
        request.index = index;
        char *prompt = kit_make_prompt(task, &request), *again = kit_make_prompt(task, &request);
        assert_string_equal(prompt, again);
        hashes[index] = kit_hash(prompt);
        free(prompt);
        free(again);
    }
    request.seed = 6;
    request.index = 0;
    char *prompt = kit_make_prompt(task, &request);
    hashes[N] = kit_hash(prompt);
    free(prompt);
    for (int a = 0; a <= N; a++)
        for (int b = 0; b < a; b++)
            assert_true(hashes[a] != hashes[b]);
    struct kvl_sample here, there;
    assert_ok(task->make(task, &request, &here));
    request.n_context = n_context_too;
    assert_ok(task->make(task, &request, &there));
    assert_string_equal(here.answer_prefix, there.answer_prefix);
    assert_string_equal(here.user + here.n_before_question, there.user + there.n_before_question);
    assert_int_equal(here.n_answers, there.n_answers);
    for (int i = 0; i < here.n_answers; i++)
        assert_string_equal(here.answers[i], there.answers[i]);
    kvl_sample_free(&here);
    kvl_sample_free(&there);
    kvl_tokenizer_free(tokenizer);
}

bool kit_is_golden(const char *name, int version, int64_t n_context, uint64_t hash)
{
    const struct kvl_task *task = kit_task(name);
    struct kvl_tokenizer *tokenizer = kit_byte_tokenizer(true);
    char *prompt = kit_make_prompt(task, &(struct kvl_task_request){tokenizer, NULL, n_context, 1, 3, NULL});
    bool same = kit_hash(prompt) == hash && task->version == version;
    if (!same)
        print_error("%s: version %d, hash 0x%016llx\n", task->name, task->version, (unsigned long long)kit_hash(prompt));
    free(prompt);
    kvl_tokenizer_free(tokenizer);
    return same;
}

void kit_check_refusals(const char *name)
{
    static const int64_t contexts[] = {INT64_MIN, -1, 0, 1, 15, INT64_MAX};
    const struct kvl_task *task = kit_task(name);
    struct kvl_tokenizer *tokenizer = kit_byte_tokenizer(true);
    struct kvl_sample sample;
    for (size_t c = 0; c < sizeof contexts / sizeof *contexts; c++) {
        struct kvl_task_request request = {tokenizer, kit_chat("smollm2"), contexts[c], 1, 0, NULL};
        assert_int_equal(task->make(task, &request, &sample), KVL_E_ARG);
        assert_non_null(strstr(kvl_last_error(), task->name));
        assert_true(sample.user == NULL && sample.answers == NULL && sample.answer_prefix == NULL);
    }
    assert_int_equal(task->make(task, &(struct kvl_task_request){tokenizer, NULL, 4000, 1, -1, NULL}, &sample), KVL_E_ARG);
    assert_int_equal(task->make(task, &(struct kvl_task_request){NULL, NULL, 4000, 1, 0, NULL}, &sample), KVL_E_ARG);
    int n_filled = 0;
    for (int64_t n = 300; n < 4000; n += 61) {
        struct kvl_task_request request = {tokenizer, NULL, n, 1, n, NULL};
        if (task->make(task, &request, &sample) != KVL_OK) {
            assert_non_null(strstr(kvl_last_error(), "too short"));
            continue;
        }
        check_made(task, &request, &sample, NULL);
        kvl_sample_free(&sample);
        n_filled++;
    }
    assert_true(n_filled > 0);
    kvl_tokenizer_free(tokenizer);
}
