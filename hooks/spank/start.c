#include "start.h"

#include <slurm/slurm.h>
#include <stdio.h>

#include "config.h"
#include "engine.h"

/* An engine that is being restarted. Where there is none, its socket has no folder, and nothing is waited for. */
#define CONNECT_MS 10000

struct start start;

static bool is_batch_step(spank_t spank, uint32_t *job, uid_t *uid, gid_t *gid)
{
	uint32_t step = 0;
	return spank_get_item(spank, S_JOB_ID, job) == ESPANK_SUCCESS &&
	       spank_get_item(spank, S_JOB_STEPID, &step) == ESPANK_SUCCESS && step == SLURM_BATCH_SCRIPT &&
	       spank_get_item(spank, S_JOB_UID, uid) == ESPANK_SUCCESS &&
	       spank_get_item(spank, S_JOB_GID, gid) == ESPANK_SUCCESS;
}

static void take_answer(struct engine_answer *answer)
{
	char text[512];
	const char *why;

	if (answer->status == 204)
		return;
	if (answer->status != 200) {
		engine_answer_text(answer, text, sizeof(text));
		slurm_error("ckptd: job %u starts from the beginning: the engine answers %d: %s", start.job, answer->status,
			    text);
	} else if (plan_parse(answer->body, answer->length, &start.plan, &why) != 0) {
		slurm_error("ckptd: job %u starts from the beginning: the engine's answer is no plan: %s", start.job, why);
		snprintf(text, sizeof(text), "the plugin does not understand the plan: %s", why);
		engine_tell(start.job, "failed", text, 5000);
	} else {
		start.restore = true;
		slurm_info("ckptd: job %u is restored from checkpoint %s", start.job, start.plan.action);
	}
}

int start_ask(spank_t spank)
{
	struct engine_answer answer;
	uid_t uid = 0;
	gid_t gid = 0;
	char what[64];

	if (!is_batch_step(spank, &start.job, &uid, &gid))
		return 0;
	snprintf(what, sizeof(what), "start?uid=%u&gid=%u", uid, gid);
	if (engine_ask_job(start.job, what, NULL, CONNECT_MS, (int)config.wait_s * 1000, &answer) == 0)
		take_answer(&answer);
	else if (answer.down)
		slurm_info("ckptd: job %u starts without a look for a checkpoint: %s", start.job, answer.error);
	else
		slurm_error("ckptd: job %u starts from the beginning: %s", start.job, answer.error);
	engine_answer_free(&answer);
	return 0;
}

int start_taken(spank_t spank)
{
	(void)spank;
	start.taken = true;
	return 0;
}

int start_over(spank_t spank)
{
	(void)spank;
	if (start.restore && !start.taken)
		engine_tell(start.job, "failed", "slurmstepd ended before the job's task was there", 5000);
	plan_free(&start.plan);
	start.restore = false;
	return 0;
}
