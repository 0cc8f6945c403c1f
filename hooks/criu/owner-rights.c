#include "owner-rights.h"

#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static uid_t uid;
static gid_t gid;
static gid_t groups[OWNER_RIGHTS_GROUPS], roots_groups[OWNER_RIGHTS_GROUPS];
static int group_count, roots_group_count;
static struct __user_cap_data_struct roots[_LINUX_CAPABILITY_U32S_3];

static bool read_id(const char **text, unsigned int *id)
{
	char *end;
	if (**text < '0' || **text > '9')
		return false;
	errno = 0;
	unsigned long number = strtoul(*text, &end, 10);
	/* The largest id is "no id" to the kernel. */
	if (errno != 0 || number >= UINT_MAX || (*end != ' ' && *end != '\0'))
		return false;
	*id = (unsigned int)number;
	*text = *end == ' ' ? end + 1 : end;
	return true;
}

int owner_rights_set(const char *text)
{
	if (!read_id(&text, &uid) || !read_id(&text, &gid))
		return -1;
	for (group_count = 0; *text; group_count++)
		if (group_count == OWNER_RIGHTS_GROUPS || !read_id(&text, &groups[group_count]))
			return -1;
	return 0;
}

uid_t owner_rights_uid(void)
{
	return uid;
}

gid_t owner_rights_gid(void)
{
	return gid;
}

static int set_effective(bool all)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		data[i] = roots[i];
		if (!all)
			data[i].effective = 0;
	}
	return (int)syscall(SYS_capset, &header, data);
}

/* The call's own result is no error code: it says what the id was before. */
static bool set_files_ids(uid_t as_uid, gid_t as_gid)
{
	syscall(SYS_setfsgid, as_gid);
	syscall(SYS_setfsuid, as_uid);
	return (gid_t)syscall(SYS_setfsgid, -1) == as_gid && (uid_t)syscall(SYS_setfsuid, -1) == as_uid;
}

/* Not libc's: that one changes the other threads too, and CRIU makes its processes behind libc's back. */
static int set_groups(int count, const gid_t *list)
{
	return (int)syscall(SYS_setgroups, (size_t)count, list);
}

int owner_rights_take(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};

	roots_group_count = (int)syscall(SYS_getgroups, OWNER_RIGHTS_GROUPS, roots_groups);
	if (roots_group_count < 0 || syscall(SYS_capget, &header, roots) != 0)
		return -1;
	if (set_groups(group_count, groups) != 0)
		return -1;
	/* The kernel takes the file capabilities away with fsuid 0, unless securebits forbid it: all of them go. */
	if (!set_files_ids(uid, gid) || set_effective(false) != 0) {
		owner_rights_return();
		errno = EPERM;
		return -1;
	}
	return 0;
}

void owner_rights_return(void)
{
	int error = errno;
	if (set_effective(true) != 0 || !set_files_ids(geteuid(), getegid()) || set_effective(true) != 0 ||
	    set_groups(roots_group_count, roots_groups) != 0)
		abort();
	errno = error;
}
