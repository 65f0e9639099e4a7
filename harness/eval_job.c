#include "harness/eval_job.h"

#include "datasets/prompt.h"
#include "datasets/text_folder.h"

struct kvl_task_request kvl_eval_job_request(const struct kvl_eval_job *job, int64_t index)
{
    const struct kvl_workbench *bench = job->bench;
    return (struct kvl_task_request){.tokenizer = bench->model->tokenizer,
                                     .chat = bench->chat,
                                     .n_context = job->n_context,
                                     .seed = bench->options->seed,
                                     .index = index,
                                     .settings = &bench->options->task_settings};
}

enum kvl_status kvl_eval_job_count(struct kvl_eval_job *job)
{
    const struct kvl_options *options = job->bench->options;
    struct kvl_task_request request = kvl_eval_job_request(job, 0);
    int64_t n_available = options->n_samples;
    if (job->task->count != NULL)
        KVL_TRY(job->task->count(job->task, &request, &n_available));
    job->n_samples = options->samples_given && options->n_samples < n_available ? options->n_samples : n_available;
    KVL_REQUIRE(job->n_samples > 0, "%s has no samples", job->task->name);
    const struct kvl_chat_template *chat = kvl_prompt_template(job->task, &request);
    job->template_name = chat != NULL ? chat->name : NULL;
    const char *haystack = options->task_settings.haystack_dir;
    return haystack != NULL ? kvl_text_folder_hash(haystack, job->haystack_hash) : KVL_OK;
}
