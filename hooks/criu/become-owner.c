#include "become-owner.h"

#include <errno.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

int become_owner(const struct owner *owner)
{
	uid_t uid[3];
	gid_t gid[3];

	if (setgroups(owner->count, owner->groups) != 0 || setresgid(owner->gid, owner->gid, owner->gid) != 0 ||
	    setresuid(owner->uid, owner->uid, owner->uid) != 0)
		return -1;
	if (getresuid(&uid[0], &uid[1], &uid[2]) != 0 || getresgid(&gid[0], &gid[1], &gid[2]) != 0)
		return -1;
	for (int i = 0; i < 3; i++) {
		if (uid[i] != owner->uid || gid[i] != owner->gid) {
			errno = EPERM;
			return -1;
		}
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return -1;
	umask(077);
	return chdir("/");
}
