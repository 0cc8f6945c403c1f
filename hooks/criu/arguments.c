#include "arguments.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool arguments_number(const char *text, unsigned long max, unsigned long *number)
{
	char *end;
	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*number = strtoul(text, &end, 10);
	return errno == 0 && *end == '\0' && *number <= max;
}

static bool known(const char *name, const char *names)
{
	char word[32];
	int length = snprintf(word, sizeof(word), "%s ", name);
	return length > 0 && (size_t)length < sizeof(word) && strstr(names, word) != NULL;
}

/* The value of an option that is a path; NULL for an option that is none. */
static const char **path_of(struct arguments *arguments, const char *name)
{
	if (strcmp(name, "--images") == 0)
		return &arguments->images;
	if (strcmp(name, "--log") == 0)
		return &arguments->log;
	return NULL;
}

static bool set(struct arguments *arguments, const char *name, char *value)
{
	unsigned long number = 0;
	const char **path = path_of(arguments, name);
	if (path) {
		*path = value;
		return value[0] == '/';
	}
	if (strcmp(name, "--groups") == 0)
		return owner_groups(&arguments->owner, value) == 0;
	if (strcmp(name, "--capabilities") == 0) {
		arguments->as_owner = true;
		return owner_capabilities(&arguments->owner, value) == 0;
	}
	/* The largest id is "no id" to the kernel. */
	if (!arguments_number(value, strcmp(name, "--uid") == 0 || strcmp(name, "--gid") == 0 ? UINT_MAX - 1 : INT_MAX, &number))
		return false;
	if (strcmp(name, "--uid") == 0)
		arguments->owner.uid = (uid_t)number;
	else if (strcmp(name, "--gid") == 0)
		arguments->owner.gid = (gid_t)number;
	else if (strcmp(name, "--fd") == 0)
		arguments->fd = (int)number;
	else if (strcmp(name, "--inside") == 0)
		arguments->inside = (pid_t)number;
	else if (strcmp(name, "--root") == 0)
		arguments->root = (pid_t)number;
	else if (strcmp(name, "--files") == 0)
		arguments->files = (unsigned int)number;
	return true;
}

int arguments_parse(int argc, char **argv, const char *names, struct arguments *arguments)
{
	bool uid = false, gid = false;
	int at = 1;

	memset(arguments, 0, sizeof(*arguments));
	arguments->fd = -1;
	for (; at < argc && strcmp(argv[at], "--") != 0; at += 2) {
		uid |= strcmp(argv[at], "--uid") == 0;
		gid |= strcmp(argv[at], "--gid") == 0;
		if (!known(argv[at], "--uid --gid ") && !known(argv[at], names)) {
			fprintf(stderr, "ckptd-criu %s: unknown argument %s\n", argv[0], argv[at]);
			return -1;
		}
		if (at + 1 >= argc || !set(arguments, argv[at], argv[at + 1])) {
			fprintf(stderr, "ckptd-criu %s: the value of %s is missing or wrong\n", argv[0], argv[at]);
			return -1;
		}
	}
	if (!uid || !gid) {
		fprintf(stderr, "ckptd-criu %s: needs --uid and --gid\n", argv[0]);
		return -1;
	}
	if (at + 1 < argc && argv[at + 1][0] == '/')
		arguments->criu = argv + at + 1;
	else if (at < argc) {
		fprintf(stderr, "ckptd-criu %s: after -- comes the absolute path of CRIU\n", argv[0]);
		return -1;
	}
	return 0;
}
