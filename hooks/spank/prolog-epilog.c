#include "prolog-epilog.h"

#include "engine.h"
#include "hook.h"
#include "notes.h"

/* The engine only notes it. One that hangs must not hold the node up. */
#define ENDED_MS 200

int prolog_run(spank_t spank)
{
	uint32_t job = 0;
	if (spank_get_item(spank, S_JOB_ID, &job) == ESPANK_SUCCESS && job > 0)
		notes_write_restarts(job);
	hook_run("prolog");
	return 0;
}

int epilog_run(spank_t spank)
{
	uint32_t job = 0;
	hook_run("epilog");
	if (spank_get_item(spank, S_JOB_ID, &job) == ESPANK_SUCCESS && job > 0) {
		notes_remove_restarts(job);
		engine_tell(job, "ended", NULL, ENDED_MS);
	}
	return 0;
}
