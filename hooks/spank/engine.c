#include "engine.h"

#include <slurm/spank.h>
#include <stdio.h>

#include "config.h"

int engine_ask_job(uint32_t job, const char *what, const char *body, int connect_ms, int timeout_ms,
		   struct engine_answer *answer)
{
	char path[160];
	snprintf(path, sizeof(path), "/v1/jobs/%u/%s", job, what);
	const struct engine_request request = {.socket = config.socket,
					       .path = path,
					       .body = body,
					       .connect_ms = connect_ms,
					       .timeout_ms = timeout_ms,
					       .max_body = ENGINE_MAX_BODY};
	return engine_ask(&request, answer);
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
