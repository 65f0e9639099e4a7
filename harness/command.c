#include "harness/command.h"

#include <stddef.h>

static const struct kvl_command *const commands[] = {
    &kvl_command_list,    &kvl_command_generate, &kvl_command_tokenize, &kvl_command_eval,   &kvl_command_bench, &kvl_command_run,
    &kvl_command_analyze, &kvl_command_score,    &kvl_command_report,   &kvl_command_plot,   &kvl_command_compare,
};

const struct kvl_command *kvl_command_at(int i)
{
    return i >= 0 && i < (int)(sizeof commands / sizeof *commands) ? commands[i] : NULL;
}
