#include "held.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* An access mode that open(2) has no use for: to be read, or executed. */
#define RUN 3

static int flags_of(const char *access)
{
	static const struct {
		const char *name;
		int flags;
	} KNOWN[] = {{"read", O_RDONLY}, {"write", O_WRONLY}, {"both", O_RDWR}, {"path", O_PATH}, {"run", RUN}};
	for (size_t i = 0; i < sizeof(KNOWN) / sizeof(KNOWN[0]); i++)
		if (strcmp(access, KNOWN[i].name) == 0)
			return KNOWN[i].flags;
	return -1;
}

static bool read_decimal(const char *text, unsigned long long *number)
{
	char *end;
	if (!text || text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*number = strtoull(text, &end, 10);
	return errno == 0 && *end == '\0';
}

int held_parse(char *text, struct held *held)
{
	const char *access = strsep(&text, " ");
	held->flags = flags_of(access);
	if (held->flags < 0 || !read_decimal(strsep(&text, " "), &held->dev) ||
	    !read_decimal(strsep(&text, " "), &held->ino) || !text || text[0] != '/')
		return -1;
	held->path = text;
	return 0;
}

static const char *reason(int error)
{
	switch (error) {
	case ENOENT:
		return "it is gone";
	case ENOTDIR:
		return "a part of its path is no directory";
	case ELOOP:
		return "it is a symbolic link";
	case EACCES:
	case EPERM:
		return "the job's owner has no permission";
	case EROFS:
		return "its file system is read-only";
	case EISDIR:
		return "it is a directory";
	case ETXTBSY:
		return "it is a program that runs";
	default:
		return strerror(error);
	}
}

/* A driver, or the other end of a FIFO, says so after the kernel has looked at the permissions. */
static bool is_not_now(int error)
{
	return error == ENXIO || error == EBUSY || error == ENODEV || error == EAGAIN || error == EIO;
}

/* Through the descriptor, so that it is the very file that was looked at. */
static const char *may_open(int found, const struct stat *at, int flags)
{
	char link[40];
	snprintf(link, sizeof(link), "/proc/self/fd/%d", found);
	int fd = open(link, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd >= 0) {
		close(fd);
		return NULL;
	}
	if (!S_ISREG(at->st_mode) && !S_ISDIR(at->st_mode) && is_not_now(errno))
		return NULL;
	return reason(errno);
}

/* A program may be executed without being readable. */
static const char *may_run(int found, const struct stat *at)
{
	char link[40];
	snprintf(link, sizeof(link), "/proc/self/fd/%d", found);
	if (!S_ISREG(at->st_mode))
		return "it is no program";
	return access(link, X_OK) == 0 ? NULL : reason(errno);
}

/* To be in a folder takes the right to pass through it. */
static const char *may_pass(int found)
{
	int fd = openat(found, ".", O_PATH | O_CLOEXEC);
	if (fd < 0)
		return reason(errno);
	close(fd);
	return NULL;
}

const char *held_why_not(const struct held *held)
{
	const char *why = NULL;
	struct stat at;

	int found = open(held->path, O_PATH | O_CLOEXEC);
	if (found < 0)
		return reason(errno);
	if (fstat(found, &at) != 0)
		why = reason(errno);
	else if (at.st_dev != held->dev || at.st_ino != held->ino)
		why = "another file is there";
	else if (held->flags == RUN)
		why = may_open(found, &at, O_RDONLY) ? may_run(found, &at) : NULL;
	else if (held->flags != O_PATH)
		why = may_open(found, &at, held->flags);
	else if (S_ISDIR(at.st_mode))
		why = may_pass(found);
	close(found);
	return why;
}
