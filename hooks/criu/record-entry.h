#ifndef CKPTD_RECORD_ENTRY_H
#define CKPTD_RECORD_ENTRY_H

#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>

struct record {
	FILE *out;
	size_t lines;
};

/* One thing that a process has open: where a link of /proc leads to. */
struct entry {
	char path[4096 + 16]; /* as the kernel says it, without its mark of a deleted file */
	struct stat at;
	int deleted;
};

/*
 * Looks at the link `name` in the folder of /proc that `dir` is; `pid` is whose. 0, or -1 with errno: ENOENT if there
 * is none.
 */
int entry_read(int dir, const char *name, pid_t pid, struct entry *entry);

/* The end of a line: the path, percent-encoded. Counts it. 0, or -1 with errno. */
int record_path(struct record *record, const struct entry *entry);

#endif
