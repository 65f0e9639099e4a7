/* The needle tasks: size, what stands where, determinism; and the texts that they hide in. */
#include "tests/support/task_kit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/needle/essay_grammar.h"
#include "datasets/needle/haystack.h"

enum { N_TASKS = 8, MAX_NEEDLES = 8, MAX_LINES = 12000 };

static const struct expected {
    const char *name, *noun;
    int n_needles, n_asked;
    bool same_key, uuid_keys, uuid_values, lines; /* lines: the haystack is needles too */
    int64_t max_new_tokens, n_context;            /* n_context: of the golden prompt */
    uint64_t hash;
} expected_tasks[N_TASKS] = {
    {"needle/single_noise", "number", 1, 1, false, false, false, false, 16, 3000, UINT64_C(0x05b907b2cfe4adb0)},
    {"needle/single_essay", "number", 1, 1, false, false, false, false, 16, 3000, UINT64_C(0x6baeddea19735433)},
    {"needle/single_uuid", "uuid", 1, 1, false, false, true, false, 128, 3000, UINT64_C(0xcc140ebeabc7a13b)},
    {"needle/multi_key", "number", 4, 1, false, false, false, false, 16, 3000, UINT64_C(0xfbda95f1a1809782)},
    {"needle/multi_key_line", "number", 1, 1, false, false, false, true, 16, 3000, UINT64_C(0xde3c12484d055b72)},
    {"needle/multi_key_uuid", "uuid", 1, 1, false, true, true, true, 128, 3000, UINT64_C(0x0bb79130cf23dbea)},
    {"needle/multi_value", "number", 4, 4, true, false, false, false, 128, 3000, UINT64_C(0xa8f8fae3627dd8bc)},
    {"needle/multi_query", "number", 4, 4, false, false, false, false, 128, 3000, UINT64_C(0x0a910d3465f06e42)},
};

static const struct expected *expected_of(const struct kvl_task *task)
{
    for (int i = 0; i < N_TASKS; i++)
        if (strcmp(expected_tasks[i].name, task->name) == 0)
            return &expected_tasks[i];
    fail_msg("%s is not expected", task->name);
    return NULL;
}

/* A needle as it is read back from the text. */
struct found {
    char key[64], value[64];
};

/* Seven digits, or a uuid of version 4. */
static void check_value(const char *value, bool uuid)
{
    unsigned part[6];
    int n = 0;
    assert_int_equal(strlen(value), uuid ? 36 : 7);
    if (uuid) {
        assert_int_equal(sscanf(value, "%8x-%4x-4%3x-%4x-%4x%8x%n", &part[0], &part[1], &part[2], &part[3], &part[4], &part[5], &n), 6);
        assert_int_equal(n, 36);
        assert_int_equal(part[3] >> 14, 2);
    } else {
        assert_int_equal(strspn(value, "0123456789"), 7);
    }
}

/* The whole needles of a text; the last line of a haystack of needles, which may be broken, is not counted. */
static int64_t find_needles(const struct kvl_sample *sample, const char *noun, struct found *found)
{
    char stem[64], form[128];
    int64_t n = 0, n_broken = 0;
    snprintf(stem, sizeof stem, "One of the special magic %ss for ", noun);
    snprintf(form, sizeof form, "%s%%63[a-z0-9-] is: %%63[0-9a-f-].%%n", stem);
    for (const char *at = sample->user; (at = strstr(at, stem)) != NULL; at += strlen(stem)) {
        int length = 0;
        assert_true(n < MAX_LINES);
        if (sscanf(at, form, found[n].key, found[n].value, &length) == 2 && strlen(found[n].value) == strlen(sample->answers[0]))
            n++;
        else
            n_broken++;
    }
    assert_true(n_broken <= 1);
    return n;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct found *)a)->key, ((const struct found *)b)->key);
}
static int by_value(const void *a, const void *b)
{
    return strcmp(((const struct found *)a)->value, ((const struct found *)b)->value);
}

/* Keys and values all different; but where needles share a key. */
static void check_distinct(struct found *found, int64_t n, bool same_key)
{
    qsort(found, (size_t)n, sizeof *found, by_key);
    for (int64_t i = 1; i < n; i++)
        assert_true((strcmp(found[i - 1].key, found[i].key) == 0) == same_key);
    qsort(found, (size_t)n, sizeof *found, by_value);
    for (int64_t i = 1; i < n; i++)
        assert_true(strcmp(found[i - 1].value, found[i].value) != 0);
}

/* The keys of the answers, in their order, as the question names them. */
static void list_keys(const struct expected *expected, const struct kvl_sample *sample, const struct found *found, int64_t n,
                      char *list, size_t size)
{
    int n_keys = expected->same_key ? 1 : expected->n_asked;
    list[0] = '\0';
    for (int a = 0; a < n_keys; a++) {
        int64_t i = 0;
        while (i < n && strcmp(found[i].value, sample->answers[a]) != 0)
            i++;
        assert_true(i < n);
        size_t used = strlen(list);
        snprintf(list + used, size - used, "%s%s", a == 0 ? "" : a == n_keys - 1 ? " and " : ", ", found[i].key);
    }
}

static void check_needles(const struct kvl_task *task, const struct kvl_task_request *request, const struct kvl_sample *sample,
                          const char *prompt)
{
    static struct found found[MAX_LINES];
    const struct expected *expected = expected_of(task);
    char keys[512], text[1024];
    int64_t n = find_needles(sample, expected->noun, found);
    assert_true(expected->lines ? n > expected->n_needles || request->n_context < 1200 : n == expected->n_needles);
    check_distinct(found, n, expected->same_key);
    for (int64_t i = 0; i < n && i < 50; i++) {
        check_value(found[i].value, expected->uuid_values);
        assert_int_equal(kit_count_of(prompt, found[i].value), 1);
    }
    assert_int_equal(sample->n_answers, expected->n_asked);
    for (int a = 0; a < sample->n_answers; a++) {
        check_value(sample->answers[a], expected->uuid_values);
        assert_int_equal(kit_count_of(prompt, sample->answers[a]), 1);
        for (int b = 0; b < a; b++)
            assert_true(strcmp(sample->answers[a], sample->answers[b]) != 0);
    }
    list_keys(expected, sample, found, n, keys, sizeof keys);
    snprintf(text, sizeof text, expected->n_asked == 1 ? "\nWhat is the special magic %s for %s mentioned in the provided text?"
                                                       : "\nWhich special magic %ss does the text give for %s? Name all of them.",
             expected->noun, keys);
    assert_string_equal(sample->user + sample->n_before_question, text);
    snprintf(text, sizeof text, expected->n_asked == 1 ? " The special magic %s for %s mentioned in the provided text is"
                                                       : " The special magic %ss that the text gives for %s are",
             expected->noun, keys);
    assert_string_equal(sample->answer_prefix, text);
    /* In the needles, the question and the answer prefix. */
    for (int64_t i = 0; i < n && i < 50; i++) {
        bool asked = strstr(sample->answer_prefix, found[i].key) != NULL;
        assert_int_equal(kit_count_of(prompt, found[i].key), expected->same_key ? 6 : asked ? 3 : 1);
    }
    size_t n_digits = 0;
    for (const char *c = sample->user; *c; c++)
        n_digits += *c >= '0' && *c <= '9';
    assert_true(expected->lines || expected->uuid_values || n_digits == 7 * (size_t)expected->n_needles);
    assert_int_equal(sample->max_new_tokens, expected->max_new_tokens);
    assert_true(expected->n_asked == 1 ? strcmp(sample->stop, "\n") == 0 : sample->stop == NULL);
    assert_true(expected->n_asked == 1 ? sample->depth >= 0 && sample->depth <= 1 : isnan(sample->depth));
}

static void test_table(void **state)
{
    (void)state;
    for (int i = 0; i < N_TASKS; i++) {
        const struct kvl_task *task = kvl_task_at(i);
        assert_non_null(task);
        assert_string_equal(task->name, expected_tasks[i].name);
        assert_true(task->version >= 1 && task->title && task->source && task->metric && task->min_context > 0);
        assert_ptr_equal(kit_task(task->name), task);
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
    assert_ok(kvl_haystack_essay.begin(essay, &(struct kvl_haystack_source){.random = random}));
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
        seen[i] = kit_hash(text.data);
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

static void test_small_tokenizers(void **state)
{
    (void)state;
    for (int i = 0; i < N_TASKS; i++)
        kit_sweep_small(expected_tasks[i].name, 1500, check_needles);
}

static void test_real_tokenizers(void **state)
{
    (void)state;
    for (int i = 0; i < N_TASKS; i++)
        kit_sweep_real(expected_tasks[i].name, check_needles);
}

static void test_determinism(void **state)
{
    (void)state;
    for (int i = 0; i < N_TASKS; i++)
        kit_check_determinism(expected_tasks[i].name, 2000, 5000);
}

static void test_prompts_stay_as_they_are(void **state)
{
    (void)state;
    int n_changed = 0;
    for (int i = 0; i < N_TASKS; i++)
        n_changed += !kit_is_golden(expected_tasks[i].name, 1, expected_tasks[i].n_context, expected_tasks[i].hash);
    assert_int_equal(n_changed, 0);
}

/* Where the asked needle stands in the text, by quarters. */
static void test_depth(void **state)
{
    (void)state;
    struct kvl_tokenizer *tokenizer = kit_byte_tokenizer(true);
    enum { N = 40 };
    for (int i = 0; i < N_TASKS; i++)
        for (uint64_t seed = 0; seed < 3; seed++) {
            const struct kvl_task *task = kit_task(expected_tasks[i].name);
            if (expected_tasks[i].n_asked > 1)
                continue;
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

static void test_refusals(void **state)
{
    (void)state;
    for (int i = 0; i < N_TASKS; i++)
        kit_check_refusals(expected_tasks[i].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_grammar),
        cmocka_unit_test(test_essay),
        cmocka_unit_test(test_small_tokenizers),
        cmocka_unit_test(test_real_tokenizers),
        cmocka_unit_test(test_determinism),
        cmocka_unit_test(test_prompts_stay_as_they_are),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_refusals),
    };
    return test_result(cmocka_run_group_tests(tests, NULL, NULL));
}
