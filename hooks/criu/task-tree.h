#ifndef CKPTD_TASK_TREE_H
#define CKPTD_TASK_TREE_H

#include <stddef.h>
#include <sys/types.h>

struct task_tree {
	pid_t *pids; /* the root first, then parents before their children */
	size_t count;
	size_t room;
};

/*
 * All processes of the tree below `root`, as /proc of this mount namespace numbers them. Meant for a tree that is
 * frozen: nothing comes or goes meanwhile. 0, or -1 with errno. Needs CONFIG_PROC_CHILDREN, as CRIU does.
 */
int task_tree_read(pid_t root, struct task_tree *tree);
void task_tree_free(struct task_tree *tree);

#endif
