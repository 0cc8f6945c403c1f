#ifndef CKPTD_LOG_PIPE_H
#define CKPTD_LOG_PIPE_H

#include <stddef.h>

/*
 * CRIU's log comes through a pipe into a file of root's: whoever gets at CRIU's end of it, as processes that it restores
 * do for a moment, can neither fill a disk nor change what stands there.
 */
struct log_pipe {
	int end;  /* CRIU's, until log_pipe_running */
	int from; /* to be polled for what is there */
	int file;
	size_t room;
};

/* Makes the file `path`, which must not be there. 0, or -1 with errno. */
int log_pipe_open(struct log_pipe *log, const char *path);

/* Once CRIU has its end. */
void log_pipe_running(struct log_pipe *log);

/* Takes over what is there, and waits for nothing. */
void log_pipe_drain(struct log_pipe *log);

void log_pipe_close(struct log_pipe *log);

#endif
