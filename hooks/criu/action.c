#include "action.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ask-engine.h"
#include "guard.h"
#include "record.h"

/* A file system that does not answer must not keep the job frozen. */
#define RECORD_SECONDS 60

static int write_record(void)
{
	const char *path = getenv("CKPTD_RECORD"), *root = getenv("CKPTD_ROOT");
	if (!path)
		return 0;
	pid_t pid = root ? atoi(root) : 0;
	if (pid <= 0) {
		fprintf(stderr, "Error (ckptd-criu): CKPTD_RECORD without a pid in CKPTD_ROOT\n");
		return -1;
	}
	int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (file < 0) {
		fprintf(stderr, "Error (ckptd-criu): cannot create %s: %s\n", path, strerror(errno));
		return -1;
	}
	signal(SIGALRM, SIG_DFL);
	alarm(RECORD_SECONDS);
	return record_tree(pid, file);
}

static int check_restored(void)
{
	char why[1024];
	if (ask_engine_check(why, sizeof(why)) == 0) {
		/* CRIU opens nothing more; what it lets go now may follow links again. */
		if (guard_lift() == 0)
			return 0;
		snprintf(why, sizeof(why), "cannot lift the guards: %s", strerror(errno));
	}
	fprintf(stderr, "Error (ckptd-criu): %s\n", why);
	return -1;
}

int action_main(const char *action)
{
	/* What the owner may signal, they could also stop in the middle. */
	if (setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0) {
		fprintf(stderr, "Error (ckptd-criu): not run as root: %s\n", strerror(errno));
		return 1;
	}
	if (strcmp(action, "post-dump") == 0)
		return write_record() == 0 ? 0 : 1;
	if (strcmp(action, "post-restore") == 0)
		return check_restored() == 0 ? 0 : 1;
	return 0;
}
