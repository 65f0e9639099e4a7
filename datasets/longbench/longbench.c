/* A sample is one record of DIR/TASK.jsonl put into the task's prompt of dataset2prompt.json, with as many new tokens as
 * dataset2maxlen.json says. */
#include "datasets/longbench/longbench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/data_file.h"
#include "datasets/json_lines.h"
#include "datasets/longbench/format.h"
#include "datasets/score/score.h"

enum { MOST_CONFIG = 1 << 20, MOST_NEW_TOKENS = 1 << 16, MOST_NAME = 96 };

/* What tells the tasks of the family apart. */
struct longbench_config {
    const char *file; /* the name in the files */
    bool classes;     /* records have labels to choose from */
    bool one_line;    /* the official script ends generation at a newline */
};

/* What scoring asks of the answers is asked by scoring an empty text. */
static enum kvl_status check_answers(const struct kvl_task *task, const struct kvl_sample *sample)
{
    double score;
    struct kvl_scoring scoring = {
        .prediction = "", .answers = (const char *const *)sample->answers, .n_answers = sample->n_answers,
        .classes = (const char *const *)sample->classes, .n_classes = sample->n_classes,
    };
    return task->score(&scoring, &score);
}

/* The fields beside the text. */
static enum kvl_status read_answers(const json_t *record, const struct kvl_task *task, struct kvl_sample *sample)
{
    const struct longbench_config *config = task->config;
    KVL_TRY(kvl_json_lines_strings(record, "answers", true, &sample->answers, &sample->n_answers));
    KVL_TRY(kvl_json_lines_strings(record, "all_classes", config->classes, &sample->classes, &sample->n_classes));
    return check_answers(task, sample);
}

static enum kvl_status check(const json_t *record, const void *task)
{
    const char *text;
    struct kvl_sample sample = {0};
    KVL_TRY(kvl_json_string(record, "context", true, &text));
    KVL_TRY(kvl_json_string(record, "input", true, &text));
    enum kvl_status status = read_answers(record, task, &sample);
    kvl_sample_free(&sample);
    return status;
}

/* "DIR/NAME", "DIR/FOLDER/NAME": whichever exists, in a malloc'd path. */
static enum kvl_status find_file(const struct kvl_task *task, const struct kvl_task_request *request, const char *folder,
                                 const char *name, char **path)
{
    const char *dir = request->settings != NULL ? request->settings->longbench_dir : NULL;
    char inside[2 * MOST_NAME];
    KVL_REQUIRE(dir != NULL, "%s reads LongBench's own files: name their folder with --longbench DIR (DIR/%s)", task->name, name);
    snprintf(inside, sizeof inside, "%s/%s", folder, name);
    return kvl_data_file_find(task->name, dir, (const char *const[]){name, inside}, 2, path);
}

/* One of the two official tables. */
struct table {
    char *path;
    json_t *json;
};

static enum kvl_status table_open(struct table *table, const struct kvl_task *task, const struct kvl_task_request *request,
                                  const char *name)
{
    *table = (struct table){0};
    KVL_TRY(find_file(task, request, "config", name, &table->path));
    return kvl_json_load(table->path, MOST_CONFIG, &table->json);
}

/* The file before the sentence of what was wrong in it. */
static enum kvl_status table_fail(const struct table *table, enum kvl_status status)
{
    return status == KVL_OK ? KVL_OK : kvl_fail_prefix(status, "%s", table->path);
}

static void table_free(struct table *table)
{
    free(table->path);
    json_decref(table->json);
}

static enum kvl_status find_records(const struct kvl_task *task, const struct kvl_task_request *request,
                                    struct kvl_json_lines *records)
{
    const struct longbench_config *config = task->config;
    char name[MOST_NAME], *path;
    *records = (struct kvl_json_lines){.check = check, .context = task};
    snprintf(name, sizeof name, "%s.jsonl", config->file);
    KVL_TRY(find_file(task, request, "data", name, &path));
    records->path = path;
    return KVL_OK;
}

static void records_free(struct kvl_json_lines *records)
{
    free((char *)(uintptr_t)records->path);
}

static enum kvl_status get_max_new_tokens(const json_t *table, const char *name, int64_t *n)
{
    KVL_TRY(kvl_json_integer(table, name, true, n));
    if (*n < 1 || *n > MOST_NEW_TOKENS)
        return kvl_fail(KVL_E_FORMAT, "%s is %lld; 1 to %d new tokens make sense", name, (long long)*n, MOST_NEW_TOKENS);
    return KVL_OK;
}

static enum kvl_status read_max_new_tokens(const struct kvl_task *task, const struct kvl_task_request *request, int64_t *n)
{
    struct table lengths;
    enum kvl_status status = table_open(&lengths, task, request, "dataset2maxlen.json");
    if (status == KVL_OK)
        status = table_fail(&lengths, get_max_new_tokens(lengths.json, ((const struct longbench_config *)task->config)->file, n));
    table_free(&lengths);
    return status;
}

static enum kvl_status put_into_prompt(const json_t *table, const char *name, const json_t *record, struct kvl_sample *sample)
{
    const char *format;
    struct kvl_text text = {0};
    int64_t after = 0;
    KVL_TRY(kvl_json_string(table, name, true, &format));
    enum kvl_status status = *format != '\0' ? kvl_format(format, record, "context", &text, &after)
                                             : kvl_fail(KVL_E_FORMAT, "%s is empty", name);
    if (status != KVL_OK) {
        kvl_text_free(&text);
        return status;
    }
    sample->user = text.data;
    sample->n_before_question = after < text.n ? after : 0;
    return KVL_OK;
}

static enum kvl_status write_prompt(const struct kvl_task *task, const struct kvl_task_request *request, const json_t *record,
                                    struct kvl_sample *sample)
{
    struct table prompts;
    const char *name = ((const struct longbench_config *)task->config)->file;
    enum kvl_status status = table_open(&prompts, task, request, "dataset2prompt.json");
    if (status == KVL_OK)
        status = table_fail(&prompts, put_into_prompt(prompts.json, name, record, sample));
    table_free(&prompts);
    return status;
}

static enum kvl_status fill(const struct kvl_task *task, const struct kvl_task_request *request, const json_t *record,
                            struct kvl_sample *sample)
{
    const struct longbench_config *config = task->config;
    KVL_TRY(write_prompt(task, request, record, sample));
    KVL_TRY(read_answers(record, task, sample));
    KVL_TRY(read_max_new_tokens(task, request, &sample->max_new_tokens));
    sample->answer_prefix = strdup("");
    if (sample->answer_prefix == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for a prompt");
    /* LongBench's script ends these answers at the first newline; FastKV's own copy of it does not, but wants a token of all. */
    bool fastkv = kvl_task_is_fastkv(request);
    sample->stop = config->one_line && !fastkv ? "\n" : NULL;
    sample->min_one_token = config->one_line || fastkv;
    sample->depth = NAN;
    return KVL_OK;
}

static enum kvl_status longbench_make(const struct kvl_task *task, const struct kvl_task_request *request,
                                      struct kvl_sample *sample)
{
    struct kvl_json_lines records;
    json_t *record = NULL;
    *sample = (struct kvl_sample){0};
    KVL_TRY(find_records(task, request, &records));
    enum kvl_status status = kvl_json_lines_read(&records, request->index, &record);
    if (status == KVL_OK) {
        status = fill(task, request, record, sample);
        if (status != KVL_OK)
            kvl_json_lines_fail(&records, request->index, status);
    }
    if (status != KVL_OK)
        kvl_sample_free(sample);
    json_decref(record);
    records_free(&records);
    return status;
}

/* The tables and the first record's prompt are tried too, so that what is missing shows before a model runs. */
static enum kvl_status longbench_count(const struct kvl_task *task, const struct kvl_task_request *request, int64_t *n)
{
    struct kvl_json_lines records;
    struct kvl_sample sample;
    struct kvl_task_request first = *request;
    *n = 0;
    first.index = 0;
    KVL_TRY(longbench_make(task, &first, &sample));
    kvl_sample_free(&sample);
    KVL_TRY(find_records(task, request, &records));
    enum kvl_status status = kvl_json_lines_count(&records, n);
    records_free(&records);
    return status;
}

/* The arguments behind the category are of the configuration. */
#define LONGBENCH(task, described, kind, ...)                                                                        \
    .name = "longbench/" task, .title = described, .category = kind, .version = 1,                                   \
    .source = "LongBench, arXiv:2308.14508, " task, .count = longbench_count, .make = longbench_make,                \
    .config = &(const struct longbench_config){.file = task, __VA_ARGS__}
#define SCORE(name) .metric = #name, .score = kvl_score_##name
#define NO_TEMPLATE .fastkv = {.no_template = true}
static const struct kvl_task tasks[] = {
    {LONGBENCH("narrativeqa", "Questions about a story or a film script", "single-doc QA"), SCORE(qa_f1)},
    {LONGBENCH("qasper", "Questions about a scientific article", "single-doc QA"), SCORE(qa_f1)},
    {LONGBENCH("multifieldqa_en", "Questions about articles of many fields", "single-doc QA"), SCORE(qa_f1)},
    {LONGBENCH("hotpotqa", "Questions that need two passages", "multi-doc QA"), SCORE(qa_f1)},
    {LONGBENCH("2wikimqa", "Questions that need up to five passages", "multi-doc QA"), SCORE(qa_f1)},
    {LONGBENCH("musique", "Questions that need up to four passages", "multi-doc QA"), SCORE(qa_f1)},
    {LONGBENCH("gov_report", "Summaries of government reports", "summarization"), SCORE(rouge_l)},
    {LONGBENCH("qmsum", "Summaries of meetings, by a query", "summarization"), SCORE(rouge_l)},
    {LONGBENCH("multi_news", "Summaries of several news articles", "summarization"), SCORE(rouge_l)},
    {LONGBENCH("trec", "Types of questions, from examples", "few-shot", .classes = true), SCORE(first_line_class), NO_TEMPLATE},
    {LONGBENCH("triviaqa", "Answers from a passage, from examples", "few-shot"), SCORE(first_line_qa_f1), NO_TEMPLATE},
    {LONGBENCH("samsum", "Summaries of dialogues, from examples", "few-shot", .one_line = true), SCORE(first_line_rouge_l),
     NO_TEMPLATE},
    {LONGBENCH("passage_count", "How many different paragraphs there are", "synthetic"), SCORE(count)},
    {LONGBENCH("passage_retrieval_en", "Which paragraph an abstract is of", "synthetic"), SCORE(retrieval)},
    {LONGBENCH("lcc", "The next line of a file of code", "code"), SCORE(code), NO_TEMPLATE},
    {LONGBENCH("repobench-p", "The next line of a file of a repository", "code"), SCORE(code), NO_TEMPLATE},
};

const struct kvl_task *kvl_longbench_task_at(int i)
{
    return i >= 0 && i < (int)(sizeof tasks / sizeof *tasks) ? &tasks[i] : NULL;
}
