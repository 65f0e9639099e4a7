#include "datasets/fidelity/fidelity.h"

#include <math.h>
#include <stddef.h>

#include "datasets/generator.h"
#include "datasets/needle/haystack.h"
#include "datasets/prompt.h"

enum { N_FORCED = 128, MAX_ROUNDS = 12 };

/* The haystack of sample request->index. Where a folder is read, neighbouring samples begin far from each other: at the places
 * of the golden-ratio sequence, from one that the seed draws. */
static enum kvl_status open_haystack(struct kvl_haystack *haystack, const struct kvl_task *task,
                                     const struct kvl_task_request *request)
{
    const struct kvl_haystack_kind *kind = task->config;
    struct kvl_haystack_source source = {.folder = request->settings != NULL ? request->settings->haystack_dir : NULL};
    struct kvl_random starts;
    KVL_REQUIRE(kind != &kvl_haystack_folder || source.folder != NULL,
                "%s needs a folder of text files: name it with --haystack DIR", task->name);
    kvl_random_init(&starts, request->seed, task->name, -1);
    kvl_random_init(&source.random, request->seed, task->name, request->index);
    source.start = kvl_random_next(&starts) + (uint64_t)request->index * 0x9e3779b97f4a7c15u;
    return kvl_haystack_init(haystack, kind, request->tokenizer, &source);
}

/* Whole sentences until the text, BOS included, has n_context + N_FORCED tokens or more. */
static enum kvl_status write_text(const struct kvl_task *task, const struct kvl_task_request *request,
                                  struct kvl_haystack *haystack, struct kvl_sample *sample, struct kvl_text *text,
                                  struct kvl_ids *ids)
{
    int64_t n_least = request->n_context + N_FORCED, n = n_least, n_tokens;
    for (int round = 0; round < MAX_ROUNDS; round++) {
        struct kvl_haystack_cut cut;
        text->n = 0;
        KVL_TRY(kvl_haystack_find_cut(haystack, 0, n, &cut));
        cut.n_sentences++; /* the first that did not fit: it has been read */
        KVL_TRY(kvl_haystack_write(haystack, &cut, NULL, 0, false, NULL, text));
        sample->user = text->data;
        KVL_TRY(kvl_prompt_count(task, request, sample, ids, &n_tokens));
        if (n_tokens >= n_least)
            return KVL_OK;
        n += 2 * (n_least - n_tokens);
    }
    return kvl_fail(KVL_E_INTERNAL, "%s: a text of %lld tokens does not come about", task->name, (long long)n_least);
}

static enum kvl_status fidelity_make(const struct kvl_task *task, const struct kvl_task_request *request,
                                     struct kvl_sample *sample)
{
    struct kvl_haystack haystack = {0};
    struct kvl_text text = {0}, no_prefix = {0};
    struct kvl_ids ids = {0};
    enum kvl_status status;
    *sample = (struct kvl_sample){0};
    KVL_TRY(kvl_generator_check(task, request));
    KVL_TRY_OUT(open_haystack(&haystack, task, request));
    KVL_TRY_OUT(kvl_text_add(&no_prefix, ""));
    sample->answer_prefix = kvl_text_take(&no_prefix);
    status = write_text(task, request, &haystack, sample, &text, &ids);
    sample->user = kvl_text_take(&text);
    sample->depth = NAN;
    sample->n_forced = N_FORCED;
out:
    kvl_haystack_free(&haystack);
    kvl_text_free(&no_prefix);
    kvl_ids_free(&ids);
    if (status != KVL_OK)
        kvl_sample_free(sample);
    return status;
}

/* No scorer: who runs the model compares its distributions with those of `full`. */
#define FIDELITY                                                                                                    \
    .version = 1, .metric = "top1_agreement", .has_context = true, .min_context = 16, .no_template = true, .make = fidelity_make
static const struct kvl_task tasks[] = {
    {FIDELITY, .name = "fidelity/essay", .title = "What the cache does to the model, on composed essays",
     .source = "composed essays, as in needle/*", .config = &kvl_haystack_essay},
    {FIDELITY, .name = "fidelity/folder", .title = "The same on a folder of texts (--haystack DIR)",
     .source = "the user's text files", .config = &kvl_haystack_folder},
};

const struct kvl_task *kvl_fidelity_task_at(int i)
{
    return i >= 0 && i < (int)(sizeof tasks / sizeof *tasks) ? &tasks[i] : NULL;
}
