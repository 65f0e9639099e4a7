#include "harness/option_table.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/nearest.h"

struct row {
    int key;
    const char *name;
    const char *argument; /* NULL: a switch */
    const char *help;
    enum kvl_status (*parse)(struct kvl_options *options, const char *name, const char *value);
};

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
    return kvl_words_parse(name, value, &o->tasks);
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
        KVL_REQUIRE(n >= 1 && n <= 1 << 30 && n == (double)(int64_t)n, "%s %g: give a whole number of tokens above 0", name, n);
    }
    return KVL_OK;
}

static enum kvl_status parse_kv_rates(struct kvl_options *o, const char *name, const char *value)
{
    int first = o->kv_rates.n;
    KVL_TRY(kvl_reals_parse(name, value, &o->kv_rates));
    for (int i = first; i < o->kv_rates.n; i++)
        KVL_REQUIRE(o->kv_rates.items[i] > 0.0 && o->kv_rates.items[i] <= 1.0,
                    "%s %g is out of range: give more than 0 and at most 1", name, o->kv_rates.items[i]);
    return KVL_OK;
}

static enum kvl_status parse_kv_budgets(struct kvl_options *o, const char *name, const char *value)
{
    int first = o->kv_budgets.n;
    KVL_TRY(kvl_reals_parse(name, value, &o->kv_budgets));
    for (int i = first; i < o->kv_budgets.n; i++) {
        double c = o->kv_budgets.items[i];
        KVL_REQUIRE(c >= 1 && c <= 1 << 30 && c == (double)(int64_t)c, "%s %g: give a whole number of entries above 0", name, c);
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
TEXT_OPTION(template_name)
TEXT_OPTION(logits_file)
TEXT_OPTION(kept_file)
TEXT_OPTION(kept_end_file)
TEXT_OPTION(output)
TEXT_OPTION(format)
TEXT_OPTION(title)

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
SWITCH_OPTION(json)
SWITCH_OPTION(resume)
SWITCH_OPTION(force)

/* Keys are the short option where one exists. A command names the keys that it takes. */
static const struct row rows[] = {
    {'m', "method", "A,B", "methods, by name", parse_methods},
    {'r', "kv-rate", "R,..", "share of the prompt's tokens that a layer keeps, 0 < R <= 1 (default 0.2)", parse_kv_rates},
    {'b', "kv-budget", "C,..", "entries that a layer keeps, in place of --kv-rate", parse_kv_budgets},
    {'P', "profile", "paper|fastkv,..", "named defaults of the methods (default fastkv)", parse_profiles},
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
    {'Z', "special", "token|text", "how special tokens in the text are taken (default token)", parse_special},
    {'e', "template", "NAME|none", "chat template in place of the file's own", parse_template_name},
    {'s', "seed", "N", "seed of samples and random weights (default 0)", parse_seed},
    {'o', "output", "FILE", "where the result goes", parse_output},
    {'R', "resume", NULL, "skip configurations that FILE already holds", parse_resume},
    {'F', "format", "table|markdown|csv", "form of the table (default table)", parse_format},
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

static const struct row *row_by_key(int key)
{
    for (int i = 0; i < (int)N_ROWS; i++)
        if (rows[i].key == key)
            return &rows[i];
    return NULL;
}

/* ---- argp ------------------------------------------------------------------------------------------------------------ */

struct parsing {
    struct kvl_options *options;
    enum kvl_status status;
};

static error_t on_option(int key, char *value, struct argp_state *state)
{
    struct parsing *parsing = state->input;
    if (key == ARGP_KEY_ARG) {
        struct kvl_words *positional = &parsing->options->positional;
        if (positional->n >= parsing->options->command->max_positional)
            parsing->status = kvl_fail(KVL_E_ARG, "unexpected argument '%s': `kvlab %s` takes %s", value,
                                       parsing->options->command->name, parsing->options->command->arguments);
        else {
            char **items = realloc(positional->items, (size_t)(positional->n + 1) * sizeof *items);
            if (items != NULL) {
                positional->items = items;
                items[positional->n] = strdup(value);
                positional->n += items[positional->n] != NULL;
            }
        }
        return parsing->status == KVL_OK ? 0 : EINVAL;
    }
    const struct row *row = row_by_key(key);
    if (row == NULL)
        return ARGP_ERR_UNKNOWN;
    char name[64];
    snprintf(name, sizeof name, "--%s", row->name);
    parsing->status = row->parse(parsing->options, name, value);
    return parsing->status == KVL_OK ? 0 : EINVAL;
}

static const char *next_option(const void *context, int i)
{
    const struct kvl_command *command = context;
    const struct row *row = command->keys[0] != '\0' && i < (int)strlen(command->keys) ? row_by_key(command->keys[i]) : NULL;
    return row != NULL ? row->name : NULL;
}

/* argp's own complaint about an unknown long option has no near name and no sentence: found here first. */
static enum kvl_status check_long_options(const struct kvl_command *command, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0)
            return KVL_OK;
        if (strncmp(argv[i], "--", 2) != 0)
            continue;
        size_t n = strcspn(argv[i] + 2, "=");
        bool known = n == 4 && (strncmp(argv[i] + 2, "help", n) == 0);
        const struct row *row = NULL;
        for (const char *key = command->keys; *key != '\0' && !known; key++) {
            const struct row *candidate = row_by_key(*key);
            known = candidate != NULL && strlen(candidate->name) == n && strncmp(candidate->name, argv[i] + 2, n) == 0;
            row = known ? candidate : NULL;
        }
        if (!known) {
            char word[64];
            snprintf(word, sizeof word, "%.*s", n < 63 ? (int)n : 63, argv[i] + 2);
            const char *near = kvl_nearest(word, next_option, command);
            return kvl_fail(KVL_E_ARG, "`kvlab %s` has no option '--%s'%s%s%s; `kvlab %s --help` lists them", command->name, word,
                            near != NULL ? ": did you mean '--" : "", near != NULL ? near : "", near != NULL ? "'?" : "",
                            command->name);
        }
        bool has_value = argv[i][2 + n] == '=';
        if (row != NULL && row->argument == NULL && has_value)
            return kvl_fail(KVL_E_ARG, "'--%s' takes no value", row->name);
        if (row != NULL && row->argument != NULL && !has_value && ++i >= argc)
            return kvl_fail(KVL_E_ARG, "'--%s' needs a value: --%s %s", row->name, row->name, row->argument);
    }
    return KVL_OK;
}

static void set_defaults(struct kvl_options *options)
{
    options->backend = "auto";
    options->dtype = KVL_BF16;
    options->n_samples = 10;
    options->n_warmups = 2;
}

enum kvl_status kvl_options_parse(struct kvl_options *options, const struct kvl_command *command, int argc, char **argv)
{
    *options = (struct kvl_options){.command = command, .argc = argc, .argv = argv};
    set_defaults(options);
    KVL_TRY(check_long_options(command, argc - 1, argv + 1));
    struct argp_option list[N_ROWS + 1] = {0};
    int n = 0;
    for (const char *key = command->keys; *key != '\0'; key++) {
        const struct row *row = row_by_key(*key);
        list[n++] = (struct argp_option){.name = row->name, .key = row->key, .arg = row->argument, .doc = row->help};
    }
    const struct argp argp = {.options = list, .parser = on_option, .args_doc = command->arguments, .doc = command->help};
    struct parsing parsing = {options, KVL_OK};
    char program[64];
    snprintf(program, sizeof program, "kvlab %s", command->name);
    char *name = argv[0];
    argv[0] = program;
    error_t failed = argp_parse(&argp, argc, argv, 0, NULL, &parsing);
    argv[0] = name;
    if (parsing.status != KVL_OK)
        return parsing.status;
    if (failed != 0)
        return kvl_fail(KVL_E_ARG, "wrong usage; `kvlab %s --help` shows the options", command->name);
    KVL_REQUIRE(options->positional.n >= command->min_positional, "`kvlab %s` needs %s; `kvlab %s --help` shows the options",
                command->name, command->arguments, command->name);
    return KVL_OK;
}
