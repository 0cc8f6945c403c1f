#include "descriptors.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Calls `close_one` for each open descriptor from `first` on. */
static void for_each(int first, void (*close_one)(int fd, const void *context), const void *context)
{
	const struct dirent *entry;
	DIR *dir = opendir("/proc/self/fd");
	while (dir && (entry = readdir(dir))) {
		int fd = entry->d_name[0] == '.' ? -1 : atoi(entry->d_name);
		if (fd >= first && fd != dirfd(dir))
			close_one(fd, context);
	}
	if (dir)
		closedir(dir);
}

static void close_it(int fd, const void *context)
{
	(void)context;
	close(fd);
}

void descriptors_close_from(int first)
{
#ifdef SYS_close_range
	if (syscall(SYS_close_range, (unsigned int)first, ~0U, 0U) == 0)
		return;
#endif
	/* Linux before 5.9. */
	for_each(first, close_it, NULL);
}

struct kept {
	const int *fds;
	int count;
};

static bool is_awaited_pipe(int fd)
{
	struct stat at;
	struct pollfd one = {.fd = fd, .events = POLLIN};
	return fstat(fd, &at) == 0 && S_ISFIFO(at.st_mode) && poll(&one, 1, 0) == 0;
}

static void close_other(int fd, const void *context)
{
	const struct kept *kept = context;
	for (int i = 0; i < kept->count; i++)
		if (kept->fds[i] == fd)
			return;
	if (!is_awaited_pipe(fd))
		close(fd);
}

void descriptors_close_others(const int *keep, int count)
{
	const struct kept kept = {keep, count};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int stdio = 0; null >= 0 && stdio < 3; stdio++)
		dup2(null, stdio);
	/* `null` with them. */
	for_each(3, close_other, &kept);
}
