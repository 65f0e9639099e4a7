/* The options of all commands, one row each. */
#ifndef KVL_OPTION_TABLE_H
#define KVL_OPTION_TABLE_H

#include "harness/command.h"

/* Parses argv behind the command's name into *options (which may be partly filled on failure: free it either way). Prints
 * help and exits where that is asked for. KVL_E_ARG with a sentence on wrong usage. */
enum kvl_status kvl_options_parse(struct kvl_options *options, const struct kvl_command *command, int argc, char **argv);

#endif
