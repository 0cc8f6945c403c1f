#include "socket-paths.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PARKED ".criu-sk-ghost"
#define FOLDERS 128

static char *made[FOLDERS];

bool sockets_may_be_here(void)
{
	char path[PATH_MAX];
	struct stat here, there;
	int fd = getcwd(path, sizeof(path)) && path[0] == '/' ? open(path, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	bool same = fd >= 0 && fstat(fd, &there) == 0 && stat(".", &here) == 0 && here.st_dev == there.st_dev &&
		    here.st_ino == there.st_ino;
	if (fd >= 0)
		close(fd);
	if (!same)
		errno = EACCES;
	return same;
}

bool sockets_is_parked(const char *path)
{
	size_t length = strlen(path);
	return length >= sizeof(PARKED) && strcmp(path + length - (sizeof(PARKED) - 1), PARKED) == 0;
}

static char **made_slot(const char *path)
{
	for (int i = 0; i < FOLDERS; i++)
		if (path ? made[i] && strcmp(made[i], path) == 0 : !made[i])
			return &made[i];
	return NULL;
}

int sockets_note_folder(const char *path)
{
	if (made_slot(path))
		return 0;
	char **slot = made_slot(NULL);
	if (slot)
		*slot = strdup(path);
	if (slot && *slot)
		return 0;
	errno = ENOMEM;
	return -1;
}

bool sockets_forget_folder(const char *path)
{
	char **slot = made_slot(path);
	if (!slot)
		return false;
	free(*slot);
	*slot = NULL;
	return true;
}
