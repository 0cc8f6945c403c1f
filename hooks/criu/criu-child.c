#include "criu-child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "breakpoints.h"
#include "owner-ids.h"

/* Root's path to the folder leads past folders that are root's alone: CRIU gets the folder itself. */
static bool hand_over_images(const struct arguments *arguments)
{
	int folder = open(arguments->images, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return folder >= 0 && dup2(folder, CRIU_IMAGES_FD) == CRIU_IMAGES_FD;
}

__attribute__((noreturn)) static void become_criu(const struct arguments *arguments)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (!breakpoints_work())
		setenv(CRIU_FAULT, CRIU_NO_BREAKPOINTS, 1);
	if (arguments->as_owner && !hand_over_images(arguments))
		fprintf(stderr, "Error (ckptd-criu): cannot open %s: %s\n", arguments->images, strerror(errno));
	else if (arguments->as_owner && owner_become(&arguments->owner) != 0)
		fprintf(stderr, "Error (ckptd-criu): cannot take the rights of the job's owner: %s\n", strerror(errno));
	else if (!arguments->as_owner && owner_ids_take(arguments->owner.uid, arguments->owner.gid) != 0)
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
