#include "harness/experiment.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/json_file.h"
#include "core/nearest.h"
#include "harness/option_parse.h"
#include "harness/option_table.h"
#include "harness/sweep.h"

enum { VERSION = 1, MAX_FILE = 1 << 22, MAX_PARTS = 4096, MAX_PATH = 256 };

/* Options that belong to a run as a whole, not to a part of it. */
static const char *const run_options[] = {"output", "resume", "json", "force", "help", "shard"};
static const char *const top_keys[] = {"kvlab_experiment", "title", "description", "model", "options", "parts", NULL};

static const char *next_top_key(const void *context, int i)
{
    (void)context;
    return top_keys[i];
}

static const char *next_option(const void *context, int i)
{
    const struct kvl_option *option = kvl_command_option(context, i);
    return option != NULL ? option->name : NULL;
}

static bool is_run_option(const char *name)
{
    for (size_t i = 0; i < sizeof run_options / sizeof *run_options; i++)
        if (strcmp(run_options[i], name) == 0)
            return true;
    return false;
}

/* ---- values --------------------------------------------------------------------------------------------------------------- */

/* A copy of the text that lives as long as the experiment. */
static enum kvl_status keep_text(struct kvl_experiment *experiment, const char *text, const char **out)
{
    struct kvl_words *texts = &experiment->texts;
    char **items = realloc(texts->items, (size_t)(texts->n + 1) * sizeof *items);
    if (items == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for an experiment");
    texts->items = items;
    items[texts->n] = strdup(text);
    if (items[texts->n] == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for an experiment");
    *out = items[texts->n++];
    return KVL_OK;
}

/* A scalar as the command line would write it. */
static enum kvl_status write_scalar(const json_t *value, const char *path, char *text, size_t size)
{
    int n;
    if (json_is_string(value))
        n = snprintf(text, size, "%s", json_string_value(value));
    else if (json_is_integer(value))
        n = snprintf(text, size, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        n = snprintf(text, size, "%.15g", json_real_value(value));
    else
        return kvl_fail(KVL_E_FORMAT, "%s: a text or a number is wanted here", path);
    return n >= 0 && (size_t)n < size ? KVL_OK : kvl_fail(KVL_E_FORMAT, "%s: the value is too long", path);
}

/* Sentences of options name the path; those of the tables behind them (methods, tasks) get it in front. */
static enum kvl_status parse_at(struct kvl_options *options, const struct kvl_option *option, const char *path, const char *value)
{
    enum kvl_status status = option->parse(options, path, value);
    if (status == KVL_OK || strncmp(kvl_last_error(), path, strlen(path)) == 0)
        return status;
    return kvl_fail_prefix(status, "%s", path);
}

static enum kvl_status apply_scalar(struct kvl_experiment *experiment, struct kvl_options *options,
                                    const struct kvl_option *option, const json_t *value, const char *path)
{
    char text[4096];
    const char *kept = NULL;
    KVL_TRY(write_scalar(value, path, text, sizeof text));
    KVL_TRY(keep_text(experiment, text, &kept));
    return parse_at(options, option, path, kept);
}

/* An option whose argument is written as a list. */
static bool takes_list(const struct kvl_option *option)
{
    return strchr(option->argument, ',') != NULL;
}

static enum kvl_status apply_list(struct kvl_experiment *experiment, struct kvl_options *options,
                                  const struct kvl_option *option, const json_t *value, const char *path)
{
    size_t i;
    json_t *item;
    if (!takes_list(option))
        return kvl_fail(KVL_E_FORMAT, "%s: this option takes one value, not a list", path);
    if (json_array_size(value) == 0)
        return kvl_fail(KVL_E_FORMAT, "%s: the list is empty", path);
    json_array_foreach(value, i, item) {
        char name[MAX_PATH + 24];
        snprintf(name, sizeof name, "%.255s[%zu]", path, i);
        KVL_TRY(apply_scalar(experiment, options, option, item, name));
    }
    return KVL_OK;
}

/* {"fastkv.tsp_rate": [0.2, 0.4]} as --set fastkv.tsp_rate=0.2,0.4. */
static enum kvl_status apply_settings(struct kvl_experiment *experiment, struct kvl_options *options,
                                      const struct kvl_option *option, const json_t *object, const char *path)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        char text[4096], name[MAX_PATH];
        const char *kept = NULL;
        size_t n = json_is_array(value) ? json_array_size(value) : 1;
        size_t used = (size_t)snprintf(text, sizeof text, "%s=", key);
        snprintf(name, sizeof name, "%s.%s", path, key);
        for (size_t i = 0; i < n && used < sizeof text; i++) {
            char item[1024];
            KVL_TRY(write_scalar(json_is_array(value) ? json_array_get(value, i) : value, name, item, sizeof item));
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i > 0 ? "," : "", item);
        }
        if (used >= sizeof text)
            return kvl_fail(KVL_E_FORMAT, "%s: the list is too long", name);
        KVL_TRY(keep_text(experiment, text, &kept));
        KVL_TRY(parse_at(options, option, name, kept));
    }
    return KVL_OK;
}

static enum kvl_status apply_value(struct kvl_experiment *experiment, struct kvl_options *options,
                                   const struct kvl_option *option, const json_t *value, const char *path)
{
    if (option->argument == NULL) {
        if (!json_is_boolean(value))
            return kvl_fail(KVL_E_FORMAT, "%s: true or false is wanted here", path);
        return json_is_true(value) ? option->parse(options, path, NULL) : KVL_OK;
    }
    if (json_is_object(value) && strcmp(option->name, "set") == 0)
        return apply_settings(experiment, options, option, value, path);
    return json_is_array(value) ? apply_list(experiment, options, option, value, path)
                                : apply_scalar(experiment, options, option, value, path);
}

/* ---- parts ---------------------------------------------------------------------------------------------------------------- */

static enum kvl_status find_option(const struct kvl_command *command, const char *name, const char *path,
                                   const struct kvl_option **out)
{
    for (int i = 0; (*out = kvl_command_option(command, i)) != NULL; i++)
        if (strcmp((*out)->name, name) == 0)
            break;
    if (*out != NULL && !is_run_option(name))
        return KVL_OK;
    if (*out != NULL)
        return kvl_fail(KVL_E_FORMAT, "%s: --%s belongs on the command line of `kvlab run`", path, name);
    const char *near = kvl_nearest(name, next_option, command);
    return kvl_fail(KVL_E_FORMAT, "%s: `kvlab %s` has no option of this name%s%s%s", path, command->name,
                    near != NULL ? "; did you mean '" : "", near != NULL ? near : "", near != NULL ? "'?" : "");
}

static bool is_sweep_option(const char *name)
{
    const struct kvl_command *command;
    for (int c = 0; (command = kvl_command_at(c)) != NULL; c++)
        for (int i = 0; command->sweep != NULL && next_option(command, i) != NULL; i++)
            if (strcmp(next_option(command, i), name) == 0)
                return true;
    return false;
}

static bool was_given(const struct kvl_options *given, const char *name)
{
    for (int i = 0; i < given->n_given; i++)
        if (strcmp(given->given[i].option->name, name) == 0)
            return true;
    return false;
}

/* Keys of an object, but those that `over` has too and those that the command line gave. `strict` false: keys that other
 * commands have are passed over, since the common options serve all parts. */
static enum kvl_status apply_object(struct kvl_experiment *experiment, struct kvl_options *options, const json_t *object,
                                    const json_t *over, const struct kvl_options *given, const char *where, bool strict)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        char path[MAX_PATH];
        const struct kvl_option *option = NULL;
        snprintf(path, sizeof path, "%s: %s.%s", experiment->file, where, key);
        if (strcmp(key, "command") == 0 && strict)
            continue;
        enum kvl_status status = find_option(options->command, key, path, &option);
        if (status != KVL_OK && !strict && is_sweep_option(key) && !is_run_option(key))
            continue;
        KVL_TRY(status);
        if (strcmp(key, "seed") == 0 || was_given(given, key) || (over != NULL && json_object_get(over, key) != NULL))
            continue;
        KVL_TRY(apply_value(experiment, options, option, value, path));
    }
    return KVL_OK;
}

/* The options of `run` that its parts have too. */
static enum kvl_status apply_given(struct kvl_options *options, const struct kvl_options *given)
{
    options->output = given->output;
    options->json = given->json;
    options->resume = given->resume;
    options->force = given->force;
    for (int i = 0; i < given->n_given; i++) {
        const struct kvl_given_option *one = &given->given[i];
        char name[64];
        snprintf(name, sizeof name, "--%s", one->option->name);
        if (!is_run_option(one->option->name) && strchr(options->command->keys, one->option->key) != NULL)
            KVL_TRY(one->option->parse(options, name, one->value));
    }
    return KVL_OK;
}

static enum kvl_status find_command(const json_t *part, const char *path, const struct kvl_command **out)
{
    const char *name = json_string_value(json_object_get(part, "command"));
    if (name == NULL)
        return kvl_fail(KVL_E_FORMAT, "%s.command: \"eval\" or \"bench\" is wanted here", path);
    for (int i = 0; (*out = kvl_command_at(i)) != NULL; i++)
        if (strcmp((*out)->name, name) == 0 && (*out)->sweep != NULL)
            return KVL_OK;
    return kvl_fail(KVL_E_FORMAT, "%s.command: '%s' is no sweep: use eval or bench", path, name);
}

/* One part for one model and one seed (NULL: the default). */
static enum kvl_status add_part(struct kvl_experiment *experiment, const struct kvl_options *given, size_t index,
                                const char *model, const json_t *seed, const char *seed_path)
{
    const char *file = experiment->file;
    const json_t *part = json_array_get(json_object_get(experiment->root, "parts"), index);
    const json_t *common = json_object_get(experiment->root, "options");
    struct kvl_experiment_part *out = &experiment->parts[experiment->n];
    const struct kvl_command *command;
    char path[MAX_PATH];
    snprintf(out->where, sizeof out->where, "parts[%zu]", index);
    snprintf(path, sizeof path, "%s: %s", file, out->where);
    KVL_TRY(find_command(part, path, &command));
    kvl_options_init(&out->options, command, given->argc, given->argv);
    experiment->n++;
    out->options.positional.items = calloc(1, sizeof *out->options.positional.items);
    if (out->options.positional.items == NULL || (out->options.positional.items[0] = strdup(model)) == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for an experiment");
    out->options.positional.n = 1;
    KVL_TRY(apply_object(experiment, &out->options, common, part, given, "options", false));
    KVL_TRY(apply_object(experiment, &out->options, part, NULL, given, out->where, true));
    if (seed != NULL && !was_given(given, "seed")) {
        const struct kvl_option *option = NULL;
        KVL_TRY(find_option(command, "seed", seed_path, &option));
        KVL_TRY(apply_scalar(experiment, &out->options, option, seed, seed_path));
    }
    KVL_TRY(apply_given(&out->options, given));
    enum kvl_status status = command->sweep->check(&out->options);
    return status == KVL_OK ? KVL_OK : kvl_fail_prefix(status, "%s", path);
}

static enum kvl_status add_seeds(struct kvl_experiment *experiment, const struct kvl_options *given, size_t index,
                                 const char *model)
{
    const json_t *part = json_array_get(json_object_get(experiment->root, "parts"), index);
    const json_t *seeds = json_object_get(part, "seed");
    char path[MAX_PATH], where[64];
    snprintf(where, sizeof where, "parts[%zu]", index);
    if (seeds == NULL) {
        seeds = json_object_get(json_object_get(experiment->root, "options"), "seed");
        snprintf(where, sizeof where, "options");
    }
    size_t n = json_is_array(seeds) && !was_given(given, "seed") ? json_array_size(seeds) : 1;
    for (size_t i = 0; i < n; i++) {
        bool is_list = json_is_array(seeds);
        snprintf(path, sizeof path, is_list ? "%s: %s.seed[%zu]" : "%s: %s.seed", experiment->file, where, i);
        KVL_TRY(experiment->n < MAX_PARTS ? KVL_OK : kvl_fail(KVL_E_FORMAT, "%s: more than %d parts", path, MAX_PARTS));
        KVL_TRY(add_part(experiment, given, index, model, is_list ? json_array_get(seeds, i) : seeds, path));
    }
    return KVL_OK;
}

/* ---- the file ------------------------------------------------------------------------------------------------------------- */

static enum kvl_status check_top(const json_t *root)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)root, key, value) {
        bool known = false;
        for (int i = 0; top_keys[i] != NULL; i++)
            known = known || strcmp(top_keys[i], key) == 0;
        const char *near = known ? NULL : kvl_nearest(key, next_top_key, NULL);
        if (!known)
            return kvl_fail(KVL_E_FORMAT, "'%s' is no key of an experiment%s%s%s", key, near != NULL ? "; did you mean '" : "",
                            near != NULL ? near : "", near != NULL ? "'?" : "");
    }
    const json_t *version = json_object_get(root, "kvlab_experiment"), *options = json_object_get(root, "options");
    const json_t *parts = json_object_get(root, "parts");
    if (json_integer_value(version) != VERSION)
        return kvl_fail(KVL_E_FORMAT, "kvlab_experiment must be %d: the version of this format", VERSION);
    if (options != NULL && !json_is_object(options))
        return kvl_fail(KVL_E_FORMAT, "options: an object is wanted here");
    if (json_array_size(parts) == 0)
        return kvl_fail(KVL_E_FORMAT, "parts: a list of at least one part is wanted here");
    for (size_t i = 0; i < json_array_size(parts); i++)
        if (!json_is_object(json_array_get(parts, i)))
            return kvl_fail(KVL_E_FORMAT, "parts[%zu]: an object is wanted here", i);
    return KVL_OK;
}

/* The i-th model; NULL past the end. */
static const char *model_at(const struct kvl_experiment *experiment, const struct kvl_options *given, int i)
{
    const json_t *models = json_object_get(experiment->root, "model");
    if (given->positional.n > 1)
        return i + 1 < given->positional.n ? given->positional.items[i + 1] : NULL;
    if (json_is_string(models))
        return i == 0 ? json_string_value(models) : NULL;
    return json_string_value(json_array_get(models, (size_t)i));
}

static enum kvl_status load(struct kvl_experiment *experiment, const struct kvl_options *given)
{
    const char *file = experiment->file;
    KVL_TRY(kvl_json_load(file, MAX_FILE, &experiment->root));
    enum kvl_status status = check_top(experiment->root);
    if (status != KVL_OK)
        return kvl_fail_prefix(status, "%s", file);
    experiment->parts = calloc(MAX_PARTS, sizeof *experiment->parts);
    if (experiment->parts == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for an experiment");
    const char *model;
    int n_models = 0;
    for (; (model = model_at(experiment, given, n_models)) != NULL; n_models++)
        for (size_t i = 0; i < json_array_size(json_object_get(experiment->root, "parts")); i++)
            KVL_TRY(add_seeds(experiment, given, i, model));
    KVL_TRY(n_models > 0 ? KVL_OK : kvl_fail(KVL_E_FORMAT, "%s: model: a path or a list of paths is wanted here, or name one behind "
                                             "the file on the command line", file));
    return KVL_OK;
}

enum kvl_status kvl_experiment_load(struct kvl_experiment *experiment, const struct kvl_options *given)
{
    *experiment = (struct kvl_experiment){.file = given->positional.items[0]};
    enum kvl_status status = load(experiment, given);
    if (status != KVL_OK)
        kvl_experiment_free(experiment);
    return status;
}

void kvl_experiment_free(struct kvl_experiment *experiment)
{
    for (int i = 0; i < experiment->n; i++)
        kvl_options_free(&experiment->parts[i].options);
    free(experiment->parts);
    for (int i = 0; i < experiment->texts.n; i++)
        free(experiment->texts.items[i]);
    free(experiment->texts.items);
    json_decref(experiment->root);
    *experiment = (struct kvl_experiment){0};
}
