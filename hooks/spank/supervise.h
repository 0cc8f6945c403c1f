#ifndef CKPTD_SUPERVISE_H
#define CKPTD_SUPERVISE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Stands in for the job's task while the restored job runs below `init`: hands signals on, and ends as the job's root
 * ends, so that Slurm sees its exit status. Returns only if the job could not be restored, with everything as before,
 * and why in `why`.
 */
void supervise(uint32_t job, pid_t init, int fd, char *why, size_t size);

#endif
