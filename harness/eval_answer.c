#include "harness/eval_answer.h"

#include <math.h>
#include <stdlib.h>


static int64_t max_new_tokens(const struct kvl_eval_job *job, const struct kvl_prompt *prompt)
{
    int64_t n = job->bench->options->n_new_tokens;
    struct kvl_task_request request = kvl_eval_job_request(job, 0);
    return n > 0 ? n : kvl_prompt_max_new_tokens(job->task, &request, &prompt->sample);
}

void kvl_eval_lengths(const struct kvl_eval_job *job, const struct kvl_prompt *prompt, int64_t *n_prompt, int64_t *n_new)
{
    *n_prompt = prompt->n_before_question > 0 ? prompt->n_before_question : prompt->ids.n;
    *n_new = prompt->ids.n - *n_prompt + (prompt->forced.n > 0 ? prompt->forced.n : max_new_tokens(job, prompt));
}

static json_t *list_texts(char *const *texts, int n)
{
    json_t *array = json_array();
    for (int i = 0; i < n; i++)
        json_array_append_new(array, json_string(texts[i]));
    return array;
}

/* U+0000 ends a C string and is a control character like U+0001 to every metric. */
static void replace_nul(char *text, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (text[i] == '\0')
            text[i] = '\1';
}

static enum kvl_status score(const struct kvl_eval_job *job, const struct kvl_sample *sample, const char *prediction,
                             struct kvl_eval_numbers *numbers)
{
    const struct kvl_scoring scoring = {.prediction = prediction,
                                        .answers = (const char *const *)sample->answers,
                                        .n_answers = sample->n_answers,
                                        .classes = (const char *const *)sample->classes,
                                        .n_classes = sample->n_classes,
                                        .settings = &job->bench->options->task_settings};
    KVL_TRY(job->task->score(&scoring, &numbers->score));
    return job->task->second_score != NULL ? job->task->second_score(&scoring, &numbers->second_score) : KVL_OK;
}

/* The model's own words, scored. */
static enum kvl_status generate(const struct kvl_eval_job *job, struct kvl_eval_entry *entry,
                                const struct kvl_prompt *prompt, struct kvl_eval_numbers *numbers, json_t *line)
{
    const struct kvl_sample *sample = &prompt->sample;
    struct kvl_task_request request = kvl_eval_job_request(job, 0);
    struct kvl_generation generation = {0};
    enum kvl_status status;
    const struct kvl_answer_rule rule = {.max_new = max_new_tokens(job, prompt),
                                         .stop = kvl_prompt_stop(job->task, &request, sample),
                                         .min_one_token = sample->min_one_token};
    KVL_TRY_OUT(kvl_workbench_generate(job->bench, &entry->session, rule, &generation));
    numbers->n_out = generation.ids.n;
    json_object_set_new(line, "prompt", json_string(prompt->text));
    json_object_set_new(line, "prediction", kvl_text_json(generation.text, generation.text_length));
    json_object_set_new(line, "answers", list_texts(sample->answers, sample->n_answers));
    json_object_set_new(line, "all_classes",
                        sample->n_classes > 0 ? list_texts(sample->classes, sample->n_classes) : json_null());
    replace_nul(generation.text, generation.text_length);
    KVL_TRY_OUT(score(job, sample, generation.text, numbers));
out:
    kvl_generation_free(&generation);
    return status;
}

static enum kvl_status feed_question(const struct kvl_eval_job *job, struct kvl_eval_entry *entry,
                                     const struct kvl_prompt *prompt)
{
    for (int64_t i = prompt->n_before_question; i > 0 && i < prompt->ids.n; i++)
        KVL_TRY(kvl_engine_step(job->bench->engine, &entry->session, prompt->ids.data[i]));
    return KVL_OK;
}

/* A known text, fed and compared. */
static enum kvl_status follow(const struct kvl_eval_job *job, struct kvl_eval_entry *entry, const struct kvl_prompt *prompt,
                              struct kvl_reference_logits *reference, struct kvl_eval_numbers *numbers)
{
    struct kvl_engine *engine = job->bench->engine;
    struct kvl_fidelity fidelity;
    if (entry->is_reference)
        return kvl_fidelity_note(engine, &entry->session, &prompt->forced, reference);
    KVL_TRY(kvl_fidelity_compare(engine, &entry->session, &prompt->forced, reference, &fidelity));
    numbers->score = fidelity.top1_agreement;
    numbers->kl = fidelity.kl;
    numbers->nll_difference = fidelity.nll_difference;
    numbers->n_out = prompt->forced.n;
    return KVL_OK;
}

static enum kvl_status answer(const struct kvl_eval_job *job, struct kvl_eval_entry *entry, const struct kvl_prompt *prompt,
                              struct kvl_reference_logits *reference, struct kvl_eval_numbers *numbers, json_t *line)
{
    KVL_TRY(feed_question(job, entry, prompt));
    KVL_TRY(prompt->forced.n == 0 ? generate(job, entry, prompt, numbers, line)
                                  : follow(job, entry, prompt, reference, numbers));
    return kvl_session_logits_hash(&entry->session, numbers->logits_hash);
}

enum kvl_status kvl_eval_answer(const struct kvl_eval_job *job, struct kvl_eval_entry *entry,
                                const struct kvl_prompt *prompt, struct kvl_reference_logits *reference)
{
    struct kvl_eval_numbers numbers = {.score = NAN, .second_score = NAN, .depth = prompt->sample.depth, .kl = NAN,
                                       .nll_difference = NAN, .n_in = prompt->ids.n, .n_bos = prompt->n_bos,
                                       .n_uncut = prompt->n_uncut};
    json_t *line = json_object();
    enum kvl_status status = answer(job, entry, prompt, reference, &numbers, line);
    if (status == KVL_OK)
        return kvl_eval_entry_add(entry, job, &numbers, line);
    json_decref(line);
    return status;
}
