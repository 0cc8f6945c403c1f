#ifndef CKPTD_ENGINE_SOCKET_H
#define CKPTD_ENGINE_SOCKET_H

#include "engine-client.h"

/*
 * Connects to the socket of a request, and sees who listens. Tries again, for as long as the request says, while the
 * folder of the socket is there: a unit that is not installed or stopped has none. The descriptor, not blocking; or -1
 * with `error`, and `down` where nobody listens.
 */
int engine_connect(const struct engine_request *request, struct engine_answer *answer);

/* Sets `error`; -1 always. */
__attribute__((format(printf, 2, 3))) int engine_failed(struct engine_answer *answer, const char *format, ...);

#endif
