#ifndef CKPTD_SOCKETS_H
#define CKPTD_SOCKETS_H

/*
 * ckptd-sockets.so, loaded into CRIU (LD_PRELOAD) when the images hold Unix sockets with names. CRIU removes what is at
 * such a name, makes the socket anew, gives it its owner and mode, or connects to it: as root, by names that the job's
 * owner chose, in folders that may have changed hands since. These calls of CRIU's (sk-unix.c) are done with the owner's
 * rights instead. Whether the loader did load it is asked before (criu-child.c): without it, CRIU is not run.
 */

#define SOCKETS_LIBRARY "ckptd-sockets.so"
/* `UID GID GROUP…` of the owner. Without it, the library changes nothing. */
#define SOCKETS_OWNER "CKPTD_SOCKETS_OWNER"
/* Set, the program ends with this code before it begins. */
#define SOCKETS_PROBE "CKPTD_SOCKETS_PROBE"
#define SOCKETS_LOADED 93

#endif
