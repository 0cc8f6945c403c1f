#include "hook.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <slurm/spank.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"
#include "descriptors.h"
#include "engine-client.h"

__attribute__((noreturn)) static void become_hook(const char *path)
{
	char *const argv[] = {(char *)path, NULL};
	int null = open("/dev/null", O_RDWR);
	sigset_t none;

	if (null >= 0)
		for (int fd = 0; fd < 3; fd++)
			dup2(null, fd);
	descriptors_close_from(3);
	/* Its own group, so that what it starts ends with it. */
	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	execv(path, argv);
	_exit(127);
}

void hook_run(const char *name, long long within_ms)
{
	char path[PATH_MAX];
	int status = 0, length = snprintf(path, sizeof(path), "%s/%s", config.hooks, name);
	long long until = engine_clock_ms() + within_ms;

	if (length < 0 || (size_t)length >= sizeof(path) || access(path, X_OK) != 0)
		return;
	pid_t pid = fork();
	if (pid == 0)
		become_hook(path);
	if (pid < 0) {
		slurm_error("ckptd: cannot run %s: %s", path, strerror(errno));
		return;
	}
	/* Not SIGCHLD: its handler is Slurm's. */
	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (engine_clock_ms() >= until) {
			slurm_error("ckptd: %s is killed: it took over %lld ms", path, within_ms);
			kill(-pid, SIGKILL);
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return;
		}
		poll(NULL, 0, 2);
	}
}
