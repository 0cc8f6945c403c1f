#include "breakpoints.h"

#if defined(__x86_64__)

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

/* Debug register 7: breakpoint 0 is on, for execution (Intel SDM volume 3, 17.2.4). */
#define FIRST_ON 1L

#define REACHED 1

__attribute__((noinline, noreturn)) static void target(void)
{
	_exit(REACHED);
}

static int wait_for(pid_t pid)
{
	int status = 0;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return status;
}

static bool is_stopped_by(int status, int signal)
{
	return status >= 0 && WIFSTOPPED(status) && WSTOPSIG(status) == signal;
}

static bool set_breakpoint(pid_t pid, void (*at)(void))
{
	size_t address = offsetof(struct user, u_debugreg[0]), control = offsetof(struct user, u_debugreg[7]);
	return ptrace(PTRACE_POKEUSER, pid, address, at) == 0 && ptrace(PTRACE_POKEUSER, pid, control, FIRST_ON) == 0;
}

bool breakpoints_work(void)
{
	bool work = false;
	pid_t pid = fork();
	if (pid < 0)
		return false;
	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0 || raise(SIGSTOP) != 0)
			_exit(REACHED);
		target();
	}
	int status = wait_for(pid);
	if (is_stopped_by(status, SIGSTOP) && set_breakpoint(pid, target) && ptrace(PTRACE_CONT, pid, NULL, NULL) == 0) {
		status = wait_for(pid);
		work = is_stopped_by(status, SIGTRAP);
	}
	if (status >= 0 && WIFSTOPPED(status)) {
		kill(pid, SIGKILL);
		wait_for(pid);
	}
	return work;
}

#else

bool breakpoints_work(void)
{
	return true;
}

#endif
