#include "restore.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ask-engine.h"
#include "breakpoints.h"
#include "criu-rpc.h"
#include "error-lines.h"
#include "log-pipe.h"
#include "wait-status.h"

#define MOST_OPTIONS 60

struct criu {
	pid_t pid;
	int socket;
	struct log_pipe log;
	struct criu_says result; /* its last word; nothing where it said none */
	bool allowed;            /* the engine was asked, and lets the job run */
	bool confused;           /* it said what CRIU does not say */
	char refused[900];       /* why the engine lets nothing run; empty: it did not refuse */
};

/* CRIU's own options, and then `swrk FD`, which takes one request. */
static char **command_of(const struct arguments *arguments, const char *socket)
{
	static const char *argv[MOST_OPTIONS + 3];
	int count = 0;
	for (; arguments->criu[count]; count++) {
		if (count == MOST_OPTIONS)
			return NULL;
		argv[count] = arguments->criu[count];
	}
	argv[count++] = "swrk";
	argv[count] = socket;
	return (char **)argv;
}

__attribute__((noreturn)) static void become_criu(const struct arguments *arguments, int socket, int log)
{
	char number[16];
	sigset_t none;
	int null = open("/dev/null", O_RDWR);

	snprintf(number, sizeof(number), "%d", socket);
	char **command = command_of(arguments, number);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (!command || null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(log, 2) < 0)
		_exit(126);
	fcntl(socket, F_SETFD, 0);
	/* Nothing of root's own goes along. CRIU has no place for what it finds out about the kernel: that takes 3 ms. */
	clearenv();
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("LC_ALL", "C", 1);
	if (!breakpoints_work())
		setenv(CRIU_FAULT, CRIU_NO_BREAKPOINTS, 1);
	owner_raise_limits(arguments->files);
	if (owner_become(&arguments->owner) != 0)
		fprintf(stderr, "Error (ckptd-criu): cannot take the rights of the job's owner: %s\n", strerror(errno));
	else if (execv(command[0], command) != 0)
		fprintf(stderr, "Error (ckptd-criu): cannot run %s: %s\n", command[0], strerror(errno));
	_exit(127);
}

/* Under Yama's ptrace_scope 1 (kernel.org) CRIU may trace what is below it, and nothing beside it. */
static bool may_trace_siblings(void)
{
	int scope = 0;
	FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	if (file && fscanf(file, "%d", &scope) != 1)
		scope = 1;
	if (file)
		fclose(file);
	return scope == 0;
}

/* The folder is opened by root: no other path leads the owner there. */
static int start(const struct arguments *arguments, struct criu *criu, char *why, size_t size)
{
	char request[CRIU_RPC_MAX];
	int pair[2] = {-1, -1};

	int images = open(arguments->images, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	if (images < 0) {
		snprintf(why, size, "cannot open %s: %s", arguments->images, strerror(errno));
		return -1;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0 || log_pipe_open(&criu->log, arguments->log) != 0) {
		snprintf(why, size, "cannot begin the log %s: %s", arguments->log, strerror(errno));
		goto fail;
	}
	criu->socket = pair[0];
	criu->pid = fork();
	if (criu->pid == 0)
		become_criu(arguments, pair[1], criu->log.end);
	close(pair[1]);
	pair[1] = -1;
	log_pipe_running(&criu->log);
	size_t length = criu_rpc_restore(request, images, arguments->owner.uid != 0, may_trace_siblings());
	if (criu->pid < 0 || send(criu->socket, request, length, MSG_NOSIGNAL) < 0) {
		snprintf(why, size, "cannot run %s: %s", arguments->criu[0], strerror(errno));
		log_pipe_close(&criu->log);
		goto fail;
	}
	close(images);
	return 0;
fail:
	close(images);
	for (int i = 0; i < 2; i++)
		if (pair[i] >= 0)
			close(pair[i]);
	return -1;
}

/* The tree stands still, and no code of the job has run. */
static bool may_go_on(struct criu *criu, const char *script)
{
	if (strcmp(script, "post-restore") != 0)
		return true;
	criu->allowed = ask_engine_check(criu->refused, sizeof(criu->refused)) == 0;
	return criu->allowed;
}

/* False once CRIU says no more. */
static bool listen_to(struct criu *criu)
{
	char message[CRIU_RPC_MAX], answer[CRIU_RPC_MAX];
	struct criu_says says;

	ssize_t got = recv(criu->socket, message, sizeof(message), MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	criu->confused = got > 0 && criu_rpc_read(message, (size_t)got, &says) != 0;
	if (got <= 0 || criu->confused)
		return false;
	if (!says.is_notify) {
		criu->result = says;
		return true;
	}
	size_t length = criu_rpc_answer(answer, may_go_on(criu, says.script));
	return send(criu->socket, answer, length, MSG_NOSIGNAL) == (ssize_t)length;
}

static int wait_for_end(struct criu *criu)
{
	int status = 0;
	for (bool speaks = true; speaks;) {
		struct pollfd both[] = {{.fd = criu->socket, .events = POLLIN}, {.fd = criu->log.from, .events = POLLIN}};
		if (poll(both, 2, -1) < 0)
			continue;
		log_pipe_drain(&criu->log);
		if (both[0].revents)
			speaks = listen_to(criu);
		else if (both[1].revents & POLLHUP)
			/* Nobody holds the log any more: what is left to come is CRIU's end. */
			poll(both, 1, -1);
	}
	if (criu->confused)
		kill(criu->pid, SIGKILL);
	while (waitpid(criu->pid, &status, 0) < 0 && errno == EINTR)
		;
	log_pipe_drain(&criu->log);
	return status;
}

pid_t restore(const struct arguments *arguments, char *why, size_t size)
{
	struct criu criu = {.socket = -1};
	char how[64], lines[1400];

	if (start(arguments, &criu, why, size) != 0)
		return -1;
	int status = wait_for_end(&criu);
	close(criu.socket);
	log_pipe_close(&criu.log);
	bool restored = criu.result.success && status == 0;
	if (restored && criu.allowed && criu.result.pid == arguments->root)
		return criu.result.pid;
	describe_status(status, how, sizeof(how));
	error_lines(arguments->log, lines, sizeof(lines));
	if (!strstr(lines, "Error (") && criu.result.message[0])
		snprintf(lines, sizeof(lines), "%s", criu.result.message);
	if (criu.refused[0])
		snprintf(why, size, "%s", criu.refused);
	else if (criu.confused)
		snprintf(why, size, "CRIU said what cannot be read, and was killed: %s", lines);
	else if (!restored)
		snprintf(why, size, "CRIU %s: %s", how, lines);
	else if (!criu.allowed)
		snprintf(why, size, "CRIU let the job run without asking");
	else
		snprintf(why, size, "CRIU says that process %d is the job's first, which was %d", criu.result.pid, arguments->root);
	return -1;
}
