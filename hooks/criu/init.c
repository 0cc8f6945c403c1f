#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "arguments.h"
#include "init-loop.h"
#include "init-report.h"
#include "restore.h"

__attribute__((format(printf, 2, 3))) static int failed(struct init_report *report, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(report->text, sizeof(report->text), format, args);
	va_end(args);
	return -1;
}

/*
 * What is mounted on the node later is to show up in the job too (slave), and nothing of here there. CRIU sees the
 * processes by the pids that they have in here.
 */
static int own_mounts(struct init_report *report)
{
	if (getpid() != 1)
		return failed(report, "ckptd-criu init is not pid 1 of a namespace");
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) != 0)
		return failed(report, "cannot make the mounts of the new namespace slaves: %s", strerror(errno));
	/* Two on top of each other would confuse the next dump's look at what is mounted where. */
	umount2("/proc", MNT_DETACH);
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0)
		return failed(report, "cannot mount /proc in the new namespace: %s", strerror(errno));
	return 0;
}

int init_main(int argc, char **argv)
{
	struct arguments arguments;
	struct init_report report = {.kind = INIT_FAILED, .value = -1};
	sigset_t child;

	if (arguments_parse(argc, argv, "--fd --groups --capabilities --images --root --files --log ", &arguments) != 0)
		return EX_USAGE;
	int fd = arguments.fd < 0 ? INIT_REPORT_FD : arguments.fd;
	if (!arguments.criu || !arguments.as_owner || !arguments.images || !arguments.log || arguments.root <= 1 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
		fprintf(stderr, "ckptd-criu init: needs --capabilities, --images, --root, --log, a socket as --fd, and CRIU behind --\n");
		return EX_USAGE;
	}
	/* The supervisor may have died before this line; the end of the stream says so then. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "ckptd-init");
	prctl(PR_SET_DUMPABLE, 0);
	setsid();
	/* Taken up by init_loop; what is restored may end before that. */
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	if (own_mounts(&report) == 0) {
		pid_t root = restore(&arguments, report.text, sizeof(report.text));
		if (root > 0)
			report = (struct init_report){.kind = INIT_RESTORED, .value = root};
	}
	if (send(fd, &report, sizeof(report), MSG_NOSIGNAL) < 0 || report.kind != INIT_RESTORED)
		return EX_SOFTWARE;
	return init_loop(fd, report.value);
}
