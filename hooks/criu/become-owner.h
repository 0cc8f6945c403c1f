#ifndef CKPTD_BECOME_OWNER_H
#define CKPTD_BECOME_OWNER_H

#include <sys/types.h>

#define OWNER_GROUPS_MAX 65536

struct owner {
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* the other ones */
	size_t count;
};

/*
 * Becomes the owner for good, with no way back and no new rights. Nobody but root may trace the process afterwards:
 * its answers cannot be made up by the owner. 0, or -1 with errno.
 */
int become_owner(const struct owner *owner);

#endif
