#include "ask-engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine-client.h"

#define WAIT_MS 60000

int ask_engine_check(char *why, size_t size)
{
	const char *socket = getenv("CKPTD_SOCKET"), *job = getenv("CKPTD_JOB");
	char path[64], text[800];
	struct engine_answer answer;

	if (!socket || !job || job[0] == '\0' || job[strspn(job, "0123456789")] != '\0') {
		snprintf(why, size, "no CKPTD_SOCKET, or no number in CKPTD_JOB: nobody to ask about the restored files");
		return -1;
	}
	snprintf(path, sizeof(path), "/v1/jobs/%.20s/check", job);
	const struct engine_request request = {
		.socket = socket, .path = path, .connect_ms = ENGINE_BACK_MS, .timeout_ms = WAIT_MS, .max_body = 65536};
	/* Nothing of the job runs meanwhile: a look that an engine did not end is as good by the next one. */
	if (engine_ask_next(&request, &answer) != 0) {
		snprintf(why, size, "asking the engine about the restored files: %s", answer.error);
		return -1;
	}
	int allowed = answer.status == 200;
	engine_answer_text(&answer, text, sizeof(text));
	if (!allowed)
		snprintf(why, size, "the engine refuses the restored files (%d): %s", answer.status, text);
	engine_answer_free(&answer);
	return allowed ? 0 : -1;
}
