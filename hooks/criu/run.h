#ifndef CKPTD_RUN_H
#define CKPTD_RUN_H

/*
 * `run`: CRIU as root, or with the owner's real ids where it has to be (owner-ids.h), where the job lives: inside the
 * pid and mount namespaces of `--inside PID`. Ends as CRIU ended.
 */
int run_main(int argc, char **argv);

#endif
