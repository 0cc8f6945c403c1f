#include "engine.h"

#include <slurm/spank.h>
#include <stdio.h>

#include "config.h"

#define PATH_SIZE 160

/* `path` has PATH_SIZE bytes, and lives as long as the request. */
static struct engine_request request_of(char *path, uint32_t job, const char *what, int connect_ms, int timeout_ms)
{
	snprintf(path, PATH_SIZE, "/v1/jobs/%u/%s", job, what);
	return (struct engine_request){.socket = config.socket,
				       .path = path,
				       .connect_ms = connect_ms,
				       .timeout_ms = timeout_ms,
				       .max_body = ENGINE_MAX_BODY};
}

int engine_ask_job(uint32_t job, const char *what, const char *body, int connect_ms, int timeout_ms,
		   struct engine_answer *answer)
{
	char path[PATH_SIZE];
	struct engine_request request = request_of(path, job, what, connect_ms, timeout_ms);
	request.body = body;
	return engine_ask(&request, answer);
}

int engine_ask_job_next(uint32_t job, const char *what, int connect_ms, int timeout_ms, struct engine_answer *answer)
{
	char path[PATH_SIZE];
	const struct engine_request request = request_of(path, job, what, connect_ms, timeout_ms);
	return engine_ask_next(&request, answer);
}

void engine_report(uint32_t job, const char *what, const char *body, int timeout_ms)
{
	struct engine_answer answer;
	char text[200];

	if (engine_ask_job(job, what, body, ENGINE_BACK_MS, timeout_ms, &answer) != 0) {
		slurm_error("ckptd: job %u: %.20s not told to the engine: %s", job, what, answer.error);
		return;
	}
	engine_answer_text(&answer, text, sizeof(text));
	if (answer.status != 200)
		slurm_error("ckptd: job %u: %.20s told to the engine, which answers %d: %s", job, what, answer.status, text);
	engine_answer_free(&answer);
}

void engine_tell(uint32_t job, const char *what, const char *body, int timeout_ms)
{
	struct engine_answer answer;
	char text[200];

	if (engine_ask_job(job, what, body, 0, timeout_ms, &answer) != 0) {
		slurm_debug("ckptd: job %u: %s not told to the engine: %s", job, what, answer.error);
		return;
	}
	engine_answer_text(&answer, text, sizeof(text));
	slurm_debug("ckptd: job %u: %s told to the engine: %d %s", job, what, answer.status, text);
	engine_answer_free(&answer);
}
