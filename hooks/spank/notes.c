#include "notes.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <slurm/spank.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"

/* Slurm counts restarts in 16 bits; the highest value means that nobody knows. */
#define MOST_RESTARTS 65534

/* The folder of the socket, with `/name` behind it if there is one. 0, or -1 with errno. */
static int folder_path(const char *name, char *path, size_t size)
{
	int folder = (int)(strrchr(config.socket, '/') - config.socket);
	int length = snprintf(path, size, "%.*s/%s", folder, config.socket, name);
	if (length >= 0 && (size_t)length < size)
		return 0;
	errno = ENAMETOOLONG;
	return -1;
}

bool notes_engine_known(void)
{
	char path[PATH_MAX];
	struct stat at;
	return folder_path("", path, sizeof(path)) == 0 && stat(path, &at) == 0;
}

/* Nobody but root may have a hand in it. The descriptor, or -1 with errno. */
static int open_folder(const char *name, bool make)
{
	char path[PATH_MAX];
	struct stat at;

	if (folder_path(name, path, sizeof(path)) != 0)
		return -1;
	if (make && mkdir(path, 0700) != 0 && errno != EEXIST)
		return -1;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (fstat(fd, &at) == 0 && at.st_uid == 0 && (at.st_mode & (S_IWGRP | S_IWOTH)) == 0)
		return fd;
	close(fd);
	errno = EPERM;
	return -1;
}

/* 0, or -1 with errno; then there is no such note. */
static int write_note(const char *folder, const char *name, const char *text)
{
	int rc = -1, error = 0;
	int dir = open_folder(folder, true);
	if (dir < 0)
		return -1;
	unlinkat(dir, name, 0);
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0) {
		errno = ENOSPC;
		rc = write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
		error = errno;
		close(fd);
		if (rc != 0)
			unlinkat(dir, name, 0);
	} else {
		error = errno;
	}
	close(dir);
	errno = error;
	return rc;
}

static bool read_number(const char *text, const char *end, uint32_t *number)
{
	size_t digits = strspn(text, "0123456789");
	if (digits == 0 || digits > 5 || strcmp(text + digits, end) != 0)
		return false;
	*number = (uint32_t)strtoul(text, NULL, 10);
	return *number <= MOST_RESTARTS;
}

void notes_write_restarts(uint32_t job)
{
	const char *said = getenv("SLURM_JOB_RESTART_COUNT");
	char name[16], text[16];
	uint32_t restarts;

	if (!notes_engine_known())
		return;
	if (!said || !read_number(said, "", &restarts)) {
		notes_remove_restarts(job);
		return;
	}
	snprintf(name, sizeof(name), "%u", job);
	snprintf(text, sizeof(text), "%u\n", restarts);
	if (write_note("starts", name, text) != 0)
		slurm_error("ckptd: job %u: its restart count cannot be noted beside %s: %s", job, config.socket,
			    strerror(errno));
}

void notes_remove_restarts(uint32_t job)
{
	char name[16];
	int dir = open_folder("starts", false);
	if (dir < 0)
		return;
	snprintf(name, sizeof(name), "%u", job);
	unlinkat(dir, name, 0);
	close(dir);
}

bool notes_read_restarts(uint32_t job, uint32_t *restarts)
{
	char name[16], text[16];
	ssize_t got = -1;
	int dir = open_folder("starts", false);
	if (dir < 0)
		return false;
	snprintf(name, sizeof(name), "%u", job);
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	close(dir);
	if (fd < 0)
		return false;
	got = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (got < 0)
		return false;
	text[got] = '\0';
	return read_number(text, "\n", restarts);
}

void notes_begun_anew(uint32_t job, uint32_t restarts, uid_t uid)
{
	char name[48];
	snprintf(name, sizeof(name), "%u.%u.%u", job, restarts, uid);
	if (write_note("anew", name, "") != 0)
		slurm_error("ckptd: job %u: that it began anew cannot be noted beside %s: %s", job, config.socket,
			    strerror(errno));
}
