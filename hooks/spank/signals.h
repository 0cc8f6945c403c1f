#ifndef CKPTD_SIGNALS_H
#define CKPTD_SIGNALS_H

#include <signal.h>

/*
 * What Slurm sends to a task goes to this process alone (proctrack/cgroup signals only slurmstepd's own children, but
 * for SIGKILL), so it is taken here and handed on. SIGTSTP and SIGCONT come with `scontrol suspend` and `resume`.
 */
struct signals {
	int fd; /* a signalfd, with SIGCHLD too */
	sigset_t before;
};

/* 0, or -1 with errno. */
int signals_take(struct signals *signals);

/* As before: for a script that starts from the beginning after all. */
void signals_give_back(struct signals *signals);

/* The next signal, without waiting: its number, 0 if there is none. */
int signals_next(const struct signals *signals);

#endif
