#include "start.h"

#include <slurm/slurm.h>
#include <stdio.h>
#include <unistd.h>

#include "config.h"
#include "engine.h"
#include "notes.h"
#include "say.h"

/* An engine that is being restarted. Where there is none, its socket has no folder, and nothing is waited for. */
#define CONNECT_MS 10000

struct start start;

/* The run that starts. */
struct run {
	uid_t uid;
	gid_t gid;
	bool known; /* how often it was restarted */
	uint32_t restarts;
};

static bool is_batch_step(spank_t spank, uint32_t *job, struct run *run)
{
	uint32_t step = 0;
	return spank_get_item(spank, S_JOB_ID, job) == ESPANK_SUCCESS &&
	       spank_get_item(spank, S_JOB_STEPID, &step) == ESPANK_SUCCESS && step == SLURM_BATCH_SCRIPT &&
	       spank_get_item(spank, S_JOB_UID, &run->uid) == ESPANK_SUCCESS &&
	       spank_get_item(spank, S_JOB_GID, &run->gid) == ESPANK_SUCCESS;
}

/* `lost`: the job had run before, and its user reads of it as well. `advice`: for an admin, behind the reason. */
static void begin_anew(const struct run *run, bool lost, const char *why, const char *advice)
{
	char which[32] = "", text[sizeof(start.lost)];

	if (run->known)
		snprintf(which, sizeof(which), " (restart %u)", run->restarts);
	snprintf(text, sizeof(text), "ckptd: job %u%s starts from the beginning: %s", start.job, which, why);
	say_error("%s%s", text, advice);
	if (lost)
		snprintf(start.lost, sizeof(start.lost), "%s", text);
}

/* The same where the engine knows nothing of it: it is left word that older checkpoints go on from what is overwritten. */
static void begin_unheard(const struct run *run, const char *why, const char *advice)
{
	bool again = run->known && run->restarts > 0;

	begin_anew(run, again, why, advice);
	if (again)
		notes_begun_anew(start.job, run->restarts, run->uid);
}

static void take_answer(const struct run *run, struct engine_answer *answer)
{
	char text[512], reason[600];
	const char *why;

	if (answer->status == 204)
		return;
	if (answer->status == 409) {
		/* It looked, and nothing that there is can be used. */
		engine_answer_text(answer, text, sizeof(text));
		begin_anew(run, true, text, "");
	} else if (answer->status != 200) {
		engine_answer_text(answer, text, sizeof(text));
		snprintf(reason, sizeof(reason), "the engine answers %d: %s", answer->status, text);
		begin_unheard(run, reason, "");
	} else if (plan_parse(answer->body, answer->length, &start.plan, &why) != 0) {
		snprintf(reason, sizeof(reason), "the engine's answer is no plan: %s", why);
		begin_anew(run, true, reason, "");
		snprintf(text, sizeof(text), "the plugin does not understand the plan: %s", why);
		engine_tell(start.job, "failed", text, 5000);
	} else {
		start.restore = true;
		slurm_info("ckptd: job %u is restored from checkpoint %s", start.job, start.plan.action);
	}
}

static void take_silence(const struct run *run, const struct engine_answer *answer)
{
	char advice[400], host[128] = "this node";

	if (!answer->down) {
		begin_unheard(run, answer->error, "");
	} else if (!notes_engine_known()) {
		slurm_info("ckptd: job %u starts without a look for a checkpoint: %s", start.job, answer->error);
	} else if (run->known && run->restarts == 0) {
		slurm_debug("ckptd: job %u has nothing to restore, and the engine is down: %s", start.job, answer->error);
	} else {
		gethostname(host, sizeof(host) - 1);
		snprintf(advice, sizeof(advice),
			 ". Checkpoints were not looked for%s. For those to come: systemctl start ckptd-engine on %s",
			 run->known ? ", and older ones are not used any more, since this run overwrites its files" : "", host);
		begin_unheard(run, answer->error, advice);
	}
}

/*
 * For a run that may have work to lose, the next engine is asked where one ends meanwhile. A first one has none, and waits
 * for no engine: it asks once more, in the time that is left.
 */
static int ask(const struct run *run, const char *what, struct engine_answer *answer)
{
	int wait_ms = (int)config.wait_s * 1000;

	if (!run->known || run->restarts > 0)
		return engine_ask_job_next(start.job, what, CONNECT_MS, wait_ms, answer);
	long long until = engine_clock_ms() + wait_ms;
	int rc = engine_ask_job(start.job, what, NULL, 0, wait_ms, answer);
	long long left = until - engine_clock_ms();
	if (!engine_ended(rc, answer) || left <= 0)
		return rc;
	engine_answer_free(answer);
	return engine_ask_job(start.job, what, NULL, 0, (int)left, answer);
}

int start_ask(spank_t spank)
{
	struct engine_answer answer;
	struct run run = {0};
	char what[96];
	int length;

	if (!is_batch_step(spank, &start.job, &run))
		return 0;
	run.known = notes_read_restarts(start.job, &run.restarts);
	length = snprintf(what, sizeof(what), "start?uid=%u&gid=%u", run.uid, run.gid);
	if (run.known)
		snprintf(what + length, sizeof(what) - (size_t)length, "&restarts=%u", run.restarts);
	if (ask(&run, what, &answer) == 0)
		take_answer(&run, &answer);
	else
		take_silence(&run, &answer);
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
