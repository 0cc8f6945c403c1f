#include "supervise.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <slurm/spank.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"
#include "descriptors.h"
#include "engine.h"
#include "init-report.h"
#include "signals.h"
#include "wait-status.h"

/* For the kernel to kill what the root left behind. */
#define LEFTOVERS_MS 10000
/* The job's signals and its end wait while the engine is told. */
#define TELL_MS 1000
/* Between two times that it is told, at first and at most. */
#define AGAIN_MS 1000
#define AGAIN_MOST_MS 30000

struct supervisor {
	uint32_t job;
	pid_t init;
	int fd;
	struct signals signals;
	bool restored;
	int root;
	int again_ms;       /* pause before the engine is told again; 0: it knows */
	long long again_at;
	int early[32]; /* signals that came before there was a job to have them */
	int early_count;
};

static void hand_on(struct supervisor *supervisor, int number)
{
	int32_t message = number;
	if (supervisor->restored)
		(void)!send(supervisor->fd, &message, sizeof(message), MSG_NOSIGNAL);
	else if (supervisor->early_count < 32)
		supervisor->early[supervisor->early_count++] = number;
}

static void drain_signals(struct supervisor *supervisor)
{
	int number;
	while ((number = signals_next(&supervisor->signals)) != 0)
		if (number != SIGCHLD && number != SIGPIPE)
			hand_on(supervisor, number);
}

/*
 * Without this the engine takes no checkpoint of the run any more, so one that is away, or slow, is told again until it
 * has it. Says nothing in Slurm's log, which is closed by then.
 */
static void tell_restored(struct supervisor *supervisor)
{
	struct engine_answer answer;
	char what[96];

	snprintf(what, sizeof(what), "restored?init=%d&root=%d", supervisor->init, supervisor->root);
	int rc = engine_ask_job(supervisor->job, what, NULL, 0, TELL_MS, &answer);
	int pause = supervisor->again_ms ? 2 * supervisor->again_ms : AGAIN_MS;
	supervisor->again_ms = rc == 0 && answer.status == 200 ? 0 : pause < AGAIN_MOST_MS ? pause : AGAIN_MOST_MS;
	supervisor->again_at = engine_clock_ms() + supervisor->again_ms;
	engine_answer_free(&answer);
}

/* For poll. */
static int most_wait_ms(const struct supervisor *supervisor)
{
	if (!supervisor->restored)
		return 1000;
	if (supervisor->again_ms == 0)
		return -1;
	long long left = supervisor->again_at - engine_clock_ms();
	return left > 0 ? (int)left : 0;
}

static void on_restored(struct supervisor *supervisor, int root)
{
	const int keep[] = {supervisor->fd, supervisor->signals.fd};

	supervisor->root = root;
	slurm_info("ckptd: job %u is restored: process %d below process %d", supervisor->job, root, supervisor->init);
	tell_restored(supervisor);
	if (supervisor->again_ms != 0)
		slurm_info("ckptd: job %u: the engine does not know yet that it is restored, and is told again", supervisor->job);
	descriptors_close_others(keep, 2);
	supervisor->restored = true;
	for (int i = 0; i < supervisor->early_count; i++)
		hand_on(supervisor, supervisor->early[i]);
}

/* All of the job is gone when the task is: Slurm may clean up after it then. */
static void wait_for_leftovers(pid_t init)
{
	long long until = engine_clock_ms() + LEFTOVERS_MS;
	while (waitpid(init, NULL, WNOHANG) == 0 && engine_clock_ms() < until)
		poll(NULL, 0, 5);
}

/* Ends as the job did. */
__attribute__((noreturn)) static void finish(const struct supervisor *supervisor, int status)
{
	wait_for_leftovers(supervisor->init);
	end_like(status);
}

/* Nothing of a failed try is left when this returns. */
static void give_up(struct supervisor *supervisor)
{
	kill(supervisor->init, SIGKILL);
	while (waitpid(supervisor->init, NULL, 0) < 0 && errno == EINTR)
		;
	close(supervisor->fd);
	signals_give_back(&supervisor->signals);
	/* They were meant for the job, whichever it is. */
	for (int i = 0; i < supervisor->early_count; i++)
		raise(supervisor->early[i]);
}

/* False if there is no job to supervise: `why` says the reason. */
static bool on_report(struct supervisor *supervisor, char *why, size_t size)
{
	struct init_report report;
	ssize_t got = recv(supervisor->fd, &report, sizeof(report), MSG_DONTWAIT);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (got != sizeof(report)) {
		/* Killed, and everything of its namespace with it. */
		if (supervisor->restored)
			finish(supervisor, SIGKILL);
		snprintf(why, size, "ckptd-criu init ended without a word; is the helper of the engine's configuration there?");
		return false;
	}
	report.text[sizeof(report.text) - 1] = '\0';
	if (report.kind == INIT_EXITED)
		finish(supervisor, report.value);
	if (report.kind != INIT_RESTORED) {
		snprintf(why, size, "%s", report.text);
		return false;
	}
	on_restored(supervisor, report.value);
	return true;
}

void supervise(uint32_t job, pid_t init, int fd, char *why, size_t size)
{
	struct supervisor supervisor = {.job = job, .init = init, .fd = fd};
	long long until = engine_clock_ms() + config.wait_s * 1000LL;

	if (signals_take(&supervisor.signals) != 0) {
		snprintf(why, size, "cannot take the task's signals: %s", strerror(errno));
		kill(init, SIGKILL);
		waitpid(init, NULL, 0);
		close(fd);
		return;
	}
	for (;;) {
		struct pollfd both[] = {{.fd = fd, .events = POLLIN}, {.fd = supervisor.signals.fd, .events = POLLIN}};
		if (poll(both, 2, most_wait_ms(&supervisor)) < 0)
			continue;
		if (both[1].revents)
			drain_signals(&supervisor);
		if (both[0].revents && !on_report(&supervisor, why, size))
			break;
		if (supervisor.again_ms != 0 && engine_clock_ms() >= supervisor.again_at)
			tell_restored(&supervisor);
		if (!supervisor.restored && engine_clock_ms() >= until) {
			snprintf(why, size, "CRIU had not restored it after %u s", config.wait_s);
			break;
		}
	}
	give_up(&supervisor);
}
