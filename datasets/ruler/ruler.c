/* Samples are records of files that RULER's generator wrote: `input`, `outputs` and, in newer files, `answer_prefix`; in older
 * ones the prefix is the end of `input`. Both are split into the same three parts by the official templates' fixed words:
 *
 *     opening ... context ... | question | answer prefix
 *
 * A record whose parts are not where they should be is of another version, or was made with a chat template inside: an error. */
#include "datasets/ruler/ruler.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/data_file.h"
#include "datasets/json_lines.h"
#include "datasets/score/score.h"

/* The words by which the parts of one official template are found. NULL: no second form. */
struct ruler_wording {
    const char *openings[2];      /* `input` begins so */
    const char *questions[2];     /* the question begins so, the last time that it occurs */
    const char *prefix_opening;   /* the answer prefix begins so, the last time that it occurs, */
    const char *prefix_endings[2]; /* and ends so, blanks at its end aside */
};

static const struct ruler_wording niah = {
    .openings = {"A special magic ", "Some special magic "},
    .questions = {"What is the special magic ", "What are all the special magic "},
    .prefix_opening = " The special magic ",
    .prefix_endings = {" mentioned in the provided text is", " mentioned in the provided text are"},
};
static const struct ruler_wording tracing = {
    .openings = {"Memorize and track the chain(s) of variable assignment "},
    .questions = {"Question: Find all variables "},
    .prefix_opening = " Answer: According to the chain(s) ",
    .prefix_endings = {" they are:"},
};
static const struct ruler_wording common_words = {
    .openings = {"Below is a numbered list of words. "},
    .questions = {"Question: What are the 10 most common words "},
    .prefix_opening = " Answer: The top 10 words ",
    .prefix_endings = {" in the list are:"},
};
static const struct ruler_wording frequent_words = {
    .openings = {"Read the following coded text "},
    .questions = {"Question: Do not provide any explanation. "},
    .prefix_opening = " Answer: According to the coded text ",
    .prefix_endings = {" words are:"},
};
static const struct ruler_wording question_answering = {
    .openings = {"Answer the question based on the given documents. "},
    .questions = {"Question: "},
    .prefix_opening = " Answer:",
    .prefix_endings = {" Answer:"},
};

/* What tells the tasks of the family apart. */
struct ruler_config {
    const char *file; /* the name in the folder */
    const struct ruler_wording *wording;
    int64_t max_new_tokens;
};

/* A record taken apart. Borrowed from it. */
struct parts {
    const char *input, *prefix;
    int64_t n_user;     /* bytes of `input` without the prefix */
    int64_t n_question; /* bytes of `input` before the question */
};

static bool begins_with(const char *text, const char *part)
{
    return strncmp(text, part, strlen(part)) == 0;
}

/* Whether text[0..n) ends with `part`, blanks at its end aside. */
static bool ends_with(const char *text, int64_t n, const char *part)
{
    int64_t n_part = (int64_t)strlen(part);
    while (n > 0 && strchr(" \t\r\n", text[n - 1]) != NULL)
        n--;
    return n >= n_part && memcmp(text + n - n_part, part, (size_t)n_part) == 0;
}

/* Where `part` begins the last time that it occurs in text[0..n); -1: nowhere. */
static int64_t find_last(const char *text, int64_t n, const char *part)
{
    int64_t n_part = (int64_t)strlen(part), at = n - n_part;
    while (at >= 0 && memcmp(text + at, part, (size_t)n_part) != 0)
        at--;
    return at;
}

/* Old files: the prefix is the end of `input`. */
static enum kvl_status find_prefix(const struct ruler_wording *wording, struct parts *parts)
{
    int64_t n = (int64_t)strlen(parts->input), at = find_last(parts->input, n, wording->prefix_opening);
    if (at < 0)
        return kvl_fail(KVL_E_FORMAT, "has no answer_prefix, and input does not end with RULER's (\"%s...\")",
                        wording->prefix_opening);
    parts->n_user = at;
    parts->prefix = parts->input + at;
    return KVL_OK;
}

static enum kvl_status check_prefix(const struct ruler_wording *wording, const struct parts *parts)
{
    int64_t n = (int64_t)strlen(parts->prefix);
    bool ends = false;
    for (int i = 0; i < 2 && wording->prefix_endings[i] != NULL; i++)
        ends = ends || ends_with(parts->prefix, n, wording->prefix_endings[i]);
    return ends && begins_with(parts->prefix, wording->prefix_opening)
        ? KVL_OK
        : kvl_fail(KVL_E_FORMAT, "its answer prefix \"%.200s\" is not RULER's (\"%s...%s\")", parts->prefix,
                   wording->prefix_opening, wording->prefix_endings[0]);
}

static enum kvl_status find_question(const struct ruler_wording *wording, struct parts *parts)
{
    int64_t at = -1;
    for (int i = 0; i < 2 && wording->questions[i] != NULL; i++) {
        int64_t place = find_last(parts->input, parts->n_user, wording->questions[i]);
        at = place > at ? place : at;
    }
    if (at <= 0)
        return kvl_fail(KVL_E_FORMAT, "input has no question (\"%s...\")", wording->questions[0]);
    parts->n_question = strchr(" \n", parts->input[at - 1]) != NULL ? at - 1 : at;
    return KVL_OK;
}

static enum kvl_status take_apart(const json_t *record, const struct ruler_wording *wording, struct parts *parts)
{
    *parts = (struct parts){.prefix = ""};
    KVL_TRY(kvl_json_string(record, "input", true, &parts->input));
    KVL_TRY(kvl_json_string(record, "answer_prefix", false, &parts->prefix));
    bool opens = begins_with(parts->input, wording->openings[0])
        || (wording->openings[1] != NULL && begins_with(parts->input, wording->openings[1]));
    if (!opens)
        return kvl_fail(KVL_E_FORMAT, "input does not begin with \"%s\": is it of this task, and made with RULER's model template "
                        "`base`?", wording->openings[0]);
    parts->n_user = (int64_t)strlen(parts->input);
    if (parts->prefix[0] == '\0')
        KVL_TRY(find_prefix(wording, parts));
    KVL_TRY(check_prefix(wording, parts));
    return find_question(wording, parts);
}

static enum kvl_status check_outputs(const json_t *record)
{
    char **outputs;
    int n, n_empty = 0;
    KVL_TRY(kvl_json_lines_strings(record, "outputs", true, &outputs, &n));
    for (int i = 0; i < n; i++) {
        n_empty += outputs[i][0] == '\0';
        free(outputs[i]);
    }
    free(outputs);
    return n > 0 && n_empty == 0 ? KVL_OK : kvl_fail(KVL_E_FORMAT, "outputs has %s", n == 0 ? "no answer" : "an empty answer");
}

static enum kvl_status check(const json_t *record, const void *task)
{
    const struct ruler_config *config = ((const struct kvl_task *)task)->config;
    struct parts parts;
    KVL_TRY(take_apart(record, config->wording, &parts));
    return check_outputs(record);
}

/* The file of the request's context, in a malloc'd path. */
static enum kvl_status find_file(const struct kvl_task *task, const struct kvl_task_request *request, struct kvl_json_lines *file)
{
    static const char *const patterns[] = {
        "%lld/%s.jsonl", "%lld/%s/validation.jsonl", "%lld/data/%s/validation.jsonl", "synthetic/%lld/data/%s/validation.jsonl",
    };
    enum { N = sizeof patterns / sizeof *patterns, MOST = 96 };
    const char *name = ((const struct ruler_config *)task->config)->file, *places[N];
    const char *dir = request->settings != NULL ? request->settings->ruler_dir : NULL;
    char buffers[N][MOST], what[MOST], *path = NULL;
    *file = (struct kvl_json_lines){.check = check, .context = task};
    KVL_REQUIRE(dir != NULL, "%s reads RULER's own files: name their folder with --ruler DIR (DIR/%lld/%s.jsonl)", task->name,
                (long long)request->n_context, name);
    snprintf(what, sizeof what, "%s at %lld tokens", task->name, (long long)request->n_context);
    for (int i = 0; i < (int)N; i++) {
        snprintf(buffers[i], sizeof buffers[i], patterns[i], (long long)request->n_context, name);
        places[i] = buffers[i];
    }
    KVL_TRY(kvl_data_file_find(what, dir, places, N, &path));
    file->path = path;
    return KVL_OK;
}

static void file_free(struct kvl_json_lines *file)
{
    free((char *)(uintptr_t)file->path);
}

static enum kvl_status ruler_count(const struct kvl_task *task, const struct kvl_task_request *request, int64_t *n)
{
    struct kvl_json_lines file;
    *n = 0;
    KVL_TRY(find_file(task, request, &file));
    enum kvl_status status = kvl_json_lines_count(&file, n);
    file_free(&file);
    return status;
}

static enum kvl_status fill(const struct ruler_config *config, const struct kvl_task_request *request, const json_t *record,
                            struct kvl_sample *sample)
{
    struct parts parts;
    KVL_TRY(take_apart(record, config->wording, &parts));
    sample->user = strndup(parts.input, (size_t)parts.n_user);
    sample->answer_prefix = strdup(parts.prefix);
    if (sample->user == NULL || sample->answer_prefix == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for a prompt");
    sample->n_before_question = parts.n_question;
    sample->depth = NAN;
    sample->max_new_tokens = config->max_new_tokens;
    sample->min_one_token = kvl_task_is_fastkv(request);
    return kvl_json_lines_strings(record, "outputs", true, &sample->answers, &sample->n_answers);
}

static enum kvl_status ruler_make(const struct kvl_task *task, const struct kvl_task_request *request, struct kvl_sample *sample)
{
    struct kvl_json_lines file;
    json_t *record = NULL;
    *sample = (struct kvl_sample){0};
    KVL_TRY(find_file(task, request, &file));
    enum kvl_status status = kvl_json_lines_read(&file, request->index, &record);
    if (status == KVL_OK)
        status = fill(task->config, request, record, sample);
    if (status != KVL_OK)
        kvl_sample_free(sample);
    json_decref(record);
    file_free(&file);
    return status;
}

#define RULER(task, described, words, n_new)                                                                        \
    .name = "ruler/" task, .title = described, .version = 1, .source = "RULER, arXiv:2404.06654, " task,            \
    .has_context = true, .min_context = 1, .count = ruler_count, .make = ruler_make,                                \
    .fastkv = {.max_new_tokens = 64, .prefix_in_user = true},                                                       \
    .config = &(const struct ruler_config){task, &words, n_new}
#define ALL .metric = "recall", .score = kvl_score_recall
#define ANY .metric = "recall_any", .score = kvl_score_recall_any
static const struct kvl_task tasks[] = {
    {RULER("niah_single_1", "One number in a repeated line", niah, 128), ALL},
    {RULER("niah_single_2", "One number in essays", niah, 128), ALL},
    {RULER("niah_single_3", "One uuid in essays", niah, 128), ALL},
    {RULER("niah_multikey_1", "One of four numbers in essays", niah, 128), ALL},
    {RULER("niah_multikey_2", "One number among as many as fit", niah, 128), ALL},
    {RULER("niah_multikey_3", "One uuid among as many as fit, keys are uuids", niah, 128), ALL},
    {RULER("niah_multivalue", "Four numbers of one key in essays", niah, 128), ALL},
    {RULER("niah_multiquery", "Four keys' numbers in essays", niah, 128), ALL},
    {RULER("vt", "Variables that got one value through a chain of assignments", tracing, 30), ALL},
    {RULER("cwe", "The ten words of a list that come up most often", common_words, 120), ALL},
    {RULER("fwe", "The three most frequent coded words", frequent_words, 50), ALL},
    {RULER("qa_1", "A question about one of many paragraphs (SQuAD)", question_answering, 32), ANY},
    {RULER("qa_2", "A question about two of many paragraphs (HotpotQA)", question_answering, 32), ANY},
};

const struct kvl_task *kvl_ruler_task_at(int i)
{
    return i >= 0 && i < (int)(sizeof tasks / sizeof *tasks) ? &tasks[i] : NULL;
}
