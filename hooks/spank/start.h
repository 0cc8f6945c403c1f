#ifndef CKPTD_START_H
#define CKPTD_START_H

#include <slurm/spank.h>
#include <stdbool.h>
#include <stdint.h>

#include "plan.h"

/* In slurmstepd: whether the batch step that starts here is to be restored, and how. */
struct start {
	uint32_t job;
	bool restore;
	struct plan plan;
	bool taken;     /* the task was forked: it says by itself how it went on */
	char lost[800]; /* why the job's work until now is lost, for its user; empty: it is not */
};

extern struct start start;

/*
 * Asks the engine, before slurmstepd opens (and truncates) the job's output: the engine sets that aside if the run is
 * to be restored. A job's first run has nothing to restore, and waits for no engine that is down; a restarted one
 * waits a little, and for the next engine, where one ended while it was asked, as long as `wait` of plugstack.conf.
 * Whatever goes wrong here is an error in the log, and a start from the beginning. 0 always.
 */
int start_ask(spank_t spank);

/* The task exists; what becomes of the plan is its business. */
int start_taken(spank_t spank);

/* The end of slurmstepd. A plan that no task ever took is given back. */
int start_over(spank_t spank);

#endif
