#define _GNU_SOURCE /* posix_spawn_file_actions_addchdir_np */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/process.h"

extern char **environ;

/* A file that lives as long as its descriptor, with this content. */
static int temporary(const char *data, size_t n)
{
    char path[] = "/tmp/kvlab-process-XXXXXX";
    int fd = mkostemp(path, O_CLOEXEC);
    assert_true(fd >= 0);
    unlink(path);
    if (n > 0)
        assert_true(write(fd, data, n) == (ssize_t)n);
    lseek(fd, 0, SEEK_SET);
    return fd;
}

static char *read_all(int fd, size_t *n)
{
    off_t size = lseek(fd, 0, SEEK_END);
    assert_true(size >= 0);
    char *text = malloc((size_t)size + 1);
    assert_true(pread(fd, text, (size_t)size, 0) == size);
    text[size] = '\0';
    *n = (size_t)size;
    close(fd);
    return text;
}

static int wait_for(pid_t pid, int kill_after_ms)
{
    int status = 0;
    if (kill_after_ms > 0) {
        nanosleep(&(struct timespec){kill_after_ms / 1000, (long)(kill_after_ms % 1000) * 1000000}, NULL);
        kill(pid, SIGKILL);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void process_run(struct process *process, const char *const *words)
{
    char *argv[PROCESS_MAX_WORDS + 2] = {(char *)(uintptr_t)process->program};
    for (int i = 0; words[i] != NULL; i++) {
        assert_true(i < PROCESS_MAX_WORDS);
        argv[i + 1] = (char *)(uintptr_t)words[i];
    }
    int fds[] = {temporary(process->in, process->n_in), -1, temporary(NULL, 0)};
    fds[1] = process->out_path != NULL ? open(process->out_path, O_WRONLY | O_CLOEXEC) : temporary(NULL, 0);
    assert_true(fds[1] >= 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    for (int i = 0; i < 3; i++)
        posix_spawn_file_actions_adddup2(&actions, fds[i], i);
    if (process->closed >= 0)
        posix_spawn_file_actions_addclose(&actions, process->closed);
    if (process->folder != NULL)
        posix_spawn_file_actions_addchdir_np(&actions, process->folder);
    pid_t pid;
    assert_int_equal(posix_spawn(&pid, process->program, &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    process->code = wait_for(pid, process->kill_after_ms);
    size_t n_err;
    close(fds[0]);
    process->err = read_all(fds[2], &n_err);
    process->out = process->out_path == NULL ? read_all(fds[1], &process->n_out) : strdup("");
    if (process->out_path != NULL)
        close(fds[1]);
}

void process_free(struct process *process)
{
    free(process->out);
    free(process->err);
    process->out = process->err = NULL;
}

const char *const *process_split(const char *line, const char *model, const char *folder)
{
    size_t most = 2 * strlen(line) + 64, n_holders = 0;
    for (const char *at = line; *at != '\0'; at++)
        n_holders += *at == '$';
    most += n_holders * (strlen(model) + strlen(folder));
    const char **words = malloc((PROCESS_MAX_WORDS + 1) * sizeof *words + most);
    char *to = (char *)(words + PROCESS_MAX_WORDS + 1);
    int n = 0;
    for (const char *at = line + strspn(line, " "); *at != '\0'; at += strspn(at, " ")) {
        assert_true(n < PROCESS_MAX_WORDS);
        words[n++] = to;
        for (bool quoted = false; *at != '\0' && (quoted || *at != ' '); at++) {
            if (*at == '\'')
                quoted = !quoted;
            else if (at[0] == '$' && (at[1] == 'M' || at[1] == 'D'))
                to = stpcpy(to, *++at == 'M' ? model : folder);
            else
                *to++ = *at;
        }
        *to++ = '\0';
    }
    words[n] = NULL;
    return words;
}

bool process_is_sentence(const char *err)
{
    const char *end = strchr(err, '\n');
    return strncmp(err, "kvlab: ", 7) == 0 && end != NULL && end[1] == '\0' && end - err > 12;
}
