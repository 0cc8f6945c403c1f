#include "action.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "record.h"

/* A file system that does not answer must not keep the job frozen. */
#define RECORD_SECONDS 60

/* A name that is no absolute path is one in the folder of the images, which CRIU has open. */
static int create(const char *path)
{
	const char *images = getenv("CRTOOLS_IMAGE_DIR");
	int folder = AT_FDCWD;
	if (path[0] != '/' && (!images || (folder = open(images, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0))
		return -1;
	return openat(folder, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

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
	int file = create(path);
	if (file < 0) {
		fprintf(stderr, "Error (ckptd-criu): cannot create %s: %s\n", path, strerror(errno));
		return -1;
	}
	signal(SIGALRM, SIG_DFL);
	alarm(RECORD_SECONDS);
	return record_tree(pid, file);
}

int action_main(const char *action)
{
	/* What the owner may signal, they could also stop in the middle. A CRIU with the owner's rights has no others. */
	if (geteuid() == 0 && (setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0)) {
		fprintf(stderr, "Error (ckptd-criu): not run as root: %s\n", strerror(errno));
		return 1;
	}
	if (strcmp(action, "post-dump") == 0)
		return write_record() == 0 ? 0 : 1;
	return 0;
}
