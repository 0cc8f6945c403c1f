#include "spawn-init.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "config.h"
#include "descriptors.h"
#include "init-report.h"

/* A copy of slurmstepd: nothing but what leads to the exec. */
__attribute__((noreturn)) static void become_init(char **argv, char **environment, int fd)
{
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int number = 1; number <= SIGRTMAX; number++)
		signal(number, SIG_DFL);
	/* First out of the way of 0 to 3. */
	int high = fcntl(fd, F_DUPFD, INIT_REPORT_FD + 1);
	int null = open("/dev/null", O_RDWR);
	if (high < 0 || null < 0 || dup2(high, INIT_REPORT_FD) < 0)
		_exit(126);
	for (int stdio = 0; stdio < 3; stdio++)
		dup2(null, stdio);
	descriptors_close_from(INIT_REPORT_FD + 1);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve(argv[0], argv, environment);
	_exit(127);
}

pid_t spawn_init(uint32_t job, char **argv, int *fd)
{
	char socket_variable[160], job_variable[32];
	char *environment[] = {(char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", (char *)"LC_ALL=C", socket_variable,
			       job_variable, NULL};
	int pair[2];

	snprintf(socket_variable, sizeof(socket_variable), "CKPTD_SOCKET=%s", config.socket);
	snprintf(job_variable, sizeof(job_variable), "CKPTD_JOB=%u", job);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return -1;
	/* Not fork: the new namespaces are for the child alone, and no handler of slurmstepd's is to run in it. */
	pid_t pid = (pid_t)syscall(SYS_clone, (unsigned long)(SIGCHLD | CLONE_NEWPID | CLONE_NEWNS), NULL, NULL, NULL, NULL);
	if (pid == 0)
		become_init(argv, environment, pair[1]);
	int error = errno;
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		errno = error;
		return -1;
	}
	*fd = pair[0];
	return pid;
}
