/* What the command line says, parsed and checked; one struct for all commands. */
#ifndef KVL_OPTIONS_H
#define KVL_OPTIONS_H

#include "core/chat_template.h"
#include "datasets/task_settings.h"
#include "methods/method.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A list of words, as `a,b,c` gives it. */
struct kvl_words {
    char **items;
    int n;
};

struct kvl_reals {
    double *items;
    int n;
};

/* One `--set method.param=values`. */
struct kvl_set_option {
    char *method, *param;
    struct kvl_words values;
};

/* One option as the command line gave it. */
struct kvl_given_option {
    const struct kvl_option *option;
    const char *value;
};

struct kvl_options {
    const struct kvl_command *command;
    int argc;
    char **argv; /* the command's name and what follows */
    struct kvl_words positional; /* MODEL, or FILE.., or KIND */
    struct kvl_given_option *given; /* [n_given] in their order */
    int n_given;

    const char *backend, *isa;
    enum kvl_dtype dtype;
    int n_threads;
    int64_t chunk, memory_limit, n_context_model;

    struct kvl_words methods, tasks, phases, profiles, operations;
    struct kvl_reals contexts, kv_rates, kv_budgets, layers, tops;
    struct kvl_set_option *settings;
    int n_settings;
    int64_t n_samples, n_new_tokens, n_warmups;
    bool samples_given; /* n_samples is the user's, not the default */
    double time_limit_s;
    bool kernels;        /* bench: single operations in place of methods */
    int64_t window, bound; /* -1: not given */
    const char *texts;
    uint64_t seed;
    struct kvl_task_settings task_settings;
    bool query_agnostic; /* the context is compressed before the question is seen */

    const char *template_name; /* NULL: the file's own */
    const char *system;
    const char *prompt;
    bool raw, special_text, show_kept;
    const char *logits_file, *kept_file, *kept_end_file, *html_file;

    double threshold_score, threshold_nats, threshold_latency, threshold_memory, alpha;
    bool allow_missing;

    const char *output;
    int64_t shard_index, shard_count; /* 0 <= index < count; count 0: no --shard */
    bool copy_cache; /* decode steps copy the cache */
    bool json, resume, force, help;
    const char *format, *title, *published;
};

/* What holds where nothing is given. */
void kvl_options_init(struct kvl_options *options, const struct kvl_command *command, int argc, char **argv);

/* Frees what parsing allocated. */
void kvl_options_free(struct kvl_options *options);

/* `a,b,c` into words (no empty ones: KVL_E_ARG names the option). Appends to the list what it does not hold yet. */
enum kvl_status kvl_words_parse(const char *option, const char *text, struct kvl_words *out);
void kvl_words_free(struct kvl_words *words);

/* Numbers and ranges: `1k,2k,4k`, `0.1:0.5:0.1` (first:last:step, both ends in). k and m multiply by 1,024 and 1,048,576.
 * KVL_E_ARG names the option and the part that is wrong. Appends to the list what it does not hold yet. */
enum kvl_status kvl_reals_parse(const char *option, const char *text, struct kvl_reals *out);

/* One number within [min, max]; if `whole`, a whole one, and k and m may stand behind it. */
enum kvl_status kvl_number_parse(const char *option, const char *text, bool whole, double min, double max, double *out);

#ifdef __cplusplus
}
#endif
#endif
