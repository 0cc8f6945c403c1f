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
#include "criu-child.h"
#include "error-lines.h"
#include "guard.h"
#include "init-loop.h"
#include "init-report.h"
#include "restored-root.h"
#include "sockets.h"
#include "wait-status.h"

struct restore {
	const struct arguments *arguments;
	struct init_report report;
};

__attribute__((format(printf, 2, 3))) static int failed(struct restore *restore, const char *format, ...)
{
	va_list args;
	restore->report.kind = INIT_FAILED;
	va_start(args, format);
	vsnprintf(restore->report.text, sizeof(restore->report.text), format, args);
	va_end(args);
	return -1;
}

/*
 * What is mounted on the node later is to show up in the job too (slave), and nothing of here there. CRIU sees the
 * processes by the pids that they have in here.
 */
static int own_mounts(struct restore *restore)
{
	if (getpid() != 1)
		return failed(restore, "ckptd-criu init is not pid 1 of a namespace");
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) != 0)
		return failed(restore, "cannot make the mounts of the new namespace slaves: %s", strerror(errno));
	/* Two on top of each other would confuse the next dump's look at what is mounted where. */
	umount2("/proc", MNT_DETACH);
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0)
		return failed(restore, "cannot mount /proc in the new namespace: %s", strerror(errno));
	return 0;
}

static int guard_folders(struct restore *restore)
{
	const char *which;
	if (guard_set(restore->arguments->guards, restore->arguments->guard_count, &which) == 0)
		return 0;
	return failed(restore, "cannot keep symbolic links in %s from being followed: %s", which, strerror(errno));
}

static int run_criu(struct restore *restore)
{
	const struct arguments *arguments = restore->arguments;
	char how[64], lines[1400];
	int status = 0;

	restore->report.value = -1;
	if (!criu_sockets_loaded(arguments))
		return failed(restore, "%s does not load %s: the job has sockets with names, and without that they are not made",
			arguments->criu[0], SOCKETS_LIBRARY);
	if (criu_run(arguments, &status) != 0)
		return failed(restore, "cannot run %s", arguments->criu[0]);
	restore->report.value = status;
	if (status != 0) {
		describe_status(status, how, sizeof(how));
		error_lines(arguments->log, lines, sizeof(lines));
		return failed(restore, "CRIU %s: %s", how, lines);
	}
	pid_t root = restored_root(arguments->pidfile);
	if (root <= 0)
		return failed(restore, "CRIU did not say in %s which process it restored", arguments->pidfile);
	restore->report.kind = INIT_RESTORED;
	restore->report.value = root;
	return 0;
}

int init_main(int argc, char **argv)
{
	struct arguments arguments;
	struct restore restore = {.arguments = &arguments};
	sigset_t child;

	if (arguments_parse(argc, argv, "--fd --pidfile --log --guard --sockets ", &arguments) != 0)
		return EX_USAGE;
	int fd = arguments.fd < 0 ? INIT_REPORT_FD : arguments.fd;
	if (!arguments.pidfile || !arguments.log || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
		fprintf(stderr, "ckptd-criu init: needs --pidfile, --log, and a socket as --fd\n");
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
	if (own_mounts(&restore) == 0 && guard_folders(&restore) == 0)
		run_criu(&restore);
	if (send(fd, &restore.report, sizeof(restore.report), MSG_NOSIGNAL) < 0 || restore.report.kind != INIT_RESTORED)
		return EX_SOFTWARE;
	return init_loop(fd, restore.report.value);
}
