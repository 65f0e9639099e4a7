/* kvlab: the command line. Walks the table of commands, prints the last error, picks the exit code. */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/nearest.h"
#include "harness/command.h"
#include "harness/option_table.h"

static const struct kvl_command *const commands[] = {
    &kvl_command_list,     &kvl_command_generate, &kvl_command_tokenize, &kvl_command_eval,
    &kvl_command_bench,    &kvl_command_report,   &kvl_command_plot,
};

enum { N_COMMANDS = sizeof commands / sizeof *commands };

static const char *next_command(const void *context, int i)
{
    (void)context;
    return i < (int)N_COMMANDS ? commands[i]->name : NULL;
}

static void print_help(FILE *stream)
{
    fputs("Usage: kvlab COMMAND ARGUMENT.. [options]\n"
          "Compares KV-cache compression methods for LLMs on one engine.\n\n", stream);
    for (int i = 0; i < (int)N_COMMANDS; i++)
        fprintf(stream, "  %-9s %-34s %s\n", commands[i]->name, commands[i]->arguments, commands[i]->help);
    fputs("\n`kvlab COMMAND --help` shows the options of a command.\n", stream);
}

static int report(enum kvl_status status)
{
    if (status == KVL_OK)
        return 0;
    fprintf(stderr, "kvlab: %s\n", kvl_last_error());
    return status == KVL_E_ARG ? 2 : 1;
}

int main(int argc, char **argv)
{
    argp_err_exit_status = 2;
    if (argc < 2) {
        print_help(stderr);
        return 2;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return 0;
    }
    for (int i = 0; i < (int)N_COMMANDS; i++)
        if (strcmp(argv[1], commands[i]->name) == 0) {
            struct kvl_options options;
            enum kvl_status status = kvl_options_parse(&options, commands[i], argc - 1, argv + 1);
            if (status == KVL_OK)
                status = commands[i]->run(&options);
            if (status == KVL_OK && (fflush(stdout) != 0 || ferror(stdout)))
                status = kvl_fail(KVL_E_IO, "standard output cannot be written");
            kvl_options_free(&options);
            return report(status);
        }
    const char *near = kvl_nearest(argv[1], next_command, NULL);
    return report(kvl_fail(KVL_E_ARG, "unknown command '%s'%s%s%s; `kvlab --help` lists them", argv[1],
                           near != NULL ? ": did you mean '" : "", near != NULL ? near : "", near != NULL ? "'?" : ""));
}
