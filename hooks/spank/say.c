#include "say.h"

#include <slurm/spank.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#define TEXT_MAX 3000

/*
 * A datagram of our own: syslog(3) has one state for the whole process, and that is Slurm's; and it waits for a log
 * that hangs.
 */
static void to_system_log(const char *text)
{
	static const struct sockaddr_un log = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
	char line[TEXT_MAX + 64];
	int length = snprintf(line, sizeof(line), "<%d>ckptd-spank[%d]: %s", LOG_DAEMON | LOG_ERR, getpid(), text);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return;
	/* Slurm's log has the line as well; there is nobody to tell that this one has not. */
	(void)!sendto(fd, line, (size_t)length, MSG_NOSIGNAL, (const struct sockaddr *)&log, sizeof(log));
	close(fd);
}

void say_error(const char *format, ...)
{
	char text[TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	/* One line, whatever CRIU or the engine put into the reason. */
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 127)
			*c = ' ';
	slurm_error("%s", text);
	to_system_log(text);
}
