#ifndef CKPTD_OWNER_RIGHTS_H
#define CKPTD_OWNER_RIGHTS_H

#include <sys/types.h>

/*
 * The rights of a job's owner, for one system call at a time, in a process that is root. The kernel then decides of each
 * name as it would for the owner, in the very call that uses it: nothing can change between a look and the act.
 */

#define OWNER_RIGHTS_GROUPS 65536

/* Reads `UID GID GROUP…`: decimal, one space between them. 0, or -1. */
int owner_rights_set(const char *text);
uid_t owner_rights_uid(void);
gid_t owner_rights_gid(void);

/*
 * From here on files are reached with the owner's ids (fsuid, fsgid, groups) and with no capability. 0, or -1 with
 * errno. Only the calling thread is changed. There is no other in CRIU.
 */
int owner_rights_take(void);

/* Keeps errno. A process that cannot be what it was is aborted. */
void owner_rights_return(void);

#endif
