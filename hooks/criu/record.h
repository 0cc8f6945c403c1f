#ifndef CKPTD_RECORD_H
#define CKPTD_RECORD_H

#include <sys/types.h>

/*
 * Writes down what the frozen tree below `root` has open, to `file`. Lines of fields with one space between them; the
 * path is the last and percent-encoded (space, %, and all that is not printable ASCII), so that a line is a line:
 *
 *   fd PID FD FLAGS MAJOR:MINOR INODE SIZE MODE LINKS PATH    FLAGS (open(2)'s) and MODE (with the type) are octal
 *   map PID START-END MAJOR:MINOR INODE SIZE MODE PATH        a mapped file
 *   exe|cwd|root PID MAJOR:MINOR INODE MODE PATH
 *   end COUNT                                                 of the lines before; without it the record is not whole
 *
 * What was deleted has the kind with `-deleted` behind it (`fd-deleted`, `map-deleted`, …), and its last name without
 * the kernel's ` (deleted)`. Pids and paths are as the mount namespace that this runs in, and the tree's own root, have
 * them. Pipes, sockets and the like are fds whose path is the kernel's name for them, `pipe:[123]`; their flags are
 * only the access mode, and that is what keeps 100,000 of them cheap.
 *
 * 0, or -1 after a message on stderr.
 */
int record_tree(pid_t root, int file);

#endif
