#include "owner.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Linux 5.9; older headers do not have it. */
#ifndef CAP_CHECKPOINT_RESTORE
#define CAP_CHECKPOINT_RESTORE 40
#endif

int owner_groups(struct owner *owner, const char *text)
{
	owner->groups = calloc(OWNER_GROUPS_MAX, sizeof(*owner->groups));
	if (!owner->groups)
		return -1;
	for (owner->count = 0; *text; owner->count++) {
		char *end;
		if (owner->count == OWNER_GROUPS_MAX || *text < '0' || *text > '9')
			return -1;
		errno = 0;
		unsigned long number = strtoul(text, &end, 10);
		/* The largest id is "no id" to the kernel. */
		if (errno != 0 || number >= UINT_MAX || (*end != ' ' && *end != '\0') || (*end == ' ' && end[1] == '\0'))
			return -1;
		owner->groups[owner->count] = (gid_t)number;
		text = *end == ' ' ? end + 1 : end;
	}
	return 0;
}

int owner_capabilities(struct owner *owner, const char *text)
{
	static const struct {
		const char *name;
		int number;
	} KNOWN[] = {{"checkpoint_restore", CAP_CHECKPOINT_RESTORE}, {"setpcap", CAP_SETPCAP},
		     {"sys_ptrace", CAP_SYS_PTRACE}};

	while (*text) {
		size_t length = strcspn(text, ",");
		uint64_t bit = 0;
		for (size_t i = 0; i < sizeof(KNOWN) / sizeof(KNOWN[0]); i++)
			if (strlen(KNOWN[i].name) == length && strncmp(text, KNOWN[i].name, length) == 0)
				bit = UINT64_C(1) << KNOWN[i].number;
		if (!bit)
			return -1;
		owner->capabilities |= bit;
		text += length + (text[length] == ',');
	}
	return 0;
}

/*
 * The kernel asks for an inheritable one before it makes it ambient. Those that were inheritable stay so: jobs have them too
 * where slurmd has, as in containers.
 */
static int set_capabilities(uint64_t bits)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data) != 0)
		return -1;
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		data[i].permitted = data[i].effective = (uint32_t)(bits >> (32 * i));
		data[i].inheritable |= data[i].permitted;
	}
	if (syscall(SYS_capset, &header, data) != 0)
		return -1;
	for (int number = 0; number < 64; number++)
		if (bits >> number & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0) != 0)
			return -1;
	return 0;
}

int owner_become(const struct owner *owner)
{
	uid_t uid[3];
	gid_t gid[3];

	if (setgroups(owner->count, owner->groups) != 0 || prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 ||
	    setresgid(owner->gid, owner->gid, owner->gid) != 0 || setresuid(owner->uid, owner->uid, owner->uid) != 0)
		return -1;
	if (getresuid(&uid[0], &uid[1], &uid[2]) != 0 || getresgid(&gid[0], &gid[1], &gid[2]) != 0)
		return -1;
	for (int i = 0; i < 3; i++) {
		if (uid[i] != owner->uid || gid[i] != owner->gid) {
			errno = EPERM;
			return -1;
		}
	}
	/* Root's own job keeps what root has: CRIU runs as it always did. */
	return owner->uid == 0 ? 0 : set_capabilities(owner->capabilities);
}

/* Of open files the kernel has a limit of its own. */
static rlim_t most_files(void)
{
	unsigned long most = 0;
	FILE *file = fopen("/proc/sys/fs/nr_open", "re");
	if (file && fscanf(file, "%lu", &most) != 1)
		most = 0;
	if (file)
		fclose(file);
	return most;
}

void owner_raise_limits(unsigned int files)
{
	for (int resource = 0; resource < RLIM_NLIMITS; resource++) {
		struct rlimit limit, raised;
		if (getrlimit(resource, &limit) != 0)
			continue;
		raised.rlim_max = resource == RLIMIT_NOFILE ? most_files() : RLIM_INFINITY;
		if (raised.rlim_max > limit.rlim_max && setrlimit(resource, &(struct rlimit){limit.rlim_cur, raised.rlim_max}) == 0)
			limit.rlim_max = raised.rlim_max;
		/* CRIU needs more than the job for a moment. Without a limit of its stack its memory would be laid out otherwise. */
		raised = limit;
		if (resource == RLIMIT_NOFILE)
			raised.rlim_cur = files > limit.rlim_cur ? files : limit.rlim_cur;
		else if (resource != RLIMIT_STACK)
			raised.rlim_cur = limit.rlim_max;
		if (raised.rlim_cur > limit.rlim_max)
			raised.rlim_cur = limit.rlim_max;
		setrlimit(resource, &raised);
	}
}
