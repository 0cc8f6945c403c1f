#ifndef CKPTD_INIT_H
#define CKPTD_INIT_H

/*
 * `init`: pid 1 of the fresh pid and mount namespace that a job is restored in, below the supervisor in the job's task
 * (init-report.h has what the two say to each other). Restores with CRIU, adopts and reaps, hands signals on, and ends
 * with the job's root; the kernel then kills whatever is left of the namespace.
 */
int init_main(int argc, char **argv);

#endif
