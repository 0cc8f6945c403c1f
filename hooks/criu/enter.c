#include "enter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static bool same_file(int fd, const char *path)
{
	struct stat a, b;
	return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/*
 * Whether who made it had root's rights in the user namespace that this process is in, as of user_namespaces(7). What
 * a user has made belongs to one of the user's own.
 */
static bool is_roots(int fd)
{
	int owner = ioctl(fd, NS_GET_USERNS);
	if (owner < 0)
		return false;
	bool same = same_file(owner, "/proc/self/ns/user");
	close(owner);
	return same;
}

/* Both are opened before either is entered: the process may end in between, and /proc changes with the second. */
int enter(pid_t pid)
{
	char path[2][64];
	int fd[2] = {-1, -1}, rc = -1;
	static const char *const own[2] = {"/proc/self/ns/pid", "/proc/self/ns/mnt"};
	static const int kind[2] = {CLONE_NEWPID, CLONE_NEWNS};
	bool same[2];

	for (int i = 0; i < 2; i++) {
		snprintf(path[i], sizeof(path[i]), "/proc/%d/ns/%s", pid, i == 0 ? "pid" : "mnt");
		fd[i] = open(path[i], O_RDONLY | O_CLOEXEC);
		if (fd[i] < 0)
			goto fail;
		same[i] = same_file(fd[i], own[i]);
		if (!is_roots(fd[i])) {
			errno = EPERM;
			goto fail;
		}
	}
	for (int i = 0; i < 2; i++)
		if (!same[i] && setns(fd[i], kind[i]) != 0)
			goto fail;
	rc = 0;
fail:
	if (rc != 0)
		fprintf(stderr, "Error (ckptd-criu): cannot enter the namespaces of process %d: %s\n", pid, strerror(errno));
	for (int i = 0; i < 2; i++)
		if (fd[i] >= 0)
			close(fd[i]);
	return rc;
}
