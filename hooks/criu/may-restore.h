#ifndef CKPTD_MAY_RESTORE_H
#define CKPTD_MAY_RESTORE_H

/*
 * `may-restore`: whether the owner of a job could open, now and on this node, what its processes hold: a restore
 * opens it with the owner's rights, by the same paths. Standard input has `HOW PATH` of each thing, with a NUL behind it:
 *
 *   read | write | both   a file that is open for it, or mapped
 *   pass                  a folder that a process is in, or a program that is run
 *   reach                 what is only pointed to (O_PATH)
 *   make                  a file that is deleted: CRIU makes it anew in that folder, and deletes it again
 *   bind                  a Unix socket of the job's: CRIU removes what is there and binds it anew
 *   connect               a Unix socket of somebody else's
 *
 * The paths are those of the mount namespace of `--inside PID`. Exits with 0 and `ok COUNT`, with 1 and the first
 * paths that are not so, or with a sysexits code.
 */
int may_restore_main(int argc, char **argv);

#endif
