#include "log-pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Errors alone are logged: a few lines of a restore that fails. What is beyond this is read and thrown away. */
#define MOST_BYTES (1024 * 1024)

int log_pipe_open(struct log_pipe *log, const char *path)
{
	int pair[2];

	log->room = MOST_BYTES;
	log->file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (log->file < 0)
		return -1;
	if (pipe2(pair, O_CLOEXEC) != 0) {
		close(log->file);
		return -1;
	}
	log->from = pair[0];
	log->end = pair[1];
	return fcntl(log->from, F_SETFL, O_NONBLOCK);
}

void log_pipe_running(struct log_pipe *log)
{
	close(log->end);
	log->end = -1;
}

void log_pipe_drain(struct log_pipe *log)
{
	char text[4096];
	ssize_t got;

	while ((got = read(log->from, text, sizeof(text))) > 0 || (got < 0 && errno == EINTR)) {
		if (got < 0)
			continue;
		size_t length = (size_t)got < log->room ? (size_t)got : log->room;
		ssize_t wrote = write(log->file, text, length);
		log->room = wrote == (ssize_t)length ? log->room - length : 0;
	}
}

void log_pipe_close(struct log_pipe *log)
{
	if (log->end >= 0)
		close(log->end);
	close(log->from);
	close(log->file);
}
