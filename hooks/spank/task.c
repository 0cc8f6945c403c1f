#include "task.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "cgroup.h"
#include "config.h"
#include "engine.h"
#include "say.h"
#include "spawn-init.h"
#include "start.h"
#include "supervise.h"

#define WHY_MAX 2200

/* Puts the job's files as they were. 0, or -1 with `why`. */
static int ask_go(uint32_t job, char *why, size_t size)
{
	struct engine_answer answer;
	char what[32], text[1024];

	snprintf(what, sizeof(what), "go?pid=%d", getpid());
	if (engine_ask_job_next(job, what, ENGINE_BACK_MS, (int)config.wait_s * 1000, &answer) != 0) {
		snprintf(why, size, "%s", answer.error);
		return -1;
	}
	int ready = answer.status == 200;
	engine_answer_text(&answer, text, sizeof(text));
	if (!ready)
		snprintf(why, size, "the engine answers %d: %s", answer.status, text);
	engine_answer_free(&answer);
	return ready ? 0 : -1;
}

int task_restore(spank_t spank)
{
	char why[WHY_MAX] = "";
	char name[16] = "";
	int fd;

	(void)spank;
	/* Where slurmstepd's stderr is the job's: it has been since the output was opened. */
	if (start.lost[0])
		slurm_spank_log("%s", start.lost);
	if (!start.restore)
		return 0;
	prctl(PR_GET_NAME, name);
	if (!cgroup_wait(start.job))
		slurm_info("ckptd: job %u: its task is in no cgroup of the job", start.job);
	if (ask_go(start.job, why, sizeof(why)) != 0)
		goto fail;
	pid_t init = spawn_init(start.job, start.plan.argv, &fd);
	if (init < 0) {
		snprintf(why, sizeof(why), "cannot start %.200s in new namespaces: %s", start.plan.argv[0], strerror(errno));
		goto fail;
	}
	prctl(PR_SET_NAME, "ckptd-task");
	supervise(start.job, init, fd, why, sizeof(why));
	prctl(PR_SET_NAME, name);
fail:
	/* The job's user reads it, too. */
	say_error("ckptd: job %u starts from the beginning, checkpoint %s could not be restored: %s", start.job,
		  start.plan.action, why);
	engine_report(start.job, "failed", why, 30000);
	return 0;
}
