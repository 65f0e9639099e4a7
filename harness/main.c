/* kvlab: the command line. Walks the table of commands, prints the last error, picks the exit code. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "core/nearest.h"
#include "core/unicode.h"
#include "harness/option_parse.h"
#include "harness/thread_policy.h"

static const struct kvl_command *const commands[] = {
    &kvl_command_list,     &kvl_command_generate, &kvl_command_tokenize, &kvl_command_eval,
    &kvl_command_bench,    &kvl_command_analyze,  &kvl_command_report,   &kvl_command_plot,
};

enum { N_COMMANDS = sizeof commands / sizeof *commands, SENTENCE_MAX = 1024 };

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

/* One line of valid UTF-8, whatever the values in it hold. */
static int report(enum kvl_status status)
{
    if (status == KVL_OK)
        return 0;
    const char *sentence = kvl_last_error();
    char line[3 * SENTENCE_MAX + 1];
    int64_t n = kvl_utf8_repair(sentence, (int64_t)strnlen(sentence, SENTENCE_MAX), line);
    for (int64_t i = 0; i < n; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
            line[i] = '?';
    fprintf(stderr, "kvlab: %.*s\n", (int)n, line);
    return status == KVL_E_ARG ? 2 : 1;
}

/* A stream that the caller closed gets a descriptor that refuses every use, or the next file opened would take its place and
 * receive what was meant for it. */
static void hold_standard_streams(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) < 0)
            return;
}

static enum kvl_status run(const struct kvl_command *command, int argc, char **argv)
{
    struct kvl_options options;
    enum kvl_status status = kvl_options_parse(&options, command, argc, argv);
    if (status == KVL_OK && options.help)
        kvl_options_print_help(command);
    else if (status == KVL_OK)
        status = command->run(&options);
    kvl_options_free(&options);
    return status;
}

static enum kvl_status run_named(const char *name, int argc, char **argv)
{
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_help(stdout);
        return KVL_OK;
    }
    for (int i = 0; i < (int)N_COMMANDS; i++)
        if (strcmp(name, commands[i]->name) == 0)
            return run(commands[i], argc, argv);
    const char *near = kvl_nearest(name, next_command, NULL);
    return kvl_fail(KVL_E_ARG, "unknown command '%s'%s%s%s; `kvlab --help` lists them", name,
                    near != NULL ? ": did you mean '" : "", near != NULL ? near : "", near != NULL ? "'?" : "");
}

int main(int argc, char **argv)
{
    kvl_thread_policy_apply(argv);
    hold_standard_streams();
    enum kvl_status status = argc > 1 ? run_named(argv[1], argc - 1, argv + 1)
                                      : kvl_fail(KVL_E_ARG, "no command is given; `kvlab --help` lists them");
    if (status == KVL_OK && (fflush(stdout) != 0 || ferror(stdout)))
        status = kvl_fail(KVL_E_IO, "standard output cannot be written");
    return report(status);
}
