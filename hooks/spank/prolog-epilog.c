#include "prolog-epilog.h"

#include "engine.h"
#include "hook.h"
#include "notes.h"

/* Of all that is done for a job's Prolog or Epilog: whoever hangs must not hold the node up. */
#define IN_ALL_MS 1000
/* The engine only notes it. */
#define ENDED_MS 200

int prolog_run(spank_t spank)
{
	uint32_t job = 0;
	if (spank_get_item(spank, S_JOB_ID, &job) == ESPANK_SUCCESS && job > 0)
		notes_write_restarts(job);
	hook_run("prolog", IN_ALL_MS);
	return 0;
}

int epilog_run(spank_t spank)
{
	uint32_t job = 0;
	long long until = engine_clock_ms() + IN_ALL_MS;
	if (spank_get_item(spank, S_JOB_ID, &job) == ESPANK_SUCCESS && job > 0) {
		notes_remove_restarts(job);
		engine_tell(job, "ended", NULL, ENDED_MS);
	}
	hook_run("epilog", until - engine_clock_ms());
	return 0;
}
