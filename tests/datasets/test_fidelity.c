/* The fidelity tasks and the folders of texts that they and the needle tasks read. */
#include "tests/support/task_kit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "datasets/needle/haystack.h"
#include "datasets/prompt.h"
#include "datasets/text_folder.h"

/* A folder in the system's temporary one. */
struct folder {
    char path[256];
};

static void folder_open(struct folder *folder)
{
    const char *base = getenv("TMPDIR");
    snprintf(folder->path, sizeof folder->path, "%s/kvlab-texts-XXXXXX", base != NULL ? base : "/tmp");
    assert_non_null(mkdtemp(folder->path));
}

static void folder_write(const struct folder *folder, const char *name, const char *data, size_t n)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder->path, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static void folder_remove(const struct folder *folder, const char *const *names)
{
    char path[512];
    for (int i = 0; names[i] != NULL; i++) {
        snprintf(path, sizeof path, "%s/%s", folder->path, names[i]);
        assert_int_equal(remove(path), 0);
    }
    assert_int_equal(rmdir(folder->path), 0);
}

/* n sentences, each with a number of its own, five to a paragraph. */
static void write_sentences(const struct folder *folder, const char *name, int first, int n)
{
    struct kvl_text text = {0};
    for (int i = 0; i < n; i++)
        assert_ok(kvl_text_format(&text, "Sentence %d of the book was read aloud by nobody at all.%s", first + i,
                                  i % 5 == 4 ? "\n\n" : "\n"));
    folder_write(folder, name, text.data, (size_t)text.n);
    kvl_text_free(&text);
}

static void assert_text(const struct folder *folder, const char *expected)
{
    struct kvl_text text = {0};
    assert_ok(kvl_text_folder_read(folder->path, &text));
    assert_string_equal(text.data, expected);
    kvl_text_free(&text);
}

/* By name, paragraphs kept, other white space one blank, byte order mark gone; nothing but *.txt. */
static void test_folder_text(void **state)
{
    (void)state;
    struct folder folder;
    char path[512];
    folder_open(&folder);
    folder_write(&folder, "b.txt", "\xef\xbb\xbfSecond  file.\r\n\r\nIts end.", 28);
    folder_write(&folder, "a.txt", "\n\n First\tline\nand more.  \n \t \n\n\nA paragraph. \n", 46);
    folder_write(&folder, "c.txt", "", 0);
    folder_write(&folder, "d.txt", " \n\n ", 4);
    folder_write(&folder, "e.md", "not this", 8);
    folder_write(&folder, ".f.txt", "nor this", 8);
    snprintf(path, sizeof path, "%s/g.txt", folder.path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_text(&folder, "First line and more.\n\nA paragraph.\n\nSecond file.\n\nIts end.");
    char hash[65], again[65];
    assert_ok(kvl_text_folder_hash(folder.path, hash));
    struct folder other;
    folder_open(&other);
    folder_write(&other, "only.txt", "First line and more.\n\nA paragraph.\n\nSecond file.\n\nIts end.", 58);
    assert_ok(kvl_text_folder_hash(other.path, again));
    assert_string_equal(hash, again);
    folder_write(&other, "only.txt", "Another text.", 13);
    assert_ok(kvl_text_folder_hash(other.path, again));
    assert_string_not_equal(hash, again);
    folder_remove(&other, (const char *const[]){"only.txt", NULL});
    folder_remove(&folder, (const char *const[]){"a.txt", "b.txt", "c.txt", "d.txt", "e.md", ".f.txt", "g.txt", NULL});
}

static void assert_refused(const char *dir, enum kvl_status expected, const char *part, const char *part_too)
{
    struct kvl_text text = {0};
    assert_int_equal(kvl_text_folder_read(dir, &text), expected);
    if (strstr(kvl_last_error(), part) == NULL || strstr(kvl_last_error(), part_too) == NULL)
        fail_msg("%s", kvl_last_error());
    assert_null(text.data);
}

static void test_bad_folders(void **state)
{
    (void)state;
    struct folder folder;
    folder_open(&folder);
    assert_refused("/nowhere/at/all", KVL_E_IO, "/nowhere/at/all", "--haystack");
    assert_refused(folder.path, KVL_E_ARG, folder.path, "no file *.txt");
    folder_write(&folder, "blank.txt", " \n", 2);
    assert_refused(folder.path, KVL_E_ARG, folder.path, "no file *.txt with a word");
    folder_write(&folder, "good.txt", "Good text.", 10);
    folder_write(&folder, "bad.txt", "Gr\xc3\xbc\xc3\x9f" "e \xff end", 13);
    assert_refused(folder.path, KVL_E_FORMAT, "bad.txt", "not valid UTF-8 at offset 8");
    folder_write(&folder, "bad.txt", "text\0more", 9);
    assert_refused(folder.path, KVL_E_FORMAT, "bad.txt", "zero byte at offset 4");
    folder_remove(&folder, (const char *const[]){"blank.txt", "good.txt", "bad.txt", NULL});
}

/* The sentences of a folder, from a place on, and again from its beginning. */
static void assert_sentences(const char *dir, uint64_t start, const char *const *expected)
{
    void *state = calloc(1, kvl_haystack_folder.state_size);
    struct kvl_text text = {0};
    assert_ok(kvl_haystack_folder.begin(state, &(struct kvl_haystack_source){.folder = dir, .start = start}));
    for (int i = 0; expected[i] != NULL; i++) {
        bool opens;
        text.n = 0;
        assert_ok(kvl_haystack_folder.next(state, &text, &opens));
        assert_string_equal(text.data, expected[i] + 1);
        assert_true(opens == (expected[i][0] == '*'));
    }
    kvl_haystack_folder.end(state);
    free(state);
    kvl_text_free(&text);
}

static void test_folder_sentences(void **state)
{
    (void)state;
    static const char text[] = "Who? \"I,\" he said. \xe2\x80\x9cYes!\xe2\x80\x9d It costs 3.50 a day (or so.) End\n\n"
                               "No full stop here\n\nOne.";
    struct folder folder;
    folder_open(&folder);
    folder_write(&folder, "a.txt", text, sizeof text - 1);
    assert_sentences(folder.path, 0, (const char *const[]){"*Who?", " \"I,\" he said.", " \xe2\x80\x9cYes!\xe2\x80\x9d",
                     " It costs 3.50 a day (or so.)", " End", "*No full stop here", "*One.", "*Who?", NULL});
    /* Not within a sentence. */
    assert_sentences(folder.path, UINT64_C(1) << 62, (const char *const[]){" It costs 3.50 a day (or so.)", NULL});
    assert_sentences(folder.path, UINT64_MAX, (const char *const[]){"*Who?", NULL});
    /* Without ends: at a blank, or between characters. */
    char endless[3000];
    for (int i = 0; i < 2999; i++)
        endless[i] = i % 10 == 9 ? ' ' : 'a';
    folder_write(&folder, "a.txt", endless, 2999);
    char piece[700] = "*";
    memcpy(piece + 1, endless, 599);
    piece[600] = '\0';
    assert_sentences(folder.path, 0, (const char *const[]){piece, NULL});
    for (int i = 0; i < 2997; i += 3)
        memcpy(endless + i, "\xe4\xb8\xad", 3);
    folder_write(&folder, "a.txt", "b", 1);
    folder_write(&folder, "a.txt", endless, 2997);
    memcpy(piece + 1, endless, 600);
    piece[601] = '\0';
    assert_sentences(folder.path, 0, (const char *const[]){piece, NULL});
    folder_remove(&folder, (const char *const[]){"a.txt", NULL});
}

static int64_t count(const struct kvl_tokenizer *tokenizer, const char *text)
{
    struct kvl_ids ids = {0};
    assert_ok(kvl_tokenizer_encode(tokenizer, text, (int64_t)strlen(text), KVL_SPECIAL_PARSE, &ids));
    int64_t n = ids.n;
    kvl_ids_free(&ids);
    return n;
}

static void check_fidelity(const char *name, const struct kvl_task_request *request)
{
    const struct kvl_task *task = kit_task(name);
    struct kvl_prompt prompt;
    assert_null(task->score);
    assert_true(task->no_template);
    assert_string_equal(task->metric, "top1_agreement");
    assert_ok(kvl_prompt_make(&prompt, task, request, true));
    assert_int_equal(prompt.ids.n, request->n_context);
    assert_int_equal(prompt.forced.n, 128);
    assert_int_equal(prompt.sample.n_forced, 128);
    assert_int_equal(prompt.sample.n_answers, 0);
    assert_int_equal(prompt.sample.n_before_question, 0);
    assert_string_equal(prompt.sample.answer_prefix, "");
    assert_true(isnan(prompt.sample.depth));
    assert_null(kvl_prompt_template(task, request));
    /* Enough, and not much more than enough. */
    int64_t n = count(request->tokenizer, prompt.sample.user) + kvl_tokenizer_add_bos(request->tokenizer);
    assert_true(n >= request->n_context + 128 && n <= request->n_context + 128 + 700);
    kvl_prompt_free(&prompt);
}

static uint64_t hash_of(const char *name, const struct kvl_task_request *request)
{
    struct kvl_sample sample;
    assert_ok(kit_task(name)->make(kit_task(name), request, &sample));
    uint64_t hash = kit_hash(sample.user);
    kvl_sample_free(&sample);
    return hash;
}

static void test_texts(void **state)
{
    (void)state;
    static const char *const names[] = {"fidelity/essay", "fidelity/folder"};
    static const int64_t contexts[] = {16, 100, 1000, 4099, 40000};
    struct folder folder;
    folder_open(&folder);
    write_sentences(&folder, "one.txt", 100000, 100);
    write_sentences(&folder, "two.txt", 200000, 100);
    const struct kvl_task_settings settings = {.haystack_dir = folder.path};
    for (int bos = 0; bos < 2; bos++) {
        struct kvl_tokenizer *tokenizer = kit_byte_tokenizer(bos);
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            for (size_t c = 0; c < sizeof contexts / sizeof *contexts; c++)
                for (int index = 0; index < 3; index++)
                    check_fidelity(names[i], &(struct kvl_task_request){tokenizer, kit_chat("smollm2"), contexts[c], 1, index,
                                                                        &settings});
            /* Same request, same text; other indices and seeds, others. */
            uint64_t hashes[21];
            for (int index = 0; index < 21; index++) {
                struct kvl_task_request request = {tokenizer, NULL, 500, index < 20 ? 1 : 2, index % 20, &settings};
                hashes[index] = hash_of(names[i], &request);
                assert_true(hash_of(names[i], &request) == hashes[index]);
                for (int other = 0; other < index; other++)
                    assert_true(hashes[other] != hashes[index]);
            }
        }
        kvl_tokenizer_free(tokenizer);
    }
    folder_remove(&folder, (const char *const[]){"one.txt", "two.txt", NULL});
}

/* Any ten neighbouring samples begin all over the folder: in each half at least three. */
static void test_samples_walk(void **state)
{
    (void)state;
    struct folder folder;
    folder_open(&folder);
    write_sentences(&folder, "one.txt", 100000, 500);
    write_sentences(&folder, "two.txt", 200000, 500);
    struct kvl_tokenizer *tokenizer = kit_byte_tokenizer(true);
    const struct kvl_task *task = kit_task("fidelity/folder");
    const struct kvl_task_settings settings = {.haystack_dir = folder.path};
    int n_second = 0;
    for (int index = 0; index < 10; index++) {
        struct kvl_sample sample;
        int number;
        assert_ok(task->make(task, &(struct kvl_task_request){tokenizer, NULL, 500, 1, index, &settings}, &sample));
        assert_int_equal(sscanf(sample.user, "Sentence %d of", &number), 1);
        n_second += number >= 200000;
        kvl_sample_free(&sample);
    }
    assert_in_range(n_second, 3, 7);
    struct kvl_sample sample;
    assert_int_equal(task->make(task, &(struct kvl_task_request){tokenizer, NULL, 500, 1, 0, NULL}, &sample), KVL_E_ARG);
    assert_non_null(strstr(kvl_last_error(), "fidelity/folder needs a folder of text files: name it with --haystack DIR"));
    kvl_tokenizer_free(tokenizer);
    folder_remove(&folder, (const char *const[]){"one.txt", "two.txt", NULL});
}

static void test_essay_stays_as_it_is(void **state)
{
    (void)state;
    struct kvl_tokenizer *tokenizer = kit_byte_tokenizer(true);
    uint64_t hash = hash_of("fidelity/essay", &(struct kvl_task_request){tokenizer, NULL, 3000, 1, 3, NULL});
    if (hash != UINT64_C(0x18813717c0a22422))
        fail_msg("0x%016llx", (unsigned long long)hash);
    kvl_tokenizer_free(tokenizer);
}

/* Needle tasks with essays read the folder, whatever it is called; a text that holds the needle's own words loses those
 * sentences; the others keep their haystacks. */
static void test_needles_in_a_folder(void **state)
{
    (void)state;
    static const char *const in_essays[] = {"needle/single_essay", "needle/single_uuid", "needle/multi_key", "needle/multi_value",
                                            "needle/multi_query"};
    static const char *const others[] = {"needle/single_noise", "needle/multi_key_line", "needle/multi_key_uuid",
                                         "trace/variables"};
    struct folder folder, copy;
    folder_open(&folder);
    folder_open(&copy);
    write_sentences(&folder, "a.txt", 100000, 700);
    write_sentences(&copy, "z.txt", 100000, 700);
    struct kvl_tokenizer *tokenizer = kit_byte_tokenizer(true);
    const struct kvl_task_settings settings = {.haystack_dir = folder.path}, settings_of_copy = {.haystack_dir = copy.path};
    for (size_t i = 0; i < sizeof in_essays / sizeof *in_essays; i++)
        for (int index = 0; index < 5; index++) {
            struct kvl_task_request request = {tokenizer, kit_chat("smollm2"), 6000, 1, index, &settings};
            kit_check_sample(kit_task(in_essays[i]), &request, NULL);
            char *prompt = kit_make_prompt(kit_task(in_essays[i]), &request);
            assert_true(kit_count_of(prompt, " of the book was read aloud by nobody at all.") > 50);
            request.settings = &settings_of_copy;
            char *again = kit_make_prompt(kit_task(in_essays[i]), &request);
            assert_string_equal(prompt, again);
            free(prompt);
            free(again);
        }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct kvl_task_request request = {tokenizer, NULL, 6000, 1, 0, NULL};
        char *prompt = kit_make_prompt(kit_task(others[i]), &request);
        request.settings = &settings;
        char *again = kit_make_prompt(kit_task(others[i]), &request);
        assert_string_equal(prompt, again);
        free(prompt);
        free(again);
    }
    /* Every other sentence holds the answer. */
    const struct kvl_task *task = kit_task("needle/single_essay");
    struct kvl_task_request request = {tokenizer, NULL, 6000, 1, 0, &settings};
    struct kvl_sample sample;
    struct kvl_text text = {0};
    assert_ok(task->make(task, &request, &sample));
    for (int i = 0; i < 400; i++)
        assert_ok(kvl_text_format(&text, "A plain sentence is number %d here.\nThe thief knew that %s was the number.\n", i,
                                  sample.answers[0]));
    folder_write(&folder, "a.txt", text.data, (size_t)text.n);
    char *answer = strdup(sample.answers[0]), *prompt = kit_make_prompt(task, &request);
    assert_int_equal(kit_count_of(prompt, answer), 1);
    assert_int_equal(kit_count_of(prompt, "The thief"), 0);
    assert_true(kit_count_of(prompt, "A plain sentence") > 50);
    kvl_sample_free(&sample);
    /* All of them do. */
    text.n = 0;
    assert_ok(kvl_text_format(&text, "The thief knew that %s was the number.", answer));
    folder_write(&folder, "a.txt", text.data, (size_t)text.n);
    assert_int_equal(task->make(task, &request, &sample), KVL_E_FORMAT);
    assert_non_null(strstr(kvl_last_error(), "needle's own words"));
    free(answer);
    free(prompt);
    kvl_text_free(&text);
    kvl_tokenizer_free(tokenizer);
    folder_remove(&folder, (const char *const[]){"a.txt", NULL});
    folder_remove(&copy, (const char *const[]){"z.txt", NULL});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folder_text),
        cmocka_unit_test(test_bad_folders),
        cmocka_unit_test(test_folder_sentences),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_samples_walk),
        cmocka_unit_test(test_essay_stays_as_it_is),
        cmocka_unit_test(test_needles_in_a_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
