#ifndef CKPTD_RESTORED_ROOT_H
#define CKPTD_RESTORED_ROOT_H

#include <sys/types.h>

/*
 * Lets a job go on that was stopped as a whole when it was dumped: if its root is stopped, every process of this
 * namespace that is gets a SIGCONT. What a running job itself keeps stopped stays so.
 */
void restored_continue(pid_t root);

#endif
