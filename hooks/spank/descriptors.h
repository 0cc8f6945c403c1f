#ifndef CKPTD_DESCRIPTORS_H
#define CKPTD_DESCRIPTORS_H

/* Closes every descriptor from `first` on. Only for a child that will exec. */
void descriptors_close_from(int first);

/*
 * Closes what the supervisor has from slurmstepd, which an ordinary task closes by its exec, but for the `count` ones
 * to `keep`; 0 to 2, the job's output among them, become /dev/null. Pipes in which something is still awaited stay:
 * slurmstepd may be about to write into one, and would take a broken pipe for a task that failed to start. Slurm's log
 * must not be used afterwards.
 */
void descriptors_close_others(const int *keep, int count);

#endif
