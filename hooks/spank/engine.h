#ifndef CKPTD_ENGINE_H
#define CKPTD_ENGINE_H

#include <stdint.h>

#include "engine-client.h"

/* Longest answer: an argument vector of a few kilobytes, by far. */
#define ENGINE_MAX_BODY (1 << 20)

/*
 * POST /v1/jobs/JOB/WHAT to the engine of plugstack.conf. `what` may have a query. Tries for `connect_ms` to connect;
 * the rest takes `timeout_ms` at most. As engine_ask.
 */
int engine_ask_job(uint32_t job, const char *what, const char *body, int connect_ms, int timeout_ms,
		   struct engine_answer *answer);

/* As that with engine_ask_next: it may be asked more than once. */
int engine_ask_job_next(uint32_t job, const char *what, int connect_ms, int timeout_ms, struct engine_answer *answer);

/*
 * As that, for what the engine has to hear: an engine that is being started again is waited for, and an answer that is
 * not 200 is an error in the log.
 */
void engine_report(uint32_t job, const char *what, const char *body, int timeout_ms);

/* As that, for what needs no answer: one that does not come is only a line in the log at level debug. */
void engine_tell(uint32_t job, const char *what, const char *body, int timeout_ms);

#endif
