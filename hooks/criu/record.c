#include "record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "record-process.h"
#include "task-tree.h"

#define BUFFER (1 << 20)

int record_tree(pid_t root, int file)
{
	struct task_tree tree = {0};
	struct record record = {0};
	char *buffer = malloc(BUFFER);
	int rc = -1;

	record.out = fdopen(dup(file), "w");
	if (!buffer || !record.out || setvbuf(record.out, buffer, _IOFBF, BUFFER) != 0)
		goto fail;
	if (task_tree_read(root, &tree) != 0)
		goto fail;
	for (size_t i = 0; i < tree.count; i++)
		if (record_process(&record, tree.pids[i]) != 0)
			goto fail;
	if (fprintf(record.out, "end %zu\n", record.lines) < 0 || fflush(record.out) != 0)
		goto fail;
	rc = 0;
fail:
	if (rc != 0)
		fprintf(stderr, "Error (ckptd-criu): recording the files of process %d's tree: %s\n", root, strerror(errno));
	if (record.out)
		fclose(record.out);
	free(buffer);
	task_tree_free(&tree);
	return rc;
}
