/* How OpenMP's threads wait for each other. */
#ifndef KVL_THREAD_POLICY_H
#define KVL_THREAD_POLICY_H

/* libgomp's threads spin while they wait, for milliseconds, and on a machine that others use too a spinning thread keeps the
 * one that it waits for from running: one decode token took 394 ms instead of 30 on two cores with a load of 3. So unless the
 * user has chosen (OMP_WAIT_POLICY, GOMP_SPINCOUNT), waiting gives up the core after about 20 us. libgomp reads its
 * environment before main, so the program starts itself once more; where that fails all goes on as it was. */
void kvl_thread_policy_apply(char **argv);

#endif
