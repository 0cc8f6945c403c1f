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

/* A line of /proc/PID/status as a hexadecimal number. */
static unsigned long long bits_of(const char *text, const char *name)
{
	const char *line = strstr(text, name);
	return line ? strtoull(line + strlen(name), NULL, 16) : 0;
}

/*
 * CRIU stops a process by a signal that may wait for it still, until it first runs. The name comes first in the file, and
 * what it holds is escaped.
 */
static bool is_stopped(pid_t pid)
{
	const unsigned long long stop = 1ULL << (SIGSTOP - 1);
	char path[64], text[4096];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t length = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (length <= 0)
		return false;
	text[length] = '\0';
	return strstr(text, "\nState:\tT") || ((bits_of(text, "\nSigPnd:") | bits_of(text, "\nShdPnd:")) & stop);
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
