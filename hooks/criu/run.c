#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "arguments.h"
#include "criu-child.h"
#include "wait-status.h"

static bool same_file(int fd, const char *path)
{
	struct stat a, b;
	return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Both are opened before either is entered: the process may end in between, and /proc changes with the second. */
static int enter(pid_t pid)
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

int run_main(int argc, char **argv)
{
	struct arguments arguments;
	int status;

	if (arguments_parse(argc, argv, "--inside ", &arguments) != 0)
		return EX_USAGE;
	if (arguments.inside > 0 && enter(arguments.inside) != 0)
		return EX_OSERR;
	if (criu_run(&arguments, &status) != 0)
		return EX_OSERR;
	end_like(status);
}
