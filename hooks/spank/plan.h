#ifndef CKPTD_PLAN_H
#define CKPTD_PLAN_H

#include <stddef.h>

#define PLAN_MAX_ARGS 4096

/* How a run of a job is restored, as the engine said it. */
struct plan {
	char action[37]; /* id of the checkpoint */
	char **argv;     /* the whole command, ends with NULL; argv[0] is an absolute path */
	size_t argc;
};

/*
 * Parses the engine's answer: a line `action UUID`, then lines `arg TEXT`, percent-encoded. It is changed on the way.
 * 0, or -1 with `why`; nothing is kept then.
 */
int plan_parse(char *text, size_t length, struct plan *plan, const char **why);

void plan_free(struct plan *plan);

#endif
