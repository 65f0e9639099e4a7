#include "harness/machine_state.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "harness/progress.h"

/* The highest: cores that have nothing to do may sleep. */
static double read_clock(void)
{
    double highest = 0.0;
    FILE *file = fopen("/proc/cpuinfo", "re");
    char line[256];
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "cpu MHz", 7) == 0 && strchr(line, ':') != NULL)
            highest = fmax(highest, strtod(strchr(line, ':') + 1, NULL));
    if (file != NULL)
        fclose(file);
    return highest;
}

/* "cpu user nice system idle iowait irq softirq steal ..." in ticks, then a line for every CPU. */
static void read_load(struct kvl_machine_state *state)
{
    FILE *file = fopen("/proc/stat", "re");
    char line[512];
    unsigned long long user, nice, kernel, idle, wait, irq, softirq, steal;
    while (file != NULL && fgets(line, sizeof line, file) != NULL && strncmp(line, "cpu", 3) == 0) {
        state->n_cpus += line[3] != ' ';
        if (sscanf(line, "cpu  %llu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &kernel, &idle, &wait, &irq, &softirq,
                   &steal) == 8)
            state->busy_s = (double)(user + nice + kernel + irq + softirq + steal) / (double)sysconf(_SC_CLK_TCK);
    }
    if (file != NULL)
        fclose(file);
}

static double seconds_of(const struct timeval *time)
{
    return (double)time->tv_sec + 1e-6 * (double)time->tv_usec;
}

void kvl_machine_state_read(struct kvl_machine_state *state)
{
    *state = (struct kvl_machine_state){.clock_mhz = read_clock(), .seconds = kvl_seconds()};
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    state->own_s = seconds_of(&usage.ru_utime) + seconds_of(&usage.ru_stime);
    read_load(state);
}

double kvl_machine_other_load(const struct kvl_machine_state *start, const struct kvl_machine_state *end)
{
    double wall = end->seconds - start->seconds;
    if (!(wall >= 1.0) || start->busy_s <= 0.0 || end->busy_s <= 0.0)
        return NAN;
    return fmax(0.0, (end->busy_s - start->busy_s) - (end->own_s - start->own_s)) / wall;
}
