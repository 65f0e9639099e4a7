#include "harness/progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { BAR = 24 };

double kvl_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void kvl_progress_begin(struct kvl_progress *progress, int64_t total)
{
    *progress = (struct kvl_progress){.total = total > 0 ? total : 1, .started = kvl_seconds(), .terminal = isatty(2)};
}

void kvl_progress_step(struct kvl_progress *progress, const char *label)
{
    progress->done++;
    double elapsed = kvl_seconds() - progress->started;
    double left = elapsed / (double)progress->done * (double)(progress->total - progress->done);
    double rate = elapsed > 0.0 ? (double)progress->done / elapsed : 0.0;
    if (!progress->terminal) {
        fprintf(stderr, "%lld/%lld %s (%.2f/s, %.0f s left)\n", (long long)progress->done, (long long)progress->total, label,
                rate, left);
        return;
    }
    int filled = (int)(BAR * progress->done / progress->total);
    fprintf(stderr, "\r\033[K[%.*s%.*s] %lld/%lld  %.2f/s  %02d:%02d left  %.40s", filled, "########################",
            BAR - filled, "........................", (long long)progress->done, (long long)progress->total, rate,
            (int)left / 60, (int)left % 60, label);
    fflush(stderr);
}

void kvl_progress_end(struct kvl_progress *progress)
{
    if (progress->terminal)
        fputs("\r\033[K", stderr);
}
