/* HTTP to the engine over its Unix socket: as much of it as two programs of root's on one machine need. */
#include "engine-client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "engine-socket.h"
#include "http-head.h"

/* Once an answer has begun, the rest of it is not worked out any more, only sent. */
#define REST_MS 5000
/* Before the next engine is asked. */
#define NEXT_MS 500

long long engine_clock_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Waits until `fd` is ready for `events`, or the time has come. 1, 0 at the end of the time, -1 with errno. */
static int wait_for(int fd, short events, long long until)
{
	for (;;) {
		long long left = until - engine_clock_ms();
		struct pollfd one = {.fd = fd, .events = events};
		int ready = poll(&one, 1, left < 0 ? 0 : left > 60000 ? 60000 : (int)left);
		if (ready > 0)
			return 1;
		if (ready < 0 && errno != EINTR)
			return -1;
		if (left <= 0)
			return 0;
	}
}

static int send_all(int fd, const char *text, size_t length, long long until, struct engine_answer *answer)
{
	while (length > 0) {
		ssize_t sent = send(fd, text, length, MSG_NOSIGNAL);
		if (sent < 0 && (errno == EINTR || errno == EAGAIN)) {
			int ready = wait_for(fd, POLLOUT, until);
			if (ready == 0)
				return engine_failed(answer, "the engine does not read the question");
			if (ready > 0)
				continue;
		}
		if (sent < 0) {
			answer->cut = errno == EPIPE || errno == ECONNRESET;
			return engine_failed(answer, "cannot send to the engine: %s", strerror(errno));
		}
		text += sent;
		length -= (size_t)sent;
	}
	return 0;
}

/* Reads up to `size` bytes, at least one. Their number, 0 at the end of the stream, -1 with `error`. */
static ssize_t receive(int fd, char *buffer, size_t size, long long until, struct engine_answer *answer)
{
	for (;;) {
		ssize_t got = recv(fd, buffer, size, 0);
		if (got >= 0)
			return got;
		if (errno != EINTR && errno != EAGAIN) {
			answer->cut = errno == ECONNRESET;
			return engine_failed(answer, "cannot read the engine's answer: %s", strerror(errno));
		}
		int ready = wait_for(fd, POLLIN, until);
		if (ready == 0)
			return engine_failed(answer, "the engine did not answer in time");
		if (ready < 0)
			return engine_failed(answer, "cannot wait for the engine: %s", strerror(errno));
	}
}

static int read_answer(int fd, const struct engine_request *request, long long until, struct engine_answer *answer)
{
	char head[HTTP_HEAD_MAX + 1];
	size_t had = 0, begin;
	struct http_head parsed;

	for (;;) {
		if (had == HTTP_HEAD_MAX)
			return engine_failed(answer, "the head of the answer is too long");
		ssize_t got = receive(fd, head + had, HTTP_HEAD_MAX - had, until, answer);
		if (got < 0)
			return -1;
		if (got == 0) {
			answer->cut = true;
			return engine_failed(answer, "the engine hung up before it had answered");
		}
		if (had == 0 && engine_clock_ms() + REST_MS < until)
			until = engine_clock_ms() + REST_MS;
		had += (size_t)got;
		begin = http_head_length(head, had);
		if (begin > 0)
			break;
	}
	if (http_head_parse(head, begin, &parsed) != 0)
		return engine_failed(answer, "the answer is no HTTP: %s", parsed.error);
	if (parsed.length > request->max_body)
		return engine_failed(answer, "the answer is too long: %zu bytes", parsed.length);
	if (had - begin > parsed.length)
		return engine_failed(answer, "the answer is longer than it says");

	answer->body = malloc(parsed.length + 1);
	if (!answer->body)
		return engine_failed(answer, "no memory for an answer of %zu bytes", parsed.length);
	answer->length = had - begin;
	memcpy(answer->body, head + begin, answer->length);
	while (answer->length < parsed.length) {
		ssize_t got = receive(fd, answer->body + answer->length, parsed.length - answer->length, until, answer);
		if (got < 0)
			return -1;
		if (got == 0) {
			answer->cut = true;
			return engine_failed(answer, "the engine hung up in the middle of its answer");
		}
		answer->length += (size_t)got;
	}
	answer->body[answer->length] = '\0';
	answer->status = parsed.status;
	return 0;
}

int engine_ask(const struct engine_request *request, struct engine_answer *answer)
{
	const char *body = request->body ? request->body : "";
	char head[1024];
	int rc = -1;

	memset(answer, 0, sizeof(*answer));
	int fd = engine_connect(request, answer);
	if (fd < 0)
		return -1;
	long long until = engine_clock_ms() + request->timeout_ms;
	int length = snprintf(head, sizeof(head),
			      "POST %s HTTP/1.1\r\nHost: ckptd-engine\r\nContent-Type: text/plain\r\n"
			      "Content-Length: %zu\r\nConnection: close\r\n\r\n",
			      request->path, strlen(body));
	if (length < 0 || (size_t)length >= sizeof(head)) {
		engine_failed(answer, "the question's path is too long");
		goto fail;
	}
	if (send_all(fd, head, (size_t)length, until, answer) != 0 ||
	    send_all(fd, body, strlen(body), until, answer) != 0)
		goto fail;
	rc = read_answer(fd, request, until, answer);
fail:
	if (rc != 0)
		engine_answer_free(answer);
	close(fd);
	return rc;
}

bool engine_ended(int rc, const struct engine_answer *answer)
{
	return rc == 0 ? answer->status == 503 : answer->cut;
}

int engine_ask_next(const struct engine_request *request, struct engine_answer *answer)
{
	struct engine_request next = *request;
	long long until = engine_clock_ms() + request->timeout_ms;
	bool heard = false;

	for (;;) {
		int rc = engine_ask(&next, answer);
		bool ended = engine_ended(rc, answer);
		long long left = until - engine_clock_ms() - NEXT_MS;
		heard = heard || ended;
		/* One that takes long to end is as good as one that is back soon. */
		if (left <= 0 || !(ended || (heard && rc != 0 && answer->down)))
			return rc;
		engine_answer_free(answer);
		poll(NULL, 0, NEXT_MS);
		next.connect_ms = request->connect_ms < left / 2 ? request->connect_ms : (int)(left / 2);
		next.timeout_ms = (int)left - next.connect_ms;
	}
}

void engine_answer_free(struct engine_answer *answer)
{
	free(answer->body);
	answer->body = NULL;
	answer->length = 0;
}

void engine_answer_text(const struct engine_answer *answer, char *text, size_t size)
{
	size_t at = 0;
	for (; at < answer->length && at + 1 < size && answer->body[at] != '\n'; at++) {
		char c = answer->body[at];
		text[at] = c >= ' ' && c < 127 ? c : '?';
	}
	text[at] = '\0';
}
