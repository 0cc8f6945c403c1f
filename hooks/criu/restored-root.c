#include "restored-root.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

pid_t restored_root(const char *pidfile)
{
	int pid = 0;
	int fd = open(pidfile, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	if (!file)
		return 0;
	if (fscanf(file, "%d", &pid) != 1 || pid <= 1)
		pid = 0;
	fclose(file);
	return pid;
}

/* The state comes after the name, which may hold anything, brackets too. */
static bool is_stopped(pid_t pid)
{
	char path[64], text[512];
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t length = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (length <= 0)
		return false;
	text[length] = '\0';
	const char *end = strrchr(text, ')');
	return end && end[1] == ' ' && end[2] == 'T';
}

void restored_continue(pid_t root)
{
	const struct dirent *entry;
	if (!is_stopped(root))
		return;
	DIR *dir = opendir("/proc");
	while (dir && (entry = readdir(dir))) {
		pid_t pid = isdigit((unsigned char)entry->d_name[0]) ? atoi(entry->d_name) : 0;
		if (pid > 1 && pid != root && is_stopped(pid))
			kill(pid, SIGCONT);
	}
	if (dir)
		closedir(dir);
	kill(root, SIGCONT);
}
