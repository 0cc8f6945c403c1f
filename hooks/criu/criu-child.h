#ifndef CKPTD_CRIU_CHILD_H
#define CKPTD_CRIU_CHILD_H

#include "arguments.h"

/* With the owner's rights, the folder of the images is open as this descriptor: /proc/self/fd/9. */
#define CRIU_IMAGES_FD 9

/*
 * Runs CRIU as the arguments say and waits for its end, and for that of no other child. Sets `status` to its wait
 * status, where an exit code of 127 means that it could not be run. 0, or -1 after a message on stderr.
 */
int criu_run(const struct arguments *arguments, int *status);

#endif
