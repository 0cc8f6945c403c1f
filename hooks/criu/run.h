#ifndef CKPTD_RUN_H
#define CKPTD_RUN_H

/*
 * `run`: CRIU where the job lives, inside the pid and mount namespaces of `--inside PID`. It is root, with the owner's
 * real ids where it has to be (owner-ids.h); with --capabilities it is the owner (owner.h). Ends as CRIU ended.
 */
int run_main(int argc, char **argv);

#endif
