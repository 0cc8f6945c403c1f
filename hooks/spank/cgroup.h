#ifndef CKPTD_CGROUP_H
#define CKPTD_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Waits until slurmstepd has put this task into its job's cgroup, which it does only after the fork: what is started
 * before could neither be killed nor accounted for. Five seconds at most. False where no cgroup of the job showed up,
 * as with a ProctrackType other than proctrack/cgroup.
 */
bool cgroup_wait(uint32_t job);

/* What `text`, of /proc/PID/cgroup, says: 0 not in the job's cgroup, 1 in the job's, 2 in the task's own. */
int cgroup_depth(const char *text, uint32_t job);

#endif
