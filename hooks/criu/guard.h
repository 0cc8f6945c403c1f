#ifndef CKPTD_GUARD_H
#define CKPTD_GUARD_H

/*
 * Folders in which others than root may lay symbolic links. CRIU makes, removes and opens files in them as root, along
 * paths that it wrote down long ago: as long as a guard stands, no link in there is followed in this mount namespace.
 */
#define GUARD_VARIABLE "CKPTD_GUARDS"
#define GUARD_MAX 64

/*
 * Guards each folder (absolute, a link in none of its parts), and notes them in the environment for guard_lift. 0, or
 * -1 with errno and `*which` for the one that cannot be guarded.
 */
int guard_set(char *const *folders, int count, const char **which);

/* Lifts all of them, from below the same environment and in the same mount namespace. 0, or -1 with errno. */
int guard_lift(void);

#endif
