#include "harness/option_table.h"

#include <stdio.h>
#include <stdlib.h>

#include "datasets/task.h"
#include "harness/kernel_case.h"

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

static enum kvl_status parse_operations(struct kvl_options *o, const char *name, const char *value)
{
    int first = o->operations.n;
    KVL_TRY(kvl_words_parse(name, value, &o->operations));
    for (int i = first; i < o->operations.n; i++)
        KVL_TRY(kvl_kernel_operation_check(name, o->operations.items[i]));
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

static enum kvl_status parse_layers(struct kvl_options *o, const char *name, const char *value)
{
    int first = o->layers.n;
    KVL_TRY(kvl_reals_parse(name, value, &o->layers));
    for (int i = first; i < o->layers.n; i++) {
        double l = o->layers.items[i];
        KVL_REQUIRE(l >= 0 && l < KVL_MAX_LAYERS && l == (double)(int64_t)l,
                    "%s %.15g: give a whole number, the first layer is 0", name, l);
    }
    return KVL_OK;
}

static enum kvl_status parse_bound(struct kvl_options *o, const char *name, const char *value)
{
    return number(name, value, 0, KVL_MAX_LAYERS - 1, &o->bound);
}

static enum kvl_status parse_tops(struct kvl_options *o, const char *name, const char *value)
{
    int first = o->tops.n;
    KVL_TRY(kvl_reals_parse(name, value, &o->tops));
    for (int i = first; i < o->tops.n; i++) {
        double k = o->tops.items[i];
        KVL_REQUIRE(k > 0 && k <= 1 << 30 && (k <= 1 || k == (double)(int64_t)k),
                    "%s %.15g: give a share above 0 and up to 1, or a whole number of tokens", name, k);
    }
    return KVL_OK;
}

static enum kvl_status parse_window(struct kvl_options *o, const char *name, const char *value)
{
    return number(name, value, 0, 1 << 30, &o->window);
}

static enum kvl_status parse_set(struct kvl_options *o, const char *name, const char *value)
{
    const char *dot = strchr(value, '.'), *equals = strchr(value, '=');
    KVL_REQUIRE(dot != NULL && equals != NULL && dot > value && dot + 1 < equals && equals[1] != '\0',
                "%s '%s': write method.param=value", name, value);
    char family[32], param[64];
    snprintf(family, sizeof family, "%.*s", (int)(dot - value < 31 ? dot - value : 31), value);
    snprintf(param, sizeof param, "%.*s", (int)(equals - dot - 1 < 63 ? equals - dot - 1 : 63), dot + 1);
    if (kvl_task_setting_family(family))
        return kvl_task_setting_parse(&o->task_settings, family, param, equals + 1);
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

static enum kvl_status parse_protocol(struct kvl_options *o, const char *name, const char *value)
{
    const char *known;
    for (int i = 0; (known = kvl_protocol_name(i)) != NULL; i++)
        if (strcmp(known, value) == 0) {
            o->task_settings.protocol = (enum kvl_protocol)i;
            return KVL_OK;
        }
    return kvl_fail(KVL_E_ARG, "%s '%s' is unknown: use plain or fastkv", name, value);
}

static enum kvl_status parse_query_aware(struct kvl_options *o, const char *name, const char *value)
{
    KVL_REQUIRE(strcmp(value, "on") == 0 || strcmp(value, "off") == 0, "%s '%s' is unknown: use on or off", name, value);
    o->query_agnostic = strcmp(value, "off") == 0;
    return KVL_OK;
}

static enum kvl_status parse_max_prompt(struct kvl_options *o, const char *name, const char *value)
{
    return number(name, value, 2, 1 << 30, &o->task_settings.max_prompt);
}

static enum kvl_status parse_samples(struct kvl_options *o, const char *name, const char *value)
{
    o->samples_given = true;
    return number(name, value, 1, 1000000, &o->n_samples);
}

static enum kvl_status parse_shard(struct kvl_options *o, const char *name, const char *value)
{
    char text[32];
    const char *slash = strchr(value, '/');
    double index, count;
    KVL_REQUIRE(slash != NULL && slash - value < (int)sizeof text, "%s '%s': write i/n, such as 1/4", name, value);
    snprintf(text, sizeof text, "%.*s", (int)(slash - value), value);
    KVL_TRY(kvl_number_parse(name, slash + 1, true, 1, 100000, &count));
    KVL_TRY(kvl_number_parse(name, text, true, 1, count, &index));
    o->shard_index = (int64_t)index - 1;
    o->shard_count = (int64_t)count;
    return KVL_OK;
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

#define REAL_OPTION(field, min, max)                                                                   \
    static enum kvl_status parse_##field(struct kvl_options *o, const char *name, const char *value)   \
    {                                                                                                  \
        return kvl_number_parse(name, value, false, min, max, &o->field);                              \
    }
REAL_OPTION(threshold_score, 0.0, 1.0)
REAL_OPTION(threshold_nats, 0.0, 100.0)
REAL_OPTION(threshold_latency, 0.0, 100.0)
REAL_OPTION(threshold_memory, 0.0, 100.0)
REAL_OPTION(alpha, 1e-6, 0.5)

#define TEXT_OPTION(field)                                                                                 \
    static enum kvl_status parse_##field(struct kvl_options *o, const char *name, const char *value)       \
    {                                                                                                      \
        KVL_REQUIRE(*value != '\0', "%s: the value is empty", name);                                       \
        o->field = value;                                                                                  \
        return KVL_OK;                                                                                     \
    }
#define FOLDER_OPTION(field)                                                                               \
    static enum kvl_status parse_##field(struct kvl_options *o, const char *name, const char *value)       \
    {                                                                                                      \
        KVL_REQUIRE(*value != '\0', "%s: the value is empty", name);                                       \
        o->task_settings.field = value;                                                                    \
        return KVL_OK;                                                                                     \
    }
FOLDER_OPTION(haystack_dir)
FOLDER_OPTION(ruler_dir)
FOLDER_OPTION(longbench_dir)
TEXT_OPTION(logits_file)
TEXT_OPTION(kept_file)
TEXT_OPTION(kept_end_file)
TEXT_OPTION(html_file)
TEXT_OPTION(output)
TEXT_OPTION(format)
TEXT_OPTION(title)
TEXT_OPTION(texts)
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
SWITCH_OPTION(allow_missing)
SWITCH_OPTION(kernels)
SWITCH_OPTION(copy_cache)
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
    {KVL_OPTION_KERNELS, "kernels", NULL, "time the backend's operations at the model's shapes, each checked first; needs no method",
     parse_kernels},
    {KVL_OPTION_OP, "op", "NAME,..", "with --kernels: these operations alone", parse_operations},
    {'n', "samples", "S", "samples per configuration (default 10, or all that a task's files hold)", parse_samples},
    {'O', "protocol", "plain|fastkv", "template, BOS, answer prefix, new tokens (default plain)", parse_protocol},
    {'Q', "query-aware", "on|off", "off: the context is compressed before the question is seen (default on)", parse_query_aware},
    {'U', "max-prompt", "N", "cut the middle out of a longer user's message", parse_max_prompt},
    {'a', "haystack", "DIR", "text files to hide needles in, or to read on in, in place of composed essays", parse_haystack_dir},
    {'u', "ruler", "DIR", "official RULER files, CONTEXT/TASK.jsonl", parse_ruler_dir},
    {'D', "longbench", "DIR", "official LongBench files", parse_longbench_dir},
    {KVL_OPTION_TEXTS, "texts", "FILE|FOLDER", "prompts of your own in place of tasks: each file's text, cut to --context", parse_texts},
    {KVL_OPTION_TOP, "top", "K,..", "tokens that count as the top: a share of the prompt up to 1, or a number (default 0.00390625,0.1,0.2)",
     parse_tops},
    {KVL_OPTION_WINDOW, "window", "N", "last rows that observe the tokens, 0 for all rows (default 8)", parse_window},
    {KVL_OPTION_LAYER, "layer", "N,..", "layers to cut at (default all)", parse_layers},
    {KVL_OPTION_BOUND, "bound", "N", "the last layer that the search may choose (default L/2 - 1)", parse_bound},
    {'g', "new-tokens", "G", "tokens to generate", parse_new_tokens},
    {KVL_OPTION_COPY_CACHE, "copy-cache", NULL, "decode steps copy the cache before they read it, as one does that grows by "
     "concatenation", parse_copy_cache},
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
    {KVL_OPTION_PUBLISHED, "published", "NAME", "published numbers beside ours; `kvlab list published` shows which", parse_published},
    {'T', "title", "TEXT", "title of the figure", parse_title},
    {'J', "json", NULL, "JSON on standard output", parse_json},
    {'i', "shard", "I/N", "run every N-th job, beginning with the I-th; records of all shards may go to one file", parse_shard},
    {'f', "force", NULL, "do what is refused otherwise: time a debug build, add to a file of another version of kvlab, compare what "
     "was measured in different ways", parse_force},
    {'z', "threshold-score", "D", "smallest change of a mean score that counts, of 1 (default 0.02: two points)",
     parse_threshold_score},
    {'v', "threshold-latency", "D", "smallest change of a median time that counts, as a share (default 0.05: equal runs on a "
     "quiet machine differ by one or two percent)", parse_threshold_latency},
    {'V', "threshold-memory", "D", "smallest change of peak memory that counts, as a share (default 0.02)",
     parse_threshold_memory},
    {'G', "threshold-nats", "D", "smallest change of a mean divergence or likelihood that counts, in nats a token (default 0.01: "
     "one percent of perplexity)", parse_threshold_nats},
    {'A', "alpha", "P", "expected share of false ones among the changes reported, over all rows together; where "
     "nothing changed, the probability of any (default 0.05)", parse_alpha},
    {'E', "allow-missing", NULL, "rows of BASE that NEW lacks are no failure", parse_allow_missing},
    {'B', "backend", "cpu|cuda|auto", "where to compute (default auto)", parse_backend},
    {'d', "dtype", "f32|bf16", "type of weights, activations and cache (default bf16)", parse_dtype},
    {'j', "threads", "N", "CPU threads (default: all cores)", parse_threads},
    {'I', "isa", "NAME", "CPU instruction set: auto, plain, avx2, avx512, avx512bf16", parse_isa},
    {'C', "chunk", "N", "tokens of the row-wise parts at a time (default: the backend's); changes no result", parse_chunk},
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
