/* Runs the program as a user would: words in, exit code and both streams out. Include behind cmocka.h. */
#ifndef KVLAB_TEST_PROCESS_H
#define KVLAB_TEST_PROCESS_H

#include <stdbool.h>
#include <stddef.h>

struct process {
    const char *program;
    const char *folder;   /* working directory; NULL: the caller's */
    const char *in;       /* standard input, n_in bytes; NULL: empty */
    size_t n_in;
    const char *out_path; /* standard output goes there; NULL: it is captured */
    int closed;           /* a stream, 0 to 2, that the program gets closed; -1: none */
    int kill_after_ms;    /* SIGKILL after this time; 0: never */
    /* Filled; NUL-terminated, freed by process_free. */
    int code;             /* exit code; 128 + the signal that ended it */
    char *out, *err;
    size_t n_out;
};

enum { PROCESS_MAX_WORDS = 64 };

/* `words` are the arguments behind the program's name, NULL-terminated. Fails the test where nothing can be run. */
void process_run(struct process *process, const char *const *words);
void process_free(struct process *process);

/* Splits a line at blanks; '..' keeps a word together, and $M is replaced by `model`, $D by `folder`. Returns a malloc'd block
 * with the NULL-terminated words in front; free() it. */
const char *const *process_split(const char *line, const char *model, const char *folder);

/* Whether `err` is exactly one line, "kvlab: ...". */
bool process_is_sentence(const char *err);

#endif
