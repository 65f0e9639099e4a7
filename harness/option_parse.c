/* argp walks the words; its own complaints are no sentences of ours, so that every word is looked at before. */
#include "harness/option_parse.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/nearest.h"
#include "harness/option_table.h"

const struct kvl_option *kvl_command_option(const struct kvl_command *command, int i)
{
    int n = (int)strlen(command->keys);
    return i < n ? kvl_option_find((unsigned char)command->keys[i]) : i == n ? kvl_option_find(KVL_OPTION_HELP) : NULL;
}

static const char *next_name(const void *context, int i)
{
    const struct kvl_option *option = kvl_command_option(context, i);
    return option != NULL ? option->name : NULL;
}

/* ---- every word before argp sees it ------------------------------------------------------------------------------------ */

/* The words of a command line and the place of the one that is looked at. */
struct words {
    const struct kvl_command *command;
    int n, at;
    char **items;
};

static enum kvl_status take_value(struct words *words, const struct kvl_option *option)
{
    words->at++;
    KVL_REQUIRE(words->at < words->n, "--%s needs a value: --%s %s", option->name, option->name, option->argument);
    return KVL_OK;
}

static enum kvl_status refuse_long(const struct kvl_command *command, const char *name, size_t n)
{
    char word[64];
    snprintf(word, sizeof word, "%.*s", n < sizeof word ? (int)n : (int)sizeof word - 1, name);
    const char *near = kvl_nearest(word, next_name, command);
    return kvl_fail(KVL_E_ARG, "`kvlab %s` has no option '--%s'%s%s%s; `kvlab %s --help` lists them", command->name, word,
                    near != NULL ? ": did you mean '--" : "", near != NULL ? near : "", near != NULL ? "'?" : "", command->name);
}

static enum kvl_status check_long(struct words *words, const char *name)
{
    const struct kvl_option *option;
    size_t n = strcspn(name, "=");
    for (int i = 0; (option = kvl_command_option(words->command, i)) != NULL; i++)
        if (strlen(option->name) == n && strncmp(option->name, name, n) == 0)
            break;
    if (option == NULL)
        return refuse_long(words->command, name, n);
    bool has_value = name[n] == '=';
    KVL_REQUIRE(option->argument != NULL || !has_value, "--%s takes no value", option->name);
    return option->argument != NULL && !has_value ? take_value(words, option) : KVL_OK;
}

/* "-Jm": switches may share a word, and a value may follow its letter at once. */
static enum kvl_status check_short(struct words *words, const char *letters)
{
    for (; *letters != '\0'; letters++) {
        const struct kvl_option *option;
        for (int i = 0; (option = kvl_command_option(words->command, i)) != NULL && option->key != *letters;)
            i++;
        KVL_REQUIRE(option != NULL, "`kvlab %s` has no option '-%c'; `kvlab %s --help` lists them", words->command->name, *letters,
                    words->command->name);
        if (option->argument != NULL)
            return letters[1] == '\0' ? take_value(words, option) : KVL_OK;
    }
    return KVL_OK;
}

static enum kvl_status check_words(struct words *words)
{
    for (; words->at < words->n; words->at++) {
        const char *word = words->items[words->at];
        if (strcmp(word, "--") == 0)
            break;
        if (strncmp(word, "--", 2) == 0)
            KVL_TRY(check_long(words, word + 2));
        else if (word[0] == '-' && word[1] != '\0')
            KVL_TRY(check_short(words, word + 1));
    }
    return KVL_OK;
}

/* ---- argp -------------------------------------------------------------------------------------------------------------- */

struct parsing {
    struct kvl_options *options;
    enum kvl_status status;
};

static enum kvl_status add_positional(struct kvl_options *options, const char *value)
{
    struct kvl_words *positional = &options->positional;
    const struct kvl_command *command = options->command;
    KVL_REQUIRE(positional->n < command->max_positional, "unexpected argument '%s': `kvlab %s` takes %s", value, command->name,
                command->arguments);
    KVL_REQUIRE(*value != '\0', "an argument is empty: `kvlab %s` takes %s", command->name, command->arguments);
    char **items = realloc(positional->items, (size_t)(positional->n + 1) * sizeof *items);
    if (items == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for the options");
    positional->items = items;
    items[positional->n] = strdup(value);
    if (items[positional->n] == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for the options");
    positional->n++;
    return KVL_OK;
}

static enum kvl_status note_given(struct kvl_options *options, const struct kvl_option *option, const char *value)
{
    struct kvl_given_option *given = realloc(options->given, (size_t)(options->n_given + 1) * sizeof *given);
    if (given == NULL)
        return kvl_fail(KVL_E_OOM, "no memory for the options");
    options->given = given;
    given[options->n_given++] = (struct kvl_given_option){option, value};
    return KVL_OK;
}

static error_t on_word(int key, char *value, struct argp_state *state)
{
    struct parsing *parsing = state->input;
    const struct kvl_option *option = key != ARGP_KEY_ARG ? kvl_option_find(key) : NULL;
    if (key != ARGP_KEY_ARG && option == NULL)
        return ARGP_ERR_UNKNOWN;
    char name[64];
    snprintf(name, sizeof name, "--%s", option != NULL ? option->name : "");
    parsing->status = option != NULL ? option->parse(parsing->options, name, value) : add_positional(parsing->options, value);
    if (parsing->status == KVL_OK && option != NULL)
        parsing->status = note_given(parsing->options, option, value);
    return parsing->status == KVL_OK ? 0 : EINVAL;
}

/* `list` has room for every option and the zeros at the end. */
static struct argp describe(const struct kvl_command *command, struct argp_option *list)
{
    const struct kvl_option *option;
    for (int i = 0; (option = kvl_command_option(command, i)) != NULL; i++)
        list[i] = (struct argp_option){.name = option->name, .key = option->key, .arg = option->argument, .doc = option->help};
    return (struct argp){.options = list, .parser = on_word, .args_doc = command->arguments, .doc = command->help};
}

enum kvl_status kvl_options_parse(struct kvl_options *options, const struct kvl_command *command, int argc, char **argv)
{
    kvl_options_init(options, command, argc, argv);
    struct words words = {command, argc, 1, argv};
    KVL_TRY(check_words(&words));
    struct argp_option list[KVL_N_OPTIONS_MAX] = {0};
    const struct argp argp = describe(command, list);
    struct parsing parsing = {options, KVL_OK};
    error_t failed = argp_parse(&argp, argc, argv, ARGP_IN_ORDER | ARGP_NO_ERRS | ARGP_NO_HELP | ARGP_NO_EXIT, NULL, &parsing);
    if (parsing.status != KVL_OK)
        return parsing.status;
    if (failed != 0)
        return kvl_fail(KVL_E_ARG, "wrong usage; `kvlab %s --help` shows the options", command->name);
    KVL_REQUIRE(options->help || options->positional.n >= command->min_positional,
                "`kvlab %s` needs %s; `kvlab %s --help` shows the options", command->name, command->arguments, command->name);
    return KVL_OK;
}

void kvl_options_print_help(const struct kvl_command *command)
{
    struct argp_option list[KVL_N_OPTIONS_MAX] = {0};
    const struct argp argp = describe(command, list);
    char program[64];
    snprintf(program, sizeof program, "kvlab %s", command->name);
    argp_help(&argp, stdout, ARGP_HELP_SHORT_USAGE | ARGP_HELP_LONG | ARGP_HELP_DOC, program);
}
