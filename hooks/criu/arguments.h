#ifndef CKPTD_ARGUMENTS_H
#define CKPTD_ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "owner.h"

/* What the roles take: who owns the job, and how CRIU is called. */
struct arguments {
	struct owner owner;
	bool as_owner;       /* --capabilities was given: CRIU runs with the owner's rights */
	pid_t inside;        /* 0: not given */
	pid_t root;          /* of the job, in its own pid namespace; 0: not given */
	unsigned int files;  /* 0: not given */
	int fd;              /* -1: not given */
	const char *images;  /* NULL: not given */
	const char *log;     /* NULL: not given */
	char **criu;         /* ends with NULL, holds at least the program; NULL: not given */
};

/* Reads a number without sign or space, at most `max`. */
bool arguments_number(const char *text, unsigned long max, unsigned long *number);

/*
 * Parses `--name value` pairs up to `--`, and what follows as CRIU's command. `names` are those that the role knows,
 * each with a space behind it; `--uid` and `--gid` are always needed. 0, or -1 after a message on stderr.
 */
int arguments_parse(int argc, char **argv, const char *names, struct arguments *arguments);

#endif
