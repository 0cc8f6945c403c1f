#include "task-tree.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int add(struct task_tree *tree, pid_t pid)
{
	if (tree->count == tree->room) {
		size_t room = tree->room ? tree->room * 2 : 64;
		pid_t *pids = reallocarray(tree->pids, room, sizeof(*pids));
		if (!pids)
			return -1;
		tree->pids = pids;
		tree->room = room;
	}
	tree->pids[tree->count++] = pid;
	return 0;
}

/* A child belongs to the thread that made it. */
static int add_children(struct task_tree *tree, pid_t pid, const char *thread)
{
	char path[300];
	int child, rc = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%s/children", pid, thread);
	FILE *file = fopen(path, "re");
	if (!file)
		return -1;
	while (rc == 0 && fscanf(file, "%d", &child) == 1)
		rc = add(tree, child);
	fclose(file);
	return rc;
}

int task_tree_read(pid_t root, struct task_tree *tree)
{
	memset(tree, 0, sizeof(*tree));
	if (add(tree, root) != 0)
		return -1;
	/* The list grows behind the one that is read. */
	for (size_t i = 0; i < tree->count; i++) {
		char path[64];
		const struct dirent *entry;
		int rc = 0;

		snprintf(path, sizeof(path), "/proc/%d/task", tree->pids[i]);
		DIR *tasks = opendir(path);
		if (!tasks)
			return -1;
		while (rc == 0 && (entry = readdir(tasks)))
			if (entry->d_name[0] != '.')
				rc = add_children(tree, tree->pids[i], entry->d_name);
		int error = errno;
		closedir(tasks);
		errno = error;
		if (rc != 0)
			return -1;
	}
	return 0;
}

void task_tree_free(struct task_tree *tree)
{
	free(tree->pids);
	memset(tree, 0, sizeof(*tree));
}
