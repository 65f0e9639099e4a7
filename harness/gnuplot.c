#include "harness/gnuplot.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

void kvl_gnuplot_quote(FILE *stream, const char *text)
{
    putc('\'', stream);
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            putc('\'', stream);
        putc(iscntrl((unsigned char)*text) ? ' ' : *text, stream);
    }
    putc('\'', stream);
}

/* The line of gnuplot's complaint that says most: the last one that is not empty. */
static void last_words(FILE *said, char *words, size_t size)
{
    char line[300];
    snprintf(words, size, "it says nothing");
    rewind(said);
    while (fgets(line, sizeof line, said) != NULL) {
        const char *text = line + strspn(line, " \t^\r\n");
        int n = (int)strcspn(text, "\r\n");
        if (n > 0)
            snprintf(words, size, "%.*s", n, text);
    }
}

/* Starts gnuplot with its output and its errors going to `said`; returns errno's value. */
static int start(pid_t *pid, const char *script, const char *settings, FILE *said)
{
    char *arguments[] = {"gnuplot", "-d", "-e", (char *)settings, (char *)script, NULL};
    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0)
        return error;
    error = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    for (int fd = 1; fd <= 2 && error == 0; fd++)
        error = posix_spawn_file_actions_adddup2(&actions, fileno(said), fd);
    if (error == 0)
        error = posix_spawnp(pid, "gnuplot", &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

static enum kvl_status run(const char *script, const char *settings, FILE *said)
{
    pid_t pid;
    int error = start(&pid, script, settings, said), result = 0;
    if (error == ENOENT)
        return kvl_fail(KVL_E_UNSUPPORTED, "gnuplot is not installed, or not in PATH: install gnuplot-nox to plot");
    if (error != 0)
        return kvl_fail(KVL_E_INTERNAL, "gnuplot cannot be started: %s", strerror(error));
    while (waitpid(pid, &result, 0) < 0)
        if (errno != EINTR)
            return kvl_fail(KVL_E_INTERNAL, "gnuplot was lost: %s", strerror(errno));
    if (WIFEXITED(result) && WEXITSTATUS(result) == 0)
        return KVL_OK;
    char words[300];
    last_words(said, words, sizeof words);
    if (WIFSIGNALED(result))
        return kvl_fail(KVL_E_INTERNAL, "gnuplot died of signal %d on %s: %s", WTERMSIG(result), script, words);
    return kvl_fail(KVL_E_INTERNAL, "gnuplot failed on %s: %s", script, words);
}

enum kvl_status kvl_gnuplot_run(const char *script, const char *settings)
{
    FILE *said = tmpfile();
    if (said == NULL)
        return kvl_fail(KVL_E_IO, "cannot make a temporary file: %s", strerror(errno));
    enum kvl_status status = run(script, settings, said);
    fclose(said);
    return status;
}
