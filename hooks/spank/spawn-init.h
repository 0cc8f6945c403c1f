#ifndef CKPTD_SPAWN_INIT_H
#define CKPTD_SPAWN_INIT_H

#include <stdint.h>
#include <sys/types.h>

/*
 * Starts `argv` (ckptd-criu init …) as pid 1 of a fresh pid and mount namespace, with nothing of slurmstepd's but the
 * socket of init-report.h as descriptor 3. Its pid, and our end of the socket as `fd`; -1 with errno.
 */
pid_t spawn_init(uint32_t job, char **argv, int *fd);

#endif
