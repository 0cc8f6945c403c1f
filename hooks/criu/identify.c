#include "identify.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "arguments.h"
#include "become-owner.h"
#include "enter.h"
#include "held.h"
#include "wait-status.h"

/* So many are named, the others counted. */
#define NAMED 3

static int parse(int argc, char **argv, struct owner *owner, pid_t *inside)
{
	unsigned long uid = ULONG_MAX, gid = ULONG_MAX, number = 0;

	owner->count = 0;
	*inside = 0;
	for (int at = 1; at < argc; at += 2) {
		const char *name = argv[at], *value = argv[at + 1];
		/* The largest id is "no id" to the kernel. */
		unsigned long most = strcmp(name, "--inside") == 0 ? INT_MAX : UINT_MAX - 1;
		if (!value || !arguments_number(value, most, &number) || owner->count == OWNER_GROUPS_MAX)
			return -1;
		if (strcmp(name, "--uid") == 0)
			uid = number;
		else if (strcmp(name, "--gid") == 0)
			gid = number;
		else if (strcmp(name, "--group") == 0)
			owner->groups[owner->count++] = (gid_t)number;
		else if (strcmp(name, "--inside") == 0)
			*inside = (pid_t)number;
		else
			return -1;
	}
	owner->uid = (uid_t)uid;
	owner->gid = (gid_t)gid;
	return uid == ULONG_MAX || gid == ULONG_MAX ? -1 : 0;
}

/* Looks at all that standard input names, as the owner. Its exit status. */
static int look(const struct owner *owner)
{
	unsigned long count = 0, wrong = 0;
	size_t size = 0;
	char *text = NULL;
	ssize_t length;

	if (become_owner(owner) != 0) {
		fprintf(stderr, "ckptd-criu identify: cannot become uid %u: %s\n", owner->uid, strerror(errno));
		return EX_NOPERM;
	}
	while ((length = getdelim(&text, &size, '\0', stdin)) > 0) {
		struct held held;
		if (text[length - 1] != '\0' || held_parse(text, &held) != 0) {
			fprintf(stderr, "ckptd-criu identify: entry %lu of its input is none\n", count + 1);
			free(text);
			return EX_DATAERR;
		}
		count++;
		const char *why = held_why_not(&held);
		if (why && wrong++ < NAMED)
			printf("%s%s: %s", wrong > 1 ? "; " : "", held.path, why);
	}
	free(text);
	if (!feof(stdin))
		return EX_IOERR;
	if (wrong > NAMED)
		printf(" and %lu more", wrong - NAMED);
	if (wrong == 0)
		printf("ok %lu\n", count);
	return fflush(stdout) != 0 ? EX_IOERR : wrong > 0;
}

int identify_main(int argc, char **argv)
{
	struct owner owner = {0};
	pid_t inside;
	int status;

	owner.groups = calloc(OWNER_GROUPS_MAX, sizeof(*owner.groups));
	if (!owner.groups || parse(argc, argv, &owner, &inside) != 0) {
		free(owner.groups);
		fprintf(stderr, "ckptd-criu identify: needs --uid and --gid, and takes --group and --inside, each with a number\n");
		return EX_USAGE;
	}
	if (inside > 0 && enter(inside) != 0) {
		free(owner.groups);
		return EX_OSERR;
	}
	/* A process is in the pid namespace that its parent entered, and /proc there knows no other. */
	pid_t pid = fork();
	if (pid == 0) {
		status = look(&owner);
		free(owner.groups);
		exit(status);
	}
	free(owner.groups);
	while (pid > 0 && waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			pid = -1;
	if (pid < 0) {
		fprintf(stderr, "ckptd-criu identify: cannot fork: %s\n", strerror(errno));
		return EX_OSERR;
	}
	end_like(status);
}
