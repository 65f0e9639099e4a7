/* Progress on stderr: a bar with rate and time left on a terminal, a plain line per step otherwise. */
#ifndef KVL_PROGRESS_H
#define KVL_PROGRESS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct kvl_progress {
    int64_t total, done;
    double started;   /* monotonic seconds */
    int terminal;     /* stderr is one */
};

void kvl_progress_begin(struct kvl_progress *progress, int64_t total);

/* One step more is done; `label` says what is at work now. */
void kvl_progress_step(struct kvl_progress *progress, const char *label);

/* Clears the bar. */
void kvl_progress_end(struct kvl_progress *progress);

/* Monotonic seconds. */
double kvl_seconds(void);

#ifdef __cplusplus
}
#endif
#endif
