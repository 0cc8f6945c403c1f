#ifndef CKPTD_ENGINE_CLIENT_H
#define CKPTD_ENGINE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

/* For `connect_ms`: an engine that was killed is back in some two seconds, on a busy node in more. */
#define ENGINE_BACK_MS 15000

struct engine_request {
	const char *socket; /* absolute path of the engine's Unix socket */
	const char *path;   /* of the URL, with its query; nothing that needs escaping */
	const char *body;   /* text, or NULL */
	int connect_ms;     /* how long to try while nobody answers; 0: one try */
	int timeout_ms;     /* the whole exchange, once connected */
	size_t max_body;    /* an answer that is longer is refused */
};

struct engine_answer {
	int status;      /* of HTTP, 200 to 599 */
	char *body;      /* ends with a NUL that `length` does not count; freed by engine_answer_free */
	size_t length;
	bool down;       /* nobody answers there: no connection was made */
	bool cut;        /* the connection ended before the answer did, as it does when an engine is killed */
	char error[256]; /* why there is no answer, for a log */
};

/*
 * POSTs to the engine and reads its whole answer. 0 with `status` and `body`, whatever the status is; -1 with
 * `error` (and `down`) where there is none.
 *
 * Whoever listens has to be root: everybody else's answer is refused, unread. What comes is bounded in size and time
 * and read strictly: HTTP/1.x with a Content-Length. No signal is raised, none is lost, errno is not kept.
 */
int engine_ask(const struct engine_request *request, struct engine_answer *answer);

/* Whether what engine_ask returned, with this answer, is of an engine that ended: the next one is to be asked. */
bool engine_ended(int rc, const struct engine_answer *answer);

/*
 * As engine_ask, for what a job's work hangs on: asks the next engine where one ended meanwhile, was killed or says 503.
 * Whatever has to be connected to is tried for `connect_ms`; all of it ends after `timeout_ms`. What is asked has to be
 * something that can be asked twice.
 */
int engine_ask_next(const struct engine_request *request, struct engine_answer *answer);

void engine_answer_free(struct engine_answer *answer);

/* The first line of the answer's body as one line of printable text, for a log; at most `size` - 1 bytes. */
void engine_answer_text(const struct engine_answer *answer, char *text, size_t size);

/* Milliseconds of a clock that only runs forward. */
long long engine_clock_ms(void);

#endif
