#ifndef CKPTD_CRIU_CHILD_H
#define CKPTD_CRIU_CHILD_H

#include <stdbool.h>

#include "arguments.h"

/*
 * Runs CRIU as the arguments say and waits for its end, and for that of no other child. Sets `status` to its wait
 * status, where an exit code of 127 means that it could not be run. 0, or -1 after a message on stderr.
 */
int criu_run(const struct arguments *arguments, int *status);

/*
 * Whether what the arguments say of sockets is done with the owner's rights: CRIU is asked for its version once,
 * and ends before it says it. True where they say nothing.
 */
bool criu_sockets_loaded(const struct arguments *arguments);

#endif
