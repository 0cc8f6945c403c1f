#include "criu-child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "owner-ids.h"

__attribute__((noreturn)) static void become_criu(const struct arguments *arguments)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (owner_ids_take(arguments->uid, arguments->gid) != 0)
		fprintf(stderr, "Error (ckptd-criu): cannot take the ids of the owner: %s\n", strerror(errno));
	else if (execv(arguments->criu[0], arguments->criu) != 0)
		fprintf(stderr, "Error (ckptd-criu): cannot run %s: %s\n", arguments->criu[0], strerror(errno));
	_exit(127);
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
