#include "signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

int signals_take(struct signals *signals)
{
	sigset_t all;
	sigfillset(&all);
	/* Those of a fault of our own; nobody would hand them on in time. */
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGILL);
	sigdelset(&all, SIGABRT);
	if (sigprocmask(SIG_BLOCK, &all, &signals->before) != 0)
		return -1;
	signals->fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals->fd < 0) {
		sigprocmask(SIG_SETMASK, &signals->before, NULL);
		return -1;
	}
	return 0;
}

void signals_give_back(struct signals *signals)
{
	close(signals->fd);
	sigprocmask(SIG_SETMASK, &signals->before, NULL);
}

int signals_next(const struct signals *signals)
{
	struct signalfd_siginfo info;
	return read(signals->fd, &info, sizeof(info)) == sizeof(info) ? (int)info.ssi_signo : 0;
}
