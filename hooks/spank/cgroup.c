#include "cgroup.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine-client.h"

#define WAIT_MS 5000
/* Slurm moves the task within a few of these, the restore waits, and a look is one read of procfs. */
#define STEP_MS 1
/* Where neither task/cgroup nor jobacct_gather/cgroup is used, v1 has no cgroup of a task. */
#define NO_TASK_MS 1000

/*
 * v1: `4:freezer:/slurm/uid_2000/job_8/step_batch`, `3:memory:/slurm/…/job_8/step_batch/task_0`
 * v2: `0::/system.slice/slurmstepd.scope/job_8/step_batch/user/task_0`
 */
int cgroup_depth(const char *text, uint32_t job)
{
	char name[32];
	int depth = 0, length = snprintf(name, sizeof(name), "/job_%u/", job);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += line[0] == '\n';
		const char *end = strchrnul(line, '\n');
		const char *found = memmem(line, (size_t)(end - line), name, (size_t)length);
		if (!found)
			continue;
		depth = 1;
		if (memmem(found, (size_t)(end - found), "/task_", 6))
			return 2;
	}
	return depth;
}

static int depth_now(uint32_t job)
{
	char text[8192];
	size_t length = 0;
	ssize_t got;
	int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	while (length < sizeof(text) - 1 && (got = read(fd, text + length, sizeof(text) - 1 - length)) > 0)
		length += (size_t)got;
	close(fd);
	text[length] = '\0';
	return cgroup_depth(text, job);
}

bool cgroup_wait(uint32_t job)
{
	long long begin = engine_clock_ms(), in_job = 0;
	for (;;) {
		long long now = engine_clock_ms();
		int depth = depth_now(job);
		if (depth > 0 && in_job == 0)
			in_job = now;
		if (depth == 2 || (depth == 1 && now - in_job >= NO_TASK_MS))
			return true;
		if (now - begin >= WAIT_MS)
			return depth > 0;
		poll(NULL, 0, STEP_MS);
	}
}
