/* What the machine does besides: its clock, and how busy other programs keep it. */
#ifndef KVL_MACHINE_STATE_H
#define KVL_MACHINE_STATE_H

#ifdef __cplusplus
extern "C" {
#endif

struct kvl_machine_state {
    double clock_mhz; /* of the fastest core; 0 where the kernel does not say */
    double seconds;   /* monotonic */
    double busy_s;    /* CPU time of all programs since the machine started; 0 where the kernel does not say */
    double own_s;     /* of this one */
    int n_cpus;       /* of the machine */
};

/* Reads /proc/cpuinfo and /proc/stat. */
void kvl_machine_state_read(struct kvl_machine_state *state);

/* CPUs that others kept busy between two states, on average, never below 0. NaN where the kernel does not say, or within less
 * than a second: its clock ticks too slowly for that. */
double kvl_machine_other_load(const struct kvl_machine_state *start, const struct kvl_machine_state *end);

#ifdef __cplusplus
}
#endif
#endif
