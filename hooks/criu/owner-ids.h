#ifndef CKPTD_OWNER_IDS_H
#define CKPTD_OWNER_IDS_H

#include <sys/types.h>

/*
 * Lets CRIU read and set the resource limits of a user's tasks where root may not, which is where CAP_SYS_RESOURCE
 * is taken from the machine (containers, some virtual machines): prlimit(2) asks for that capability, or for *real*
 * ids that are those of the task. So the real ids become the owner's while the effective and saved ones stay root's.
 * Where the capability is there, nothing is changed: the owner may signal a process with their real id.
 * 0, or -1 with errno.
 */
int owner_ids_take(uid_t uid, gid_t gid);

#endif
