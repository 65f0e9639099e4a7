/* `kvlab list models|methods|tasks|figures|experiments|published`: tables for people, or the same as JSON. */
#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/model.h"
#include "core/nearest.h"
#include "datasets/task.h"
#include "harness/command.h"
#include "harness/paths.h"
#include "harness/plot.h"
#include "harness/published.h"
#include "harness/table.h"

static json_t *item(const char *name, const char *title, const char *source)
{
    return json_pack("{s:s, s:s, s:s}", "name", name, "title", title, "source", source);
}

static enum kvl_status list_models(json_t *items)
{
    for (int i = 0; kvl_preset_at(i) != NULL; i++) {
        const struct kvl_preset *preset = kvl_preset_at(i);
        const struct kvl_shape *s = &preset->shape;
        json_t *object = item(preset->name, preset->title, preset->source);
        json_object_set_new(object, "parameters",
                            json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "architecture", s->architecture, "n_layer",
                                      s->n_layer, "n_embd", s->n_embd, "n_head", s->n_head, "n_kv", s->n_kv, "head_size",
                                      s->head_size, "n_ff", s->n_ff, "n_vocab", s->n_vocab, "n_context", s->n_context));
        json_array_append_new(items, object);
    }
    return KVL_OK;
}

static json_t *param_default(const struct kvl_param *param, enum kvl_profile profile)
{
    char text[64];
    if (param->derive != NULL)
        return json_string(param->derived);
    if (param->type == KVL_PARAM_INT)
        return json_integer(param->defaults[profile].i);
    if (param->type == KVL_PARAM_REAL)
        return json_real(param->defaults[profile].r);
    if (param->type == KVL_PARAM_BOOL)
        return json_boolean(param->defaults[profile].b);
    kvl_value_format(param, param->defaults[profile], text, sizeof text);
    return json_string(text);
}

static json_t *param_bound(const struct kvl_param *param, double bound)
{
    return param->type == KVL_PARAM_INT ? json_integer((json_int_t)bound) : json_real(bound);
}

static json_t *param_item(const struct kvl_param *param)
{
    static const char *const types[] = {"int", "real", "bool", "choice"};
    bool bounded = param->type == KVL_PARAM_INT || param->type == KVL_PARAM_REAL;
    json_t *defaults = json_object(), *object = json_object();
    for (int p = 0; p < KVL_N_PROFILES; p++)
        json_object_set_new(defaults, kvl_profile_name((enum kvl_profile)p), param_default(param, (enum kvl_profile)p));
    json_object_set_new(object, "name", json_string(param->name));
    json_object_set_new(object, "type", json_string(types[param->type]));
    json_object_set_new(object, "default", defaults);
    json_object_set_new(object, "min", bounded ? param_bound(param, param->min) : json_null());
    json_object_set_new(object, "max", bounded ? param_bound(param, param->max) : json_null());
    if (param->type == KVL_PARAM_CHOICE) {
        json_t *choices = json_array();
        for (int i = 0; param->choices[i] != NULL; i++)
            json_array_append_new(choices, json_string(param->choices[i]));
        json_object_set_new(object, "choices", choices);
    }
    json_object_set_new(object, "help", json_string(param->help));
    return object;
}

static enum kvl_status list_methods(json_t *items)
{
    for (int i = 0; kvl_method_at(i) != NULL; i++) {
        const struct kvl_method *method = kvl_method_at(i);
        json_t *object = item(method->name, method->title, method->source), *params = json_array();
        for (int p = 0; p < method->n_params; p++)
            json_array_append_new(params, param_item(&method->params[p]));
        json_object_set_new(object, "parameters", params);
        json_array_append_new(items, object);
    }
    return KVL_OK;
}

static enum kvl_status list_tasks(json_t *items)
{
    for (int i = 0; kvl_task_at(i) != NULL; i++) {
        const struct kvl_task *task = kvl_task_at(i);
        json_t *object = item(task->name, task->title, task->source);
        json_object_set_new(object, "version", json_integer(task->version));
        json_object_set_new(object, "metric", json_string(task->metric));
        json_array_append_new(items, object);
    }
    return KVL_OK;
}

static enum kvl_status list_figures(json_t *items)
{
    for (int i = 0; kvl_figure_at(i) != NULL; i++)
        json_array_append_new(items, item(kvl_figure_at(i)->name, kvl_figure_at(i)->title, kvl_figure_at(i)->script));
    return KVL_OK;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static enum kvl_status list_experiments(json_t *items)
{
    char folder[1024];
    KVL_TRY(kvl_data_folder("experiments", folder, sizeof folder));
    struct dirent **entries;
    int n = scandir(folder, &entries, NULL, by_name);
    if (n < 0)
        return kvl_fail(KVL_E_IO, "%s cannot be read", folder);
    for (int i = 0; i < n; i++) {
        char path[2048];
        const char *name = entries[i]->d_name, *dot = strrchr(name, '.');
        if (dot != NULL && strcmp(dot, ".json") == 0) {
            snprintf(path, sizeof path, "%s/%s", folder, name);
            json_t *experiment = json_load_file(path, 0, NULL);
            const char *title = json_string_value(json_object_get(experiment, "title"));
            char stem[256];
            snprintf(stem, sizeof stem, "%.*s", (int)(dot - name), name);
            json_array_append_new(items, item(stem, title != NULL ? title : "", path));
            json_decref(experiment);
        }
        free(entries[i]);
    }
    free(entries);
    return KVL_OK;
}

static enum kvl_status list_published(json_t *items)
{
    json_t *published;
    KVL_TRY(kvl_published_list(&published));
    json_array_extend(items, published);
    json_decref(published);
    return KVL_OK;
}

static const struct {
    const char *name;
    enum kvl_status (*fill)(json_t *items);
} kinds[] = {
    {"models", list_models}, {"methods", list_methods}, {"tasks", list_tasks}, {"figures", list_figures},
    {"experiments", list_experiments}, {"published", list_published},
};

enum { N_KINDS = sizeof kinds / sizeof *kinds };

static const char *next_kind(const void *context, int i)
{
    (void)context;
    return i < (int)N_KINDS ? kinds[i].name : NULL;
}

/* "window=8 pool=max ..." of the default profile, or "n_layer=32 ..." of a model. */
static void format_parameters(const json_t *parameters, char *text, size_t size)
{
    size_t used = 0, index;
    const char *key;
    json_t *value;
    text[0] = '\0';
    json_array_foreach(parameters, index, value) {
        char *shown = json_dumps(json_object_get(json_object_get(value, "default"), kvl_profile_name(KVL_PROFILE_DEFAULT)), JSON_ENCODE_ANY);
        if (used < size)
            used += (size_t)snprintf(text + used, size - used, "%s%s=%s", used > 0 ? " " : "",
                                     json_string_value(json_object_get(value, "name")), shown);
        free(shown);
    }
    json_object_foreach((json_t *)(uintptr_t)parameters, key, value) {
        char *shown = json_dumps(value, JSON_ENCODE_ANY);
        if (used < size)
            used += (size_t)snprintf(text + used, size - used, "%s%s=%s", used > 0 ? " " : "", key, shown);
        free(shown);
    }
}

static enum kvl_status print_table(const json_t *items)
{
    struct kvl_table table;
    enum kvl_status status = kvl_table_init(&table, 4);
    size_t i;
    json_t *object;
    const char *const heads[] = {"name", "title", "source", "parameters"};
    if (status == KVL_OK)
        status = kvl_table_add_row(&table);
    for (int c = 0; c < 4 && status == KVL_OK; c++)
        status = kvl_table_set(&table, c, "%s", heads[c]);
    json_array_foreach(items, i, object) {
        char parameters[1024];
        format_parameters(json_object_get(object, "parameters"), parameters, sizeof parameters);
        if (status == KVL_OK)
            status = kvl_table_add_row(&table);
        for (int c = 0; c < 3 && status == KVL_OK; c++)
            status = kvl_table_set(&table, c, "%s", json_string_value(json_object_get(object, heads[c])));
        if (status == KVL_OK)
            status = kvl_table_set(&table, 3, "%s", parameters);
    }
    if (status == KVL_OK)
        status = kvl_table_print(&table, KVL_TABLE_TEXT, stdout);
    kvl_table_free(&table);
    return status;
}

static enum kvl_status run(const struct kvl_options *options)
{
    const char *kind = options->positional.items[0];
    for (int i = 0; i < (int)N_KINDS; i++) {
        if (strcmp(kind, kinds[i].name) != 0)
            continue;
        json_t *items = json_array();
        enum kvl_status status = kinds[i].fill(items);
        if (status == KVL_OK && options->json) {
            json_dumpf(items, stdout, JSON_INDENT(1));
            putchar('\n');
        } else if (status == KVL_OK)
            status = print_table(items);
        json_decref(items);
        return status;
    }
    const char *near = kvl_nearest(kind, next_kind, NULL);
    return kvl_fail(KVL_E_ARG, "cannot list '%s'%s%s%s: use models, methods, tasks, figures, experiments or published", kind,
                    near != NULL ? ", did you mean '" : "", near != NULL ? near : "", near != NULL ? "'" : "");
}

const struct kvl_command kvl_command_list = {
    .name = "list",
    .arguments = "models|methods|tasks|figures|experiments|published",
    .help = "What there is, with parameters and sources.",
    .min_positional = 1,
    .max_positional = 1,
    .keys = "J",
    .run = run,
};
