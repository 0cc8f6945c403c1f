#ifndef CKPTD_ENTER_H
#define CKPTD_ENTER_H

#include <sys/types.h>

/*
 * Enters the mount namespace of a process, and its pid namespace, which only children are in. Neither may be one that a
 * user has made: root's program would be looked up among mounts of the user's choice. 0, or -1 after a message on
 * stderr.
 */
int enter(pid_t pid);

#endif
