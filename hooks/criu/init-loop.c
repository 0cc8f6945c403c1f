#include "init-loop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "init-report.h"
#include "restored-root.h"

/* True once the root is among the dead. */
static bool reap(pid_t root, int *status)
{
	int one;
	pid_t pid;
	while ((pid = waitpid(-1, &one, WNOHANG | __WALL)) > 0) {
		if (pid == root) {
			*status = one;
			return true;
		}
	}
	/* CRIU's child is not ours: nobody would ever say that it has ended. */
	if (pid < 0 && errno == ECHILD) {
		*status = SIGKILL;
		return true;
	}
	return false;
}

/* False once the supervisor is gone. */
static bool hand_on(int fd, pid_t root)
{
	int32_t number;
	ssize_t got = recv(fd, &number, sizeof(number), MSG_DONTWAIT);
	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	if (got == sizeof(number) && number > 0 && number <= SIGRTMAX)
		kill(root, number);
	return got != 0;
}

int init_loop(int fd, pid_t root)
{
	sigset_t child;
	int status = 0;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	int sigchld = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	if (sigchld < 0)
		return EX_OSERR;
	restored_continue(root);
	for (;;) {
		struct pollfd both[] = {{.fd = fd, .events = POLLIN}, {.fd = sigchld, .events = POLLIN}};
		struct signalfd_siginfo info;

		if (reap(root, &status))
			break;
		if (poll(both, 2, -1) < 0)
			continue;
		(void)!read(sigchld, &info, sizeof(info));
		if (both[0].revents && !hand_on(fd, root))
			return EX_SOFTWARE;
	}
	struct init_report report = {.kind = INIT_EXITED, .value = status};
	return send(fd, &report, sizeof(report), MSG_NOSIGNAL) < 0 ? EX_SOFTWARE : 0;
}
