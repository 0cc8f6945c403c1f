#ifndef CKPTD_OWNER_H
#define CKPTD_OWNER_H

#include <stdint.h>
#include <sys/types.h>

#define OWNER_GROUPS_MAX 65536

/* The owner of a job, and what their CRIU may do beyond what they may. */
struct owner {
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* all supplementary ones, as getgroups(2) has them; NULL: none */
	size_t count;
	uint64_t capabilities; /* bits, as capabilities(7) numbers them */
};

/* Reads `GID GID …`: decimal, one space between them, or nothing. 0, or -1. */
int owner_groups(struct owner *owner, const char *text);

/*
 * Reads `NAME,NAME…`. 0, or -1 for a name that is none of those that CRIU may need:
 *
 *   checkpoint_restore  processes get their old pids, and the images may name their mapped files (Linux 5.9)
 *   setpcap             to give up what the job's bounding set lacks, where that is not full
 *   sys_ptrace          for a dump alone, where Yama lets no process trace another of its user's (ptrace_scope 1). At a
 *                       restore it would open the memory of root's process in there to whatever the images name
 *
 * The first two open no file that the owner may not open. CAP_CHECKPOINT_RESTORE lets its holder open what its own processes
 * have mapped (/proc/PID/map_files), and nobody else's.
 */
int owner_capabilities(struct owner *owner, const char *text);

/*
 * Becomes the owner for good, with these capabilities as permitted, effective and ambient ones, so that they outlive one
 * exec. Nobody with the owner's id can trace a process that has a capability more than they (ptrace(2)): they may
 * only send it signals. 0, or -1 with errno.
 */
int owner_become(const struct owner *owner);

/*
 * Lets CRIU give every process the limits that it had, which is to say: lower them from here. Only root may raise a hard
 * limit. Where CAP_SYS_RESOURCE is taken from the machine the limits stay what they are, and the engine compares
 * those of the restored processes with the images' before anything runs. `files`: as many may be open as a process of the
 * job could have; CRIU has a table of that size.
 */
void owner_raise_limits(unsigned int files);

#endif
