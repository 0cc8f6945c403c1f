#ifndef CKPTD_ACTION_H
#define CKPTD_ACTION_H

/*
 * CRIU's action script at a dump, called without arguments and with CRTOOLS_SCRIPT_ACTION in the environment:
 *
 *   post-dump     all of the job is dumped and still frozen. With $CKPTD_RECORD, the record of what the tree below
 *                 process $CKPTD_ROOT has open is written to that file, which must not be there yet (record.h). A name
 *                 without a slash in front is one in the folder of the images.
 *
 * CRIU lets the job run on and fails for any exit code but 0. What is printed gets into its log. It is run by exec,
 * not by a shell, so root's effective id is still there where the real ids are the owner's (owner-ids.h).
 */
int action_main(const char *action);

#endif
