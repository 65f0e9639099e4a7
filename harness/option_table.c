#include "harness/option_table.h"

#include <stdio.h>
#include <stdlib.h>

#include "datasets/task.h"

static enum kvl_status number(const char *name, const char *value, double min, double max, int64_t *out)
{
    double x;
    KVL_TRY(kvl_number_parse(name, value, true, min, max, &x));
    *out = (int64_t)x;
    return KVL_OK;
}

static enum kvl_status parse_backend(struct kvl_options *o, const char *name, const char *value)
{
    KVL_REQUIRE(strcmp(value, "cpu") == 0 || strcmp(value, "cuda") == 0 || strcmp(value, "auto") == 0,
                "%s '%s' is unknown: use cpu, cuda or auto", name, value);
    o->backend = value;
    return KVL_OK;
}

static enum kvl_status parse_dtype(struct kvl_options *o, const char *name, const char *value)
{
    KVL_REQUIRE(strcmp(value, "f32") == 0 || strcmp(value, "bf16") == 0, "%s '%s' is unknown: use f32 or bf16", name, value);
    o->dtype = strcmp(value, "f32") == 0 ? KVL_F32 : KVL_BF16;
    return KVL_OK;
}

static enum kvl_status parse_threads(struct kvl_options *o, const char *name, const char *value)
{
    int64_t n;
    KVL_TRY(number(name, value, 1, 1024, &n));
    o->n_threads = (int)n;
    return KVL_OK;
}

static enum kvl_status parse_isa(struct kvl_options *o, const char *name, const char *value)
{
    (void)name;
    o->isa = value;
    return KVL_OK;
}

static enum kvl_status parse_chunk(struct kvl_options *o, const char *name, const char *value)
{
    return number(name, value, 1, 1 << 30, &o->chunk);
}

static enum kvl_status parse_memory_limit(struct kvl_options *o, const char *name, const char *value)
{
    return number(name, value, 1, 1e15, &o->memory_limit);
}

static enum kvl_status parse_model_context(struct kvl_options *o, const char *name, const char *value)
{
    return number(name, value, 1, 1 << 30, &o->n_context_model);
}

static enum kvl_status parse_methods(struct kvl_options *o, const char *name, const char *value)
{
    int first = o->methods.n;
    KVL_TRY(kvl_words_parse(name, value, &o->methods));
    const struct kvl_method *method;
    for (int i = first; i < o->methods.n; i++)
        KVL_TRY(kvl_method_find(o->methods.items[i], &method));
    return KVL_OK;
}

static enum kvl_status parse_profiles(struct kvl_options *o, const char *name, const char *value)
{
    int first = o->profiles.n;
    KVL_TRY(kvl_words_parse(name, value, &o->profiles));
    enum kvl_profile profile;
    for (int i = first; i < o->profiles.n; i++)
        KVL_TRY(kvl_profile_find(o->profiles.items[i], &profile));
    return KVL_OK;
}

static enum kvl_status parse_tasks(struct kvl_options *o, const char *name, const char *value)
{
    int first = o->tasks.n;
    KVL_TRY(kvl_words_parse(name, value, &o->tasks));
    const struct kvl_task *task;
    for (int i = first; i < o->tasks.n; i++)
        KVL_TRY(kvl_task_find(o->tasks.items[i], &task));
    return KVL_OK;
}

static enum kvl_status parse_phases(struct kvl_options *o, const char *name, const char *value)
{
    int first = o->phases.n;
    KVL_TRY(kvl_words_parse(name, value, &o->phases));
    for (int i = first; i < o->phases.n; i++) {
        const char *phase = o->phases.items[i];
        KVL_REQUIRE(strcmp(phase, "prefill") == 0 || strcmp(phase, "decode") == 0 || strcmp(phase, "e2e") == 0,
                    "%s '%s' is unknown: use prefill, decode or e2e", name, phase);
    }
    return KVL_OK;
}

static enum kvl_status parse_contexts(struct kvl_options *o, const char *name, const char *value)
{
    int first = o->contexts.n;
    KVL_TRY(kvl_reals_parse(name, value, &o->contexts));
    for (int i = first; i < o->contexts.n; i++) {
        double n = o->contexts.items[i];
        KVL_REQUIRE(n >= 1 && n <= 1 << 30 && n == (double)(int64_t)n, "%s %.15g: give a whole number of tokens above 0", name, n);
    }
    return KVL_OK;
}

static enum kvl_status parse_kv_rates(struct kvl_options *o, const char *name, const char *value)
{
    int first = o->kv_rates.n;
    KVL_TRY(kvl_reals_parse(name, value, &o->kv_rates));
    for (int i = first; i < o->kv_rates.n; i++)
        KVL_REQUIRE(o->kv_rates.items[i] > 0.0 && o->kv_rates.items[i] <= 1.0,
                    "%s %.15g is out of range: give more than 0 and at most 1", name, o->kv_rates.items[i]);
    return KVL_OK;
}

static enum kvl_status parse_kv_budgets(struct kvl_options *o, const char *name, const char *value)
{
    int first = o->kv_budgets.n;
    KVL_TRY(kvl_reals_parse(name, value, &o->kv_budgets));
    for (int i = first; i < o->kv_budgets.n; i++) {
        double c = o->kv_budgets.items[i];
        KVL_REQUIRE(c >= 1 && c <= 1 << 30 && c == (double)(int64_t)c, "%s %.15g: give a whole number of entries above 0", name, c);
    }
    return KVL_OK;
}

static enum kvl_status parse_set(struct kvl_options *o, const char *name, const char *value)
{
    const char *dot = strchr(value, '.'), *equals = strchr(value, '=');
    KVL_REQUIRE(dot != NULL && equals != NULL && dot > value && dot + 1 < equals && equals[1] != '\0',
                "%s '%s': write method.param=value", name, value);
    struct kvl_set_option *all = realloc(o->settings, (size_t)(o->n_settings + 1) * sizeof *all);
    if (all == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for the options");
    o->settings = all;
    struct kvl_set_option *set = &all[o->n_settings++];
    *set = (struct kvl_set_option){.method = strndup(value, (size_t)(dot - value)),
                                   .param = strndup(dot + 1, (size_t)(equals - dot - 1))};
    if (set->method == NULL || set->param == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for the options");
    const struct kvl_method *method;
    KVL_TRY(kvl_method_find(set->method, &method));
    for (int i = 0; i < o->n_settings - 1; i++)
        KVL_REQUIRE(strcmp(all[i].method, set->method) != 0 || strcmp(all[i].param, set->param) != 0,
                    "%s %s.%s is given twice: write one list, %s.%s=A,B", name, set->method, set->param, set->method, set->param);
    if (strchr(equals + 1, ':') == NULL)
        return kvl_words_parse(name, equals + 1, &set->values);
    struct kvl_reals range = {0};
    enum kvl_status status = kvl_reals_parse(name, equals + 1, &range);
    for (int i = 0; i < range.n && status == KVL_OK; i++) {
        char text[32];
        snprintf(text, sizeof text, "%.12g", range.items[i]);
        status = kvl_words_parse(name, text, &set->values);
    }
    free(range.items);
    return status;
}

static enum kvl_status parse_samples(struct kvl_options *o, const char *name, const char *value)
{
    return number(name, value, 1, 1000000, &o->n_samples);
}

static enum kvl_status parse_new_tokens(struct kvl_options *o, const char *name, const char *value)
{
    return number(name, value, 1, 1 << 24, &o->n_new_tokens);
}

static enum kvl_status parse_warmups(struct kvl_options *o, const char *name, const char *value)
{
    return number(name, value, 0, 1000, &o->n_warmups);
}

static enum kvl_status parse_time_limit(struct kvl_options *o, const char *name, const char *value)
{
    return kvl_number_parse(name, value, false, 0.001, 1e9, &o->time_limit_s);
}

static enum kvl_status parse_seed(struct kvl_options *o, const char *name, const char *value)
{
    int64_t seed;
    KVL_TRY(number(name, value, 0, 9e15, &seed));
    o->seed = (uint64_t)seed;
    return KVL_OK;
}

#define TEXT_OPTION(field)                                                                                 \
    static enum kvl_status parse_##field(struct kvl_options *o, const char *name, const char *value)       \
    {                                                                                                      \
        KVL_REQUIRE(*value != '\0', "%s: the value is empty", name);                                       \
        o->field = value;                                                                                  \
        return KVL_OK;                                                                                     \
    }
TEXT_OPTION(logits_file)
TEXT_OPTION(kept_file)
TEXT_OPTION(kept_end_file)
TEXT_OPTION(html_file)
TEXT_OPTION(output)
TEXT_OPTION(format)
TEXT_OPTION(title)
TEXT_OPTION(published)

static enum kvl_status parse_template_name(struct kvl_options *o, const char *name, const char *value)
{
    const struct kvl_chat_template *chat;
    (void)name;
    o->template_name = value;
    return kvl_chat_template_find(value, &chat);
}

static enum kvl_status parse_prompt(struct kvl_options *o, const char *name, const char *value)
{
    (void)name;
    o->prompt = value;
    return KVL_OK;
}

static enum kvl_status parse_system(struct kvl_options *o, const char *name, const char *value)
{
    (void)name;
    o->system = value;
    return KVL_OK;
}

static enum kvl_status parse_special(struct kvl_options *o, const char *name, const char *value)
{
    KVL_REQUIRE(strcmp(value, "text") == 0 || strcmp(value, "token") == 0, "%s '%s' is unknown: use token or text", name, value);
    o->special_text = strcmp(value, "text") == 0;
    return KVL_OK;
}

#define SWITCH_OPTION(field)                                                                           \
    static enum kvl_status parse_##field(struct kvl_options *o, const char *name, const char *value)   \
    {                                                                                                  \
        (void)name, (void)value;                                                                       \
        o->field = true;                                                                               \
        return KVL_OK;                                                                                 \
    }
SWITCH_OPTION(raw)
SWITCH_OPTION(show_kept)
SWITCH_OPTION(json)
SWITCH_OPTION(resume)
SWITCH_OPTION(force)
SWITCH_OPTION(help)

/* Keys are the short options. A command names the keys that it takes; --help is everybody's. */
static const struct kvl_option rows[] = {
    {KVL_OPTION_HELP, "help", NULL, "show this text", parse_help},
    {'m', "method", "A,B", "methods, by name", parse_methods},
    {'r', "kv-rate", "R,..", "share of the prompt's tokens that a layer keeps, 0 < R <= 1 (default 0.2)", parse_kv_rates},
    {'b', "kv-budget", "C,..", "entries that a layer keeps, in place of --kv-rate", parse_kv_budgets},
    {'P', "profile", "NAME,..", "named defaults of the methods, as `kvlab list methods --json` shows them", parse_profiles},
    {'S', "set", "METHOD.PARAM=V,..", "one parameter of one method; may be given several times", parse_set},
    {'t', "task", "T,..", "tasks, by name", parse_tasks},
    {'c', "context", "N,..", "prompt tokens: 1k,2k,4k or 1024:4096:1024", parse_contexts},
    {'p', "phase", "prefill,decode,e2e", "what to time (default all three)", parse_phases},
    {'n', "samples", "S", "samples per configuration (default 10)", parse_samples},
    {'g', "new-tokens", "G", "tokens to generate", parse_new_tokens},
    {'w', "warmup", "W", "rounds before the samples count (default 2)", parse_warmups},
    {'L', "time-limit", "SECONDS", "end the sampling of a context after this time, with at least two samples", parse_time_limit},
    {'x', "prompt", "TEXT|@FILE|-", "the prompt: text, a file, or standard input", parse_prompt},
    {'y', "system", "TEXT", "system message in place of the template's default", parse_system},
    {'W', "raw", NULL, "no chat template: the text as it is", parse_raw},
    {'l', "logits", "FILE", "write the last prompt token's logits, little-endian float32", parse_logits_file},
    {'k', "kept", "FILE", "write what every layer kept after the prefill, as JSON", parse_kept_file},
    {'K', "kept-end", "FILE", "the same after the last generated token", parse_kept_end_file},
    {'H', "show-kept", NULL, "print the prompt, each token shaded by the share of layers and heads that kept it", parse_show_kept},
    {'X', "html", "FILE", "write that view as a page", parse_html_file},
    {'Z', "special", "token|text", "how special tokens in the text are taken (default token)", parse_special},
    {'e', "template", "NAME|none", "chat template in place of the file's own", parse_template_name},
    {'s', "seed", "N", "seed of samples and random weights (default 0)", parse_seed},
    {'o', "output", "FILE", "where the result goes: a file that is made, or records are added to", parse_output},
    {'R', "resume", NULL, "leave out configurations that FILE already holds; failed ones are run again", parse_resume},
    {'F', "format", "table|markdown|csv|latex", "form of the tables (default table)", parse_format},
    {'U', "published", "NAME", "published numbers beside ours; `kvlab list published` shows which", parse_published},
    {'T', "title", "TEXT", "title of the figure", parse_title},
    {'J', "json", NULL, "JSON on standard output", parse_json},
    {'f', "force", NULL, "time even a debug build", parse_force},
    {'B', "backend", "cpu|cuda|auto", "where to compute (default auto)", parse_backend},
    {'d', "dtype", "f32|bf16", "type of weights, activations and cache (default bf16)", parse_dtype},
    {'j', "threads", "N", "CPU threads (default: all cores)", parse_threads},
    {'I', "isa", "NAME", "CPU instruction set: auto, plain, avx2, avx512, avx512bf16", parse_isa},
    {'C', "chunk", "N", "tokens of the row-wise parts at a time; changes no result", parse_chunk},
    {'M', "memory-limit", "BYTES", "refuse to allocate more", parse_memory_limit},
    {'N', "model-context", "N", "longest context of a random:NAME model", parse_model_context},
};

enum { N_ROWS = sizeof rows / sizeof *rows };

const struct kvl_option *kvl_option_find(int key)
{
    for (int i = 0; i < (int)N_ROWS; i++)
        if (rows[i].key == key)
            return &rows[i];
    return NULL;
}
