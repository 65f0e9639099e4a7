/* From the words of the command line to struct kvl_options. */
#ifndef KVL_OPTION_PARSE_H
#define KVL_OPTION_PARSE_H

#include "harness/command.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Parses what stands behind the command's name (argv[0]) into *options, which may be partly filled on failure: free it either
 * way. KVL_E_ARG with a sentence on wrong usage; prints nothing. */
enum kvl_status kvl_options_parse(struct kvl_options *options, const struct kvl_command *command, int argc, char **argv);

/* The i-th option of a command, --help last; NULL past the end. */
const struct kvl_option *kvl_command_option(const struct kvl_command *command, int i);

/* What --help shows. */
void kvl_options_print_help(const struct kvl_command *command);

#ifdef __cplusplus
}
#endif
#endif
