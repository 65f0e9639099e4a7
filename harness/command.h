/* The table of commands. A new command is a file and a row in harness/main.c. */
#ifndef KVL_COMMAND_H
#define KVL_COMMAND_H

#include "harness/options.h"

#ifdef __cplusplus
extern "C" {
#endif

struct kvl_sweep;

struct kvl_command {
    const char *name;
    const char *arguments; /* "MODEL" */
    const char *help;
    int min_positional, max_positional;
    const char *keys; /* the options that it takes, as their keys in harness/option_table.c */
    const struct kvl_sweep *sweep; /* NULL: nothing that an experiment is made of */
    enum kvl_status (*run)(const struct kvl_options *options);
};

/* The i-th command, NULL past the end. */
const struct kvl_command *kvl_command_at(int i);

extern const struct kvl_command kvl_command_list, kvl_command_generate, kvl_command_tokenize, kvl_command_eval,
    kvl_command_bench, kvl_command_analyze, kvl_command_run, kvl_command_score, kvl_command_report, kvl_command_plot,
    kvl_command_compare;

#ifdef __cplusplus
}
#endif
#endif
