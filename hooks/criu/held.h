#ifndef CKPTD_HELD_H
#define CKPTD_HELD_H

#include <sys/types.h>

/* One thing that a restored process holds. */
struct held {
	int flags; /* open(2)'s access mode, or O_PATH */
	unsigned long long dev;
	unsigned long long ino;
	const char *path;
};

/* Parses `ACCESS DEV INO PATH` in place. 0, or -1 for what is none. */
int held_parse(char *text, struct held *held);

/* NULL, or why this process could not have opened it. */
const char *held_why_not(const struct held *held);

#endif
