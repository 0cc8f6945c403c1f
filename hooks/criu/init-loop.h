#ifndef CKPTD_INIT_LOOP_H
#define CKPTD_INIT_LOOP_H

#include <sys/types.h>

/*
 * Reaps all children of this namespace and hands signals that come over `fd` to `root`, until it ends: then its wait
 * status is reported over `fd`. Returns this process's own exit code. SIGCHLD has to be blocked.
 */
int init_loop(int fd, pid_t root);

#endif
