#include "error-lines.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TAIL 65536
#define LINES 8

static bool is_reason(const char *line)
{
	return strstr(line, "Error (") && !strstr(line, "Can't setup RLIMIT_NOFILE");
}

/* The end of the file, as text. Its length, 0 if it cannot be read. */
static size_t read_tail(const char *path, char *text)
{
	struct stat at;
	ssize_t got = -1;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && fstat(fd, &at) == 0)
		got = pread(fd, text, TAIL, at.st_size > TAIL ? at.st_size - TAIL : 0);
	if (fd >= 0)
		close(fd);
	size_t length = got > 0 ? (size_t)got : 0;
	for (size_t i = 0; i < length; i++)
		if (text[i] != '\n' && (text[i] < ' ' || text[i] > 126))
			text[i] = '?';
	text[length] = '\0';
	return length;
}

void error_lines(const char *log, char *text, size_t size)
{
	static char tail[TAIL + 1];
	const char *lines[LINES];
	size_t count = 0, used = 0;
	char *rest = tail;

	read_tail(log, tail);
	for (char *line; (line = strsep(&rest, "\n"));)
		if (is_reason(line))
			lines[count++ % LINES] = line;
	text[0] = '\0';
	for (size_t i = count > LINES ? count - LINES : 0; i < count && used < size; i++) {
		/* Without the time in front. */
		const char *reason = strstr(lines[i % LINES], "Error (");
		int wrote = snprintf(text + used, size - used, "%s%.300s", used ? "; " : "", reason);
		used += wrote > 0 ? (size_t)wrote : 0;
	}
	if (count == 0)
		snprintf(text, size, "its log %.200s has no error", log);
}
