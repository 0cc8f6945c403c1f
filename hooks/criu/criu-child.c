#include "criu-child.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "breakpoints.h"
#include "owner-ids.h"
#include "sockets.h"

/* The library lies beside this program, and takes the owner's ids by itself. -1 with errno. */
static int load_sockets(const struct arguments *arguments)
{
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path));
	if (length < 0)
		return -1;
	if ((size_t)length >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	path[length] = '\0';
	char *name = strrchr(path, '/') + 1;
	size_t room = sizeof(path) - (size_t)(name - path);
	/* The loader takes a blank and a colon for the end of a path. */
	if (snprintf(name, room, "%s", SOCKETS_LIBRARY) >= (int)room || strpbrk(path, " :")) {
		errno = EINVAL;
		return -1;
	}
	return setenv("LD_PRELOAD", path, 1) != 0 || setenv(SOCKETS_OWNER, arguments->sockets, 1) != 0 ? -1 : 0;
}

__attribute__((noreturn)) static void become_criu(const struct arguments *arguments)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (!breakpoints_work())
		setenv(CRIU_FAULT, CRIU_NO_BREAKPOINTS, 1);
	if (arguments->sockets && load_sockets(arguments) != 0)
		fprintf(stderr, "Error (ckptd-criu): cannot load %s: %s\n", SOCKETS_LIBRARY, strerror(errno));
	else if (!arguments->sockets && owner_ids_take(arguments->uid, arguments->gid) != 0)
		fprintf(stderr, "Error (ckptd-criu): cannot take the ids of the owner: %s\n", strerror(errno));
	else if (execv(arguments->criu[0], arguments->criu) != 0)
		fprintf(stderr, "Error (ckptd-criu): cannot run %s: %s\n", arguments->criu[0], strerror(errno));
	_exit(127);
}

bool criu_sockets_loaded(const struct arguments *arguments)
{
	int status = 0;
	bool ran;

	if (!arguments->sockets)
		return true;
	/* Where the library is not loaded, the program does run. */
	char version[] = "--version";
	char *command[] = {arguments->criu[0], version, NULL};
	struct arguments probe = *arguments;
	probe.criu = command;
	setenv(SOCKETS_PROBE, "1", 1);
	ran = criu_run(&probe, &status) == 0;
	unsetenv(SOCKETS_PROBE);
	return ran && WIFEXITED(status) && WEXITSTATUS(status) == SOCKETS_LOADED;
}

int criu_run(const struct arguments *arguments, int *status)
{
	pid_t pid = fork();
	if (pid == 0)
		become_criu(arguments);
	while (pid > 0 && waitpid(pid, status, 0) < 0)
		if (errno != EINTR)
			pid = -1;
	if (pid < 0)
		fprintf(stderr, "Error (ckptd-criu): cannot run CRIU: %s\n", strerror(errno));
	return pid < 0 ? -1 : 0;
}
