#include "engine-socket.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Between two tries to connect. */
#define RETRY_MS 100

int engine_failed(struct engine_answer *answer, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(answer->error, sizeof(answer->error), format, args);
	va_end(args);
	return -1;
}

/* One try. The descriptor, or -1 with errno. */
static int connect_once(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	/* A Unix socket connects at once, or says EAGAIN where too many wait already. */
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
		return fd;
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}

static int check_peer(int fd, struct engine_answer *answer)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
		return engine_failed(answer, "cannot tell who listens: %s", strerror(errno));
	if (peer.uid != 0)
		return engine_failed(answer, "user %u listens there, not root: it is not the engine", peer.uid);
	return 0;
}

int engine_connect(const struct engine_request *request, struct engine_answer *answer)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = strlen(request->socket);
	long long until = engine_clock_ms() + request->connect_ms;
	char folder[sizeof(address.sun_path)];
	struct stat at;

	if (request->socket[0] != '/' || length >= sizeof(address.sun_path))
		return engine_failed(answer, "%.100s is not an absolute path of a socket", request->socket);
	memcpy(address.sun_path, request->socket, length + 1);
	memcpy(folder, request->socket, length + 1);
	*strrchr(folder, '/') = '\0';

	for (;;) {
		int fd = connect_once(&address);
		if (fd >= 0) {
			answer->down = false;
			if (check_peer(fd, answer) == 0)
				return fd;
			close(fd);
			return -1;
		}
		bool later = errno == EAGAIN || errno == ECONNREFUSED || errno == ENOENT || errno == EINTR;
		answer->down = true;
		engine_failed(answer, "nobody answers at %s: %s", request->socket, strerror(errno));
		if (!later || engine_clock_ms() + RETRY_MS > until || (folder[0] && stat(folder, &at) != 0))
			return -1;
		poll(NULL, 0, RETRY_MS);
	}
}
