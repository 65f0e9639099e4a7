#define _GNU_SOURCE /* asprintf */
#include "harness/prompt_source.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "datasets/prompt.h"
#include "core/sha256.h"
#include "harness/text_input.h"

static enum kvl_status push_file(struct kvl_texts *texts, const char *folder, const char *name)
{
    char *path = NULL;
    char **files = realloc(texts->files, (size_t)(texts->n + 1) * sizeof *files);
    if (files != NULL)
        texts->files = files;
    if (files == NULL || (folder != NULL ? asprintf(&path, "%s/%s", folder, name) : asprintf(&path, "%s", name)) < 0)
        return kvl_fail(KVL_E_OOM, "no memory for a list of files");
    texts->files[texts->n++] = path;
    return KVL_OK;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static bool is_regular(const char *folder, const char *name)
{
    struct stat info;
    char *path = NULL;
    bool regular = asprintf(&path, "%s/%s", folder, name) > 0 && stat(path, &info) == 0 && S_ISREG(info.st_mode);
    free(path);
    return regular;
}

static enum kvl_status list_files(struct kvl_texts *texts, const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return kvl_fail(KVL_E_IO, "cannot read %s: %s", path, strerror(errno));
    if (!S_ISDIR(info.st_mode))
        return push_file(texts, NULL, path);
    struct dirent **entries;
    int n = scandir(path, &entries, NULL, by_name);
    if (n < 0)
        return kvl_fail(KVL_E_IO, "cannot read the folder %s: %s", path, strerror(errno));
    enum kvl_status status = KVL_OK;
    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;
        if (status == KVL_OK && name[0] != '.' && is_regular(path, name))
            status = push_file(texts, path, name);
        free(entries[i]);
    }
    free(entries);
    return status;
}

static enum kvl_status read_text(const char *path, char **text, int64_t *n)
{
    char *what = NULL;
    if (asprintf(&what, "@%s", path) < 0)
        return kvl_fail(KVL_E_OOM, "no memory for a file's name");
    enum kvl_status status = kvl_read_text(what, text, n);
    free(what);
    return status;
}

static enum kvl_status hash_files(struct kvl_texts *texts)
{
    struct kvl_sha256 hash;
    kvl_sha256_init(&hash);
    for (int64_t i = 0; i < texts->n; i++) {
        char *text;
        int64_t n;
        KVL_TRY(read_text(texts->files[i], &text, &n));
        kvl_sha256_update(&hash, text, (size_t)n + 1); /* the NUL behind it parts it from the next */
        free(text);
    }
    kvl_sha256_final(&hash, texts->hash);
    return KVL_OK;
}

enum kvl_status kvl_texts_init(struct kvl_texts *texts, const char *path)
{
    *texts = (struct kvl_texts){.path = path};
    enum kvl_status status = list_files(texts, path);
    if (status == KVL_OK && texts->n == 0)
        status = kvl_fail(KVL_E_FORMAT, "the folder %s holds no file: put texts into it", path);
    if (status == KVL_OK)
        status = hash_files(texts);
    if (status != KVL_OK)
        kvl_texts_free(texts);
    return status;
}

void kvl_texts_free(struct kvl_texts *texts)
{
    for (int64_t i = 0; i < texts->n; i++)
        free(texts->files[i]);
    free(texts->files);
    *texts = (struct kvl_texts){0};
}

/* ---- prompts ---------------------------------------------------------------------------------------------------------- */

/* The one place where a task makes a prompt of an analysis. */
static struct kvl_task_request request_of(const struct kvl_prompt_source *source, int64_t index)
{
    const struct kvl_workbench *bench = source->bench;
    return (struct kvl_task_request){.tokenizer = bench->model->tokenizer,
                                     .chat = bench->chat,
                                     .n_context = source->n_context,
                                     .seed = bench->options->seed,
                                     .index = index,
                                     .settings = &bench->options->task_settings};
}

/* The ids that are already in *ids stay in front. */
static enum kvl_status task_ids(const struct kvl_prompt_source *source, int64_t index, struct kvl_ids *ids)
{
    struct kvl_task_request request = request_of(source, index);
    struct kvl_prompt prompt;
    KVL_TRY(kvl_prompt_make(&prompt, source->task, &request, true));
    enum kvl_status status = KVL_OK;
    for (int64_t i = 0; i < prompt.ids.n && status == KVL_OK; i++)
        status = kvl_ids_push(ids, prompt.ids.data[i]);
    kvl_prompt_free(&prompt);
    return status;
}

static enum kvl_status text_ids(const struct kvl_prompt_source *source, int64_t index, struct kvl_ids *ids)
{
    const char *path = source->texts->files[index];
    char *text;
    int64_t n;
    KVL_TRY(read_text(path, &text, &n));
    enum kvl_status status = n > 0 ? kvl_workbench_encode(source->bench, text, n, true, ids)
                                   : kvl_fail(KVL_E_ARG, "the file is empty: leave it out");
    free(text);
    if (status != KVL_OK)
        return kvl_fail_prefix(status, "%s", path);
    KVL_REQUIRE(ids->n >= source->n_context, "%s holds %lld tokens, fewer than --context %lld: leave it out, or give a smaller one",
                path, (long long)ids->n, (long long)source->n_context);
    ids->n = source->n_context > 0 ? source->n_context : ids->n;
    return KVL_OK;
}

enum kvl_status kvl_prompt_source_ids(const struct kvl_prompt_source *source, int64_t index, struct kvl_ids *ids)
{
    return source->task != NULL ? task_ids(source, index, ids) : text_ids(source, index, ids);
}

void kvl_prompt_source_describe(const struct kvl_prompt_source *source, json_t *record)
{
    const struct kvl_workbench *bench = source->bench;
    if (source->task != NULL) {
        struct kvl_task_request request = request_of(source, 0);
        const struct kvl_chat_template *chat = kvl_prompt_template(source->task, &request);
        json_object_set_new(record, "task", json_string(source->task->name));
        json_object_set_new(record, "task_version", json_integer(source->task->version));
        json_object_set_new(record, "protocol", json_string("plain"));
        json_object_set_new(record, "query_aware", json_true());
        json_object_set_new(record, "template", chat != NULL ? json_string(chat->name) : json_null());
        json_object_set_new(record, "seed", json_integer((json_int_t)bench->options->seed));
    } else {
        json_object_set_new(record, "texts", kvl_text_json(source->texts->path, (int64_t)strlen(source->texts->path)));
        json_object_set_new(record, "texts_hash", json_string(source->texts->hash));
    }
    json_object_set_new(record, "context", source->n_context > 0 ? json_integer(source->n_context) : json_null());
    json_object_set_new(record, "n_samples", json_integer(source->n_samples));
    json_object_set_new(record, "truncated", json_boolean(source->task == NULL && source->n_context > 0));
}

void kvl_prompt_source_label(const struct kvl_prompt_source *source, char *label, size_t size)
{
    const char *name = source->task != NULL ? source->task->name : source->texts->path;
    if (source->n_context > 0)
        snprintf(label, size, "%.80s %lld", name, (long long)source->n_context);
    else
        snprintf(label, size, "%.80s", name);
}
