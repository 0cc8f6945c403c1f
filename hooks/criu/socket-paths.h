#ifndef CKPTD_SOCKET_PATHS_H
#define CKPTD_SOCKET_PATHS_H

#include <stdbool.h>

/* CRIU went to the folder of a relative name as root: whether the owner, whose rights are taken, could get there too. */
bool sockets_may_be_here(void);

/* Whether this is what CRIU calls a file that is in the way of a deleted socket, for as long as it makes that. */
bool sockets_is_parked(const char *path);

/* Folders that CRIU makes for deleted sockets, until it removes them. 0, or -1 with errno. */
int sockets_note_folder(const char *path);
/* Whether it was noted. */
bool sockets_forget_folder(const char *path);

#endif
